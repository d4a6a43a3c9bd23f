from collections.abc import Iterator
from pathlib import Path

import pytest

from pylon_workers import D1Store
from tests.pylon_workers.d1_store import open_store
from tests.support.d1 import LocalD1


@pytest.fixture
def d1(tmp_path: Path) -> Iterator[LocalD1]:
    database = LocalD1(tmp_path / "d1.db")
    yield database
    database.close()


@pytest.fixture
def store(d1: LocalD1) -> Iterator[D1Store]:
    opened = open_store(d1)
    yield opened
    opened.close()
