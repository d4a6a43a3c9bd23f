"""Everything that keeps an app from starting: exit code 1, and a message that says what to do about it."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.pylon_cli.conftest import Run
from tests.strategies.documents import app, entity, field, policy
from tests.support.servers import free_ports_in_a_row

COMMANDS = pytest.mark.parametrize("command", ["dev", "start"])
PRODUCTION = {"PYLON_CORS_ORIGIN": "https://notes.example"}


def write(folder: Path, manifest: object) -> Path:
    text = manifest if isinstance(manifest, str) else json.dumps(manifest)
    (folder / "pylon.manifest.json").write_text(text)
    return folder


@COMMANDS
def test_a_folder_that_is_not_there(run: Run, tmp_path: Path, command: str) -> None:
    outcome = run(command, tmp_path / "nowhere", "--json", **PRODUCTION)

    assert outcome.code == 1
    assert outcome.json[0]["code"] == f"{command.upper()}_ENTRY_NOT_FOUND"
    assert "nowhere" in outcome.json[0]["message"]


@COMMANDS
def test_a_folder_without_a_manifest(run: Run, tmp_path: Path, command: str) -> None:
    outcome = run(command, tmp_path, **PRODUCTION)

    assert (outcome.code, outcome.out) == (1, "")
    assert "error[MANIFEST_READ_FAILED] pylon.manifest.json: There is no pylon.manifest.json here." in outcome.err
    assert "hint:" in outcome.err


BROKEN = [
    ('{"name": "x",\n  "version": }', "MANIFEST_PARSE_ERROR", (2, 14)),
    ("", "MANIFEST_PARSE_ERROR", (1, 1)),
    ("[]", "MANIFEST_PARSE_ERROR", (None, None)),
    (app(entities=[]), "SCHEMA_EMPTY", (None, None)),
    (app(entities=[entity(fields=[field(type_="strnig")])]), "FIELD_TYPE_UNKNOWN", (None, None)),
]


@COMMANDS
@pytest.mark.parametrize(("manifest", "code", "position"), BROKEN, ids=[str(case[1:]) for case in BROKEN])
def test_a_broken_manifest_is_reported_with_its_place(
    run: Run, tmp_path: Path, command: str, manifest: Any, code: str, position: tuple[int | None, int | None]
) -> None:
    outcome = run(command, write(tmp_path, manifest), "--json", **PRODUCTION)

    assert outcome.code == 1
    found = next(diagnostic for diagnostic in outcome.json if diagnostic["code"] == code)
    span = found.get("span", {})
    assert (span.get("line"), span.get("column")) == position
    assert not (tmp_path / ".pylon").exists(), "a refused manifest touches nothing"


def test_a_person_can_click_on_the_place(run: Run, tmp_path: Path) -> None:
    outcome = run("dev", write(tmp_path, '{"name": "x",\n  "version": }'))

    assert "pylon.manifest.json:2:14: " in outcome.err
    assert "\x1b" not in outcome.err, "no colours where nobody looks"


def test_every_error_of_a_manifest_is_reported_at_once(run: Run, tmp_path: Path) -> None:
    twice = app(entities=[entity(), entity()], policies=[policy(entity="Nope")])

    codes = {found["code"] for found in run("dev", write(tmp_path, twice), "--json").json}

    assert {"ENTITY_DUPLICATE", "POLICY_ENTITY_NOT_FOUND"} <= codes


@COMMANDS
def test_a_syntax_error_in_a_policy_names_the_policy_and_the_place(run: Run, tmp_path: Path, command: str) -> None:
    manifest = app(policies=[policy("owners_only", entity="Note", allow="auth.userId == ")])

    outcome = run(command, write(tmp_path, manifest), **PRODUCTION)

    assert outcome.code == 1
    assert "POLICY_SYNTAX_ERROR" in outcome.err
    assert "owners_only" in outcome.err
    assert "line 1, column 16" in outcome.err


BAD_CONFIGURATIONS = [
    ("dev", {"PYLON_PORT": "abc"}, "PYLON_PORT"),
    ("dev", {"PYLON_PORT": "65534"}, "65532"),
    ("dev", {"PYLON_DRAIN_SECS": "soon"}, "PYLON_DRAIN_SECS"),
    ("start", {**PRODUCTION, "DATABASE_URL": "mysql://h/d"}, "DATABASE_URL"),
    ("start", {}, "PYLON_CORS_ORIGIN"),
    ("start", {"PYLON_CORS_ORIGIN": "*"}, "PYLON_CORS_ORIGIN"),
    ("start", {"PYLON_CORS_ORIGIN": "notes.example"}, "PYLON_CORS_ORIGIN"),
]


@pytest.mark.parametrize(("command", "environ", "named"), BAD_CONFIGURATIONS)
def test_a_configuration_that_does_not_work(
    run: Run, notes: Path, command: str, environ: dict[str, str], named: str
) -> None:
    outcome = run(command, notes, "--json", **environ)

    assert outcome.code == 1
    (diagnostic,) = outcome.json
    assert diagnostic["code"] == "INVALID_CONFIG"
    assert named in diagnostic["message"] + diagnostic["hint"]


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


@COMMANDS
def test_a_taken_port_is_named_and_nothing_is_left_open(
    run: Run, notes: Path, command: str, taken_port: int
) -> None:
    environ = {**PRODUCTION, "PYLON_HOST": "127.0.0.1", "PYLON_EXTRA_PORTS": "0"}

    outcome = run(command, notes, "--port", str(taken_port), **environ)

    assert (outcome.code, outcome.out) == (1, "")
    assert f"error[PORT_IN_USE] Port {taken_port} is in use" in outcome.err
    assert "choose another port" in outcome.err
    assert not (notes / ".pylon" / "dev.db-wal").exists(), "the database was closed"


def test_a_taken_extra_port_is_named_with_the_way_around_it(run: Run, notes: Path) -> None:
    port = free_ports_in_a_row()
    with socket.create_server(("127.0.0.1", port + 1)):
        outcome = run("dev", notes, "--port", str(port))

    assert outcome.code == 1
    assert f"Port {port + 1} is in use" in outcome.err
    assert "PYLON_EXTRA_PORTS=0" in outcome.err
    with socket.create_server(("127.0.0.1", port)):
        pass  # the first port was given back


def test_a_database_that_cannot_be_opened(run: Run, notes: Path) -> None:
    (notes / "data.db").write_text("this is not a database, whatever its name says" * 100)

    outcome = run("dev", notes, "--json", "--port", "0", PYLON_DB_PATH="data.db", PYLON_EXTRA_PORTS="0")

    assert outcome.code == 1
    assert outcome.json[0]["code"] == "SCHEMA_INIT_FAILED"


def test_a_place_where_the_database_cannot_be(run: Run, notes: Path) -> None:
    (notes / "data").write_text("a file where a folder is needed")

    outcome = run("dev", notes, "--json", "--port", "0", PYLON_DB_PATH="data/app.db", PYLON_EXTRA_PORTS="0")

    assert outcome.code == 1
    assert outcome.json[0]["code"] == "SCHEMA_INIT_FAILED"
