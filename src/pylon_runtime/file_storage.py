"""Opens the storage that the configuration names. Called once, before anything has started."""

from pathlib import Path

from pylon_http.files import FileStorage
from pylon_runtime.file_config import FOLDER, PROVIDER, BucketConfig, FileConfig
from pylon_runtime.settings import ConfigError
from pylon_storage.files import LocalStorage


def open_file_storage(config: FileConfig, folder: Path) -> FileStorage:
    """``folder`` is where a local storage lies. Raises ``ConfigError``."""
    if config.bucket is not None:
        return _open_bucket(config.bucket)
    try:
        return LocalStorage(folder)
    except OSError as error:
        raise ConfigError(
            f"The folder of uploaded files cannot be used: {error.strerror}.",
            hint=f"{FOLDER.name} names it; the server must be able to write there.",
        ) from error


def _open_bucket(bucket: BucketConfig) -> FileStorage:
    try:
        # Half a second and 15 MB that only those with a bucket pay.
        from pylon_storage.files.s3 import S3Storage
    except ImportError as error:
        raise ConfigError(
            "Keeping files in a bucket needs a library that is not installed.",
            hint=f"Install the extra: pylonsync[s3]. Or set {PROVIDER.name}=local.",
        ) from error
    try:
        return S3Storage(bucket.bucket, bucket.region, bucket.endpoint, bucket.access_key, bucket.secret_key)
    except ValueError as error:
        raise ConfigError("The bucket's region or endpoint does not work.", hint="Correct PYLON_S3_*.") from error
