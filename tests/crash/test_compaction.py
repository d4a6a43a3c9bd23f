"""kill -9 while the log is compacted all the time under writers: replicas that lived through it are right, as new
ones are.

Each of four writers makes, changes and deletes rows of its own. After each life of the server a replica that goes
on from its cursor and one that starts anew hold exactly the rows there are, and those are what was acknowledged.
"""

import http.client
import json
import os
import random
import secrets
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.crash.lives import MANIFEST, PostgresDatabase, SqliteDatabase
from tests.support.postgres import fresh_database
from tests.support.servers import ServerProcess, send
from tests.support.waiting import until

WRITERS = 4


class EagerServer(ServerProcess):
    program = "tests.crash.eager_server"


class Writer:
    """``rows`` is what it was told is stored, text by id; ``doubtful`` the ids whose last answer never came."""

    def __init__(self, number: int, chance: random.Random) -> None:
        self.number = number
        self._chance = chance
        self.rows: dict[str, str] = {}
        self.doubtful: set[str] = set()

    def write_until_the_end(self, server: ServerProcess, token: str) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        with suppress(OSError, http.client.HTTPException):
            while True:
                self._write(connection, token)
        connection.close()

    def _write(self, connection: http.client.HTTPConnection, token: str) -> None:
        known = sorted(self.rows.keys() - self.doubtful)
        text = secrets.token_hex(8)
        if len(known) < 3 or self._chance.random() < 0.2:
            row_id = f"w{self.number}_{secrets.token_hex(6)}"
            self._push(connection, token, "insert", row_id, {"writer": self.number, "text": text})
            self.rows[row_id] = text
            return
        row_id = self._chance.choice(known)
        if self._chance.random() < 0.3:
            self._push(connection, token, "delete", row_id, None)
            del self.rows[row_id]
        else:
            self._push(connection, token, "update", row_id, {"text": text})
            self.rows[row_id] = text

    def _push(
        self, connection: http.client.HTTPConnection, token: str, kind: str, row_id: str, data: object
    ) -> None:
        change = {"entity": "Note", "row_id": row_id, "kind": kind, "data": data, "op_id": secrets.token_hex(6)}
        self.doubtful.add(row_id)
        status, answer = send(connection, "POST", "/api/sync/push", {"changes": [change]}, token=token)
        assert (status, answer["applied"]) == (200, 1), answer
        self.doubtful.discard(row_id)


class Replica:
    def __init__(self) -> None:
        self.cursor = 0
        self.rows: dict[str, str] = {}
        self.starts = 0

    def pull_all(self, server: ServerProcess, token: str) -> None:
        has_more = True
        while has_more:
            status, raw = server.request("GET", f"/api/sync/pull?since={self.cursor}", token=token)
            if status == 410:
                assert self.cursor != 0
                self.cursor, self.rows = 0, {}
                self.starts += 1
                continue
            assert status == 200, raw
            for event in raw["changes"]:
                if event["kind"] == "delete":
                    self.rows.pop(event["row_id"], None)
                else:
                    self.rows[event["row_id"]] = event["data"]["text"]
            self.cursor, has_more = raw["cursor"]["last_seq"], raw["has_more"]


def check(
    server: ServerProcess, token: str, replica: Replica, writers: list[Writer], rows: dict[str, str]
) -> None:
    anew = Replica()
    # The log may be compacted under a first answer, which breaks off then.
    for attempt in range(20):
        try:
            anew.pull_all(server, token)
            replica.pull_all(server, token)
            break
        except (http.client.HTTPException, json.JSONDecodeError):
            assert attempt < 19
            anew = Replica()
    assert anew.rows == rows
    assert replica.rows == rows
    for writer in writers:
        for row_id, text in writer.rows.items():
            assert row_id in writer.doubtful or rows.get(row_id) == text, "an acknowledged write is missing"
        writer.rows = {row_id: text for row_id, text in rows.items() if row_id.startswith(f"w{writer.number}_")}
        writer.doubtful.clear()


def lives(app: Path, database: SqliteDatabase | PostgresDatabase, rounds: int) -> None:
    seed = int(os.environ.get("PYLON_CRASH_SEED") or secrets.randbelow(1 << 32))
    print(f"PYLON_CRASH_SEED={seed}")
    chance = random.Random(seed)
    (app / "pylon.manifest.json").write_text(MANIFEST)
    writers = [Writer(number, random.Random(seed + number)) for number in range(WRITERS)]
    replica, refused = Replica(), list[BaseException]()

    def noting(work: Callable[[ServerProcess, str], Any], *args: Any) -> None:
        try:
            work(*args)
        except BaseException as error:
            refused.append(error)
            raise

    for number in range(rounds):
        server = EagerServer(app, env=database.env)
        server.start()
        try:
            token, _ = server.guest()
            check(server, token, replica, writers, database.rows())
            threads = [
                threading.Thread(target=noting, args=(writer.write_until_the_end, server, token))
                for writer in writers
            ]
            for thread in threads:
                thread.start()
            server.wait(chance.uniform(0.1, 0.6))
            server.kill()
            for thread in threads:
                thread.join(20)
        finally:
            server.kill()
        database.check_integrity()
        assert refused == []
        assert "log_keeping_failed" not in server.log.read_text()
        print(f"round {number}: {len(database.rows())} rows, {len(database.log())} entries")
    assert "log_compacted" in (app / "server.log").read_text()
    check_an_old_cursor_ends(EagerServer(app, env=database.env), database)


def check_an_old_cursor_ends(server: EagerServer, database: SqliteDatabase | PostgresDatabase) -> None:
    """Whoever was away for longer than deletions are kept is told to start again, and then has every row."""
    server.start()
    try:
        token, _ = server.guest()
        gone = {"entity": "Note", "row_id": "gone", "data": {"writer": 0, "text": "gone"}}
        changes = [{**gone, "kind": "insert"}, {**gone, "kind": "delete"}]
        _, pushed = server.request("POST", "/api/sync/push", {"changes": changes}, token=token)
        assert pushed["applied"] == 2
        until(
            lambda: server.request("GET", "/api/sync/pull?since=1", token=token)[0] == 410, "an old cursor's end"
        )
        left_behind = Replica()
        left_behind.cursor = 1
        left_behind.pull_all(server, token)
        assert left_behind.starts == 1
        assert left_behind.rows == database.rows()
    finally:
        server.kill()


@pytest.mark.timeout(180)
def test_six_lives_under_a_busy_compactor(tmp_path: Path) -> None:
    lives(tmp_path, SqliteDatabase(tmp_path / ".pylon" / "dev.db"), 6)


@pytest.mark.timeout(180)
def test_three_lives_under_a_busy_compactor_on_postgres(tmp_path: Path) -> None:
    lives(tmp_path, PostgresDatabase(fresh_database()), 3)


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_five_hundred_lives_under_a_busy_compactor(tmp_path: Path) -> None:
    lives(tmp_path, SqliteDatabase(tmp_path / ".pylon" / "dev.db"), 500)
