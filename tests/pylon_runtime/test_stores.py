"""The choice of a database: what it is called, and that nobody pays for the one that is not used."""

import subprocess
import sys

import pytest

from pylon_http import DataError
from pylon_runtime.stores import PostgresDatabase
from pylon_storage.postgres.bring_up import VERSION_MIN, check_version

WITH_SQLITE = """
import sys, tempfile
from pathlib import Path
from pylon_cli.main import cli
from pylon_core.clock import SystemClock
from pylon_runtime.app_folder import AppFolder, load_manifest
from pylon_runtime.composition import build
from pylon_runtime.config import ServerConfig

environ = {"PYLON_DEV_MODE": "1", "PYLON_EXTRA_PORTS": "0", "PYLON_PORT": "0"}
with tempfile.TemporaryDirectory() as root:
    folder = AppFolder(Path(root))
    folder.manifest.write_text(
        '{"manifest_version": 1, "name": "n", "version": "1", "routes": [],'
        ' "entities": [{"name": "Note", "fields": [], "indexes": []}]}'
    )
    config = ServerConfig.from_env(environ)
    app = build(config, folder, load_manifest(folder, config), environ, SystemClock())
    app.start()
    app.stop()
print(sorted(name for name in sys.modules if name.partition(".")[0] in ("psycopg", "psycopg_pool")))
"""


def test_an_app_on_sqlite_does_not_even_load_what_postgres_needs() -> None:
    result = subprocess.run(
        [sys.executable, "-c", WITH_SQLITE], capture_output=True, text=True, timeout=60, check=True
    )

    assert result.stdout.splitlines()[-1] == "[]"


def test_a_database_is_named_without_its_password() -> None:
    database = PostgresDatabase("postgres://ann:s3cret@db.example:5433/app?password=s3cret")

    assert str(database) == "postgresql://ann@db.example:5433/app"
    assert "s3cret" not in repr(database)


def test_a_postgres_that_is_too_old_is_named() -> None:
    with pytest.raises(DataError) as refused:
        check_version(130_022)

    assert refused.value.code == "SCHEMA_INIT_FAILED"
    assert "Postgres 13" in refused.value.message
    assert str(VERSION_MIN) in refused.value.message
    assert refused.value.hint


@pytest.mark.parametrize("number", [140_000, 180_004])
def test_a_postgres_that_is_new_enough_will_do(number: int) -> None:
    check_version(number)
