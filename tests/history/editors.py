"""Editors of the shared page as processes, and what they are told to type."""

import sys
import threading
from pathlib import Path

from tests.history.event_socket import EventSocket
from tests.history.history import History, Key, Read, Typed, now
from tests.history.puppet import ClientGoneError, Identity, Puppet
from tests.history.shared_text import SharedText
from tests.history.workload import Actor
from tests.support.crdt_frames import read_crdt_frame

READ_SHARE = 0.1
PAUSE_MEAN_S = 0.3
"""Each insertion is a line of the log with the whole text, so they are fewer than other writes."""


class EditorProcess(Puppet):
    def type(self, tag: str, place: float) -> None:
        begun = now()
        answer = self.ask({"do": "type", "tag": tag, "place": place})
        after, before = answer["after"], answer["before"]
        self.history.add(Typed(at=begun, client=self.name, tag=tag, after=after, before=before, saved_at=now()))

    def read(self) -> tuple[str, bool]:
        """What the text is there, and whether some of it is still to be sent."""
        asked_at = now()
        answer = self.ask({"do": "read"})
        self.history.add(Read(at=now(), asked_at=asked_at, client=self.name, text=answer["text"]))
        return answer["text"], answer["pending"]


def editor(identity: Identity, folder: Path, port: int, history: History, page: Key) -> EditorProcess:
    command = [sys.executable, "-m", "tests.history.editor"]
    return EditorProcess(command, identity, folder, port, history, page[1])


class Typist(Actor):
    """Somebody at an editor."""

    pause_mean_s = PAUSE_MEAN_S

    def __init__(self, process: EditorProcess, seed: int, stop: threading.Event) -> None:
        super().__init__(process.name, seed, stop)
        self._process = process

    def step(self) -> None:
        try:
            if self.chance.random() < READ_SHARE:
                self._process.read()
            else:
                self._process.type(self.next_tag(), self.chance.random())
        except ClientGoneError:
            return


def text_from(port: int, token: str, page: Key) -> str:
    """What the document says that a server sends to somebody who has nothing of it."""
    entity, row_id = page
    with EventSocket(port, token) as socket:
        socket.say({"type": "crdt-subscribe", "entity": entity, "rowId": row_id})
        while True:
            for message in socket.receive(0.1):
                if isinstance(message, bytes):
                    text = SharedText()
                    text.take_whole(read_crdt_frame(message).payload)
                    return text.says()
