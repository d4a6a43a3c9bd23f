"""The promise of live queries: at every moment of rest each subscriber's list equals a fresh query of theirs.

Hypothesis writes transactions past all policies and through them, in which rows come, change, change hands and
go; has subscribers of different identities ask random queries, early and late, leave, lose their sockets and
come back. Windows are kept so small that they run out. At every sync point each list must be what ``POST
/api/query`` answers to the same identity at that moment, in order, and each refusal must be the same. On
Postgres there are two servers on one database. Sockets, hub, store and router are real; a failure prints the
steps that lead to it, and they replay.
"""

import itertools
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from pylon_core.clock import SystemClock
from pylon_http import DataStore, Filter, Reader, TxStore
from pylon_runtime.hub import HubLimits
from pylon_storage import NoFaults
from pylon_storage.postgres import PostgresStore
from tests.strategies.documents import app, entity, field
from tests.support.data_api import IDENTITIES, SIGNED_IN, DataApi, optional, rules, watched_fields
from tests.support.live_queries import LiveClient, LiveServer
from tests.support.postgres import POOL_DRAWS, fresh_database

pytestmark = POOL_DRAWS

Json = dict[str, Any]

DOCUMENT = app(
    entities=[
        entity(
            "Task",
            fields=[
                optional("ownerId"),
                optional("public", "bool"),
                field("title"),
                optional("rank", "int"),
                optional("score", "float"),
                optional("at", "datetime"),
                optional("_note"),
            ],
        ),
        entity("Event", fields=[field("title"), optional("rank", "int")], crdt=False),
        entity("Sealed", fields=[field("title")]),
    ],
    policies=[
        rules("Task", allowRead="data.ownerId == auth.userId || data.public == true", allowWrite=SIGNED_IN),
        rules("Event", allow=SIGNED_IN),
        rules("Sealed", allow="false"),
    ],
)
LIMITS = HubLimits(
    connections_per_peer_max=1_000,
    connections_per_user_max=1_000,
    live_query_spare_min=1,
    live_query_spare_max=3,
)
VIEWERS = ["alice", "alice", "bob", "guest", "ed", "admin"]
OWNERS = [None, "alice", "bob", "guest_1"]

POOLS: dict[str, dict[str, list[Any]]] = {
    "Task": {
        "ownerId": OWNERS,
        "public": [None, True, False],
        "title": ["a", "A", "ab", "é", "\U0001f600"],
        "rank": [None, 0, 1, 2, 2**53 + 1],
        "score": [None, 0.0, 0.5, -1.5],
        "at": [None, "2026-05-02T22:00:00Z", "2026-05-02T22:00:00.250Z", "1999-01-01T00:00:00Z"],
        "_note": [None, "x", "y"],
    },
    "Event": {"title": ["a", "b", "c"], "rank": [None, 1, 2, 3]},
}
ROW_IDS = {"Task": [f"t{number}" for number in range(16)], "Event": [f"e{number}" for number in range(4)]}
Step = tuple[str, str, str, Json]
"""What to do with a row: its kind, the entity, the id, values."""


def random_step(chance: Random, kinds: Sequence[str] = ("put", "put", "update", "update", "delete")) -> Step:
    """Hypothesis chooses the seeds, not the values: it would choose simple ones, with which little happens."""
    name = chance.choice(["Task", "Task", "Task", "Event"])
    kind = chance.choice(kinds)
    pools = POOLS[name]
    changed = pools if kind == "put" else chance.sample(sorted(pools), chance.randint(1, 2))
    return kind, name, chance.choice(ROW_IDS[name]), {member: chance.choice(pools[member]) for member in changed}


seeds = st.integers(0, 2**32)


@st.composite
def constraints(draw: st.DrawFn, name: str) -> Json:
    member = draw(st.sampled_from(["id", *POOLS[name]]))
    pool = ROW_IDS[name] if member == "id" else [value for value in POOLS[name][member] if value is not None]
    value = draw(st.sampled_from(pool))
    choices: list[Any] = [value, value, None, {"$not": value}, {"$gt": value}, {"$lte": value}]
    choices += [{"$in": [value, draw(st.sampled_from(pool))]}, {"$exists": draw(st.booleans())}]
    if isinstance(value, str) and member != "at":
        choices.append({"$like": value})
    return {member: draw(st.sampled_from(choices))}


@st.composite
def queries(draw: st.DrawFn) -> tuple[str, Json]:
    """An entity, and ``where``, ``order`` and ``limit``; some are refused."""
    name = draw(st.sampled_from(["Task"] * 10 + ["Event"] * 3 + ["Sealed", "Nothing"]))
    if name not in POOLS:
        return name, {}
    constraint = constraints(name)
    where = draw(
        st.one_of(
            st.just({}),
            st.just({}),
            constraint,
            st.lists(constraint, min_size=1, max_size=3).map(lambda parts: {"$or": parts}),
            st.lists(constraint, min_size=2, max_size=2).map(lambda parts: {"$and": parts}),
        )
    )
    members = st.sampled_from(["id", *POOLS[name]])
    order = draw(st.dictionaries(members, st.sampled_from(["asc", "desc"]), max_size=2))
    return name, {"where": where, "order": order, "limit": draw(st.sampled_from([1, 2, 3, 1000]))}


class Subscriber:
    """A viewer at one of the servers, and what they asked for, by id."""

    def __init__(self, server: LiveServer, viewer: str) -> None:
        self.server = server
        self.viewer = viewer
        self.asked: dict[str, tuple[str, Json]] = {}
        self.client: LiveClient | None = None

    def ask(self, query_id: str, query: tuple[str, Json]) -> None:
        self.asked[query_id] = query
        if self.client is None:
            self.come_back()
        else:
            self.client.subscribe(query_id, query[0], **query[1])

    def hang_up(self) -> None:
        if self.client is not None:
            self.server.clients.remove(self.client)
            self.client.drop()
            self.client = None

    def come_back(self) -> None:
        self.hang_up()
        self.client = self.server.connect(self.viewer)
        for query_id, query in self.asked.items():
            self.ask(query_id, query)


class LiveQueriesAgree(RuleBasedStateMachine):
    def servers(self) -> Sequence[LiveServer]:
        """The same ones for all examples."""
        return sqlite_servers()

    @initialize(seed=seeds)
    def start(self, seed: int) -> None:
        self.ready = self.servers()
        self.ready[0].transact(remove_everything)
        self.subscribers = [
            Subscriber(self.ready[number % len(self.ready)], viewer) for number, viewer in enumerate(VIEWERS)
        ]
        chance = Random(seed)
        self.write(0, [random_step(chance, ["put"]) for _ in range(chance.randint(0, 40))])

    @rule(on=st.integers(0, 1), seed=seeds)
    def transact(self, on: int, seed: int) -> None:
        """Past every policy, several changes as one, several times, sometimes with a look in between."""
        chance = Random(seed)
        for _ in range(chance.randint(1, 6)):
            self.write(on, [random_step(chance) for _ in range(chance.randint(1, 5))])
            if chance.random() < 0.5:
                self.sync()

    def write(self, on: int, steps: Sequence[Step]) -> None:
        def work(tx: TxStore) -> None:
            for step in steps:
                apply(tx, *step)

        self.ready[on % len(self.ready)].transact(work)

    @rule(viewer=st.sampled_from(VIEWERS), seed=seeds)
    def request(self, viewer: str, seed: int) -> None:
        """As somebody, who may be refused."""
        kind, name, row_id, data = random_step(Random(seed))
        method, url = {
            "put": ("POST", f"/api/entities/{name}"),
            "update": ("PATCH", f"/api/entities/{name}/{row_id}"),
            "delete": ("DELETE", f"/api/entities/{name}/{row_id}"),
        }[kind]
        self.ready[0].api.send(method, url, auth=IDENTITIES[viewer], body=None if kind == "delete" else data)

    @rule(who=st.integers(0, len(VIEWERS) - 1), query_id=st.sampled_from("ab"), query=queries())
    def subscribe(self, who: int, query_id: str, query: tuple[str, Json]) -> None:
        """Under an id that may be taken, which is then asked anew."""
        self.subscribers[who].ask(query_id, query)

    @rule(query=queries())
    def everybody_subscribes(self, query: tuple[str, Json]) -> None:
        for subscriber in self.subscribers:
            subscriber.ask("c", query)

    @rule(who=st.integers(0, len(VIEWERS) - 1), query_id=st.sampled_from("abc"))
    def unsubscribe(self, who: int, query_id: str) -> None:
        subscriber = self.subscribers[who]
        if subscriber.asked.pop(query_id, None) is not None and subscriber.client is not None:
            subscriber.client.unsubscribe(query_id)

    @rule(who=st.integers(0, len(VIEWERS) - 1))
    def lose_the_socket(self, who: int) -> None:
        self.subscribers[who].hang_up()

    @rule(who=st.integers(0, len(VIEWERS) - 1))
    def come_back(self, who: int) -> None:
        self.subscribers[who].come_back()

    @rule()
    def sync(self) -> None:
        head = max(server.api.ctx.store.head() for server in self.ready)
        for server in self.ready:
            server.settle(head)
        for subscriber in self.subscribers:
            if subscriber.client is not None:
                for query_id, query in subscriber.asked.items():
                    self.check(subscriber.viewer, subscriber.client, query_id, *query)

    def check(self, viewer: str, client: LiveClient, query_id: str, name: str, query: Json) -> None:
        limit = query.get("limit", 1000)
        document = {**query.get("where", {}), "$order": query.get("order")}
        fresh = self.ready[0].api.send(
            "POST", f"/api/query/{name}", auth=IDENTITIES[viewer], body=document | {"$limit": limit + 1}
        )
        if fresh.code is not None:
            assert client.errors[query_id] == fresh.code
            assert query_id not in client.lists
            return
        assert client.rows(query_id) == fresh.json[:limit], (viewer, name, query)
        assert client.lists[query_id].complete == (len(fresh.json) <= limit)

    def teardown(self) -> None:
        if not hasattr(self, "subscribers"):
            return
        try:
            self.sync()
        finally:
            for server in self.ready:
                server.forget_clients()


def apply(tx: TxStore, kind: str, name: str, row_id: str, data: Json) -> None:
    if kind == "delete":
        tx.delete(name, row_id)
    elif tx.get(name, row_id) is not None:
        tx.update(name, row_id, data)
    elif kind == "put":
        tx.insert(name, data, row_id)


def remove_everything(tx: TxStore) -> None:
    for name in POOLS:
        for row in tx.query(name, Filter()):
            tx.delete(name, row["id"])


class LiveQueriesAgreeOnPostgres(LiveQueriesAgree):
    def servers(self) -> Sequence[LiveServer]:
        return postgres_servers()


@cache
def sqlite_servers() -> Sequence[LiveServer]:
    return [opened(DataApi(DOCUMENT, engine="sqlite"))]


@cache
def postgres_servers() -> Sequence[LiveServer]:
    """Two of them on one database."""
    url = fresh_database()
    return [opened(api_on(url)) for _ in range(2)]


def api_on(url: str) -> DataApi:
    api = DataApi(DOCUMENT, engine="sqlite")
    api.store.close()
    store = PostgresStore(
        url,
        api.manifest,
        watched=watched_fields(api.manifest, api.policies),
        visibility=api.policies.fingerprint,
        clock=SystemClock(),
        faults=NoFaults(),
        connections_max=4,
    )
    api.reconfigure(store=store)
    return api


_opened: list[LiveServer] = []


def opened(api: DataApi) -> LiveServer:
    api.reconfigure(store=LingeringReads(api.ctx.store))
    _opened.append(LiveServer(api, IDENTITIES, limits=LIMITS))
    return _opened[-1]


class LingeringReads:
    """The store, but every other read takes a moment longer to end, in which others write."""

    def __init__(self, store: DataStore) -> None:
        self._store = store
        self._reads = itertools.count()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    @contextmanager
    def read(self) -> Iterator[Reader]:
        with self._store.read() as reader:
            yield reader
        if next(self._reads) % 2:
            time.sleep(0.003)


@pytest.fixture(scope="module", autouse=True)
def _servers_end_with_the_module() -> Iterator[None]:
    yield
    while _opened:
        _opened.pop().close()


FEW = settings(
    max_examples=60,
    stateful_step_count=30,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    phases=set(Phase) - {Phase.explain},
)
LiveQueriesAgree.TestCase.settings = FEW
LiveQueriesAgreeOnPostgres.TestCase.settings = settings(FEW, max_examples=20)
TestEveryListEqualsAFreshQuery = pytest.mark.timeout(600)(LiveQueriesAgree.TestCase)
TestEveryListEqualsAFreshQueryOnPostgres = pytest.mark.timeout(600)(LiveQueriesAgreeOnPostgres.TestCase)


class ManyTimes(LiveQueriesAgree):
    """The same, for longer."""


class ManyTimesOnPostgres(LiveQueriesAgreeOnPostgres):
    """The same, for longer."""


ManyTimes.TestCase.settings = settings(FEW, max_examples=3_000)
ManyTimesOnPostgres.TestCase.settings = settings(FEW, max_examples=1_000)
TestEveryListEqualsAFreshQueryManyTimes = pytest.mark.soak(pytest.mark.timeout(7200)(ManyTimes.TestCase))
TestEveryListEqualsAFreshQueryOnPostgresManyTimes = pytest.mark.soak(
    pytest.mark.timeout(7200)(ManyTimesOnPostgres.TestCase)
)
