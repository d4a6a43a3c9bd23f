"""The convergence machine on SQLite, and on two servers over one Postgres.

``pytest tests/convergence --hypothesis-seed=N`` tries the same examples again; a failure also prints what replays
it alone.
"""

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings

from pylon_core.clock import Clock
from pylon_core.manifest import AppManifest
from pylon_policy import PolicyEngine
from pylon_runtime.stores import AppStore
from pylon_storage import NoFaults, SqliteStore
from pylon_storage.postgres import PostgresStore
from tests.convergence.machine import Convergence
from tests.convergence.patience import Patience
from tests.support.data_api import watched_fields
from tests.support.postgres import POOL_DRAWS, fresh_database

pytestmark = POOL_DRAWS


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
    patience = Patience(later_s=2.5)
    """Longer than the two seconds after which a server looks for what it was not told of."""

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


SOME = settings(
    max_examples=100,
    stateful_step_count=40,
    deadline=None,
    print_blob=True,
    # Shrinking ends after five minutes by itself; explaining what was shrunk would go on and says little of steps.
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow],
)


def case(name: str, machine: type[Convergence], examples: int) -> Any:
    """The test of a machine; several of one machine run side by side."""
    one: Any = type(name, (machine,), {})
    one.TestCase.settings = settings(SOME, max_examples=examples)
    # A failure is shrunk first, which takes longer than a passing run.
    return pytest.mark.timeout(900)(one.TestCase)


TestOnSqlite1 = case("OnSqlite1", OnSqlite, 100)
TestOnSqlite2 = case("OnSqlite2", OnSqlite, 100)
TestOnSqlite3 = case("OnSqlite3", OnSqlite, 100)
TestOnSqlite4 = case("OnSqlite4", OnSqlite, 100)
TestOnSqlite5 = case("OnSqlite5", OnSqlite, 100)
TestOnTwoServers1 = case("OnTwoServers1", OnPostgres, 12)
TestOnTwoServers2 = case("OnTwoServers2", OnPostgres, 12)

TestOnSqliteManyTimes = pytest.mark.soak(pytest.mark.timeout(7200)(case("OnSqliteManyTimes", OnSqlite, 10_000)))
TestOnTwoServersManyTimes = pytest.mark.soak(
    pytest.mark.timeout(7200)(case("OnTwoServersManyTimes", OnPostgres, 2_000))
)
