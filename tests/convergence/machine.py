"""The promise as a state machine: after any interleaving, each replica equals exactly the rows its viewer may
read.

Hypothesis writes as everyone (over REST, by push, past all policies as functions do), on whichever server, lets
replicas fall behind, pull pages of any size, start again, connect and hang up, push twice, edit documents,
compacts the log, ends sessions and moves them to other tenants, restarts the servers, also with other read rules.
Replicas merge as published clients do. A failure prints the steps that lead to it, and they replay.

Servers run as they are, with their threads, so what a socket brings is awaited until its server has sent all there
is; everything else happens in the order that hypothesis chose.
"""

from abc import abstractmethod
from collections import defaultdict
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from itertools import islice
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from pylon_core import jsontext
from pylon_core.clock import Clock, SystemClock
from pylon_core.errors import PylonError
from pylon_core.manifest import AppManifest, parse_manifest
from pylon_http import ChangeEvent, DataStore, Filter, LogPage, Row
from pylon_policy import PolicyEngine
from pylon_runtime.stores import AppStore
from pylon_storage.compaction import Compactor
from tests.convergence.documents import Edit
from tests.convergence.patience import Patience
from tests.convergence.replica import Key
from tests.convergence.rules import ENTITIES, TENANTS, document, may_read
from tests.convergence.server import AppServer
from tests.convergence.viewers import VIEWERS, WRITERS, Viewer

viewers = st.sampled_from(VIEWERS)
writers = st.sampled_from(WRITERS)
entity_names = st.sampled_from(ENTITIES)
row_ids = st.sampled_from(["a", "b", "c"])
"""Few, so that rows are found, deleted and made again under the same id."""
ages = st.sampled_from([0.0, 3.0, 10.0, 30.0, 1e6])
"""Seconds; one passes with each write and more."""
servers = st.integers(0, 1)
"""Taken modulo the number of servers."""
payloads = st.fixed_dictionaries(
    {},
    optional={
        "ownerId": st.sampled_from([None, "alice", "bob", "amy"]),
        "tenantId": st.sampled_from([None, "acme", "umbra"]),
        "published": st.sampled_from([None, True, False]),
        "rank": st.sampled_from([None, 1, 2, 3]),
        "title": st.sampled_from(["x", "y"]),
        "body": st.sampled_from([None, "", "abc", "abcdef"]),
    },
)
changes = st.builds(
    lambda name, row_id, kind, data: {"entity": name, "row_id": row_id, "kind": kind, "data": data},
    entity_names,
    row_ids,
    st.sampled_from(["insert", "insert", "update", "update", "delete"]),
    payloads,
)
edits = st.builds(
    Edit,
    st.integers(0, 1),
    st.sampled_from(["write", "write", "cut", "rename"]),
    st.integers(0, 9),
    st.booleans(),
    st.none() | payloads,
)


class Ticking(SystemClock):
    """A second passes with each look at it, so that entries of the log are of different ages."""

    def __init__(self) -> None:
        self._ns = 1_800_000_000_000_000_000

    def now_ns(self) -> int:
        self._ns += 1_000_000_000
        return self._ns


class SmallPages:
    """A store, but with pages of the change log as small as a test wants them."""

    def __init__(self, store: AppStore) -> None:
        self._store = store
        self.events_max = 500

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def changes(self, since: int, limit: int) -> LogPage:
        return self._store.changes(since, min(limit, self.events_max))


class Convergence(RuleBasedStateMachine):
    servers_number = 1
    patience = Patience(later_s=0.5)

    @abstractmethod
    def make_database(self) -> None:
        """An empty one, for as long as the example runs."""

    def remove_database(self) -> None:
        """What ``make_database`` made."""

    @abstractmethod
    def open_store(self, manifest: AppManifest, policies: PolicyEngine, clock: Clock) -> AppStore:
        """On that database."""

    @initialize()
    def start(self) -> None:
        self.turn = 0
        self.clock = Ticking()
        self.pushes: list[tuple[str, list[dict[str, Any]]]] = []
        self.done: set[str] = set()
        self.images: defaultdict[Key, list[Row]] = defaultdict(list)
        self.viewers: dict[str, Viewer] = {}
        self.make_database()
        self.open()
        self.viewers = {name: Viewer(name, self.check_not_leaked) for name in VIEWERS}
        for viewer in self.viewers.values():
            viewer.sign_in(self.servers[0].sessions)

    def open(self) -> None:
        self.manifest = parse_manifest(jsontext.encode(document(self.turn)))
        self.policies = PolicyEngine(self.manifest, default_allow=False)
        self.servers: list[AppServer] = []
        self.pages: list[SmallPages] = []
        for _ in range(self.servers_number):
            store = self.open_store(self.manifest, self.policies, self.clock)
            pages = SmallPages(store)
            self.pages.append(pages)
            self.servers.append(AppServer(pages, self.manifest, self.policies, self.clock))
        self.store: DataStore = self.servers[0].store
        self.store.subscribe(self.note)

    def shut(self) -> None:
        for viewer in self.viewers.values():
            viewer.hang_up()
        for server in self.servers:
            server.stop()

    def server(self, number: int) -> AppServer:
        return self.servers[number % len(self.servers)]

    # --- writes: refused or not, nobody cares here

    @rule(at=servers, writer=writers, name=entity_names, data=payloads)
    def create(self, at: int, writer: str, name: str, data: Row) -> None:
        self.send(at, writer, "POST", f"/api/entities/{name}", data)

    @rule(at=servers, writer=writers, name=entity_names, row_id=row_ids, patch=payloads)
    def update(self, at: int, writer: str, name: str, row_id: str, patch: Row) -> None:
        self.send(at, writer, "PATCH", f"/api/entities/{name}/{row_id}", patch)

    @rule(at=servers, writer=writers, name=entity_names, row_id=row_ids)
    def delete(self, at: int, writer: str, name: str, row_id: str) -> None:
        self.send(at, writer, "DELETE", f"/api/entities/{name}/{row_id}")

    @rule(at=servers, name=entity_names, row_id=row_ids, data=payloads, patches=st.lists(payloads, max_size=3))
    def run_function(self, at: int, name: str, row_id: str, data: Row, patches: list[Row]) -> None:
        """Several writes of one row in one transaction, past every policy."""

        def work(tx: Any) -> None:
            if tx.get(name, row_id) is None:
                tx.insert(name, data, row_id)
            for patch in patches:
                tx.update(name, row_id, patch)

        self.server(at).store.transact(work)

    @rule(at=servers, writer=writers, batch=st.lists(changes, min_size=1, max_size=4))
    def push(self, at: int, writer: str, batch: list[dict[str, Any]]) -> None:
        numbered = [{**change, "op_id": f"op{len(self.pushes)}_{n}"} for n, change in enumerate(batch)]
        self.pushes.append((writer, numbered))
        self.send_push(at, writer, numbered)

    @rule(at=servers, pick=st.integers(min_value=0))
    def push_again(self, at: int, pick: int) -> None:
        """What was applied is not applied again; what was not may be, this time."""
        if self.pushes:
            self.send_push(at, *self.pushes[pick % len(self.pushes)])

    def send_push(self, at: int, writer: str, batch: list[dict[str, Any]]) -> None:
        pushed = self.send(at, writer, "POST", "/api/sync/push", {"client_id": "c1", "changes": batch})
        statuses = {result["op_id"]: result["status"] for result in pushed["results"]}
        known = [op_id for op_id in statuses if op_id in self.done]
        assert [statuses[op_id] for op_id in known] == ["deduped"] * len(known)
        assert pushed["deduped"] == len(known)
        assert pushed["applied"] + len(pushed["errors"]) == len(statuses)
        self.done.update(op_id for op_id, status in statuses.items() if status != "failed")

    def send(self, at: int, writer: str, method: str, url: str, body: Any = None) -> Any:
        return self.server(at).send(self.viewers[writer].auth, method, url, body).json

    # --- replicas that pull

    @rule(at=servers, viewer=viewers, events_max=st.integers(1, 7))
    def pull_one_page(self, at: int, viewer: str, events_max: int) -> None:
        self.viewers[viewer].hang_up()
        self.pages[at % len(self.pages)].events_max = events_max
        self.viewers[viewer].pull_page(self.server(at))

    @rule(at=servers, viewer=viewers, events_max=st.integers(1, 50))
    def sync(self, at: int, viewer: str, events_max: int) -> None:
        self.viewers[viewer].hang_up()
        self.pages[at % len(self.pages)].events_max = events_max
        self.viewers[viewer].pull(self.server(at))
        assert self.viewers[viewer].replica.rows == self.readable_rows(at, self.viewers[viewer])

    @rule(viewer=viewers)
    def lose_the_replica(self, viewer: str) -> None:
        self.viewers[viewer].hang_up()
        self.viewers[viewer].replica.reset()

    @rule(viewer=viewers)
    def go_back(self, viewer: str) -> None:
        """A client crashed after it stored rows and before their cursor; rows without any cursor mean nothing."""
        self.viewers[viewer].hang_up()
        replica = self.viewers[viewer].replica
        replica.cursor -= 3
        if replica.cursor <= 0:
            replica.reset()

    # --- the log is compacted, at any time and to any extent

    def compaction(self, at: int, retention_s: float, settling_s: float) -> Generator[None, None, None]:
        upkeep = self.server(at).store.upkeep
        return Compactor(upkeep, self.clock, retention_s, settling_s, batch_entries=2).run()

    @rule(at=servers, retention_s=ages, settling_s=ages, steps_max=st.sampled_from([1, 2, 3, 1000]))
    def compact(self, at: int, retention_s: float, settling_s: float, steps_max: int) -> None:
        """It may be given up before its end."""
        with closing(self.compaction(at, retention_s, settling_s)) as steps:
            for _ in islice(steps, steps_max):
                pass

    @rule(
        at=servers,
        viewer=viewers,
        events_max=st.integers(1, 3),
        turns=st.lists(st.booleans(), max_size=12),
        age=ages,
    )
    def sync_anew_amid(self, at: int, viewer: str, events_max: int, turns: list[bool], age: float) -> None:
        """A first answer is sent in pieces; true is a step of a compaction, false a piece of the answer."""
        who = self.viewers[viewer]
        who.hang_up()
        who.replica.reset()
        self.pages[at % len(self.pages)].events_max = events_max
        pieces = self.server(at).stream(who.auth, "/api/sync/pull?since=0")
        body = b""
        with closing(self.compaction(at + 1, age, 0)) as steps:
            try:
                for is_step in turns:
                    if is_step:
                        next(steps, None)
                    else:
                        body += next(pieces, b"")
                body += b"".join(pieces)
            except PylonError as error:
                if error.code == "NOT_AVAILABLE":  # what was sent already has been overtaken
                    return
                raise
        who.take_page(jsontext.decode(body))

    # --- replicas that listen

    @rule(at=servers, viewer=viewers, amid=st.lists(changes, max_size=2))
    def reconnect(self, at: int, viewer: str, amid: list[dict[str, Any]]) -> None:
        self.connect(at, viewer, amid)

    def connect(self, at: int, viewer: str, amid: list[dict[str, Any]]) -> None:
        """What is written after the last page was pulled and before the socket is open comes on the socket."""
        who = self.viewers[viewer]
        if who.has_session:
            who.hang_up()
            who.pull(self.server(at))
            self.send(at + 1, "admin", "POST", "/api/sync/push", {"changes": amid})
            who.open_socket(self.server(at))

    @rule(
        at=servers,
        viewer=viewers,
        amid=st.lists(changes, max_size=2),
        later=st.lists(st.tuples(entity_names, row_ids, payloads), max_size=4),
    )
    def watch(self, at: int, viewer: str, amid: list[dict[str, Any]], later: list[tuple[str, str, Row]]) -> None:
        """Connect, and see everything that is written then, with everybody else who is connected."""
        self.connect(at, viewer, amid)
        for name, row_id, data in later:
            self.run_function(at + 1, name, row_id, {}, [data])
        for who in self.viewers.values():
            self.await_convergence(who)

    @rule(viewer=viewers)
    def receive(self, viewer: str) -> None:
        self.viewers[viewer].receive()

    @rule(viewer=viewers)
    def see_everything(self, viewer: str) -> None:
        """Whoever is connected sees it all without asking."""
        self.await_convergence(self.viewers[viewer])

    @rule(viewer=viewers)
    def hang_up(self, viewer: str) -> None:
        self.viewers[viewer].hang_up()

    def await_convergence(self, viewer: Viewer) -> None:
        self.receive_all(viewer)
        readable = self.readable_rows(0, viewer)
        if viewer.socket is not None:
            assert viewer.replica.rows == readable, f"{viewer.name} has {viewer.replica.rows}, not {readable}"
        self.await_documents(viewer)

    def receive_all(self, viewer: Viewer) -> None:
        """What its server has for it."""
        self.patience.until(viewer.is_told, f"{viewer.name} is not told of what is committed")
        viewer.receive()

    # --- documents

    @rule(
        at=servers,
        name=entity_names,
        row_id=row_ids,
        steps=st.lists(edits, min_size=1, max_size=6),
        ends=st.booleans(),
    )
    def collaborate(self, at: int, name: str, row_id: str, steps: list[Edit], *, ends: bool) -> None:
        """Two of those who can see a row edit it, on copies that may be behind, while others write the row.

        ``ends``: they stop and look, instead of going on later."""
        key = (name, row_id)
        self.show_to_many(at, name, row_id)
        people = [who for who in self.viewers.values() if who.has_session and key in self.readable_rows(at, who)]
        # Those who may also write it come first.
        people.sort(key=lambda who: who.auth.tenant_id != "acme")
        for who in people[:2]:
            self.copy_document(at, who, key)
        for step in steps:
            holders = [who for who in people[:2] if key in who.documents]
            if step.patch is not None:
                self.run_function(at + 1, name, row_id, {}, [step.patch])
            elif holders:
                who = holders[step.who % len(holders)]
                step.on(who.documents[key])
                if step.is_sent:
                    who.upload(self.server(at), key)
        if ends:
            for who in people[:2]:
                self.await_convergence(who)

    def show_to_many(self, at: int, name: str, row_id: str) -> None:
        shown = {"ownerId": "alice", "tenantId": "acme", "published": True, "rank": 3}
        self.run_function(at, name, row_id, {}, [shown])

    def copy_document(self, at: int, who: Viewer, key: Key) -> None:
        """Unless the viewer has one; whoever has no socket gets one."""
        if who.socket is None:
            self.connect(at, who.name, [])
        if key not in who.documents and who.server is not None:
            who.open_document(who.server, key)
        self.receive_all(who)
        assert key not in who.documents or who.documents[key].has_begun, "no document came"

    def await_documents(self, viewer: Viewer) -> None:
        """Once everything is sent, each copy says what its row says, or the row is not the viewer's to see."""
        for key in [key for key, copy in viewer.documents.items() if not copy.is_clean]:
            viewer.upload(self.server(0), key)
        self.receive_all(viewer)
        if viewer.socket is not None:
            strays = self.strays(viewer)
            assert not strays, f"{viewer.name} has {strays}"

    def strays(self, viewer: Viewer) -> list[tuple[Key, dict[str, Any], Row | None]]:
        rows = {key: row for key, row in self.readable_rows(0, viewer).items() if key in viewer.documents}
        found = []
        for key, copy in viewer.documents.items():
            row, says = rows.get(key), copy.says()
            # A document has no null text.
            wanted = None if row is None else {"body": row["body"] or "", "title": row["title"]}
            if copy.has_begun and says != wanted:
                found.append((key, says, row))
        return found

    # --- sessions

    @rule(at=servers, viewer=viewers)
    def revoke(self, at: int, viewer: str) -> None:
        """The socket of an ended session is closed, and nothing that is written then reaches it."""
        who = self.viewers[viewer]
        who.sign_out(self.server(at).sessions)
        self.await_closing(who)
        who.sign_in(self.server(at).sessions)
        who.replica.reset()

    @rule(at=servers, viewer=viewers, tenant_id=st.sampled_from(TENANTS))
    def switch_tenant(self, at: int, viewer: str, tenant_id: str | None) -> None:
        who = self.viewers[viewer]
        moves = who.has_session and who.auth.tenant_id != tenant_id
        who.select_tenant(self.server(at).sessions, tenant_id)
        if moves:
            self.await_closing(who)
            self.await_identity(who, tenant_id)

    def await_closing(self, viewer: Viewer) -> None:
        if viewer.has_session:
            self.patience.until(viewer.is_cut_off, f"the socket of {viewer.name} stays open")

    def await_identity(self, viewer: Viewer, tenant_id: str | None) -> None:
        """Another server hears of it a little later."""
        for server in self.servers:

            def knows(at: AppServer = server) -> bool:
                return viewer.learn_identity(at.sessions).tenant_id == tenant_id

            self.patience.until(knows, "a server believes in the tenant of before")

    # --- servers

    @rule()
    def restart(self) -> None:
        self.shut()
        self.open()

    @rule(turns=st.integers(1, len(ENTITIES) - 1))
    def restart_with_other_rules(self, turns: int) -> None:
        self.shut()
        self.turn += turns
        self.open()
        self.images.clear()
        for name in ENTITIES:
            for row in self.every_row(self.store, name):
                self.images[name, row["id"]].append(row)

    # --- the oracle

    def note(self, events: Sequence[ChangeEvent]) -> None:
        for event in events:
            if event.row is not None:
                self.images[event.entity, event.row_id].append(dict(event.row))

    def check_not_leaked(self, viewer: Viewer, event: dict[str, Any]) -> None:
        """Nobody hears of a row that was never, under these rules, theirs to read."""
        name = event["entity"]
        images = [event["data"]] if "data" in event else self.images[name, event["row_id"]]
        assert any(may_read(viewer.auth, name, image, self.turn) for image in images)

    def readable_rows(self, at: int, viewer: Viewer) -> dict[Key, Row]:
        """By the oracle, over all rows there are; the list route must agree with it."""
        readable: dict[Key, Row] = {}
        for name in ENTITIES:
            every = self.every_row(self.server(at).store, name)
            rows = [row for row in every if may_read(viewer.auth, name, row, self.turn)]
            listed = self.server(at).send(viewer.auth, "GET", f"/api/entities/{name}")
            assert (listed.json if listed.status == 200 else []) == rows
            readable |= {(name, row["id"]): row for row in rows}
        return readable

    def every_row(self, store: DataStore, name: str) -> Iterator[Row]:
        with store.read() as reader:
            yield from reader.query(name, Filter())

    def teardown(self) -> None:
        if not hasattr(self, "servers"):
            return
        try:
            for viewer in self.viewers.values():
                self.await_convergence(viewer)
                self.sync(0, viewer.name, 500)
        finally:
            self.shut()
            self.remove_database()
