"""Replicas converge whatever is compacted in between: two people, three rows that change hands, a busy compactor.

The world is small so that what matters happens often: a cursor between an entry and the one that makes it
redundant, a first sync in tiny pages, an answer that is being sent while the floor rises.
``test_replica_convergence`` has the wide one.
"""

from collections.abc import Generator
from contextlib import closing
from itertools import islice
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from pylon_auth import AuthContext
from pylon_core import jsontext
from pylon_core.errors import PylonError
from pylon_http import Filter, Response, Row, StreamedResponse, TxStore
from pylon_router import Caller, dispatch
from pylon_storage.compaction import Compactor
from tests.convergence.machine import SmallPages, Ticking
from tests.convergence.replica import Replica
from tests.strategies.documents import app, entity
from tests.support.data_api import OWNED, DataApi, optional, rules
from tests.support.postgres import POOL_DRAWS

pytestmark = POOL_DRAWS

DOCUMENT = app(
    entities=[entity("Note", fields=[optional("ownerId"), optional("title")])],
    policies=[rules("Note", allow=OWNED)],
)
PEOPLE = ["ann", "bob"]

people = st.sampled_from(PEOPLE)
row_ids = st.sampled_from(["a", "b", "c"])
page_sizes = st.integers(1, 3)
ages = st.sampled_from([0.0, 0.0, 4.0, 12.0, 1e6])
"""Seconds; with each look at the clock one passes."""


class Compacting(RuleBasedStateMachine):
    engine = "sqlite"

    @initialize(is_old=st.booleans())
    def start(self, is_old: bool) -> None:
        self.clock = Ticking()
        self.api = DataApi(DOCUMENT, engine=self.engine, store_clock=self.clock)
        self.store = self.api.store
        self.pages = SmallPages(self.store)
        self.api.reconfigure(store=self.pages)
        self.replicas = {viewer: Replica() for viewer in PEOPLE}
        if is_old:  # some rows lie below the floor
            for row_id in ("a", "b", "c"):
                self.put(row_id, "ann", 0)
            self.put("c", "bob", 0)
            self.compact(0, 0, 1000)

    @rule(row_id=row_ids, owner=people, title=st.integers(0, 2))
    def put(self, row_id: str, owner: str, title: int) -> None:
        def work(tx: TxStore) -> None:
            data = {"ownerId": owner, "title": f"{title}"}
            if tx.update("Note", row_id, data) is None:
                tx.insert("Note", data, row_id)

        self.store.transact(work)

    @rule(row_id=row_ids, title=st.integers(3, 5))
    def touch(self, row_id: str, title: int) -> None:
        self.store.transact(lambda tx: tx.update("Note", row_id, {"title": f"{title}"}))

    @rule(row_id=row_ids, is_forgotten=st.booleans())
    def delete(self, row_id: str, is_forgotten: bool) -> None:
        def work(tx: TxStore) -> None:
            tx.delete("Note", row_id)
            if is_forgotten:
                tx.forget({"Note": [row_id]})

        self.store.transact(work)

    def compaction(self, retention_s: float, settling_s: float) -> Generator[None, None, None]:
        return Compactor(self.store.upkeep, self.clock, retention_s, settling_s, batch_entries=1).run()

    @rule(retention_s=ages, settling_s=ages, steps_max=st.sampled_from([1, 2, 3, 5, 1000, 1000]))
    def compact(self, retention_s: float, settling_s: float, steps_max: int) -> None:
        """It may be given up before its end."""
        with closing(self.compaction(retention_s, settling_s)) as steps:
            for _ in islice(steps, steps_max):
                pass

    @rule(viewer=people, events_max=page_sizes)
    def pull_one_page(self, viewer: str, events_max: int) -> None:
        self.pull(viewer, events_max)

    @rule(viewer=people, events_max=page_sizes)
    def sync(self, viewer: str, events_max: int) -> None:
        replica = self.replicas[viewer]
        while self.pull(viewer, events_max):
            pass
        assert replica.rows == self.readable_rows(viewer)

    @rule(viewer=people)
    def lose_the_replica(self, viewer: str) -> None:
        self.replicas[viewer].reset()

    @rule(
        viewer=people,
        events_max=page_sizes,
        turns=st.lists(st.sampled_from(["compact", "send", "delete"]), min_size=3, max_size=8),
        row_id=row_ids,
        age=ages,
    )
    def sync_anew_meanwhile(self, viewer: str, events_max: int, turns: list[str], row_id: str, age: float) -> None:
        """A first answer goes out in pieces, while others write and the log is compacted."""
        replica = self.replicas[viewer]
        replica.reset()
        self.pages.events_max = events_max
        answer = dispatch(self.api.ctx, "GET", "/api/sync/pull?since=0", b"", Caller(AuthContext(viewer)))
        assert isinstance(answer, Response | StreamedResponse)
        pieces = answer.pieces() if isinstance(answer, StreamedResponse) else iter([answer.body])
        body = b""
        try:
            for turn in turns:
                if turn == "compact":
                    self.compact(age, 0, 1000)
                elif turn == "delete":
                    self.delete(row_id, is_forgotten=False)
                else:
                    body += next(pieces, b"")
            body += b"".join(pieces)
        except PylonError as error:
            if error.code != "NOT_AVAILABLE":
                raise
        else:
            self.take(viewer, jsontext.decode(body))

    def pull(self, viewer: str, events_max: int) -> bool:
        """One page into the replica; whether there is more."""
        replica = self.replicas[viewer]
        self.pages.events_max = events_max
        url = f"/api/sync/pull?since={replica.cursor}"
        page = self.api.send("GET", url, auth=AuthContext(viewer))
        if page.status == 410:
            assert replica.cursor != 0, "everybody may start"
            replica.reset()
            return True
        assert page.status == 200
        return self.take(viewer, page.json)

    def take(self, viewer: str, page: dict[str, Any]) -> bool:
        replica = self.replicas[viewer]
        for event in page["changes"]:
            assert event.get("data", {}).get("ownerId", viewer) == viewer
            replica.apply(event)
        has_more: bool = page["has_more"]
        assert page["cursor"]["last_seq"] > replica.cursor or not has_more
        replica.cursor = page["cursor"]["last_seq"]
        return has_more

    def readable_rows(self, viewer: str) -> dict[tuple[str, str], Row]:
        with self.store.read() as reader:
            rows = reader.query("Note", Filter())
        return {("Note", row["id"]): row for row in rows if row["ownerId"] == viewer}

    def teardown(self) -> None:
        if hasattr(self, "store"):
            try:
                for viewer in PEOPLE:
                    self.sync(viewer, 500)
            finally:
                self.store.close()


class CompactingOnPostgres(Compacting):
    engine = "postgres"


class CompactingManyTimes(Compacting):
    """The same, for longer."""


class CompactingOnPostgresManyTimes(CompactingOnPostgres):
    """The same, for longer."""


Compacting.TestCase.settings = settings(
    max_examples=150,
    stateful_step_count=30,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
CompactingOnPostgres.TestCase.settings = settings(Compacting.TestCase.settings, max_examples=10)
CompactingManyTimes.TestCase.settings = settings(Compacting.TestCase.settings, max_examples=20_000)
CompactingOnPostgresManyTimes.TestCase.settings = settings(Compacting.TestCase.settings, max_examples=2_000)
TestReplicasConverge = pytest.mark.timeout(900)(Compacting.TestCase)
TestReplicasConvergeOnPostgres = pytest.mark.timeout(900)(CompactingOnPostgres.TestCase)
TestReplicasConvergeManyTimes = pytest.mark.soak(pytest.mark.timeout(7200)(CompactingManyTimes.TestCase))
TestReplicasConvergeOnPostgresManyTimes = pytest.mark.soak(
    pytest.mark.timeout(7200)(CompactingOnPostgresManyTimes.TestCase)
)
