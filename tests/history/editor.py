"""Somebody who edits the shared page, as a process: ``python -m tests.history.editor <folder> <port> <token>``.

What is typed is in the file before it is said to be saved, and is sent again and again until the server has it. A
restarted editor learns from the whole document, which comes first on its socket, what the server lacks.

Threads: the main one takes commands and so may be killed at any point of them; ``follow`` has the socket,
``upload`` sends. The lock guards the text; nothing is sent or awaited under it.
"""

import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

from tests.history.event_socket import EventSocket
from tests.history.shared_text import ENTITY, SharedText, marks_of
from tests.history.talk import FAILURES, request, rest, say
from tests.support.crdt_frames import read_crdt_frame

LOOK_EVERY_S = 0.05
SEND_EVERY_S = 0.05
WHOLE = 0x10


class Editor:
    def __init__(self, folder: Path, port: int, token: str, row_id: str) -> None:
        self._file = folder / "page.loro"
        self._port = port
        self._token = token
        self._row_id = row_id
        self._name = folder.name
        self._lock = threading.Lock()
        self._text = SharedText(self._file.read_bytes() if self._file.exists() else None)
        self._accepted: set[str] = set()
        self._knows = threading.Event()
        """What the server has."""
        self._never = threading.Event()

    def run(self) -> None:
        for work in (self._follow, self._upload):
            threading.Thread(target=work, name=work.__name__, daemon=True).start()
        for line in sys.stdin:
            command = json.loads(line)
            say({"id": command["id"], **self._obey(command)})

    def _obey(self, command: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            if command["do"] == "read":
                return {"text": self._text.says(), "pending": not (self._knows.is_set() and self._text.is_held())}
            after, before = self._text.type(command["tag"], command["place"])
            fresh = self._file.with_suffix(".new")
            fresh.write_bytes(self._text.saved())
            os.replace(fresh, self._file)
            return {"after": after, "before": before}

    def _follow(self) -> None:
        while True:
            try:
                with EventSocket(self._port, self._token) as socket:
                    socket.say({"type": "crdt-subscribe", "entity": ENTITY, "rowId": self._row_id})
                    while True:
                        for message in socket.receive(LOOK_EVERY_S):
                            if isinstance(message, bytes):
                                self._take(message)
            except FAILURES:
                rest()

    def _take(self, message: bytes) -> None:
        frame = read_crdt_frame(message)
        with self._lock:
            take = self._text.take_whole if frame.kind == WHOLE else self._text.take
            is_complete = take(frame.payload)
        if not is_complete:
            say({"event": "gap", "what": f"a frame of kind {frame.kind:#x}"})
        if frame.kind == WHOLE:
            self._knows.set()

    def _upload(self) -> None:
        self._knows.wait()
        while not self._never.wait(SEND_EVERY_S):
            try:
                self._send()
            except FAILURES:
                rest()

    def _send(self) -> None:
        with self._lock:
            if self._text.is_held():
                return
            update, version, text = self._text.unsent(), self._text.version(), self._text.says()
        request(self._port, self._token, "POST", f"/api/crdt/{ENTITY}/{self._row_id}", {"update": update.hex()})
        mine = [mark for mark in marks_of(text) if mark.startswith(f"{self._name}-")]
        say({"event": "accepted", "tags": [mark for mark in mine if mark not in self._accepted]})
        self._accepted.update(mine)
        with self._lock:
            self._text.held.merge(version)


if __name__ == "__main__":
    Editor(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]).run()
