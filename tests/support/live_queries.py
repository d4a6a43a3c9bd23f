"""Live queries over real sockets, in one process: a data API, a hub that follows its store, and clients that keep
lists by what they are told. Two of them on one database are two servers.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any

from wsproto.events import Ping, Pong, TextMessage

from pylon_auth import AuthContext
from pylon_core import jsontext
from pylon_core.clock import SystemClock
from pylon_http import ChangeEvent, Request, Row
from pylon_runtime.hub import Hub, HubLimits, LiveQueries, SocketIdentity, WebSocketEndpoint
from pylon_runtime.hub.live import LiveStats
from tests.support.data_api import DataApi
from tests.support.sockets import Listener, WireClient
from tests.support.waiting import until

WAIT_S = 10.0
Json = dict[str, Any]


class LiveServer:
    """``api`` is what it serves; ``identities`` says who a subprotocol ``bearer.<name>`` is."""

    def __init__(
        self, api: DataApi, identities: Mapping[str, AuthContext], *, limits: HubLimits | None = None
    ) -> None:
        clock = SystemClock()
        self.api = api
        self.identities = identities
        self.limits = limits or HubLimits(connections_per_peer_max=1_000, connections_per_user_max=1_000)
        self.hub = Hub(api.policies, api.ctx.project, self.limits, clock)
        self.live = LiveQueries(self.hub, api.ctx)
        self.hub.add_feed(self.live)
        self.hub.follow(api.ctx.store)
        self.heard = 0
        """The newest change that the hub was told of."""
        api.ctx.store.subscribe(self._hear)
        self.hub.start()
        self.live.start()
        endpoint = WebSocketEndpoint(
            self.hub, self._sign_in, lambda request: request.peer, self.limits, clock, None
        )
        self.listener = Listener(endpoint)
        self.clients: list[LiveClient] = []

    def _hear(self, events: Any) -> None:
        self.heard = max(self.heard, events[-1].seq)

    def _sign_in(self, request: Request) -> SocketIdentity:
        offered = request.headers.get("sec-websocket-protocol", "")
        return SocketIdentity(self.identities.get(offered.removeprefix("bearer.")), offered)

    def connect(self, name: str, **options: Any) -> "LiveClient":
        client = LiveClient(self.listener.port, name, **options)
        self.clients.append(client)
        return client

    @property
    def stats(self) -> LiveStats:
        return self.live.stats()

    def settle(self, head: int = 0) -> None:
        """Return once everything committed so far was looked at, and everything due was sent. ``head`` is the
        newest change, where this server may not know of it yet."""
        head = max(head, self.api.ctx.store.head())
        until(lambda: self.heard >= head, "the hub's hearing of the last change")
        for client in self.clients:
            client.catch_up()
        self._go_round()
        until(lambda: self.stats.outstanding == 0, "the last rows")
        self._go_round()
        for client in self.clients:
            client.catch_up()

    def _go_round(self) -> None:
        """The dispatcher looks at what is new after its calls; the second of two comes after such a look."""
        for _ in range(2):
            self.hub.await_call(_nothing)

    def transact(self, work: Callable[[Any], Any]) -> Any:
        return self.api.ctx.store.transact(work)

    def publish(self, *events: ChangeEvent) -> None:
        self.hub.publish(events)

    def let_go(self, client: "LiveClient") -> None:
        """Of one that leaves, or was closed."""
        self.clients.remove(client)
        client.leave()

    def forget_clients(self) -> None:
        for client in self.clients:
            client.leave()
        self.clients.clear()
        until(lambda: self.stats.groups == 0, "the end of all live queries")

    def close(self) -> None:
        for client in self.clients:
            client.drop()
        deadline = time.monotonic() + WAIT_S
        self.hub.stop(deadline)
        self.live.stop(deadline)
        self.listener.close()
        self.api.ctx.store.close()
        assert not self.listener.failures, self.listener.failures
        assert self.hub.stats().unsent_bytes == 0


class LiveList:
    """The rows of one live query as a client keeps them."""

    def __init__(self, message: Json) -> None:
        self.query: int = message["query"]
        self.seq: int = message["seq"]
        self.rows: list[Row] = message["rows"]
        self.complete: bool = message["complete"]

    def apply(self, message: Json) -> None:
        assert message["seq"] >= self.seq, "seqs never go back"
        leaving = {*message["removed"], *(row["id"] for _, row in message["placed"])}
        self.rows = [row for row in self.rows if row["id"] not in leaving]
        for index, row in message["placed"]:
            assert 0 <= index <= len(self.rows)
            self.rows.insert(index, row)
        self.seq, self.complete = message["seq"], message["complete"]


class LiveClient(WireClient):
    """Keeps ``lists`` and ``errors`` (codes) by id; ``told`` has all messages, in order."""

    def __init__(self, port: int, name: str, **options: Any) -> None:
        super().__init__(port, name, **options)
        self.lists: dict[str, LiveList] = {}
        self.errors: dict[str, str] = {}
        self.told: list[Json] = []

    def subscribe(self, query_id: str, entity: str, **query: Any) -> None:
        self.lists.pop(query_id, None)
        self.errors.pop(query_id, None)
        self.say({"type": "live-subscribe", "id": query_id, "entity": entity, **query})

    def unsubscribe(self, query_id: str) -> None:
        self.lists.pop(query_id, None)
        self.errors.pop(query_id, None)
        self.say({"type": "live-unsubscribe", "id": query_id})

    def rows(self, query_id: str) -> list[Row]:
        return self.lists[query_id].rows

    def catch_up(self) -> None:
        """Read all that was sent before the answer to a ping; what was said before that has been served then."""
        self.send(Ping(payload=b"here"))
        for event in self._events:
            if isinstance(event, Pong):
                return
            if isinstance(event, TextMessage):
                self.take(jsontext.decode(event.data))
        raise AssertionError("the server closed the connection")

    def take(self, message: Json) -> None:
        self.told.append(message)
        match message.get("type"):  # a change event, before it asked for anything, has none
            case "live-rows":
                self.lists[message["id"]] = LiveList(message)
                self.errors.pop(message["id"], None)
            case "live-diff":
                for kept in self.lists.values():
                    if kept.query == message["query"]:
                        kept.apply(message)
            case "live-error":
                self.lists.pop(message["id"], None)
                self.errors[message["id"]] = message["code"]

    def take_told(self) -> list[Json]:
        told, self.told = self.told, []
        return told


def _nothing() -> None:
    pass
