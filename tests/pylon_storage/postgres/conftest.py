from collections.abc import Callable, Iterator

import psycopg
import pytest

from pylon_core.clock import SystemClock
from pylon_core.manifest import AppManifest
from pylon_storage import FaultPoints, NoFaults
from pylon_storage.postgres import PostgresStore
from tests.pylon_storage.postgres.rig import MANIFEST, OpenStore
from tests.support.postgres import fresh_database


@pytest.fixture
def url() -> str:
    """An empty database."""
    return fresh_database()


@pytest.fixture
def open_store(url: str) -> Iterator[OpenStore]:
    """Opens stores on the test's database, and closes them after it."""
    opened: list[PostgresStore] = []

    def open_one(
        manifest: AppManifest = MANIFEST,
        *,
        visibility: str = "v1",
        faults: FaultPoints | None = None,
        through: str | None = None,
        connections_max: int = 20,
    ) -> PostgresStore:
        store = PostgresStore(
            through or url,
            manifest,
            watched={"Note": frozenset({"ownerId"})},
            visibility=visibility,
            clock=SystemClock(),
            faults=faults or NoFaults(),
            connections_max=connections_max,
        )
        opened.append(store)
        return store

    yield open_one
    for store in opened:
        store.close()


@pytest.fixture
def store(open_store: OpenStore) -> PostgresStore:
    return open_store()


@pytest.fixture
def sql(url: str) -> Iterator[Callable[..., list[tuple[object, ...]]]]:
    """Speaks to the test's database beside every store."""
    with psycopg.connect(url, autocommit=True) as connection:

        def run(text: str, *params: object) -> list[tuple[object, ...]]:
            cursor = connection.execute(text, params)
            return cursor.fetchall() if cursor.description else []

        yield run
