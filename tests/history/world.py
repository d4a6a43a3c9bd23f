"""Everything that runs: the database, the servers on it, a bad network in between, and at its far end six clients,
editors of a shared page, readers of the event stream, watchers of live queries.

    client ── link ──┬── server 0 ── link ──┬── database
    editor ── link ──┴── server 1 ── link ──┘

Every link is a proxy of its own, so each can be cut without the others. The nemesis breaks and mends from its
thread (``begin``, ``end``); when it is done, ``heal`` makes everything whole and ``settle`` waits until all agree.
"""

import http.client
import random
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.history.clients import ClientProcess, python_client, typescript_client
from tests.history.editors import EditorProcess, editor, text_from
from tests.history.history import FinalState, History, Key, Row
from tests.history.model import events_for, readable
from tests.history.nemesis import DATABASE, NETWORK, PROCESS, Fault, FaultKind
from tests.history.proxy import FAIR, Direction, Proxy, Weather
from tests.history.puppet import Identity, Puppet
from tests.history.queries import QUERIES
from tests.history.readers import ReaderProcess, reader
from tests.history.shared_text import ENTITY, FIELD
from tests.history.site import Site
from tests.history.watcher import Watcher
from tests.history.workload import BUMP, COUNTERS, MANIFEST, REGISTERS
from tests.server.rig import ADMIN_TOKEN, Server, returning, write_app
from tests.support.waiting import until

USERS = 4
CLIENTS = 6
KINDS = (("python", python_client), ("typescript", typescript_client))
CALLERS = 2
EDITORS = 3
READERS = 2
WATCHERS = 2
SETTLE_SECONDS = 90
"""Clients whose attempts failed for a while wait up to half a minute before the next."""
LOOK_EVERY_S = 0.2
ENV = {"PYLON_ADMIN_TOKEN": ADMIN_TOKEN, "PYLON_CORS_ORIGIN": "https://app.example"}
WEATHERS = {
    FaultKind.REFUSE: Weather(refuses=True),
    FaultKind.FREEZE: Weather(frozen=frozenset(Direction)),
    FaultKind.BLACK_HOLE: Weather(frozen=frozenset(Direction)),
    FaultKind.NO_REQUESTS: Weather(frozen=frozenset({Direction.UP})),
    FaultKind.NO_ANSWERS: Weather(frozen=frozenset({Direction.DOWN})),
    FaultKind.DELAY: Weather(delay_s=0.15),
}
CUT_AT_THE_BEGINNING = (FaultKind.REFUSE, FaultKind.CUT)
CUT_AT_THE_END = (FaultKind.BLACK_HOLE, FaultKind.NO_REQUESTS, FaultKind.NO_ANSWERS)


class World:
    """``with`` starts it and leaves nothing behind. The nemesis has a thread; what it does is not done elsewhere
    until it is joined."""

    def __init__(self, folder: Path, make_site: Callable[[Path], Site], seed: int) -> None:
        self.history = History()
        self.servers: dict[str, Server] = {}
        self.clients: dict[str, ClientProcess] = {}
        self.editors: dict[str, EditorProcess] = {}
        self.readers: dict[str, ReaderProcess] = {}
        self.watchers: dict[str, Watcher] = {}
        self.callers: dict[str, Identity] = {}
        self.counters: list[Key] = []
        self._folder = folder
        self._site = make_site(folder / "server-0")
        self._chance = random.Random(f"{seed}/world")
        self._links: dict[str, Proxy] = {}
        self._tokens: dict[str, str] = {}
        self._down: set[str] = set()

    def __enter__(self) -> Self:
        try:
            self._start_servers()
            self._start_clients()
            self._start_others()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._stop()

    @property
    def targets(self) -> Mapping[str, tuple[FaultKind, ...]]:
        targets: dict[str, tuple[FaultKind, ...]] = dict.fromkeys(self._links, NETWORK)
        targets |= dict.fromkeys([*self.servers, *self._puppets], PROCESS)
        return targets | ({"database": DATABASE} if self._site.port is not None else {})

    @property
    def _puppets(self) -> dict[str, Puppet]:
        return {**self.clients, **self.editors, **self.readers}

    def port_of(self, name: str) -> int:
        """Where the client or caller finds servers."""
        return self._links[_link_of(name)].port

    @property
    def users(self) -> list[str]:
        return list(self._tokens)

    def begin(self, fault: Fault) -> None:
        target, kind = fault.target, fault.kind
        if target in self.servers:
            self._down.add(target)
            self.servers[target].kill()
        elif target in self._puppets:
            self._puppets[target].kill()
        elif target in self._links:
            self._links[target].set(WEATHERS.get(kind, FAIR))
            if kind in CUT_AT_THE_BEGINNING:
                self._links[target].cut()
        else:
            self._site.harm(kind, self._chance)
        self._tend()

    def end(self, fault: Fault) -> None:
        target = fault.target
        if target in self.servers:
            self._down.discard(target)
        elif target in self._puppets:
            self._puppets[target].start()
        elif target in self._links:
            if fault.kind in CUT_AT_THE_END:
                self._links[target].cut()
            self._links[target].set(FAIR)
        self._tend()

    def heal(self) -> None:
        """Everything runs, and everybody reaches everybody."""
        for link in self._links.values():
            link.set(FAIR)
        self._down.clear()
        until(self._all_answer, "every server to answer")
        for puppet in self._puppets.values():
            puppet.start()
        for client in self.clients.values():
            client.resume()

    def _tend(self) -> None:
        """Start what should run and does not, as a supervisor would: a server ends that cannot reach its database
        when it starts."""
        for name, server in self.servers.items():
            if name not in self._down and not server.alive():
                server.start("start", wait=False)

    def _all_answer(self) -> bool:
        self._tend()
        return all(_is_ready(server) for server in self.servers.values())

    def settle(self) -> FinalState:
        """Wait until every queue is empty and all agree; after a while, what there is then."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while any(client.pending() for client in self.clients.values()) and time.monotonic() < deadline:
            time.sleep(LOOK_EVERY_S)
        while not _agree(state := self._look(), self.history) and time.monotonic() < deadline:
            time.sleep(LOOK_EVERY_S)
        return state

    def _look(self) -> FinalState:
        replicas = {name: client.replica() for name, client in self.clients.items()}
        pulls = {
            (name, user): pull_all(server, token)
            for name, server in self.servers.items()
            for user, token in self._tokens.items()
        }
        answers = {
            (name, user, query.name): _ask(server, token, query.entity, query.plain())
            for name, server in self.servers.items()
            for user, token in self._tokens.items()
            for query in QUERIES
        }
        token = next(iter(self._tokens.values()))
        texts = {name: text_from(server.port, token, self._page) for name, server in self.servers.items()}
        untold = 0
        for name, process in self.editors.items():
            texts[name], is_pending = process.read()
            untold += is_pending
        lists = {
            (name, query): rows for name, watcher in self.watchers.items() for query, rows in watcher.lists.items()
        }
        tapes = {name: process.tape() for name, process in self.readers.items()}
        log, rows = self._site.read()
        return FinalState(log, rows, pulls, replicas, texts, untold, lists, answers, tapes)

    def _start_servers(self) -> None:
        for number in range(self._site.servers):
            name = f"server-{number}"
            app = write_app(self._folder / name, MANIFEST, {"bump": BUMP, "ping": returning("pong")})
            port = None if self._site.port is None else self._link(name, [self._site.port])
            self.servers[name] = Server(app, env={**ENV, **self._site.env(port)})
        for server in self.servers.values():
            server.start("start", wait=False)
        for server in self.servers.values():
            server.wait_until_answering()
            server.await_functions()

    def _start_clients(self) -> None:
        """Three of each kind; two users have one of either."""
        first = next(iter(self.servers.values()))
        self._tokens = {user: token for token, user in (first.guest() for _ in range(USERS))}
        for number in range(REGISTERS):
            _make(first, "Register", {"tag": f"made-{number}"})
        self._page = _make(first, ENTITY, {FIELD: ""})
        self.counters = [_make(first, "Counter", {"count": 0}) for _ in range(COUNTERS)]
        ports = [server.port for server in self.servers.values()]
        people = list(self._tokens.items())
        for number in range(CLIENTS):
            kind, make = KINDS[number * len(KINDS) // CLIENTS]
            user, token = people[number % USERS]
            identity = Identity(f"{kind}-{number}", user, token)
            link = self._link(identity.name, ports)
            client = make(identity, self._folder / identity.name, link, self.history)
            self.clients[identity.name] = client
            client.start()
        for number in range(CALLERS):
            user, token = people[number]
            identity = Identity(f"caller-{number}", user, token)
            self._link(identity.name, ports)
            self.callers[identity.name] = identity

    def _start_others(self) -> None:
        ports = [server.port for server in self.servers.values()]
        people = list(self._tokens.items())

        def join(kind: str, number: int) -> tuple[Identity, Path, int, History]:
            user, token = people[number % USERS]
            identity = Identity(f"{kind}-{number}", user, token)
            return identity, self._folder / identity.name, self._link(identity.name, ports), self.history

        for number in range(EDITORS):
            process = editor(*join("editor", number), self._page)
            self.editors[process.name] = process
        for number in range(READERS):
            following = reader(*join("reader", number))
            self.readers[following.name] = following
        for number in range(WATCHERS):
            identity, _, port, history = join("watcher", number)
            self.watchers[identity.name] = Watcher(identity, port, history)
        for puppet in (*self.editors.values(), *self.readers.values()):
            puppet.start()
        for watcher in self.watchers.values():
            watcher.start()

    def _link(self, name: str, backends: list[int]) -> int:
        """The network between the named one and what it connects to; the port to connect to instead."""
        link = self._links[_link_of(name)] = Proxy(name, backends, random.Random(self._chance.random()))
        link.start()
        return link.port

    def _stop(self) -> None:
        for puppet in self._puppets.values():
            puppet.kill()
        for watcher in self.watchers.values():
            watcher.stop()
        for link in self._links.values():
            link.set(FAIR)
        for server in self.servers.values():
            if server.alive():
                server.stop()
        for link in self._links.values():
            link.stop()
        for server in self.servers.values():
            until(lambda server=server: not server.processes(), "the end of its processes")  # type: ignore[misc]


def pull_all(server: Server, token: str) -> dict[Key, Row]:
    """What a client gets that begins with nothing."""
    rows: dict[Key, Row] = {}
    since, has_more = 0, True
    while has_more:
        status, page = server.request("GET", f"/api/sync/pull?since={since}", token=token)
        assert status == 200, page
        for change in page["changes"]:
            key = change["entity"], change["row_id"]
            if change["kind"] == "delete":
                rows.pop(key, None)
            else:
                rows[key] = change["data"]
        since, has_more = page["cursor"]["last_seq"], page["has_more"]
    return rows


def _ask(server: Server, token: str, entity: str, query: Row) -> list[Row]:
    status, rows = server.request("POST", f"/api/query/{entity}", dict(query), token=token)
    assert status == 200, rows
    return list(rows)


def _link_of(name: str) -> str:
    return f"link of {name}"


def _make(server: Server, entity: str, data: Row) -> Key:
    status, row = server.request("POST", f"/api/entities/{entity}", data, token=ADMIN_TOKEN)
    assert status == 201, row
    return entity, row["id"]


def _is_ready(server: Server) -> bool:
    with suppress(OSError, http.client.HTTPException):
        return server.request("GET", "/health?ready=1")[0] == 200
    return False


def _agree(state: FinalState, history: History) -> bool:
    """Whether waiting longer would change nothing; what is wrong then is for the checker to say."""
    return (
        all(pulled == readable(user, state.rows) for (_, user), pulled in state.pulls.items())
        and all(
            replica.pending == 0
            and not replica.overlaid
            and replica.rows == readable(history.viewers[name], state.rows)
            for name, replica in state.replicas.items()
        )
        and state.untold == 0
        and len(set(state.texts.values())) == 1
        and len(state.lists) == WATCHERS * len(QUERIES)
        and all(
            rows == state.answers[server, history.viewers[watcher], query]
            for (watcher, query), rows in state.lists.items()
            for server in {server for server, _, _ in state.answers}
        )
        and all(tape == events_for(history.viewers[name], state.log) for name, tape in state.tapes.items())
    )
