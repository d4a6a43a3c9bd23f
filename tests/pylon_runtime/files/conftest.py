from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.file_server import FileServer, serving_files
from tests.support.file_storages import Bucket, Folder, Place, s3_server


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    with s3_server() as endpoint:
        yield endpoint


@pytest.fixture(scope="module", params=["local", "s3"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    opened = (
        Folder(tmp_path_factory.mktemp("files"))
        if request.param == "local"
        else Bucket(request.getfixturevalue("s3_endpoint"))
    )
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def server(place: Place) -> Iterator[FileServer]:
    """Over each storage, for tests that do not mind each other's files."""
    with serving_files(place.storage) as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "uploads")


@pytest.fixture
def local(folder: Folder) -> Iterator[FileServer]:
    """Over a folder of its own."""
    with serving_files(folder.storage) as running:
        yield running
