"""The convergence machine on each engine, and on two servers over one Postgres."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from pylon_core.clock import Clock
from pylon_core.manifest import AppManifest
from pylon_policy import PolicyEngine
from pylon_runtime.stores import AppStore
from pylon_storage import NoFaults, SqliteStore
from pylon_storage.postgres import PostgresStore
from tests.convergence.machine import Convergence
from tests.support.data_api import watched_fields
from tests.support.postgres import fresh_database


class OnSqlite(Convergence):
    def make_database(self) -> None:
        self.directory = tempfile.TemporaryDirectory(prefix="pylon-")

    def remove_database(self) -> None:
        self.directory.cleanup()

    def open_store(self, manifest: AppManifest, policies: PolicyEngine, clock: Clock) -> AppStore:
        return SqliteStore(
            Path(self.directory.name) / "app.db",
            manifest,
            watched=watched_fields(manifest, policies),
            visibility=policies.fingerprint,
            clock=clock,
            faults=NoFaults(),
            durable=False,
        )


class OnPostgres(Convergence):
    servers_number = 2

    def make_database(self) -> None:
        self.url = fresh_database()

    def open_store(self, manifest: AppManifest, policies: PolicyEngine, clock: Clock) -> AppStore:
        return PostgresStore(
            self.url,
            manifest,
            watched=watched_fields(manifest, policies),
            visibility=policies.fingerprint,
            clock=clock,
            faults=NoFaults(),
        )


OnSqlite.TestCase.settings = settings(
    max_examples=100,
    stateful_step_count=40,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
OnPostgres.TestCase.settings = settings(OnSqlite.TestCase.settings, max_examples=8)
# A failure is shrunk first, which takes longer than a passing run.
TestEveryReplicaConverges = pytest.mark.timeout(900)(OnSqlite.TestCase)
TestEveryReplicaConvergesOnPostgres = pytest.mark.timeout(900)(OnPostgres.TestCase)
