"""What a Python client has on disk: the rows as the server told them, how far, and the queue of its own writes.

One SQLite file, one transaction for every step, so a killed client finds all of a step or nothing of it. Nothing
is kept in memory: what is shown is read from the file. Any thread may call; the lock guards the connection.
"""

import json
import sqlite3
import threading
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

Change = dict[str, Any]
BATCH_MAX = 50
_SCHEMA = """
CREATE TABLE IF NOT EXISTS queue (
    place INTEGER PRIMARY KEY AUTOINCREMENT, op_id TEXT UNIQUE, entity TEXT, row_id TEXT, kind TEXT, data TEXT,
    acknowledged_at INTEGER);
CREATE TABLE IF NOT EXISTS rows (entity TEXT, row_id TEXT, data TEXT, PRIMARY KEY (entity, row_id));
CREATE TABLE IF NOT EXISTS aliases (entity TEXT, temporary TEXT, row_id TEXT, PRIMARY KEY (entity, temporary));
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT);
"""


class OfflineStore:
    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._database = sqlite3.connect(path, check_same_thread=False)
        # A process that dies loses nothing that the kernel has; no test here pulls the power.
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = OFF")
        self._database.executescript(_SCHEMA)
        self.client_id = self._fact("client_id", uuid.uuid4().hex)

    @property
    def cursor(self) -> int:
        return int(self._fact("cursor", "0"))

    def enqueue(self, change: Change) -> tuple[str, str]:
        """Save a write behind all others; its op id, and the id of its row for now."""
        op_id = uuid.uuid4().hex
        entity = change["entity"]
        with self._lock, self._database:
            # A mark in front: the server refuses such ids and gives its own, so it cannot tell a repeated
            # insert by the id of its row.
            row_id = self._resolve(entity, change["row_id"] or f"~{op_id}")
            self._database.execute(
                "INSERT INTO queue (op_id, entity, row_id, kind, data) VALUES (?, ?, ?, ?, ?)",
                (op_id, entity, row_id, change["kind"], json.dumps(change["data"])),
            )
        return op_id, row_id

    def batch(self) -> list[Change]:
        """What to send next, in order; nothing behind an insert in it that names the row by its temporary id."""
        batch: list[Change] = []
        unnamed: set[str] = set()
        for op_id, entity, row_id, kind, data in self._all(
            "SELECT op_id, entity, row_id, kind, data FROM queue WHERE acknowledged_at IS NULL"
            f" ORDER BY place LIMIT {BATCH_MAX}"
        ):
            if row_id in unnamed:
                break
            if kind == "insert":
                unnamed.add(row_id)
            change = {"op_id": op_id, "entity": entity, "row_id": row_id, "kind": kind}
            batch.append(change if kind == "delete" else {**change, "data": json.loads(data)})
        return batch

    def pending(self) -> int:
        return len(self._all("SELECT 1 FROM queue WHERE acknowledged_at IS NULL"))

    def settle(self, changes: Sequence[Change], results: Iterable[dict[str, Any]], seq: int) -> None:
        """Take over an answer of the server, which had reached ``seq``. What was applied is shown until then."""
        sent = {change["op_id"]: change for change in changes}
        with self._lock, self._database:
            for result in results:
                op_id, row_id = result["op_id"], result["row_id"]
                if result["status"] == "failed":
                    self._database.execute("DELETE FROM queue WHERE op_id = ?", (op_id,))
                    continue
                self._database.execute("UPDATE queue SET acknowledged_at = ? WHERE op_id = ?", (seq, op_id))
                entity, temporary = sent[op_id]["entity"], sent[op_id]["row_id"]
                if row_id != temporary:
                    self._rename(entity, temporary, row_id)

    def _rename(self, entity: str, temporary: str, row_id: str) -> None:
        self._database.execute("INSERT OR IGNORE INTO aliases VALUES (?, ?, ?)", (entity, temporary, row_id))
        self._database.execute(
            "UPDATE queue SET row_id = ? WHERE entity = ? AND row_id = ?", (row_id, entity, temporary)
        )

    def _resolve(self, entity: str, row_id: str) -> str:
        found = self._database.execute(
            "SELECT row_id FROM aliases WHERE entity = ? AND temporary = ?", (entity, row_id)
        ).fetchone()
        return str(found[0]) if found else row_id

    def apply(self, events: Sequence[Change], cursor: int) -> None:
        """Events in order and the cursor behind them; those the cursor has passed are passed over."""
        with self._lock, self._database:
            reached = int(self._fact_now("cursor", "0"))
            for event in events:
                if event["seq"] <= reached:
                    continue
                key = event["entity"], event["row_id"]
                if event["kind"] == "delete":
                    self._database.execute("DELETE FROM rows WHERE entity = ? AND row_id = ?", key)
                else:
                    self._database.execute(
                        "INSERT OR REPLACE INTO rows VALUES (?, ?, ?)", (*key, json.dumps(event["data"]))
                    )
            reached = max(reached, cursor)
            self._database.execute("INSERT OR REPLACE INTO facts VALUES ('cursor', ?)", (str(reached),))
            self._database.execute("DELETE FROM queue WHERE acknowledged_at <= ?", (reached,))

    def read(self) -> tuple[int, dict[tuple[str, str], Change], dict[tuple[str, str], str | None], int]:
        """The cursor, the rows, the tags that own writes give to some of them, how many are still to be sent."""
        with self._lock, self._database:
            cursor = int(self._fact_now("cursor", "0"))
            rows = {
                (entity, row_id): json.loads(data)
                for entity, row_id, data in self._database.execute("SELECT entity, row_id, data FROM rows")
            }
            overlaid: dict[tuple[str, str], str | None] = {}
            pending = 0
            for entity, row_id, kind, data, acknowledged_at in self._database.execute(
                "SELECT entity, row_id, kind, data, acknowledged_at FROM queue ORDER BY place"
            ):
                key = entity, row_id
                pending += acknowledged_at is None
                if kind == "delete":
                    overlaid[key] = None
                elif kind == "insert" or key in rows or overlaid.get(key) is not None:
                    overlaid[key] = json.loads(data)["tag"]
        return cursor, rows, overlaid, pending

    def _fact(self, name: str, default: str) -> str:
        with self._lock, self._database:
            return self._fact_now(name, default)

    def _fact_now(self, name: str, default: str) -> str:
        """The fact, which is ``default`` from now on if there was none."""
        self._database.execute("INSERT OR IGNORE INTO facts VALUES (?, ?)", (name, default))
        return str(self._database.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()[0])

    def _all(self, text: str) -> list[Any]:
        with self._lock, self._database:
            return self._database.execute(text).fetchall()
