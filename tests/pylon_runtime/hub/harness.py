"""What the hub's tests share: a policy by owner, events by hand, and a stage with a hub and its clients."""

from collections.abc import Callable, Hashable, Mapping
from typing import Any

from pylon_auth.context import ANONYMOUS, AuthContext
from pylon_core.clock import Clock, SystemClock
from pylon_http import ChangeEvent, ChangeKind, Request
from pylon_runtime.hub import (
    EventStreamEndpoint,
    Hub,
    HubLimits,
    SocketIdentity,
    WebSocketEndpoint,
)
from pylon_runtime.hub.audience import ReadPolicy
from pylon_runtime.hub.feeds import Feed
from pylon_sync.wire import Projection
from tests.support.sockets import WAIT_S, Listener, StreamClient, WireClient
from tests.support.waiting import until


class OwnerPolicy:
    """A row is for its ``owner``, or for everybody when that is ``*``."""

    def may_read(self, entity: str, auth: AuthContext, row: Mapping[str, Any]) -> bool:
        return row.get("owner") in ("*", auth.user_id)

    def audience(self, auth: AuthContext) -> Hashable:
        return auth.user_id


def visible_fields(entity: str, row: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: value for name, value in row.items() if not name.startswith("_")}


def change(
    seq: int,
    *,
    owner: str = "*",
    before: Mapping[str, Any] | None = None,
    kind: ChangeKind = ChangeKind.UPDATE,
    **fields: Any,
) -> ChangeEvent:
    """An event of entity ``Note``; for a delete ``owner`` is the owner the row had."""
    row_id = str(fields.pop("row_id", f"n{seq}"))
    if kind is ChangeKind.DELETE:
        return ChangeEvent(seq, "Note", row_id, kind, None, {"owner": owner}, 1_767_225_600_000)
    row = {"id": row_id, "owner": owner, **fields}
    return ChangeEvent(seq, "Note", row_id, kind, row, before, 1_767_225_600_000)


def user(name: str, *, tenant_id: str | None = None) -> AuthContext:
    return AuthContext(user_id=name, tenant_id=tenant_id, session_id=f"session-{name}")


def sign_in_by_subprotocol(request: Request) -> SocketIdentity:
    """``bearer.<name>`` or ``bearer.<name>@<tenant>`` is that user, ``bearer.bad`` a credential that failed."""
    subprotocol = request.headers.get("sec-websocket-protocol")
    name, _, tenant = (subprotocol or "").removeprefix("bearer.").partition("@")
    known = name not in ("", "bad")
    return SocketIdentity(
        auth=user(name, tenant_id=tenant or None) if known else None,
        subprotocol=subprotocol,
        origin_allowed=request.headers.get("origin") != "https://evil.example",
    )


def sign_in_by_header(request: Request) -> SocketIdentity:
    """As ``sign_in_by_subprotocol``, by ``Authorization: Bearer <name>``; without it, anonymous."""
    name = request.headers.get("authorization", "").removeprefix("Bearer ")
    allowed = request.headers.get("origin") != "https://evil.example"
    if not name:
        return SocketIdentity(ANONYMOUS, origin_allowed=allowed)
    return SocketIdentity(None if name == "bad" else user(name), origin_allowed=allowed)


class SetClock:
    """A clock that stands still until it is set; its wall clock apart from the other."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.wall_ns = 0

    def now_ns(self) -> int:
        return self.wall_ns

    def monotonic(self) -> float:
        return self.seconds


class Stage:
    """A started hub, its endpoint on a port, and the clients of one test."""

    def __init__(
        self,
        limits: HubLimits | None = None,
        *,
        authenticate: Callable[[Request], SocketIdentity] = sign_in_by_subprotocol,
        authenticate_stream: Callable[[Request], SocketIdentity] = sign_in_by_header,
        policy: ReadPolicy | None = None,
        project: Projection = visible_fields,
        send_buffer: int | None = None,
        paths: frozenset[str] | None = None,
        clock: Clock | None = None,
        feed: Callable[[Hub], Feed] | None = None,
    ) -> None:
        self.clock = clock or SystemClock()
        self.limits = limits or HubLimits()
        self.hub = Hub(policy or OwnerPolicy(), project, self.limits, self.clock)
        if feed is not None:
            self.hub.add_feed(feed(self.hub))
        self.hub.start()
        self.endpoint = WebSocketEndpoint(
            self.hub, authenticate, lambda request: request.peer, self.limits, self.clock, paths
        )
        self.listener = Listener(self.endpoint, send_buffer=send_buffer)
        streams = EventStreamEndpoint(
            self.hub, authenticate_stream, lambda request: request.peer, self.limits, self.clock
        )
        self.stream_listener = Listener(streams, send_buffer=send_buffer)
        self.clients: list[WireClient] = []
        self.streams: list[StreamClient] = []

    def connect(self, name: str | None = "ann", **options: Any) -> WireClient:
        """Open a socket; returns once the hub has taken it in (or has refused it)."""
        before = self.hub.stats().connections
        client = self.connect_raw(name, **options)
        if not client.is_refused and name not in (None, "bad"):
            until(lambda: self.hub.stats().connections > before, "the registration")
        return client

    def connect_raw(self, name: str | None, **options: Any) -> WireClient:
        """Open a socket, and return once the handshake is answered."""
        client = WireClient(self.listener.port, name, **options)
        self.clients.append(client)
        return client

    def open_stream(self, name: str | None = None, **options: Any) -> StreamClient:
        """Open an event stream; returns once the hub has taken it in (or it was refused)."""
        before = self.hub.stats().connections
        client = self.open_stream_raw(name, **options)
        if client.status == 200:
            until(lambda: self.hub.stats().connections > before, "the registration")
        return client

    def open_stream_raw(self, name: str | None = None, **options: Any) -> StreamClient:
        """Open an event stream; returns once its head is there."""
        client = StreamClient(self.stream_listener.port, name, **options)
        self.streams.append(client)
        return client

    def publish(self, *events: ChangeEvent) -> None:
        self.hub.publish(events)

    def close(self) -> None:
        everybody: list[WireClient | StreamClient] = [*self.clients, *self.streams]
        for client in everybody:
            client.drop()
        self.hub.stop(self.clock.monotonic() + WAIT_S)
        for listener in (self.listener, self.stream_listener):
            listener.close()
            assert not listener.failures, listener.failures
        assert self.hub.stats().unsent_bytes == 0
