"""One server of the app as the convergence tests run it: the store, ``route()``, sessions and a running hub,
without the HTTP in front. Several may share a database where the engine allows it.
"""

import secrets
import socket
from collections.abc import Iterator
from typing import Any

from pylon_auth import AuthContext, CookieConfig, SessionStore
from pylon_core import jsontext
from pylon_core.clock import Clock
from pylon_core.manifest import AppManifest
from pylon_http import Response, StreamedResponse
from pylon_policy import PolicyEngine
from pylon_router import Caller, RouterContext, dispatch, route
from pylon_runtime import session_notices
from pylon_runtime.hub import Hub, HubLimits
from pylon_runtime.hub.documents import Documents
from pylon_runtime.stores import AppStore
from pylon_storage import SqlSessionBackend
from pylon_storage.sessions import NOTICE_TOPIC, read_notice
from tests.convergence.replica import Key, LiveSocket
from tests.support.data_api import Answer, answer

STOP_S = 5.0


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
        self.hub = Hub(policies, self.ctx.project, HubLimits(), clock)
        store.on_log_turned(self.hub.turn)
        self.hub.follow(store)
        session_notices.close_sockets(self.sessions, self.hub)
        store.tables.on_notice(NOTICE_TOPIC, self._heard)
        self._documents = Documents(
            self.hub, store, policies, frozenset(entity.name for entity in manifest.entities)
        )
        self.hub.add_feed(self._documents)
        self.hub.start()

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

    def stop(self) -> None:
        """The sockets must be closed already: there are no readers to do it."""
        self.hub.stop(self.clock.monotonic() + STOP_S)
        self.store.close()

    def _heard(self, text: str | None) -> None:
        if text is None:
            self.sessions.forget()
        else:
            self.sessions.changed_elsewhere(*read_notice(text))
