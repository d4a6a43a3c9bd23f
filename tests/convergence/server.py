"""One server of the app as the convergence tests run it: the store, ``route()``, sessions and a running hub,
without the HTTP in front. Several may share a database where the engine allows it.
"""

import secrets
import socket
from typing import Any

from pylon_auth import AuthContext, CookieConfig, SessionStore
from pylon_core import jsontext
from pylon_core.clock import Clock
from pylon_core.manifest import AppManifest
from pylon_policy import PolicyEngine
from pylon_router import Caller, RouterContext, route
from pylon_runtime.hub import Hub, HubLimits
from pylon_runtime.stores import AppStore
from pylon_storage import SqlSessionBackend
from pylon_storage.sessions import NOTICE_TOPIC, read_notice
from tests.convergence.replica import LiveSocket
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
        self.sessions.subscribe(lambda session_id: self.hub.close_session(session_id, 1008))
        store.tables.on_notice(NOTICE_TOPIC, self._heard)
        self.hub.start()

    def send(self, auth: AuthContext, method: str, url: str, body: Any = None) -> Answer:
        sent = b"" if body is None else jsontext.encode(body)
        return answer(route(self.ctx, method, url, sent, Caller(auth)))

    def open_socket(self, auth: AuthContext) -> LiveSocket:
        ours, theirs = socket.socketpair()
        connection = self.hub.register(auth, ours)
        assert connection is not None
        return LiveSocket(connection, theirs, self.hub.leave)

    def stop(self) -> None:
        """The sockets must be closed already: there are no readers to do it."""
        self.hub.stop(self.clock.monotonic() + STOP_S)
        self.store.close()

    def _heard(self, text: str | None) -> None:
        if text is None:
            self.sessions.forget()
        else:
            self.sessions.changed_elsewhere(*read_notice(text))
