"""What the crash tests share: eight writers, what they were told, and whether the database agrees with it.

A round starts the server on the database the last one left and ends it without warning, at a random moment or at a
named fault point inside the store. The rounds come from one seed, which is printed; set PYLON_CRASH_SEED to replay
it.
"""

import http.client
import os
import random
import secrets
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import apsw
import psycopg

from tests.support.servers import ServerProcess, send

WRITERS = 8
POINTS = ("store.before_commit", "store.after_commit", "store.before_publish")
MANIFEST = """{"manifest_version": 1, "name": "crash", "version": "1", "routes": [], "entities": [
  {"name": "Note", "indexes": [], "fields": [
    {"name": "writer", "type": "int", "optional": false, "unique": false},
    {"name": "text", "type": "string", "optional": false, "unique": true}]}],
  "policies": [{"name": "all", "entity": "Note", "allow": "auth.userId != null"}]}"""

LogEntry = tuple[int, str, str]
"""Seq, row id, kind."""


class Database(Protocol):
    """The database under the server, read while no server runs."""

    @property
    def env(self) -> Mapping[str, str]: ...

    def rows(self) -> dict[str, str]:
        """Text by row id."""

    def log(self) -> Sequence[LogEntry]:
        """In the order of commits where that is known, otherwise by seq."""

    def check_integrity(self) -> None: ...


@dataclass(frozen=True)
class SqliteDatabase:
    path: Path
    env: Mapping[str, str] = field(default_factory=dict)

    def rows(self) -> dict[str, str]:
        return dict(self._all('SELECT "id", "text" FROM "Note"'))

    def log(self) -> list[LogEntry]:
        return self._all("SELECT seq, row_id, kind FROM _pylon_changes ORDER BY rowid")

    def check_integrity(self) -> None:
        assert self._all("PRAGMA integrity_check") == [("ok",)]

    def _all(self, text: str) -> list[Any]:
        database = apsw.Connection(str(self.path))
        try:
            return list(database.execute(text))
        finally:
            database.close()


@dataclass(frozen=True)
class PostgresDatabase:
    url: str

    @property
    def env(self) -> Mapping[str, str]:
        return {"DATABASE_URL": self.url}

    def rows(self) -> dict[str, str]:
        return dict(self._all('SELECT "id", "text" FROM "Note"'))

    def log(self) -> list[LogEntry]:
        return self._all("SELECT seq, row_id, kind FROM _pylon_changes ORDER BY seq")

    def check_integrity(self) -> None:
        """Postgres recovers or does not start."""

    def _all(self, text: str) -> list[Any]:
        with psycopg.connect(self.url) as connection:
            return connection.execute(text.encode()).fetchall()


@dataclass
class History:
    """What the writers were told: rows acknowledged, and rows sent whose answer never came."""

    acknowledged: dict[str, str] = field(default_factory=dict)
    sent: set[str] = field(default_factory=set)
    refused: list[tuple[int, object]] = field(default_factory=list)


def write_until_the_end(server: ServerProcess, token: str, writer: int, history: History) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    with suppress(OSError, http.client.HTTPException):
        while True:
            text = secrets.token_hex(8)
            history.sent.add(text)
            body = {"writer": writer, "text": text}
            status, answer = send(connection, "POST", "/api/entities/Note", body, token=token)
            if status == 201:
                history.acknowledged[answer["id"]] = text
            else:
                history.refused.append((status, answer))
    connection.close()


def run_round(app: Path, env: Mapping[str, str], chance: random.Random, history: History) -> str:
    """One life of the server; returns how it was made to end."""
    at_point = chance.random() < 0.5
    fault = f"{chance.choice(POINTS)}:{chance.randrange(2, 60)}"
    server = ServerProcess(app, env={**env, "PYLON_FAULTS": fault} if at_point else env)
    server.start(wait=False)
    try:
        with suppress(AssertionError, OSError, http.client.HTTPException):  # it may end before anybody writes
            server.wait_until_answering()
            token, _ = server.guest()
            writers = [
                threading.Thread(target=write_until_the_end, args=(server, token, number, history))
                for number in range(WRITERS)
            ]
            for writer in writers:
                writer.start()
            server.wait(10 if at_point else chance.uniform(0.02, 0.4))
            server.kill()
            for writer in writers:
                writer.join(20)
            assert not any(writer.is_alive() for writer in writers)
    finally:
        server.kill()
    return fault if at_point else "kill"


def check_database(database: Database, history: History) -> int:
    """Rows and log agree with each other and with what the writers were told; returns the newest seq."""
    database.check_integrity()
    rows, entries = database.rows(), database.log()
    seqs = [seq for seq, _, _ in entries]
    assert history.acknowledged.items() <= rows.items(), "an acknowledged row is missing"
    assert set(rows.values()) <= history.sent, "a row nobody sent"
    assert sorted(rows) == sorted(row_id for _, row_id, _ in entries), "rows and log disagree"
    assert seqs == sorted(set(seqs))
    return seqs[-1] if seqs else 0


def crash_rounds(app: Path, database: Database, rounds: int) -> None:
    seed = int(os.environ.get("PYLON_CRASH_SEED") or secrets.randbelow(1 << 32))
    print(f"PYLON_CRASH_SEED={seed}")
    chance, history, newest = random.Random(seed), History(), 0
    (app / "pylon.manifest.json").write_text(MANIFEST)
    for number in range(rounds):
        ending = run_round(app, database.env, chance, history)
        head = check_database(database, history)
        print(f"round {number}: {ending}, {len(history.acknowledged)} acknowledged, seq {head}")
        assert head >= newest, "seqs went back"
        newest = head
    assert len(history.acknowledged) > rounds
    assert history.refused == []
