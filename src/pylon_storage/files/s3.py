"""Files in an S3-compatible bucket: one object each, its key the file's id.

An upload is sent in parts, of which one is in memory; an object appears when the last of them is confirmed, whole
or not at all. Reading asks for one piece after the other, so a slow receiver holds no connection to the bucket.
Any thread may call. Needs the extra ``s3``; the import is here so that nobody else pays for it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3  # type: ignore[import-untyped]  # it comes without types
import structlog
from botocore.config import Config  # type: ignore[import-untyped]
from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]

from pylon_core.turns import blocking
from pylon_http import DataError
from pylon_http.files import FileReader, FileStorage, FileWriter

PART_BYTES = 5 << 20
"""The least S3 takes, because each upload holds one in memory; 10,000 of them are a file of 48 GiB."""

PIECE_BYTES = 1 << 20
"""What a download asks for at once: enough that the round trips do not show."""

_CONNECTIONS_MAX = 64
_CONNECT_S = 10
_REPLY_S = 30
_ATTEMPTS = 3

_ABSENT = frozenset({"NoSuchKey", "NoSuchUpload", "404"})

_log = structlog.get_logger(__name__)


class S3Storage:
    """``endpoint`` is for buckets that are not Amazon's. Without keys boto3 looks for credentials where it always
    does: environment, files, the machine's role."""

    def __init__(
        self, bucket: str, region: str, endpoint: str | None, access_key: str | None, secret_key: str | None
    ) -> None:
        self._bucket = bucket
        config = Config(
            connect_timeout=_CONNECT_S,
            read_timeout=_REPLY_S,
            retries={"max_attempts": _ATTEMPTS, "mode": "standard"},
            max_pool_connections=_CONNECTIONS_MAX,
            # Checksums beyond the protocol's own are Amazon's alone; others refuse them.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            s3={"addressing_style": "path" if endpoint else "auto"},
        )
        self._client = boto3.client(
            "s3",
            region_name=region,
            endpoint_url=endpoint,
            aws_access_key_id=access_key,
            aws_secret_access_key=secret_key,
            config=config,
        )

    def close(self) -> None:
        self._client.close()

    def begin(self, file_id: str) -> FileWriter:
        return _S3Writer(self._client, self._bucket, file_id)

    def open(self, file_id: str, start: int, end: int) -> FileReader:
        reader = _S3Reader(self._client, self._bucket, file_id, start, end)
        reader.fetch()
        return reader

    def delete(self, file_id: str) -> None:
        with blocking(), _failing("DELETE_FAILED", "The file could not be removed."):
            found = self._client.list_multipart_uploads(Bucket=self._bucket, Prefix=file_id)
            for upload in found.get("Uploads", ()):
                _abort(self._client, self._bucket, upload["Key"], upload["UploadId"])
            self._client.delete_object(Bucket=self._bucket, Key=file_id)


class _S3Writer:
    def __init__(self, client: Any, bucket: str, key: str) -> None:
        self._client = client
        self._object = {"Bucket": bucket, "Key": key}
        self._unsent = bytearray()
        self._upload_id: str | None = None
        self._parts: list[dict[str, Any]] = []

    def write(self, data: bytes) -> None:
        self._unsent += data
        while len(self._unsent) >= PART_BYTES:
            part = bytes(memoryview(self._unsent)[:PART_BYTES])
            del self._unsent[:PART_BYTES]
            self._send_part(part)

    def commit(self) -> None:
        if self._upload_id is None:
            with blocking(), _failing("WRITE_FAILED", "The file could not be stored."):
                self._client.put_object(**self._object, Body=bytes(self._unsent))
            return
        if self._unsent:
            self._send_part(bytes(self._unsent))
        with blocking(), _failing("WRITE_FAILED", "The file could not be stored."):
            self._client.complete_multipart_upload(
                **self._object, UploadId=self._upload_id, MultipartUpload={"Parts": self._parts}
            )

    def abort(self) -> None:
        self._unsent = bytearray()
        with blocking(), _failing("DELETE_FAILED", "The file could not be removed."):
            if self._upload_id is not None:
                _abort(self._client, self._object["Bucket"], self._object["Key"], self._upload_id)
            # A commit that failed may have been carried out all the same.
            self._client.delete_object(**self._object)

    def _send_part(self, data: bytes) -> None:
        with blocking(), _failing("WRITE_FAILED", "The file could not be stored."):
            if self._upload_id is None:
                self._upload_id = self._client.create_multipart_upload(**self._object)["UploadId"]
            number = len(self._parts) + 1
            sent = self._client.upload_part(**self._object, UploadId=self._upload_id, PartNumber=number, Body=data)
        self._parts.append({"PartNumber": number, "ETag": sent["ETag"]})


class _S3Reader:
    def __init__(self, client: Any, bucket: str, key: str, start: int, end: int) -> None:
        self._client = client
        self._object = {"Bucket": bucket, "Key": key}
        self._at = start
        self._end = end
        self._fetched = b""

    def fetch(self) -> None:
        """Have the next piece here."""
        last = min(self._at + PIECE_BYTES, self._end) - 1
        if last < self._at:
            return
        with blocking(), _failing("READ_FAILED", "The file could not be read."):
            found = self._client.get_object(**self._object, Range=f"bytes={self._at}-{last}")
            with found["Body"] as body:
                self._fetched = body.read()
        self._at += len(self._fetched)

    def read(self) -> bytes:
        if not self._fetched:
            self.fetch()
        piece, self._fetched = self._fetched, b""
        return piece

    def close(self) -> None:
        self._fetched = b""


def _abort(client: Any, bucket: str, key: str, upload_id: str) -> None:
    try:
        client.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload_id)
    except ClientError as error:
        if _code(error) not in _ABSENT:
            raise


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


@contextmanager
def _failing(code: str, message: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if code == "READ_FAILED" and _code(error) in _ABSENT:
            raise DataError("FILE_NOT_FOUND", "There is no such file.") from error
        _log.error("file_storage_failed", code=code, error=_code(error))
        raise DataError(code, message, status=500) from error
    except (BotoCoreError, OSError) as error:
        _log.error("file_storage_failed", code=code, error=type(error).__name__)
        raise DataError(code, message, status=500) from error


_: type[FileStorage] = S3Storage
