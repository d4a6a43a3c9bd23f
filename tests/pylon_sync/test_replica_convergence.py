"""The promise: after any interleaving, each replica equals exactly the rows its viewer may read.

Hypothesis writes as everyone (over REST, by push, past all policies as functions do), lets replicas fall behind,
pull pages of any size, start again, push twice, and restarts the server, also with other read rules. A replica
applies what it pulls by the merge rules of published clients (contract 05 §11). The oracle knows the rules as
plain Python, so it shares no code with the policy engine. A failure prints the steps that lead to it, and they
replay.
"""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from pylon_auth import AuthContext
from pylon_core.clock import SystemClock
from pylon_core.manifest import AppManifest
from pylon_http import ChangeEvent, DataStore, Filter, LogPage, Row
from pylon_policy import PolicyEngine
from pylon_storage import NoFaults, SqliteStore
from pylon_storage.postgres import PostgresStore
from tests.strategies.documents import Document, app, entity
from tests.support.data_api import IDENTITIES, SIGNED_IN, DataApi, optional, rules, watched_fields
from tests.support.postgres import fresh_database

Readable = Callable[[AuthContext, Row], bool]
Key = tuple[str, str]

VIEWERS = {
    **IDENTITIES,
    "amy": AuthContext("amy", tenant_id="acme"),
    "uma": AuthContext("uma", tenant_id="umbra", roles=("viewer",)),
}


def _owns(auth: AuthContext, row: Row) -> bool:
    return auth.user_id is not None and auth.user_id == row["ownerId"]


READ_RULES: dict[str, tuple[str, Readable]] = {
    "Owned": (
        "auth.userId == data.ownerId",
        _owns,
    ),
    "Shared": (
        "auth.tenantId == data.tenantId",
        lambda auth, row: auth.tenant_id is not None and auth.tenant_id == row["tenantId"],
    ),
    "Article": (
        "data.published == true || data.ownerId == auth.userId",
        lambda auth, row: (
            row["published"] is True or (row["ownerId"] is not None and row["ownerId"] == auth.user_id)
        ),
    ),
    "Memo": (
        "auth.hasRole('editor') || !(data.published == true) && auth.userId != null",
        lambda auth, row: "editor" in auth.roles or (row["published"] is not True and auth.user_id is not None),
    ),
    "Ranked": (
        "data.rank > 2 && auth.tenantId != data.tenantId",
        # Two missing tenants do not differ; one that is missing differs from one that is there.
        lambda auth, row: row["rank"] is not None and row["rank"] > 2 and auth.tenant_id != row["tenantId"],
    ),
    "Sealed": ("false", lambda auth, row: False),
}
ENTITIES = sorted(READ_RULES)


def rule_of(name: str, turn: int) -> tuple[str, Readable]:
    """At each turn every entity takes over the read rule of the next one."""
    return READ_RULES[ENTITIES[(ENTITIES.index(name) + turn) % len(ENTITIES)]]


def document(turn: int) -> Document:
    return app(
        entities=[
            entity(
                name,
                fields=[
                    optional("ownerId"),
                    optional("tenantId"),
                    optional("published", "bool"),
                    optional("rank", "int"),
                    optional("title"),
                ],
            )
            for name in ENTITIES
        ],
        policies=[rules(name, allowRead=rule_of(name, turn)[0], allowWrite=SIGNED_IN) for name in ENTITIES],
    )


class SmallPages:
    """The store, but with pages of the change log as small as a test wants them."""

    def __init__(self, store: DataStore) -> None:
        self._store = store
        self.events_max = 500

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def changes(self, since: int, limit: int) -> LogPage:
        return self._store.changes(since, min(limit, self.events_max))


class Replica:
    """A client's store and cursor; ``apply`` is the published merge."""

    def __init__(self, viewer: str) -> None:
        self.viewer = viewer
        self.reset()

    def reset(self) -> None:
        self.cursor = 0
        self.rows: dict[Key, Row] = {}
        self._tombstones: dict[Key, int] = {}

    def apply(self, event: dict[str, Any]) -> None:
        key = (event["entity"], event["row_id"])
        if event["kind"] == "delete":
            self.rows.pop(key, None)
            self._tombstones[key] = event["seq"]
        elif event["seq"] >= self._tombstones.get(key, 0):
            old = self.rows.get(key, {}) if event["kind"] == "update" else {}
            self.rows[key] = {**old, **event["data"], "id": event["row_id"]}


viewers = st.sampled_from(sorted(VIEWERS))
writers = st.sampled_from(["guest", "alice", "bob", "ed", "amy", "uma", "admin"])
entity_names = st.sampled_from(ENTITIES)
row_ids = st.sampled_from(["a", "b", "c"])
"""Few, so that rows are found, deleted and made again under the same id."""
payloads = st.fixed_dictionaries(
    {},
    optional={
        "ownerId": st.sampled_from([None, "alice", "bob", "guest_1", "amy"]),
        "tenantId": st.sampled_from([None, "acme", "umbra"]),
        "published": st.sampled_from([None, True, False]),
        "rank": st.sampled_from([None, 1, 2, 3]),
        "title": st.sampled_from(["x", "y"]),
    },
)
changes = st.builds(
    lambda name, row_id, kind, data: {"entity": name, "row_id": row_id, "kind": kind, "data": data},
    entity_names,
    row_ids,
    st.sampled_from(["insert", "insert", "update", "update", "delete"]),
    payloads,
)


class Convergence(RuleBasedStateMachine):
    @initialize()
    def start(self) -> None:
        self.turn = 0
        self.make_database()
        self.make_api()
        self.replicas = {viewer: Replica(viewer) for viewer in VIEWERS}
        self.pushes: list[tuple[str, list[dict[str, Any]]]] = []
        self.done: set[str] = set()
        self.ever_readable: set[tuple[str, Key]] = set()
        self.open()

    def make_database(self) -> None:
        """An empty one, for as long as the example runs."""
        self.directory = tempfile.TemporaryDirectory(prefix="pylon-")

    def remove_database(self) -> None:
        self.directory.cleanup()

    def open_store(self, manifest: AppManifest, policies: PolicyEngine) -> DataStore:
        return SqliteStore(
            Path(self.directory.name) / "app.db",
            manifest,
            watched=watched_fields(manifest, policies),
            visibility=policies.fingerprint,
            clock=SystemClock(),
            faults=NoFaults(),
            durable=False,
        )

    def make_api(self) -> None:
        self.api = DataApi(document(self.turn), engine="sqlite")
        self.api.store.close()

    def may_read(self, viewer: str, entity_name: str, row: Row) -> bool:
        auth = VIEWERS[viewer]
        return auth.is_admin or rule_of(entity_name, self.turn)[1](auth, row)

    def open(self) -> None:
        self.store = self.open_store(self.api.manifest, self.api.policies)
        self.store.subscribe(self.note_readers)
        self.pages = SmallPages(self.store)
        self.api.reconfigure(store=self.pages)

    def note_readers(self, events: Sequence[ChangeEvent]) -> None:
        for event in events:
            if event.row is not None:
                self.note_row(event.entity, dict(event.row))

    def note_row(self, name: str, row: Row) -> None:
        self.ever_readable.update(
            (viewer, (name, row["id"])) for viewer in VIEWERS if self.may_read(viewer, name, row)
        )

    # --- writes: refused or not, nobody cares here

    @rule(writer=writers, name=entity_names, data=payloads)
    def create(self, writer: str, name: str, data: Row) -> None:
        self.api.send("POST", f"/api/entities/{name}", auth=VIEWERS[writer], body=data)

    @rule(writer=writers, name=entity_names, row_id=row_ids, patch=payloads)
    def update(self, writer: str, name: str, row_id: str, patch: Row) -> None:
        self.api.send("PATCH", f"/api/entities/{name}/{row_id}", auth=VIEWERS[writer], body=patch)

    @rule(writer=writers, name=entity_names, row_id=row_ids)
    def delete(self, writer: str, name: str, row_id: str) -> None:
        self.api.send("DELETE", f"/api/entities/{name}/{row_id}", auth=VIEWERS[writer])

    @rule(name=entity_names, row_id=row_ids, data=payloads, patches=st.lists(payloads, max_size=3))
    def run_function(self, name: str, row_id: str, data: Row, patches: list[Row]) -> None:
        """Several writes of one row in one transaction, past every policy."""

        def work(tx: Any) -> None:
            if tx.get(name, row_id) is None:
                tx.insert(name, data, row_id)
            for patch in patches:
                tx.update(name, row_id, patch)

        self.store.transact(work)

    @rule(writer=writers, batch=st.lists(changes, min_size=1, max_size=4))
    def push(self, writer: str, batch: list[dict[str, Any]]) -> None:
        numbered = [{**change, "op_id": f"op{len(self.pushes)}_{n}"} for n, change in enumerate(batch)]
        self.pushes.append((writer, numbered))
        self.send_push(writer, numbered)

    @rule(pick=st.integers(min_value=0))
    def push_again(self, pick: int) -> None:
        """What was applied is not applied again; what was not may be, this time."""
        if self.pushes:
            self.send_push(*self.pushes[pick % len(self.pushes)])

    def send_push(self, writer: str, batch: list[dict[str, Any]]) -> None:
        body = {"client_id": "c1", "changes": batch}
        pushed = self.api.send("POST", "/api/sync/push", auth=VIEWERS[writer], body=body).json
        statuses = {result["op_id"]: result["status"] for result in pushed["results"]}
        known = [op_id for op_id in statuses if op_id in self.done]
        assert [statuses[op_id] for op_id in known] == ["deduped"] * len(known)
        assert pushed["deduped"] == len(known)
        assert pushed["applied"] + len(pushed["errors"]) == len(statuses)
        self.done.update(op_id for op_id, status in statuses.items() if status != "failed")

    # --- replicas

    @rule(viewer=viewers, events_max=st.integers(1, 7))
    def pull_one_page(self, viewer: str, events_max: int) -> None:
        self.pull(self.replicas[viewer], events_max)

    @rule(viewer=viewers, events_max=st.integers(1, 50))
    def sync(self, viewer: str, events_max: int) -> None:
        replica = self.replicas[viewer]
        while self.pull(replica, events_max):
            pass
        assert replica.rows == self.readable_rows(viewer)

    @rule(viewer=viewers)
    def lose_the_replica(self, viewer: str) -> None:
        self.replicas[viewer].reset()

    @rule(viewer=viewers)
    def go_back(self, viewer: str) -> None:
        """A client crashed after it stored rows and before their cursor; rows without any cursor mean nothing."""
        replica = self.replicas[viewer]
        replica.cursor -= 3
        if replica.cursor <= 0:
            replica.reset()

    @rule()
    def restart_the_server(self) -> None:
        self.store.close()
        self.open()

    @rule(turns=st.integers(1, len(ENTITIES) - 1))
    def restart_with_other_rules(self, turns: int) -> None:
        self.store.close()
        self.turn += turns
        self.make_api()
        self.open()
        self.ever_readable.clear()
        for name in ENTITIES:
            for row in self.every_row(name):
                self.note_row(name, row)

    def pull(self, replica: Replica, events_max: int) -> bool:
        """One page into the replica; whether there is more."""
        auth = VIEWERS[replica.viewer]
        self.pages.events_max = events_max
        page = self.api.send("GET", f"/api/sync/pull?since={replica.cursor}", auth=auth)
        if page.status == 410:
            replica.reset()
            return True
        assert page.status == 200
        for event in page.json["changes"]:
            self.check_not_leaked(replica.viewer, event)
            replica.apply(event)
        has_more: bool = page.json["has_more"]
        assert page.json["cursor"]["last_seq"] > replica.cursor or not has_more
        replica.cursor = page.json["cursor"]["last_seq"]
        return has_more

    def check_not_leaked(self, viewer: str, event: dict[str, Any]) -> None:
        key = (event["entity"], event["row_id"])
        assert (viewer, key) in self.ever_readable, "a viewer heard of a row that was never theirs to read"
        if "data" in event:
            assert self.may_read(viewer, event["entity"], event["data"])

    def readable_rows(self, viewer: str) -> dict[Key, Row]:
        """By the oracle, over all rows there are; the list route must agree with it."""
        auth = VIEWERS[viewer]
        readable: dict[Key, Row] = {}
        for name in ENTITIES:
            rows = [row for row in self.every_row(name) if self.may_read(viewer, name, row)]
            listed = self.api.send("GET", f"/api/entities/{name}", auth=auth)
            assert (listed.json if listed.status == 200 else []) == rows
            readable |= {(name, row["id"]): row for row in rows}
        return readable

    def every_row(self, name: str) -> Iterator[Row]:
        with self.store.read() as reader:
            yield from reader.query(name, Filter())

    def teardown(self) -> None:
        if hasattr(self, "store"):
            for viewer in VIEWERS:
                self.sync(viewer, 500)
            self.store.close()
            self.remove_database()


class ConvergenceOnPostgres(Convergence):
    def make_database(self) -> None:
        self.url = fresh_database()

    def remove_database(self) -> None:
        """The server drops the oldest by itself."""

    def open_store(self, manifest: AppManifest, policies: PolicyEngine) -> DataStore:
        return PostgresStore(
            self.url,
            manifest,
            watched=watched_fields(manifest, policies),
            visibility=policies.fingerprint,
            clock=SystemClock(),
            faults=NoFaults(),
        )


Convergence.TestCase.settings = settings(
    max_examples=100,
    stateful_step_count=40,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
ConvergenceOnPostgres.TestCase.settings = settings(Convergence.TestCase.settings, max_examples=8)
# A failure is shrunk first, which takes longer than a passing run.
TestEveryReplicaConverges = pytest.mark.timeout(900)(Convergence.TestCase)
TestEveryReplicaConvergesOnPostgres = pytest.mark.timeout(900)(ConvergenceOnPostgres.TestCase)


class ManyTimes(Convergence):
    """The same, for longer."""


class ManyTimesOnPostgres(ConvergenceOnPostgres):
    """The same, for longer."""


ManyTimes.TestCase.settings = settings(Convergence.TestCase.settings, max_examples=10_000)
ManyTimesOnPostgres.TestCase.settings = settings(Convergence.TestCase.settings, max_examples=2_000)
TestEveryReplicaConvergesManyTimes = pytest.mark.soak(pytest.mark.timeout(7200)(ManyTimes.TestCase))
TestEveryReplicaConvergesOnPostgresManyTimes = pytest.mark.soak(
    pytest.mark.timeout(7200)(ManyTimesOnPostgres.TestCase)
)
