"""Stores for tests that hold on either engine.

PYLON_TEST_ENGINE=postgres runs tests that do not name an engine on a fresh Postgres database each, for whoever
wants to know whether a suite written on SQLite holds there too.
"""

import os
from collections.abc import Callable, Mapping

from pylon_core.clock import Clock, SystemClock
from pylon_core.manifest import AppManifest
from pylon_runtime.stores import AppStore
from pylon_storage import EphemeralStore, NoFaults

Watched = Mapping[str, frozenset[str]]
SYSTEM_CLOCK = SystemClock()


def ephemeral(manifest: AppManifest, watched: Watched, clock: Clock = SYSTEM_CLOCK) -> AppStore:
    return EphemeralStore(manifest, watched=watched, clock=clock)


def postgres(manifest: AppManifest, watched: Watched, clock: Clock = SYSTEM_CLOCK) -> AppStore:
    from pylon_storage.postgres import PostgresStore
    from tests.support.postgres import fresh_database

    return PostgresStore(
        fresh_database(),
        manifest,
        watched=watched,
        visibility="",
        clock=clock,
        faults=NoFaults(),
    )


ENGINES: Mapping[str, Callable[..., AppStore]] = {"sqlite": ephemeral, "postgres": postgres}


def engine_of_tests() -> str:
    return os.environ.get("PYLON_TEST_ENGINE") or "sqlite"
