"""Documents: who is sent a row's document and what is added to it, until when, and that nobody is forgotten
(contract 05 §7.4).
"""

import copy
import random
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import pytest
from msgspec import structs

from pylon_auth.context import AuthContext
from pylon_core.errors import PylonError
from pylon_http import ChangeEvent, ChangeKind
from pylon_runtime.hub import Documents, Hub, HubLimits, frames
from pylon_runtime.hub import documents as documents_module
from pylon_runtime.hub.documents import DocumentReader, DocumentTx
from pylon_sync.crdt_wire import CrdtFrameKind
from tests.pylon_runtime.hub.harness import OwnerPolicy, Stage, change
from tests.support.crdt_frames import CrdtFrame, read_crdt_frame
from tests.support.sockets import WireClient
from tests.support.waiting import until

T = TypeVar("T")
SNAPSHOT, UPDATE = CrdtFrameKind.SNAPSHOT, CrdtFrameKind.UPDATE


class MemoryDocuments:
    """Rows and documents by id; ``reading`` is called after each document was read."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        self.documents: dict[str, bytes] = {}
        self.lock = threading.Lock()
        """Held while a row and its document are changed together."""
        self.transactions = 0
        self.reading: Callable[[], None] = lambda: None
        self.failure: Exception | None = None

    def put(self, row_id: str, document: bytes | None = b"doc", *, owner: str = "*") -> None:
        self.rows[row_id] = {"id": row_id, "owner": owner}
        if document is not None:
            self.documents[row_id] = document

    @contextmanager
    def read(self) -> Iterator[DocumentReader]:
        if self.failure is not None:
            raise self.failure
        with self.lock:
            view = copy.copy(self)
            view.rows, view.documents = dict(self.rows), dict(self.documents)
        yield view
        self.reading()

    def transact(self, work: Callable[[DocumentTx], T], /) -> T:
        self.transactions += 1
        return work(self)

    def get(self, entity: str, row_id: str, /) -> Mapping[str, Any] | None:
        assert entity == "Note"
        return self.rows.get(row_id)

    def document(self, _entity: str, row_id: str, /) -> bytes | None:
        return self.documents.get(row_id)

    def open_document(self, _entity: str, row_id: str, /) -> bytes | None:
        if row_id in self.rows:
            self.documents[row_id] = b"made"
        return self.documents.get(row_id)


class DocumentStage(Stage):
    def __init__(self, limits: HubLimits | None = None, **options: Any) -> None:
        self.store = MemoryDocuments()
        super().__init__(limits, feed=self._feed, **options)

    def _feed(self, hub: Hub) -> Documents:
        self.documents = Documents(hub, self.store, OwnerPolicy(), {"Note"}, self.clock)
        self.documents.start()
        return self.documents

    def close(self) -> None:
        super().close()
        self.documents.stop(self.clock.monotonic() + 5)

    def subscribed(self, name: str = "ann", *row_ids: str) -> WireClient:
        """A client that has the documents of these rows."""
        client = self.connect(name)
        for row_id in row_ids:
            subscribe(client, row_id)
            assert next_frame(client).kind == SNAPSHOT
        return client

    @property
    def subscriptions(self) -> int:
        return self.documents._count

    def nothing_is_held(self) -> bool:
        return not (self.documents._held or self.documents._rows or self.documents._count)


@pytest.fixture
def make_documents() -> Iterator[Callable[..., DocumentStage]]:
    stages: list[DocumentStage] = []

    def make(*args: Any, **options: Any) -> DocumentStage:
        stages.append(DocumentStage(*args, **options))
        return stages[-1]

    yield make
    for stage in stages:
        stage.close()
        assert stage.nothing_is_held()


@pytest.fixture
def stage(make_documents: Callable[..., DocumentStage]) -> DocumentStage:
    stage = make_documents()
    stage.store.put("n1")
    return stage


def subscribe(client: WireClient, row_id: str) -> None:
    client.say({"type": "crdt-subscribe", "entity": "Note", "rowId": row_id})


def unsubscribe(client: WireClient, row_id: str) -> None:
    client.say({"type": "crdt-unsubscribe", "entity": "Note", "rowId": row_id})


def added(seq: int, row_id: str = "n1", delta: bytes | None = b"delta", **options: Any) -> ChangeEvent:
    return structs.replace(change(seq, row_id=row_id, **options), delta=delta)


def next_frame(client: WireClient) -> CrdtFrame:
    return read_crdt_frame(client.next_binary())


def frames_before(client: WireClient, seq: int) -> list[CrdtFrame]:
    """What arrived of documents up to the change event of this seq, which everybody sees."""
    assert any(message.get("seq") == seq for message in client.messages())
    client.await_served()
    frames, client.binaries = [read_crdt_frame(data) for data in client.binaries], []
    return frames


def test_a_subscriber_gets_the_document_and_then_what_is_added(stage: DocumentStage) -> None:
    client = stage.connect()

    subscribe(client, "n1")
    assert next_frame(client) == CrdtFrame(SNAPSHOT, "Note", "n1", b"doc")

    stage.publish(added(1, delta=b"one"), added(2, delta=b"two"))
    assert next_frame(client) == CrdtFrame(UPDATE, "Note", "n1", b"one")
    assert next_frame(client) == CrdtFrame(UPDATE, "Note", "n1", b"two")


def test_a_row_without_a_document_gets_one(stage: DocumentStage) -> None:
    stage.store.put("fresh", None)
    first, second = stage.connect("ann"), stage.connect("bob")

    subscribe(first, "fresh")
    assert next_frame(first).payload == b"made"
    subscribe(second, "fresh")
    assert next_frame(second).payload == b"made"

    assert stage.store.transactions == 1


@pytest.mark.parametrize(
    "text",
    [
        '{"type":"crdt-subscribe","entity":"Note","rowId":"n1"}',
        ' {\n"rowId" : "n1" , "entity":\t"Note","type":"crdt-subscribe" , "more":[1] } ',
        '{"row_id":"n1","entity":"Note","type":"crdt-subscribe"}',
        '{"rowId":"","row_id":"n1","entity":"Note","type":"crdt-subscribe"}',
    ],
)
def test_members_come_in_any_order(stage: DocumentStage, text: str) -> None:
    client = stage.connect()

    client.say(text)

    assert next_frame(client).row_id == "n1"


@pytest.mark.parametrize(
    "message",
    [
        pytest.param({"entity": "Note", "rowId": "no such row, nor will be"}, id="a row that nobody can make"),
        pytest.param({"entity": "Plain", "rowId": "n1"}, id="an entity without documents"),
        pytest.param({"entity": "", "rowId": "n1"}, id="no entity"),
        pytest.param({"entity": ["Note"], "rowId": "n1"}, id="an entity that is no string"),
        pytest.param({"entity": "Note"}, id="no row"),
        pytest.param({"entity": "Note", "rowId": ""}, id="an empty row id"),
        pytest.param({"entity": "Note", "rowId": 1}, id="a row id that is no string"),
    ],
)
def test_for_anything_else_nothing_happens(stage: DocumentStage, message: dict[str, Any]) -> None:
    client = stage.connect("ann")

    client.say({"type": "crdt-subscribe", **message})
    client.await_served()
    stage.publish(added(1, "n1"))

    assert frames_before(client, 1) == []
    assert stage.nothing_is_held()


@pytest.mark.parametrize("row_id", ["of-bob", "of-bob-fresh", "none"])
def test_of_a_row_that_cannot_be_seen_nothing_is_sent_or_made(stage: DocumentStage, row_id: str) -> None:
    stage.store.put("of-bob", owner="bob")
    stage.store.put("of-bob-fresh", None, owner="bob")
    client = stage.connect("ann")

    subscribe(client, row_id)
    client.await_served()
    stage.publish(added(1, row_id, owner="bob"), added(2))

    assert frames_before(client, 2) == []
    assert stage.store.transactions == 0


@pytest.mark.parametrize("row_id", ["of-bob", "none"])
def test_a_row_that_is_shown_later_sends_its_document_then(stage: DocumentStage, row_id: str) -> None:
    stage.store.put("of-bob", owner="bob")
    client = stage.connect("ann")
    subscribe(client, row_id)
    client.await_served()

    stage.store.put(row_id, b"now" if row_id == "of-bob" else None)
    stage.publish(added(1, row_id, delta=b"part of it"))

    whole = b"now" if row_id == "of-bob" else b"made"
    assert next_frame(client) == CrdtFrame(SNAPSHOT, "Note", row_id, whole)
    stage.publish(added(2, row_id, delta=b"next"))
    assert next_frame(client) == CrdtFrame(UPDATE, "Note", row_id, b"next")


def test_what_is_added_is_encoded_once_for_all(stage: DocumentStage, monkeypatch: pytest.MonkeyPatch) -> None:
    encoded: list[bytes] = []

    def counting(payload: bytes) -> bytes:
        encoded.append(payload)
        return original(payload)

    clients = [stage.subscribed(name, "n1") for name in ("ann", "bob", "ann")]
    original = frames.binary_frame
    monkeypatch.setattr(documents_module, "binary_frame", counting)

    stage.publish(added(1))

    assert [next_frame(client).payload for client in clients] == [b"delta"] * 3
    assert len(encoded) == 1


def test_a_change_without_an_addition_sends_nothing(stage: DocumentStage) -> None:
    client = stage.subscribed("ann", "n1")

    stage.publish(added(1, delta=None), added(2))

    assert [frame.payload for frame in frames_before(client, 2)] == [b"delta"]


@pytest.mark.parametrize("delta", [b"secret", None])
def test_whoever_loses_sight_of_the_row_hears_nothing_until_it_is_shown(
    stage: DocumentStage, delta: bytes | None
) -> None:
    ann, bob = stage.subscribed("ann", "n1"), stage.subscribed("bob", "n1")

    stage.publish(added(1, owner="bob", before={"owner": "*"}, delta=delta), added(2, owner="bob", delta=b"more"))
    stage.publish(change(3))

    assert frames_before(ann, 3) == []
    expected = [b"more"] if delta is None else [delta, b"more"]
    assert [frame.payload for frame in frames_before(bob, 3)] == expected

    stage.store.put("n1", b"all of it")
    stage.publish(added(4, owner="*", before={"owner": "bob"}, delta=b"again"))
    assert next_frame(ann) == CrdtFrame(SNAPSHOT, "Note", "n1", b"all of it")
    stage.publish(added(5, delta=b"next"), change(6))
    assert [frame.payload for frame in frames_before(ann, 6)] == [b"next"]
    assert [frame.payload for frame in frames_before(bob, 6)] == [b"again", b"next"]


def test_a_row_deleted_and_made_again_sends_the_document_of_the_new_one(stage: DocumentStage) -> None:
    client = stage.subscribed("ann", "n1")

    stage.publish(change(1, row_id="n1", kind=ChangeKind.DELETE), change(2))
    assert frames_before(client, 2) == []
    stage.store.put("n1", b"another")
    stage.publish(change(3, row_id="n1", kind=ChangeKind.INSERT))

    assert next_frame(client) == CrdtFrame(SNAPSHOT, "Note", "n1", b"another")
    assert stage.subscriptions == 1


def test_a_row_shown_to_one_is_sent_to_nobody_else(stage: DocumentStage) -> None:
    stage.store.put("n1", owner="bob")
    ann, eve = stage.connect("ann"), stage.connect("eve")
    for client in (ann, eve):
        subscribe(client, "n1")
        client.await_served()

    stage.store.put("n1", owner="ann")
    stage.publish(added(1, owner="ann", before={"owner": "bob"}))
    assert next_frame(ann).kind == SNAPSHOT
    stage.publish(change(2))

    assert frames_before(eve, 2) == []


def test_a_row_shown_to_many_is_read_once(stage: DocumentStage) -> None:
    clients = [stage.connect(name) for name in ("ann", "bob", "ann", "eve")]
    for client in clients:
        subscribe(client, "fresh")
        client.await_served()
    stage.store.put("fresh", None)
    readings: list[int] = []
    stage.store.reading = lambda: readings.append(1)

    stage.publish(change(1, row_id="fresh"))

    assert [next_frame(client).payload for client in clients] == [b"made"] * 4
    assert (len(readings), stage.store.transactions) == (1, 1)


def show_while_read(stage: DocumentStage, *meanwhile: ChangeEvent) -> WireClient:
    """A client to whom n1 is shown (seq 1); these events are delivered between the reading and its being sent."""
    stage.store.put("n1", owner="bob")
    witness, client = stage.subscribed("bob", "n1"), stage.connect("ann")
    subscribe(client, "n1")
    client.await_served()

    def commit() -> None:
        stage.store.reading = lambda: None
        stage.publish(*meanwhile)
        assert witness.seqs(1 + len(meanwhile))[-1] == meanwhile[-1].seq

    stage.store.put("n1", b"whole")
    stage.store.reading = commit
    stage.publish(added(1, before={"owner": "bob"}))
    return client


def test_what_is_committed_while_a_shown_row_is_read_follows_it(stage: DocumentStage) -> None:
    client = show_while_read(stage, added(2, delta=b"two"), added(3, delta=b"three"))

    assert [next_frame(client).payload for _ in range(3)] == [b"whole", b"two", b"three"]
    stage.publish(added(4, delta=b"four"), change(5))
    assert [frame.payload for frame in frames_before(client, 5)] == [b"four"]


def test_a_row_hidden_again_while_it_is_read_is_not_sent(stage: DocumentStage) -> None:
    client = show_while_read(stage, added(2, owner="bob", before={"owner": "*"}))

    until(lambda: not stage.documents._shown, "the reading")
    stage.publish(added(3, owner="bob"), change(4))

    assert frames_before(client, 4) == []


def test_a_row_hidden_and_shown_while_it_is_read_is_read_again(stage: DocumentStage) -> None:
    client = show_while_read(
        stage, added(2, owner="bob", before={"owner": "*"}, delta=b"secret"), added(3, before={"owner": "bob"})
    )

    assert next_frame(client) == CrdtFrame(SNAPSHOT, "Note", "n1", b"whole")
    stage.publish(added(4, delta=b"four"), change(5))
    assert [frame.payload for frame in frames_before(client, 5)] == [b"four"]


@pytest.mark.parametrize(
    "failure", [PylonError("NOT_AVAILABLE", "Not now."), ZeroDivisionError()], ids=["away", "a fault"]
)
def test_who_cannot_be_sent_what_is_shown_is_closed_and_asks_again(
    stage: DocumentStage, failure: Exception
) -> None:
    stage.store.put("n1", owner="bob")
    ann, eve = stage.connect("ann"), stage.connect("eve")
    for client in (ann, eve):
        subscribe(client, "n1")
        client.await_served()

    stage.store.failure = failure
    stage.publish(added(1, owner="ann", before={"owner": "bob"}))

    assert ann.close_code() == 1013
    until(lambda: stage.subscriptions == 1)
    eve.await_served()


def test_what_can_have_no_document_when_it_is_shown_is_passed_over(stage: DocumentStage) -> None:
    stage.store.put("n1", owner="bob")
    client = stage.connect("ann")
    subscribe(client, "n1")
    client.await_served()

    stage.store.failure = PylonError("PAYLOAD_TOO_LARGE", "Never.")
    stage.publish(added(1, before={"owner": "bob"}))

    until(stage.nothing_is_held)
    stage.publish(change(2))
    assert frames_before(client, 2) == []


class NumberedRow:
    """The row n1, whose document is the numbers of the changes made to it; made again, it begins without them."""

    def __init__(self, stage: DocumentStage) -> None:
        self._stage = stage
        self._seq = 0
        self._is_shown = True
        self.numbers: list[str] = []
        self.secret: set[str] = set()
        """Numbers that were added while the row was hidden."""

    def change(self, *, is_shown: bool) -> None:
        self._seq += 1
        owner, number = ("*" if is_shown else "bob"), str(self._seq)
        before = {"owner": "*" if self._is_shown else "bob"} if self.numbers else None
        kind = ChangeKind.UPDATE if self.numbers else ChangeKind.INSERT
        self.numbers = [*self.numbers, number]
        if not is_shown:
            self.secret.add(number)
        self._is_shown = is_shown
        with self._stage.store.lock:
            self._stage.store.put("n1", ",".join(self.numbers).encode(), owner=owner)
        self._stage.publish(added(self._seq, owner=owner, before=before, kind=kind, delta=number.encode()))

    def delete(self) -> None:
        self._seq += 1
        self.numbers = []
        with self._stage.store.lock:
            del self._stage.store.rows["n1"], self._stage.store.documents["n1"]
        owner = "*" if self._is_shown else "bob"
        self._stage.publish(change(self._seq, row_id="n1", kind=ChangeKind.DELETE, owner=owner))


def test_whoever_follows_a_row_through_hiding_and_deletion_ends_with_all_of_it_and_is_told_no_secret(
    stage: DocumentStage,
) -> None:
    choice = random.Random(7)
    row, client, held = NumberedRow(stage), stage.subscribed("ann", "n1"), list[str]()

    def has_all() -> bool:
        client.await_served()
        for frame in map(read_crdt_frame, client.binaries):
            told = frame.payload.decode().split(",")
            assert not row.secret.intersection(told if frame.kind == UPDATE else told[-1:])
            if frame.kind == SNAPSHOT:
                held.clear()
            held.extend(number for number in told if number not in held)
        client.binaries = []
        return held == row.numbers

    for _ in range(20):
        for _ in range(60):
            if row.numbers and choice.random() < 0.1:
                row.delete()
            else:
                row.change(is_shown=choice.random() < 0.5)
        row.change(is_shown=True)
        until(has_all, "the whole document")


def test_subscribing_again_sends_the_document_again_and_additions_once(stage: DocumentStage) -> None:
    client = stage.subscribed("ann", "n1", "n1", "n1")

    stage.publish(added(1), change(2))

    assert len(frames_before(client, 2)) == 1
    assert stage.subscriptions == 1


def test_who_unsubscribes_hears_no_more_and_others_do(stage: DocumentStage) -> None:
    ann, bob = stage.subscribed("ann", "n1"), stage.subscribed("bob", "n1")

    unsubscribe(ann, "n1")
    unsubscribe(ann, "never subscribed")
    ann.await_served()
    stage.publish(added(1))

    assert frames_before(ann, 1) == []
    assert next_frame(bob).payload == b"delta"


@pytest.mark.parametrize("drop", [True, False])
def test_subscriptions_die_with_their_connection(stage: DocumentStage, drop: bool) -> None:
    client = stage.subscribed("ann", "n1")

    if drop:
        client.drop()
    else:
        client.leave()

    until(stage.nothing_is_held)


def test_a_session_that_ends_takes_its_subscriptions_with_it(stage: DocumentStage) -> None:
    client = stage.subscribed("ann", "n1")

    stage.hub.close_session("session-ann", 1008)
    stage.publish(added(1))

    assert client.close_code() == 1008
    assert client.binaries == []
    assert stage.nothing_is_held()


def test_what_is_committed_while_the_document_is_read_follows_it(stage: DocumentStage) -> None:
    """And was delivered to others before the subscription began."""
    witness, late = stage.subscribed("bob", "n1"), stage.connect("ann")

    def commit() -> None:
        stage.store.reading = lambda: None
        stage.publish(added(1, "other"), added(2), added(3, "other"), added(4, delta=None))
        assert witness.seqs(4) == [1, 2, 3, 4]

    stage.store.reading = commit
    subscribe(late, "n1")

    assert [next_frame(late).kind for _ in range(2)] == [SNAPSHOT, UPDATE]
    stage.publish(added(5, delta=b"next"), change(6))
    assert [frame.payload for frame in frames_before(late, 6)] == [b"next"]


def test_a_row_hidden_while_its_document_is_read_is_not_sent(stage: DocumentStage) -> None:
    witness, late = stage.subscribed("bob", "n1"), stage.connect("ann")

    def hide() -> None:
        stage.store.reading = lambda: None
        stage.publish(added(1, owner="bob", before={"owner": "*"}))
        witness.seqs(1)

    stage.store.reading = hide
    subscribe(late, "n1")
    late.await_served()
    stage.publish(added(2, owner="bob"), change(3))

    assert frames_before(late, 3) == []


def hold_dispatcher(stage: DocumentStage) -> threading.Event:
    """Have the dispatcher stop in the middle of a delivery until the event is set; a witness is subscribed to
    n1."""
    is_held, go_on = threading.Event(), threading.Event()

    class Slow(OwnerPolicy):
        def may_read(self, entity: str, auth: AuthContext, row: Mapping[str, Any]) -> bool:
            if "slow" in row:
                is_held.set()
                assert go_on.wait(10)
            return super().may_read(entity, auth, row)

    stage.subscribed("witness", "n1")
    stage.documents._policy = Slow()
    stage.publish(added(1, slow=True))
    assert is_held.wait(10)
    return go_on


@pytest.mark.parametrize("is_first", [True, False], ids=["the first time", "again"])
def test_what_a_row_was_before_its_document_was_read_ends_nothing(stage: DocumentStage, is_first: bool) -> None:
    """Also when it has still to be delivered."""
    client = stage.connect("ann") if is_first else stage.subscribed("ann", "n1")
    release = hold_dispatcher(stage)

    stage.publish(added(2, owner="bob", delta=b"hidden"), added(3, delta=b"shown", before={"owner": "bob"}))
    subscribe(client, "n1")
    until(lambda: bool(stage.hub._mailbox._calls), "the request")
    release.set()
    assert next_frame(client).kind == (SNAPSHOT if is_first else UPDATE)
    stage.publish(added(4, delta=b"next"), change(5))

    assert frames_before(client, 5)[-1].payload == b"next"


def test_a_row_hidden_and_shown_while_its_document_is_read_is_read_again(stage: DocumentStage) -> None:
    """What was added while it was hidden is sent to nobody who could not see it then, but with the whole."""
    witness, late = stage.subscribed("bob", "n1"), stage.connect("ann")

    def hide_and_show() -> None:
        stage.store.reading = lambda: None
        stage.publish(added(1, owner="bob", before={"owner": "*"}), added(2, before={"owner": "bob"}))
        witness.seqs(2)
        stage.store.put("n1", b"with both")

    stage.store.reading = hide_and_show
    subscribe(late, "n1")
    assert next_frame(late) == CrdtFrame(SNAPSHOT, "Note", "n1", b"with both")
    stage.publish(added(3), change(4))

    assert [frame.payload for frame in frames_before(late, 4)] == [b"delta"]


def test_who_would_miss_an_addition_that_is_gone_from_the_log_is_closed(
    make_documents: Callable[..., DocumentStage],
) -> None:
    stage = make_documents(HubLimits(log_events_max=10))
    stage.store.put("n1")
    witness, late = stage.connect("bob"), stage.connect("ann")

    def flood() -> None:
        stage.store.reading = lambda: None
        for seq in range(1, 51):
            stage.publish(added(seq))
            assert witness.seqs(1) == [seq]

    stage.store.reading = flood
    subscribe(late, "n1")

    assert late.close_code() == 1013


def test_a_connection_that_ends_while_the_document_is_read_leaves_nothing(stage: DocumentStage) -> None:
    client = stage.connect()

    def end() -> None:
        stage.hub.close_session("session-ann", 1008)

    stage.store.reading = end
    subscribe(client, "n1")

    assert client.close_code() == 1008
    assert client.binaries == []
    client.drop()
    until(lambda: stage.hub.stats().connections == 0)
    assert stage.nothing_is_held()


def test_one_connection_hears_of_a_bounded_number_of_documents(
    make_documents: Callable[..., DocumentStage],
) -> None:
    stage = make_documents(HubLimits(documents_per_connection_max=2))
    for row_id in ("n1", "n2", "n3"):
        stage.store.put(row_id)
    client = stage.subscribed("ann", "n1", "n2")

    subscribe(client, "n3")
    subscribe(client, "n2")

    assert next_frame(client).row_id == "n2"
    unsubscribe(client, "n1")
    subscribe(client, "n3")
    assert next_frame(client).row_id == "n3"
    assert stage.subscriptions == 2


def test_all_connections_together_do_too(make_documents: Callable[..., DocumentStage]) -> None:
    stage = make_documents(HubLimits(document_subscriptions_max=1))
    stage.store.put("n1")
    first, second = stage.subscribed("ann", "n1"), stage.connect("bob")

    subscribe(second, "n1")
    second.await_served()
    first.drop()
    until(stage.nothing_is_held)
    subscribe(second, "n1")

    assert next_frame(second).kind == SNAPSHOT
    assert second.binaries == []


@pytest.mark.parametrize("code", ["NOT_AVAILABLE", "COMMIT_FAILED", "CONFLICT"])
def test_a_store_that_is_away_closes_the_connection_which_asks_again(stage: DocumentStage, code: str) -> None:
    stage.store.failure = PylonError(code, "Not now.", status=409 if code == "CONFLICT" else None)
    client = stage.connect()

    subscribe(client, "n1")

    assert client.close_code() == 1013


@pytest.mark.parametrize("code", ["NOT_SUPPORTED", "PAYLOAD_TOO_LARGE"])
def test_a_row_that_can_have_no_document_is_passed_over(stage: DocumentStage, code: str) -> None:
    stage.store.failure = PylonError(code, "Never.")
    client = stage.connect()

    subscribe(client, "n1")
    client.await_served()
    stage.publish(added(1))

    assert frames_before(client, 1) == []


def test_a_name_that_cannot_be_told_is_passed_over(stage: DocumentStage) -> None:
    name = "x" * 65_536
    stage.store.put(name)
    client = stage.connect()

    subscribe(client, name)
    stage.publish(added(1, name))

    assert frames_before(client, 1) == []


def test_a_policy_that_fails_closes_who_it_fails_for(stage: DocumentStage) -> None:
    class Failing(OwnerPolicy):
        def may_read(self, entity: str, auth: AuthContext, row: Mapping[str, Any]) -> bool:
            if auth.user_id == "bob" and "broken" in row:
                raise ZeroDivisionError
            return super().may_read(entity, auth, row)

    ann, bob = stage.subscribed("ann", "n1"), stage.subscribed("bob", "n1")
    stage.documents._policy = Failing()

    stage.publish(added(1, broken=True), added(2, delta=b"next"))

    assert [next_frame(ann).payload for _ in range(2)] == [b"delta", b"next"]
    assert bob.close_code() == 1011
    assert bob.binaries == []


def test_many_large_documents_reach_a_slow_client_that_asks_for_all_at_once(
    make_documents: Callable[..., DocumentStage],
) -> None:
    stage = make_documents(HubLimits(backlog_bytes_max=50_000), send_buffer=16_384)
    row_ids = [f"n{number}" for number in range(60)]
    for row_id in row_ids:
        stage.store.put(row_id, row_id.encode() * 10_000)
    client = stage.connect("ann", receive_buffer=4096)

    for row_id in row_ids:
        subscribe(client, row_id)

    assert [next_frame(client).row_id for _ in row_ids] == row_ids
    assert stage.hub.stats().closed_for_lag == 0


def test_streams_carry_no_documents(stage: DocumentStage) -> None:
    stream, client = stage.open_stream("ann"), stage.subscribed("ann", "n1")

    stage.publish(added(1), added(2))

    assert next_frame(client).kind == UPDATE
    assert stream.seqs(2) == [1, 2]


def test_nobody_is_left_behind_by_sixteen_threads_that_come_and_go(
    make_documents: Callable[..., DocumentStage],
) -> None:
    stage = make_documents()
    row_ids = [f"n{number}" for number in range(4)]
    for row_id in row_ids:
        stage.store.put(row_id)
    failures: list[BaseException] = []

    def come_and_go(seed: int) -> None:
        choice = random.Random(seed)
        try:
            for _ in range(6):
                client = WireClient(stage.listener.port, f"user{seed}")
                for _ in range(choice.randrange(8)):
                    choice.choice([subscribe, unsubscribe])(client, choice.choice(row_ids))
                if choice.random() < 0.3:
                    stage.hub.close_session(f"session-user{seed}", 1012)
                if choice.random() < 0.5:
                    client.leave()
                client.drop()
        except OSError:
            pass  # closed by the server in the middle
        except BaseException as error:  # noqa: BLE001 - the top of a thread
            failures.append(error)

    threads = [threading.Thread(target=come_and_go, args=(seed,)) for seed in range(16)]
    for thread in threads:
        thread.start()
    seq = 0
    while any(thread.is_alive() for thread in threads):
        seq += 1
        stage.publish(added(seq, row_ids[seq % 4], delta=b"x" * 100))
        threads[seq % 16].join(0.001)

    assert failures == []
    until(lambda: stage.hub.stats().connections == 0, "the departures")
    assert stage.nothing_is_held()
