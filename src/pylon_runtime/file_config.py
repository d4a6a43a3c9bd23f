"""Where uploaded files are kept and how large they may be: the variables, and ``FileConfig``.

Apart from ``config.py`` because only ``file_storage.py`` asks for most of it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pylon_runtime.settings import ConfigError, Setting, one_of, visible_ascii, whole

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]")


def _bucket(text: str) -> str:
    if not _BUCKET.fullmatch(text):
        raise ValueError("expected the name of a bucket")
    return text


def _endpoint(text: str) -> str:
    parts = urlsplit(visible_ascii(text))
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("expected a URL such as https://storage.example.com")
    return text


def _url_prefix(text: str) -> str:
    if not visible_ascii(text).startswith(("/", "http://", "https://")):
        raise ValueError("expected a path or a URL")
    return text.rstrip("/")


PROVIDER = Setting(
    "PYLON_FILES_PROVIDER",
    one_of("local", "s3"),
    "local",
    "Where uploaded files are kept: in a folder of this machine, or in an S3-compatible bucket (extra `s3`).",
)
FOLDER = Setting("PYLON_FILES_DIR", Path, "uploads, beside the database", "Folder of uploaded files.")
BYTES_MAX = Setting(
    "PYLON_FILES_BYTES_MAX", whole(1, 1 << 40), "10485760", "Bytes the body of an upload may have."
)
URL_PREFIX = Setting(
    "PYLON_FILES_URL_PREFIX", _url_prefix, "/api/files", "What an uploaded file's id follows in its `url`."
)
S3_BUCKET = Setting("PYLON_S3_BUCKET", _bucket, "required with s3", "The bucket of uploaded files.")
S3_REGION = Setting("PYLON_S3_REGION", visible_ascii, "us-east-1", "The region the bucket is in.")
S3_ENDPOINT = Setting("PYLON_S3_ENDPOINT", _endpoint, "Amazon's", "URL of the storage service.")
S3_ACCESS_KEY = Setting(
    "PYLON_S3_ACCESS_KEY",
    visible_ascii,
    "where Amazon's tools look",
    "The key's id; together with PYLON_S3_SECRET_KEY.",
)
S3_SECRET_KEY = Setting("PYLON_S3_SECRET_KEY", visible_ascii, "where Amazon's tools look", "The key itself.")

FILE_SETTINGS: tuple[Setting[Any], ...] = (
    PROVIDER,
    FOLDER,
    BYTES_MAX,
    URL_PREFIX,
    S3_BUCKET,
    S3_REGION,
    S3_ENDPOINT,
    S3_ACCESS_KEY,
    S3_SECRET_KEY,
)


@dataclass(frozen=True)
class BucketConfig:
    """Without keys, the service's own tools look for them: environment, files, the machine's role."""

    bucket: str
    region: str
    endpoint: str | None
    access_key: str | None = field(repr=False)
    secret_key: str | None = field(repr=False)


@dataclass(frozen=True)
class FileConfig:
    """``bucket`` is ``None`` when files are kept in ``folder``, which is ``None`` for one beside the database."""

    folder: Path | None
    bytes_max: int
    url_prefix: str
    bucket: BucketConfig | None

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> "FileConfig":
        """Raises ``ConfigError`` naming the variable at fault."""
        return cls(
            folder=FOLDER.given(environ),
            bytes_max=BYTES_MAX.read(environ),
            url_prefix=URL_PREFIX.read(environ),
            bucket=_bucket_config(environ, is_wanted=PROVIDER.read(environ) == "s3"),
        )


def _bucket_config(environ: Mapping[str, str], *, is_wanted: bool) -> BucketConfig | None:
    """What is set for a bucket that is not wanted has to make sense all the same: it will be wanted some day."""
    bucket, region, endpoint = S3_BUCKET.given(environ), S3_REGION.read(environ), S3_ENDPOINT.given(environ)
    access_key, secret_key = S3_ACCESS_KEY.given(environ), S3_SECRET_KEY.given(environ)
    if not is_wanted:
        return None
    if bucket is None:
        raise ConfigError(
            "Files are to be kept in a bucket, but none is named.",
            hint=f"Set {S3_BUCKET.name}, or {PROVIDER.name}=local.",
        )
    if (access_key is None) != (secret_key is None):
        raise ConfigError(
            "Half of the bucket's key is missing.",
            hint=f"Set both {S3_ACCESS_KEY.name} and {S3_SECRET_KEY.name}, or neither.",
        )
    return BucketConfig(bucket, region, endpoint, access_key, secret_key)
