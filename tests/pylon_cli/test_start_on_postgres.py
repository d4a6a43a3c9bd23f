"""What a person is told when Postgres cannot be used: what is wrong, what to check, and never the password."""

import socket
from pathlib import Path

import pytest

from tests.pylon_cli.conftest import Run
from tests.support.postgres import shared_server

COMMANDS = pytest.mark.parametrize("command", ["dev", "start"])
PRODUCTION = {"PYLON_CORS_ORIGIN": "https://notes.example"}


@pytest.fixture
def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port: int = nobody.getsockname()[1]
    return port


@COMMANDS
def test_a_server_that_cannot_be_reached(run: Run, notes: Path, command: str, closed_port: int) -> None:
    url = f"postgres://ann:s3cret@127.0.0.1:{closed_port}/app"

    outcome = run(command, notes, "--json", DATABASE_URL=url, **PRODUCTION)

    assert outcome.code == 1
    (diagnostic,) = outcome.json
    assert diagnostic["code"] == "PG_CONNECT_FAILED"
    assert f"postgresql://ann@127.0.0.1:{closed_port}/app cannot be reached" in diagnostic["message"]
    assert "refused" in diagnostic["message"]
    assert "DATABASE_URL" in diagnostic["hint"]
    assert "s3cret" not in outcome.out + outcome.err
    assert not (notes / ".pylon").exists()


def test_a_database_that_is_not_there(run: Run, notes: Path) -> None:
    url = shared_server().url("nowhere").replace("postgres@", "postgres:s3cret@")

    outcome = run("dev", notes, DATABASE_URL=url)

    assert outcome.code == 1
    assert 'database "nowhere" does not exist' in outcome.err
    assert "s3cret" not in outcome.err


@pytest.mark.parametrize("url", ["postgres://ann:s3c/ret@h/d", "postgres://ann:s3c%zzret@h/d"])
def test_a_url_that_cannot_be_read(run: Run, notes: Path, url: str) -> None:
    outcome = run("dev", notes, DATABASE_URL=url)

    assert outcome.code == 1
    assert "SCHEMA_INIT_FAILED" in outcome.err
    assert "%2F" in outcome.err
    assert "s3c" not in outcome.err
