"""One server of the app as the convergence tests run it: the store, ``route()``, sessions and a running hub,
without the HTTP in front. Several may share a database where the engine allows it.
"""

import random
import secrets
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

from pylon_auth import AuthContext, CookieConfig, SessionStore
from pylon_core import jsontext
from pylon_core.clock import Clock, SystemClock
from pylon_core.manifest import AppManifest
from pylon_http import ChangeEvent, Response, StreamedResponse
from pylon_policy import PolicyEngine
from pylon_router import Caller, RouterContext, dispatch, route
from pylon_runtime import session_notices
from pylon_runtime.hub import Hub, HubLimits
from pylon_runtime.hub.connection import Connection, ConnectionState
from pylon_runtime.hub.documents import Documents
from pylon_runtime.stores import AppStore
from pylon_storage import SqlSessionBackend
from pylon_storage.sessions import NOTICE_TOPIC, read_notice
from tests.convergence.replica import Key, LiveSocket
from tests.support.data_api import Answer, answer

STOP_S = 5.0
DAWDLE_S = 0.004


class DawdlingClock(SystemClock):
    """The clock of a hub whose thread is at times held up when it looks at it, as on a busy machine: before it
    takes its calls, before it brings a laggard on. So what others commit and ask for comes to it together."""

    def __init__(self) -> None:
        self._chance = random.Random(0)

    def monotonic(self) -> float:
        if threading.current_thread().name == "hub-dispatcher" and self._chance.random() < 0.3:
            time.sleep(self._chance.random() * DAWDLE_S)
        return super().monotonic()


class AppServer:
    def __init__(self, store: AppStore, manifest: AppManifest, policies: PolicyEngine, clock: Clock) -> None:
        self.store = store
        self.clock = clock
        self.sessions = SessionStore(SqlSessionBackend(store.tables), clock, secrets.token_bytes)
        self.ctx = RouterContext(
            manifest=manifest,
            store=store,
            policies=policies,
            sessions=self.sessions,
            cookie=CookieConfig("notes_session"),
            clock=clock,
        )
        self.hub = Hub(policies, self.ctx.project, HubLimits(), DawdlingClock())
        store.on_log_turned(self.hub.turn)
        self.hub.follow(store)
        session_notices.close_sockets(self.sessions, self.hub)
        store.tables.on_notice(NOTICE_TOPIC, self._heard)
        with_documents = frozenset(entity.name for entity in manifest.entities)
        self._documents = Documents(self.hub, store, policies, with_documents, clock)
        self.hub.add_feed(self._documents)
        self.hub.start()
        self._documents.start()
        with store.read() as reader:
            self._told_to = reader.head()
        store.subscribe(self._note)

    def send(self, auth: AuthContext, method: str, url: str, body: Any = None) -> Answer:
        sent = b"" if body is None else jsontext.encode(body)
        return answer(route(self.ctx, method, url, sent, Caller(auth)))

    def stream(self, auth: AuthContext, url: str) -> Iterator[bytes]:
        """The body of an answer, in the pieces it is made in."""
        response = dispatch(self.ctx, "GET", url, b"", Caller(auth))
        assert isinstance(response, Response | StreamedResponse)
        return response.pieces() if isinstance(response, StreamedResponse) else iter([response.body])

    def open_socket(self, auth: AuthContext) -> LiveSocket:
        ours, theirs = socket.socketpair()
        connection = self.hub.register(auth, ours)
        assert connection is not None
        return LiveSocket(connection, theirs, self.hub.leave)

    def subscribe_document(self, live: LiveSocket, key: Key) -> None:
        entity, row_id = key
        self._documents.messages["crdt-subscribe"](live.connection, {"entity": entity, "rowId": row_id})

    def has_told(self, live: LiveSocket) -> bool:
        """Whether what is committed was sent to a socket, as far as it is for it."""
        with self.store.read() as reader:
            head = reader.head()
        if self._told_to < head:
            return False
        answers: list[bool] = []
        self.hub.await_call(lambda: answers.append(self._has_sent_all(live.connection)))
        return answers == [True]

    def _has_sent_all(self, connection: Connection) -> bool:
        """Of what its hub heard of. On the thread of the dispatcher."""
        dispatcher = self.hub._dispatcher
        return connection.state is not ConnectionState.OPEN or (
            dispatcher._delivered_end == self.hub.events.end
            and connection in connection.audience.in_step
            and connection.unsent is None
        )

    def stop(self) -> None:
        """The sockets must be closed already: there are no readers to do it."""
        self.hub.stop(self.clock.monotonic() + STOP_S)
        self._documents.stop(self.clock.monotonic() + STOP_S)
        self.store.close()

    def _heard(self, text: str | None) -> None:
        if text is None:
            self.sessions.forget()
        else:
            self.sessions.changed_elsewhere(*read_notice(text))

    def _note(self, events: Sequence[ChangeEvent]) -> None:
        """After the hub, which was subscribed first."""
        self._told_to = events[-1].seq
