from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.file_storages import Bucket, Folder, Place, s3_server


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    with s3_server() as endpoint:
        yield endpoint


@pytest.fixture(params=["local", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    opened = (
        Folder(tmp_path / "uploads")
        if request.param == "local"
        else Bucket(request.getfixturevalue("s3_endpoint"))
    )
    yield opened
    opened.close()
