"""The people of the convergence tests: each has an identity, a replica, and at times a socket to one of the
servers."""

from collections.abc import Callable
from typing import Any

from pylon_auth import ADMIN, ANONYMOUS, AuthContext, SessionStore
from tests.convergence.documents import ClientDocument
from tests.convergence.replica import Key, LiveSocket, Replica
from tests.convergence.server import AppServer
from tests.support.crdt_frames import CrdtFrame

LIVE_PEOPLE: dict[str, AuthContext] = {
    "alice": AuthContext("alice"),
    "bob": AuthContext("bob"),
    "ed": AuthContext("ed", roles=("editor",), tenant_id="acme"),
    "amy": AuthContext("amy", tenant_id="acme"),
    "uma": AuthContext("uma", tenant_id="umbra", roles=("viewer",)),
}
"""Those who sign in: what their session says of them at first."""

OTHERS = {"anonymous": ANONYMOUS, "admin": ADMIN}

VIEWERS = sorted([*LIVE_PEOPLE, *OTHERS])
WRITERS = sorted([*LIVE_PEOPLE, "admin"])


class Viewer:
    """``check`` is shown every event before it is applied."""

    def __init__(self, name: str, check: Callable[["Viewer", dict[str, Any]], None]) -> None:
        self.name = name
        self.auth = LIVE_PEOPLE.get(name) or OTHERS[name]
        self.replica = Replica()
        self.socket: LiveSocket | None = None
        self.server: AppServer | None = None
        """Where the socket is."""
        self.documents: dict[Key, ClientDocument] = {}
        self._check = check
        self._token: str | None = None

    @property
    def has_session(self) -> bool:
        return self.name in LIVE_PEOPLE

    def sign_in(self, sessions: SessionStore) -> None:
        """A new session, which says of the person what the last one did; a client with another token starts
        anew."""
        if not self.has_session:
            return
        user_id = self.auth.user_id
        assert user_id is not None
        issued = sessions.create(user_id, tenant_id=self.auth.tenant_id, roles=self.auth.roles)
        self._token = issued.token
        self.learn_identity(sessions)

    def learn_identity(self, sessions: SessionStore) -> AuthContext:
        """As a client does that asks who it is: with another identity it starts anew."""
        if self._token is not None:
            found = sessions.resolve(self._token)
            assert found is not None
            if found != self.auth:
                self.auth = found
                self.replica.reset()
        return self.auth

    def sign_out(self, sessions: SessionStore) -> None:
        if self._token is not None:
            assert sessions.revoke(self._token)
            self._token = None

    def select_tenant(self, sessions: SessionStore, tenant_id: str | None) -> None:
        if self._token is not None:
            assert sessions.select_tenant(self._token, tenant_id, self.auth.roles)

    def pull_page(self, server: AppServer) -> bool:
        """One page into the replica; whether there is more."""
        replica = self.replica
        answer = server.send(self.auth, "GET", f"/api/sync/pull?since={replica.cursor}")
        if answer.status == 410:
            assert replica.cursor > 0, "whoever starts anew must be let"
            replica.reset()
            return True
        assert answer.status == 200, answer
        return self.take_page(answer.json)

    def take_page(self, page: dict[str, Any]) -> bool:
        """What a pull answered; whether there is more."""
        replica = self.replica
        for event in page["changes"]:
            self._check(self, event)
            replica.apply(event)
        has_more: bool = page["has_more"]
        last_seq = page["cursor"]["last_seq"]
        assert last_seq > replica.cursor or not has_more
        replica.cursor = max(replica.cursor, last_seq)
        return has_more

    def pull(self, server: AppServer) -> None:
        while self.pull_page(server):
            pass

    def open_socket(self, server: AppServer) -> None:
        """After a pull to the end."""
        self.socket, self.server = server.open_socket(self.auth), server

    def receive(self) -> None:
        """Apply what the socket brought; a client whose socket was closed has none."""
        if self.socket is None:
            return
        for message in self.socket.messages():
            if isinstance(message, CrdtFrame):
                document = self.documents.get((message.entity, message.row_id))
                if document is not None:
                    document.merge(message.payload)
            else:
                self._check(self, message)
                self.replica.apply_live(message)
                if message["kind"] == "delete":
                    self.documents.pop((message["entity"], message["row_id"]), None)
        if self.socket.close_code is not None:
            self.hang_up()

    def is_told(self) -> bool:
        """Whether its socket, if it has one, has brought or holds everything."""
        self.receive()
        return self.socket is None or self.server is None or self.server.has_told(self.socket)

    def is_cut_off(self) -> bool:
        self.receive()
        return self.socket is None

    def hang_up(self) -> None:
        if self.socket is not None:
            self.socket.close()
            self.socket = None
            self.documents.clear()

    def open_document(self, server: AppServer, key: Key) -> None:
        """Ask for a row's document; a copy that was there is given up, with what was not sent."""
        if self.socket is not None and self.server is server:
            self.receive()
        if self.socket is not None and self.server is server:
            self.documents[key] = ClientDocument()
            server.subscribe_document(self.socket, key)

    def upload(self, server: AppServer, key: Key) -> None:
        """Send what was edited; a copy that is refused is given up."""
        document = self.documents[key]
        entity, row_id = key
        body = {"update": document.unsent().hex()}
        answer = server.send(self.auth, "POST", f"/api/crdt/{entity}/{row_id}", body)
        if answer.status == 200:
            document.note_sent()
        else:
            assert answer.status in (400, 401, 403, 404), answer
            del self.documents[key]
