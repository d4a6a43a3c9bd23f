"""A sync client in Python, as somebody would write it from the documentation: ``python -m tests.history.client``.

It opens the socket, pulls to the end, then applies what arrives, passing over what its cursor has passed. It
detects no gaps, so it holds the server to its word that there are none. Writes go into the file first and are
pushed in order, again and again under the same op id, until the server says what became of them.

Threads: the main one takes commands and so may be killed at any point of them; ``sync`` has the socket, ``push``
sends the queue. What it sees and what it is told goes out as lines of JSON before anything is done with it.
"""

import json
import sys
import threading
from pathlib import Path
from typing import Any

from tests.history.event_socket import EventSocket
from tests.history.offline_store import OfflineStore
from tests.history.talk import FAILURES, request, rest, say

LOOK_EVERY_S = 0.05


class Client:
    def __init__(self, folder: Path, port: int, token: str) -> None:
        self._store = OfflineStore(folder / "client.db")
        self._port = port
        self._token = token
        self._sockets = 0
        self._running = threading.Event()
        self._to_push = threading.Event()
        self._to_pull = threading.Event()

    def run(self) -> None:
        self._running.set()
        self._to_push.set()
        for work in (self._sync, self._push):
            threading.Thread(target=work, name=work.__name__, daemon=True).start()
        for line in sys.stdin:
            command = json.loads(line)
            say({"id": command["id"], **self._obey(command)})

    def _obey(self, command: dict[str, Any]) -> dict[str, Any]:
        match command["do"]:
            case "pause":
                self._running.clear()
            case "resume":
                self._running.set()
                self._to_push.set()
            case "status":
                return {"pending": self._store.pending()}
            case "read":
                cursor, rows, overlaid, pending = self._store.read()
                return {
                    "cursor": cursor,
                    "rows": [[entity, row] for (entity, _), row in rows.items()],
                    "overlaid": [[*key, tag] for key, tag in overlaid.items()],
                    "pending": pending,
                }
            case kind:
                change = {name: command[name] for name in ("entity", "row_id", "data")}
                op_id, row_id = self._store.enqueue({"kind": kind, **change})
                self._to_push.set()
                return {"op_id": op_id, "row_id": row_id}
        return {}

    def _sync(self) -> None:
        while self._running.wait():
            try:
                with EventSocket(self._port, self._token) as events:
                    self._sockets += 1
                    self._pull()
                    while self._running.is_set():
                        self._hear(events)
            except FAILURES:
                rest()

    def _hear(self, events: EventSocket) -> None:
        for message in events.receive(LOOK_EVERY_S):
            change = json.loads(message)
            if "seq" in change:
                say({"event": "heard", "socket": self._sockets, "change": change})
                self._store.apply([change], change["seq"])
        if self._to_pull.is_set():
            self._to_pull.clear()
            self._pull()

    def _pull(self) -> None:
        while True:
            since = self._store.cursor
            page = self._request("GET", f"/api/sync/pull?since={since}")
            last_seq = page["cursor"]["last_seq"]
            say({"event": "pulled", "since": since, "last_seq": last_seq, "changes": page["changes"]})
            self._store.apply(page["changes"], last_seq)
            if not page["has_more"]:
                return

    def _push(self) -> None:
        while self._to_push.wait():
            self._running.wait()
            self._to_push.clear()
            try:
                while batch := self._store.batch():
                    self._push_batch(batch)
            except FAILURES:
                self._to_push.set()
                rest()

    def _push_batch(self, batch: list[dict[str, Any]]) -> None:
        body = {"client_id": self._store.client_id, "changes": batch}
        answer = self._request("POST", "/api/sync/push", body)
        tags = {change["op_id"]: change.get("data", {}).get("tag") for change in batch}
        for result in answer["results"]:
            op_id, row_id = result["op_id"], result["row_id"]
            outcome = "failed" if result["status"] == "failed" else "applied"
            settled = {"op_id": op_id, "tag": tags[op_id], "outcome": outcome, "row_id": row_id}
            say({"event": "settled", **settled, "deduped": result["status"] == "deduped"})
        self._store.settle(batch, answer["results"], answer["cursor"]["last_seq"])
        self._to_pull.set()

    def _request(self, method: str, path: str, body: Any = None) -> Any:
        return request(self._port, self._token, method, path, body)


if __name__ == "__main__":
    Client(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]).run()
