"""Where files go, as configured: what does not work stops the start and says why."""

import builtins
from pathlib import Path
from typing import Any

import pytest

from pylon_runtime.file_config import BucketConfig, FileConfig
from pylon_runtime.file_storage import open_file_storage
from pylon_runtime.settings import ConfigError
from pylon_storage.files import LocalStorage
from pylon_storage.files.s3 import S3Storage

BUCKET = {"PYLON_FILES_PROVIDER": "s3", "PYLON_S3_BUCKET": "files"}


def test_without_settings_files_are_local_and_ten_mebibytes_at_most() -> None:
    assert FileConfig.from_env({}) == FileConfig(None, 10 << 20, "/api/files", None)


def test_every_setting_is_used() -> None:
    environ = BUCKET | {
        "PYLON_FILES_DIR": "/srv/files",
        "PYLON_FILES_BYTES_MAX": "1073741824",
        "PYLON_FILES_URL_PREFIX": "https://cdn.example.com/files/",
        "PYLON_S3_REGION": "eu-central-1",
        "PYLON_S3_ENDPOINT": "http://127.0.0.1:9000",
        "PYLON_S3_ACCESS_KEY": "id",
        "PYLON_S3_SECRET_KEY": "secret",
    }

    bucket = BucketConfig("files", "eu-central-1", "http://127.0.0.1:9000", "id", "secret")
    assert FileConfig.from_env(environ) == FileConfig(
        Path("/srv/files"), 1 << 30, "https://cdn.example.com/files", bucket
    )
    assert "secret" not in repr(bucket)


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        pytest.param({"PYLON_FILES_PROVIDER": "stack0"}, "PYLON_FILES_PROVIDER", id="unknown provider"),
        pytest.param({"PYLON_FILES_PROVIDER": "s3"}, "PYLON_S3_BUCKET", id="no bucket"),
        pytest.param(BUCKET | {"PYLON_S3_ACCESS_KEY": "id"}, "PYLON_S3_SECRET_KEY", id="half a key"),
        pytest.param(BUCKET | {"PYLON_S3_SECRET_KEY": "s"}, "PYLON_S3_ACCESS_KEY", id="the other half"),
        pytest.param(BUCKET | {"PYLON_S3_BUCKET": "../x"}, "PYLON_S3_BUCKET", id="no bucket's name"),
        pytest.param({"PYLON_S3_ENDPOINT": "ftp://x"}, "PYLON_S3_ENDPOINT", id="no web address"),
        pytest.param({"PYLON_FILES_BYTES_MAX": "10MB"}, "PYLON_FILES_BYTES_MAX", id="no number"),
        pytest.param({"PYLON_FILES_URL_PREFIX": "files"}, "PYLON_FILES_URL_PREFIX", id="no path"),
    ],
)
def test_what_makes_no_sense_is_refused_naming_the_variable(environ: dict[str, str], named: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        FileConfig.from_env(environ)

    assert refusal.value.hint is not None
    assert named in refusal.value.message + refusal.value.hint


def test_the_provider_decides_what_is_opened(tmp_path: Path) -> None:
    local = open_file_storage(FileConfig.from_env({}), tmp_path / "uploads")
    bucket = open_file_storage(FileConfig.from_env(BUCKET), tmp_path)

    assert isinstance(local, LocalStorage)
    assert (tmp_path / "uploads").is_dir()
    assert isinstance(bucket, S3Storage)
    bucket.close()


def test_a_folder_that_cannot_be_made_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "uploads").write_text("a file is in the way")

    with pytest.raises(ConfigError) as refusal:
        open_file_storage(FileConfig.from_env({}), tmp_path / "uploads")

    assert "PYLON_FILES_DIR" in (refusal.value.hint or "")
    assert str(tmp_path) not in str(refusal.value)


def test_a_missing_library_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without_boto3(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.startswith("pylon_storage.files.s3"):
            raise ImportError("No module named 'boto3'", name="boto3")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_boto3)

    with pytest.raises(ConfigError) as refusal:
        open_file_storage(FileConfig.from_env(BUCKET), tmp_path)

    assert "pylonsync[s3]" in (refusal.value.hint or "")


@pytest.mark.parametrize("environ", [{"PYLON_S3_REGION": "no region!"}, {"PYLON_S3_ENDPOINT": "http://a..b"}])
def test_what_the_library_refuses_stops_the_start(tmp_path: Path, environ: dict[str, str]) -> None:
    with pytest.raises(ConfigError):
        open_file_storage(FileConfig.from_env(BUCKET | environ), tmp_path)
