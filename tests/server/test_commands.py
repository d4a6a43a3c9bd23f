"""What the two commands print and decide: ``dev`` for a developer's machine, ``start`` for a real server."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.pylon_runtime.server_rig import RawClient, Reply, post
from tests.server.rig import Server, notes_app, serving, write_app, write_manifest
from tests.strategies.documents import entity
from tests.support.servers import free_port
from tests.support.waiting import until

ORIGIN = "https://notes.example"
PRODUCTION = {"PYLON_CORS_ORIGIN": ORIGIN}


class Command:
    """A running command whose standard output is read line by line."""

    def __init__(self, process: "subprocess.Popen[bytes]", server: Server) -> None:
        self._process = process
        self.server = server

    def event(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())

    def end(self) -> list[str]:
        """Stop it; what else it said on standard output."""
        self._process.terminate()
        rest, _ = self._process.communicate(timeout=20)
        assert self._process.returncode == 0
        return rest.decode().splitlines()


@contextmanager
def command(*words: str, folder: Path, env: Mapping[str, str] | None = None, port: int = 0) -> Iterator[Command]:
    process = subprocess.Popen(
        [sys.executable, "-m", "pylon_cli", *words, str(folder), "--port", str(port)],
        env={**os.environ, "PYLON_EXTRA_PORTS": "0", **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield Command(process, Server(folder, port=port or 1))
    finally:
        process.kill()
        process.communicate()


def test_dev_tells_a_program_about_every_rebuild(tmp_path: Path) -> None:
    folder = write_app(tmp_path)
    with command("dev", "--json", folder=folder) as dev:
        first = dev.event()
        assert (first["code"], first["rebuild"], first["name"]) == ("DEV_OK", 1, "notes")
        assert first["diagnostics"] == []

        write_manifest(folder, notes_app(entities=[]))
        failed = dev.event()
        assert (failed["code"], failed["rebuild"]) == ("DEV_ERROR", 2)
        assert "SCHEMA_EMPTY" in [found["code"] for found in failed["diagnostics"]]

        write_manifest(folder, notes_app(version="9"))
        again = dev.event()
        assert (again["code"], again["rebuild"], again["version"]) == ("DEV_OK", 3, "9")
        assert again["port"] == first["port"], "a free port, once found, is kept"
        assert dev.end() == []


def test_dev_shows_a_person_where_everything_is(tmp_path: Path) -> None:
    document = notes_app()
    document["entities"].append(entity("Bare"))
    with serving(write_app(tmp_path, document)) as server:
        for text in (f"http://localhost:{server.port}", "notes 0.1.0", "Note, Post, User", ".pylon/dev.db"):
            server.await_log(text)
        server.await_log("warning[ENTITY_WITHOUT_POLICY]")
        assert "No policy covers Bare: open to everyone" in server.log_text()
        assert "\x1b[" not in server.log_text()


def test_start_announces_itself_in_one_document(tmp_path: Path) -> None:
    folder = write_app(tmp_path)
    with command("start", "--json", folder=folder, env=PRODUCTION) as start:
        event = start.event()
        assert event.pop("port") > 0
        assert event == {
            "code": "START_OK",
            "name": "notes",
            "version": "0.1.0",
            "db_path": str(folder / ".pylon" / "dev.db"),
            "backend": "sqlite",
            "diagnostics": [],
        }
        assert start.end() == []


@pytest.fixture
def production(tmp_path: Path) -> Iterator[Server]:
    document = notes_app()
    document["entities"].append(entity("Bare"))
    with serving(write_app(tmp_path, document), env=PRODUCTION, command="start") as server:
        yield server


def ask(server: Server, target: str, *lines: str) -> Reply:
    with RawClient(server.port) as client:
        return client.ask(post(b'{"user_id": "ann", "title": "x"}', target, *lines))


def test_start_has_none_of_the_conveniences_of_dev(production: Server) -> None:
    assert ask(production, "/api/auth/session").code == "FORBIDDEN"
    assert ask(production, "/api/entities/Bare").code == "POLICY_DENIED"
    assert ask(production, "/api/auth/guest", "Origin: https://evil.example").code == "CSRF_REJECTED"
    guest = ask(production, "/api/auth/guest", f"Origin: {ORIGIN}")
    assert guest.status == 201
    assert "Secure" in guest.headers["set-cookie"]
    assert guest.headers["access-control-allow-origin"] == ORIGIN
    assert "No policy covers Bare: closed to all but the administrator" in production.log_text()


@pytest.mark.parametrize(("name", "host"), [("dev", "0100007F"), ("start", "00000000")])
def test_where_a_command_listens(tmp_path: Path, name: str, host: str) -> None:
    port = free_port()
    with command(name, "--json", folder=write_app(tmp_path), env=PRODUCTION, port=port):
        until(lambda: f"{host}:{port:04X} 00000000:0000 0A" in Path("/proc/net/tcp").read_text(), "it to listen")


def test_dev_in_a_folder_needs_no_argument(tmp_path: Path) -> None:
    write_app(tmp_path)
    process = subprocess.Popen(
        [sys.executable, "-m", "pylon_cli", "--json", "dev", "--port", "0"],
        cwd=tmp_path,
        env={**os.environ, "PYLON_EXTRA_PORTS": "0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["code"] == "DEV_OK"
    process.terminate()
    process.communicate(timeout=20)
    assert process.returncode == 0
    assert (tmp_path / ".pylon" / "dev.db").exists()
