"""Somebody who looks at live queries: keeps each list as the server says, and notes it after every message.

A thread of the test's own, behind a bad network; it has nothing that a kill could take. When its socket ends it
opens another and asks anew. ``lists`` is read when nobody writes any more.
"""

import threading
from typing import Any

import msgspec

from tests.history.event_socket import EventSocket, SocketEndedError
from tests.history.history import ON_A_SOCKET, History, Refused, Row, Watched, now, tag_of
from tests.history.puppet import Identity
from tests.history.queries import QUERIES
from tests.history.talk import FAILURES, rest
from tests.support.live_queries import LiveList

LOOK_EVERY_S = 0.05
JOIN_S = 10


class Watcher:
    """``start`` and ``stop`` once each; ``stop`` tells what went wrong."""

    def __init__(self, identity: Identity, port: int, history: History) -> None:
        self.identity = identity
        self.lists: dict[str, list[Row]] = {}
        self._port = port
        self._history = history
        self._sockets = 0
        self._kept: dict[str, LiveList] = {}
        self._failure: Exception | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"watches-{identity.name}")
        history.viewers[identity.name] = identity.user

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(JOIN_S)
        assert not self._thread.is_alive()

    def check(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                try:
                    self._watch()
                except FAILURES:
                    rest()
        except Exception as error:  # noqa: BLE001 - the top of a thread; ``check`` raises it
            self._failure = error

    def _watch(self) -> None:
        with EventSocket(self._port, self.identity.token) as socket:
            self._sockets += 1
            self._kept = {}
            for query in QUERIES:
                socket.say({"type": "live-subscribe", **query.live()})
            while not self._stop.is_set():
                for message in socket.receive(LOOK_EVERY_S):
                    self._take(msgspec.json.decode(message))

    def _take(self, message: dict[str, Any]) -> None:
        match message.get("type"):  # a change event, before it has asked for anything, has none
            case "live-rows":
                self._kept[message["id"]] = LiveList(message)
                self._note(message["id"])
            case "live-diff":
                for name, kept in self._kept.items():
                    if kept.query == message["query"]:
                        kept.apply(message)
                        self._note(name)
            case "live-error":
                self._history.add(
                    Refused(
                        at=now(),
                        client=self.identity.name,
                        path=f"live query {message['id']}",
                        status=ON_A_SOCKET,
                        code=message["code"],
                    )
                )
                raise SocketEndedError(message["code"])

    def _note(self, name: str) -> None:
        kept = self._kept[name]
        self.lists[name] = list(kept.rows)
        self._history.add(
            Watched(
                at=now(),
                client=self.identity.name,
                socket=self._sockets,
                query=name,
                seq=kept.seq,
                rows=[(str(row["id"]), tag_of(row)) for row in kept.rows],
                complete=kept.complete,
            )
        )
