from collections.abc import Iterator

import pytest

from tests.support.data_api import DataApi


@pytest.fixture
def api() -> Iterator[DataApi]:
    opened = DataApi()
    yield opened
    opened.store.close()
