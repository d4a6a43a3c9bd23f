"""A reader of the event stream, as a process: ``python -m tests.history.reader <folder> <port> <token>``.

It opens the stream, pulls to the end, then takes what arrives, passing over what its cursor has passed, and so on
whenever the stream or the reader itself has ended. Whatever it takes it writes on a tape, in the transaction that
moves its cursor. It detects no gaps, so the tape shows whether there are any.

Threads: the main one answers what is on the tape, ``read`` has the stream and writes.
"""

import json
import sqlite3
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.history.event_stream import EventStream
from tests.history.talk import FAILURES, request, rest, say

LOOK_EVERY_S = 0.05
_SCHEMA = """
CREATE TABLE IF NOT EXISTS tape (place INTEGER PRIMARY KEY AUTOINCREMENT, event TEXT);
CREATE TABLE IF NOT EXISTS cursors (name TEXT PRIMARY KEY, seq INTEGER);
"""


class Tape:
    """Events in the order in which they were taken, on disk. Any thread may call; the lock guards the
    connection."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._database = sqlite3.connect(path, check_same_thread=False)
        # A process that dies loses nothing that the kernel has; no test here pulls the power.
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = OFF")
        self._database.executescript(_SCHEMA)

    @property
    def cursor(self) -> int:
        with self._lock:
            found = self._database.execute("SELECT seq FROM cursors").fetchone()
        return int(found[0]) if found else 0

    def take(self, events: Sequence[dict[str, Any]], cursor: int) -> None:
        """Append events, and note how far they reach."""
        with self._lock, self._database:
            self._database.executemany(
                "INSERT INTO tape (event) VALUES (?)", [(json.dumps(event),) for event in events]
            )
            self._database.execute("INSERT OR REPLACE INTO cursors VALUES ('cursor', ?)", (cursor,))

    def events(self) -> list[dict[str, Any]]:
        with self._lock:
            found = self._database.execute("SELECT event FROM tape ORDER BY place").fetchall()
        return [json.loads(event) for (event,) in found]


class Reader:
    def __init__(self, folder: Path, port: int, token: str) -> None:
        self._tape = Tape(folder / "tape.db")
        self._port = port
        self._token = token
        self._streams = 0

    def run(self) -> None:
        threading.Thread(target=self._read, name="read", daemon=True).start()
        for line in sys.stdin:
            say({"id": json.loads(line)["id"], "events": self._tape.events()})

    def _read(self) -> None:
        while True:
            try:
                with EventStream(self._port, self._token, self._tape.cursor) as stream:
                    self._streams += 1
                    self._pull()
                    while True:
                        self._hear(stream)
            except FAILURES:
                rest()

    def _hear(self, stream: EventStream) -> None:
        for change in stream.receive(LOOK_EVERY_S):
            say({"event": "heard", "socket": self._streams, "change": change})
            if change["seq"] > self._tape.cursor:
                self._tape.take([change], change["seq"])

    def _pull(self) -> None:
        has_more = True
        while has_more:
            since = self._tape.cursor
            page = request(self._port, self._token, "GET", f"/api/sync/pull?since={since}")
            last_seq, changes = page["cursor"]["last_seq"], page["changes"]
            say({"event": "pulled", "since": since, "last_seq": last_seq, "changes": changes})
            self._tape.take(changes, last_seq)
            has_more = page["has_more"]


if __name__ == "__main__":
    Reader(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]).run()
