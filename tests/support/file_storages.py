"""Both storages of files: a folder, and a bucket of an S3 server that runs in this process."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3  # type: ignore[import-untyped]  # it comes without types
from moto.server import ThreadedMotoServer

from pylon_http.files import FileStorage
from pylon_storage.files import LocalStorage
from pylon_storage.files.s3 import S3Storage

KEY = "testing"
REGION = "us-east-1"


@contextmanager
def s3_server() -> Iterator[str]:
    """The endpoint of a running server."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def make_bucket(endpoint: str) -> str:
    """A new bucket's name."""
    name = f"files-{uuid.uuid4().hex}"
    client = boto3.client(
        "s3", region_name=REGION, endpoint_url=endpoint, aws_access_key_id=KEY, aws_secret_access_key=KEY
    )
    client.create_bucket(Bucket=name)
    client.close()
    return name


class Bucket:
    """A storage in a new bucket, and what is in it."""

    def __init__(self, endpoint: str) -> None:
        self.name = make_bucket(endpoint)
        self.storage = S3Storage(self.name, REGION, endpoint, KEY, KEY)
        self._client = boto3.client(
            "s3", region_name=REGION, endpoint_url=endpoint, aws_access_key_id=KEY, aws_secret_access_key=KEY
        )

    def names(self) -> list[str]:
        """The objects, and the uploads that were begun."""
        objects = self._client.list_objects_v2(Bucket=self.name).get("Contents", [])
        uploads = self._client.list_multipart_uploads(Bucket=self.name).get("Uploads", [])
        return sorted(item["Key"] for item in [*objects, *uploads])

    def close(self) -> None:
        self.storage.close()
        self._client.close()


class Folder:
    """A storage in a folder, and what is in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.storage = LocalStorage(path)

    def names(self) -> list[str]:
        return sorted(file.name for file in self.path.rglob("*") if file.is_file())

    def close(self) -> None:
        """There is nothing to close."""


Place = Folder | Bucket


def content(storage: FileStorage, file_id: str, start: int, end: int) -> bytes:
    reader = storage.open(file_id, start, end)
    try:
        return b"".join(iter(reader.read, b""))
    finally:
        reader.close()


def store(storage: FileStorage, file_id: str, *pieces: bytes) -> None:
    writer = storage.begin(file_id)
    for piece in pieces:
        writer.write(piece)
    writer.commit()
