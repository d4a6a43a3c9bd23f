"""Push over a real store: order, stopping, idempotency, and what is left behind by a failure."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from pylon_core import jsontext
from pylon_core.clock import Clock
from pylon_core.errors import PylonError
from pylon_core.manifest import parse_manifest
from pylon_http import DataError, Row, TxStore
from pylon_storage import EphemeralStore
from pylon_sync.push import (
    CHANGES_MAX,
    ID_CHARS_MAX,
    STRETCH_S,
    Pusher,
    PushOutcome,
    PushResult,
    parse_push,
    push,
)
from tests.pylon_auth.memory_backend import SetClock
from tests.strategies.documents import app, entity, field

MANIFEST = parse_manifest(jsontext.encode(app(entities=[entity(fields=[field("title", unique=True)])])))
ALICE = Pusher("alice", "c1")
STOPPED = SetClock()

Change = dict[str, Any]


class OpenWrites:
    """The pipeline without policies: everyone may do everything."""

    def insert(self, tx: TxStore, entity: str, data: Mapping[str, Any], row_id: str | None) -> Row:
        return tx.insert(entity, data, row_id)

    def update(self, tx: TxStore, entity: str, row_id: str, patch: Mapping[str, Any]) -> Row:
        row = tx.update(entity, row_id, patch)
        if row is None:
            raise PylonError("NOT_FOUND", "There is no such row.")
        return row

    def delete(self, tx: TxStore, entity: str, row_id: str) -> None:
        if not tx.delete(entity, row_id):
            raise PylonError("NOT_FOUND", "There is no such row.")


class SlowWrites(OpenWrites):
    """Each insert takes half of the time that a transaction may."""

    def __init__(self, clock: SetClock) -> None:
        self.clock = clock

    def insert(self, tx: TxStore, entity: str, data: Mapping[str, Any], row_id: str | None) -> Row:
        self.clock.advance(STRETCH_S / 2)
        return super().insert(tx, entity, data, row_id)


class BrokenWrites(OpenWrites):
    """A store that fails under the second write."""

    def update(self, tx: TxStore, entity: str, row_id: str, patch: Mapping[str, Any]) -> Row:
        raise DataError("INTERNAL", "The disk is gone.")


@pytest.fixture
def store() -> Iterator[EphemeralStore]:
    opened = EphemeralStore(MANIFEST, watched={})
    yield opened
    opened.close()


def insert(row_id: str, title: str | None, op_id: str | None = None) -> Change:
    data = None if title is None else {"title": title}
    return {"entity": "Note", "row_id": row_id, "kind": "insert", "data": data, "op_id": op_id}


def update(row_id: str, title: str | None, op_id: str | None = None) -> Change:
    return {**insert(row_id, title, op_id), "kind": "update"}


def delete(row_id: str, op_id: str | None = None) -> Change:
    return {**insert(row_id, None, op_id), "kind": "delete"}


def send(
    store: EphemeralStore,
    *changes: Change,
    pusher: Pusher = ALICE,
    writes: OpenWrites | None = None,
    clock: Clock = STOPPED,
) -> PushOutcome:
    request = parse_push(jsontext.encode({"changes": changes}))
    return store.transact(lambda tx: push(tx, request.changes, pusher, writes or OpenWrites(), clock))


def titles(store: EphemeralStore) -> dict[str, str]:
    events = store.changes(0, 1000).events
    rows = (store.get("Note", row_id) for row_id in dict.fromkeys(event.row_id for event in events))
    return {row["id"]: row["title"] for row in rows if row is not None}


def test_changes_are_applied_in_order(store: EphemeralStore) -> None:
    outcome = send(store, insert("a", "A"), update("a", "B"), insert("c", "C"), delete("c"))

    assert titles(store) == {"a": "B"}
    assert (outcome.applied, outcome.deduped, outcome.errors) == (4, 0, [])
    assert [event.row_id for event in store.changes(0, 10).events] == ["a", "a", "c", "c"]


def test_nothing_to_do_is_done(store: EphemeralStore) -> None:
    assert send(store) == PushOutcome(0, 0, [], [])


@pytest.mark.parametrize("row_id", ["_pending_1767225600000_k3x", "a", "A.b:c-d_9", "x" * 128])
def test_an_insert_keeps_the_clients_id(store: EphemeralStore, row_id: str) -> None:
    send(store, insert(row_id, "A"))

    assert titles(store) == {row_id: "A"}


@pytest.mark.parametrize("row_id", ["", "a b", "a/b", "x" * 129, "é", "-a"])
def test_an_insert_under_an_impossible_id_gets_one(store: EphemeralStore, row_id: str) -> None:
    outcome = send(store, insert(row_id, "A", "op1"))

    (stored_id,) = titles(store)
    assert len(stored_id) == 40
    assert outcome.results == [PushResult("op1", "applied", stored_id)]


def test_the_first_failure_stops_and_keeps_what_came_before(store: EphemeralStore) -> None:
    outcome = send(store, insert("a", "A", "1"), insert("b", "A", "2"), insert("c", "C", "3"))

    assert titles(store) == {"a": "A"}
    assert (outcome.applied, len(outcome.errors)) == (1, 1)
    assert [(result.op_id, result.status) for result in outcome.results] == [("1", "applied"), ("2", "failed")]
    assert [result.code for result in outcome.results] == [None, "INSERT_FAILED"]
    assert outcome.results[1].error == outcome.errors[0]


@pytest.mark.parametrize(
    ("change", "beginning"),
    [
        (insert("a", "A"), "insert Note: "),
        (insert("b", None), "insert Note: "),
        (update("gone", "A"), "update Note/gone: "),
        (update("a", None), "update Note/a: "),
        (delete("gone"), "delete Note/gone: "),
        ({**insert("b", "B"), "entity": "Nope"}, "insert Nope: "),
    ],
)
def test_errors_name_the_change(store: EphemeralStore, change: Change, beginning: str) -> None:
    send(store, insert("a", "A"))

    (error,) = send(store, change).errors

    assert error.startswith(beginning)
    assert len(error) > len(beginning)


def test_a_failed_change_leaves_no_trace(store: EphemeralStore) -> None:
    send(store, insert("a", "A"))
    head = store.head()

    send(store, update("gone", "X", "op1"))
    send(store, insert("b", "A", "op1"))

    assert store.head() == head
    assert send(store, insert("b", "B", "op1")).applied == 1


def test_a_repeated_operation_is_done_already(store: EphemeralStore) -> None:
    first = send(store, insert("_pending_1", "A", "op1"), update("_pending_1", "B", "op2"))
    head = store.head()

    again = send(store, insert("_pending_1", "A", "op1"), update("_pending_1", "B", "op2"))

    assert (first.applied, first.deduped) == (2, 0)
    assert (again.applied, again.deduped, again.errors) == (2, 2, [])
    assert [(result.status, result.row_id) for result in again.results] == [("deduped", "_pending_1")] * 2
    assert store.head() == head


def test_a_repeated_insert_without_a_possible_id_tells_the_one_it_got(store: EphemeralStore) -> None:
    (stored,) = send(store, insert("", "A", "op1")).results

    assert send(store, insert("", "A", "op1")).results == [PushResult("op1", "deduped", stored.row_id)]


def test_changes_of_a_row_that_got_another_id_find_it_in_the_same_push_and_in_later_ones(
    store: EphemeralStore,
) -> None:
    first = send(store, insert("my row", "A", "op1"), update("my row", "B", "op2"))
    stored_id = first.results[0].row_id
    assert [result.row_id for result in first.results] == [stored_id] * 2
    assert titles(store) == {stored_id: "B"}

    later = send(store, update("my row", "C", "op3"), delete("my row", "op4"), delete("my row", "op4"))

    assert [(result.status, result.row_id) for result in later.results] == [
        ("applied", stored_id),
        ("applied", stored_id),
        ("deduped", stored_id),
    ]
    assert titles(store) == {}


@pytest.mark.parametrize(
    ("pusher", "entity"), [(Pusher("bob", "c1"), "Note"), (Pusher("alice", "c2"), "Note"), (ALICE, "Memo")]
)
def test_only_the_client_that_named_a_row_so_and_only_in_its_entity(
    store: EphemeralStore, pusher: Pusher, entity: str
) -> None:
    send(store, insert("my row", "A", "op1"))

    outcome = send(store, {**update("my row", "B", "op2"), "entity": entity}, pusher=pusher)

    assert (outcome.applied, len(outcome.errors)) == (0, 1)


def test_a_name_that_stands_for_a_row_is_taken(store: EphemeralStore) -> None:
    send(store, insert("my row", "A", "op1"))

    outcome = send(store, insert("my row", "B", "op2"))

    assert outcome.errors == ["insert Note: Note already has a row with this id."]


@pytest.mark.parametrize("row_id", ["", "x" * (ID_CHARS_MAX + 1), "a\0b"], ids=["none", "long", "nul"])
def test_what_can_name_no_row_is_given_up_for_its_fresh_id(store: EphemeralStore, row_id: str) -> None:
    outcome = send(store, insert(row_id, "A"), insert(row_id, "B"), update(row_id, "C"))

    assert (outcome.applied, sorted(titles(store).values())) == (2, ["A", "B"])


def test_a_refused_operation_is_not_remembered(store: EphemeralStore) -> None:
    for change in (update("gone", "A", "op1"), insert("a b", None, "op1"), insert("a", None, "op1")):
        send(store, change)

    assert send(store, insert("a", "A", "op1")).results == [PushResult("op1", "applied", "a")]


def test_a_push_has_a_bound(store: EphemeralStore) -> None:
    changes = [delete("a")] * CHANGES_MAX
    assert len(parse_push(jsontext.encode({"changes": changes})).changes) == CHANGES_MAX

    with pytest.raises(PylonError) as refused:
        parse_push(jsontext.encode({"changes": [*changes, delete("a")]}))

    assert (refused.value.code, refused.value.status) == ("PAYLOAD_TOO_LARGE", 413)
    assert refused.value.hint is not None


def test_an_operation_twice_in_one_push_is_applied_once(store: EphemeralStore) -> None:
    outcome = send(store, insert("a", "A", "op1"), insert("b", "B", "op1"))

    assert titles(store) == {"a": "A"}
    assert (outcome.applied, outcome.deduped) == (2, 1)


def test_what_follows_a_repeated_operation_is_still_applied(store: EphemeralStore) -> None:
    send(store, insert("a", "A", "op1"))

    outcome = send(store, insert("a", "A", "op1"), insert("b", "A", "op2"), insert("c", "C", "op3"))

    assert (outcome.applied, outcome.deduped, len(outcome.errors)) == (1, 1, 1)


@pytest.mark.parametrize("op_id", [None, ""])
def test_without_an_operation_id_nothing_is_remembered(store: EphemeralStore, op_id: str | None) -> None:
    send(store, update("gone", "X", op_id))
    assert send(store, insert("a", "A", op_id)).applied == 1
    assert send(store, insert("b", "B", op_id)).deduped == 0
    assert titles(store) == {"a": "A", "b": "B"}


@pytest.mark.parametrize(
    "other",
    [Pusher("bob", "c1"), Pusher("alice", "c2"), Pusher("alice", None)],
    ids=["user", "client", "no client"],
)
def test_operation_ids_belong_to_a_user_and_a_client(store: EphemeralStore, other: Pusher) -> None:
    send(store, insert("a", "A", "op1"))

    outcome = send(store, insert("b", "B", "op1"), pusher=other)

    assert (outcome.applied, outcome.deduped) == (1, 0)


def test_scopes_of_different_pairs_differ() -> None:
    pairs = [("a", "b"), ("a,b", None), ('a","b', None), ("a", None), ("a", ""), ("", "a"), ("a", "null")]

    pushers = [Pusher(user_id, client_id) for user_id, client_id in pairs]
    scopes = [pusher.operations for pusher in pushers]
    scopes += [pusher.renamed(entity) for pusher in pushers for entity in ("a", "null", '","')]
    assert len(set(scopes)) == len(scopes)


def test_when_its_time_is_over_the_rest_is_left_for_another_transaction(store: EphemeralStore) -> None:
    clock = SetClock()
    changes = [insert(letter, letter, letter) for letter in "abcde"]

    first = send(store, *changes, writes=SlowWrites(clock), clock=clock)
    second = send(store, *changes[len(first.results) :], writes=SlowWrites(clock), clock=clock)

    assert (first.applied, second.applied) == (2, 2)
    assert [result.op_id for result in first.followed_by(second).results] == ["a", "b", "c", "d"]


def test_a_failing_database_undoes_the_whole_push(store: EphemeralStore) -> None:
    with pytest.raises(DataError):
        send(store, insert("a", "A", "op1"), update("a", "B", "op2"), writes=BrokenWrites())

    assert titles(store) == {}
    assert send(store, insert("a", "A", "op1")).deduped == 0


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"changes"',
        b"{}",
        b'{"changes": {}}',
        b'{"changes": null}',
        b'{"changes": [1]}',
        b'{"changes": [{}]}',
        b'{"changes": [{"entity": "Note", "row_id": "a", "kind": "upsert"}]}',
        b'{"changes": [{"entity": "Note", "row_id": 7, "kind": "delete"}]}',
        b'{"changes": [{"entity": "Note", "row_id": "a", "kind": "insert", "data": []}]}',
        b'{"changes": [], "client_id": 7}',
        b'{"changes": [], "client_id": "a\\u0000b"}',
        b'{"changes": [], "client_id": "%s"}' % (b"x" * (ID_CHARS_MAX + 1)),
        b'{"changes": ' + b"[" * 300 + b"]" * 300 + b"}",
        b'{"changes": [{"entity": "Note", "row_id": "a", "kind": "insert", "data": %s}]}'
        % (b'{"a":' * 300 + b"1" + b"}" * 300),
    ],
)
def test_what_is_no_push_is_refused_whole(body: bytes) -> None:
    with pytest.raises(PylonError) as refused:
        parse_push(body)

    assert (refused.value.code, refused.value.status) == ("INVALID_JSON", 400)


def test_unknown_members_and_a_missing_client_id_are_fine() -> None:
    body = {"changes": [{**delete("a"), "timestamp": 7}], "version": 2}

    request = parse_push(jsontext.encode(body))

    assert (len(request.changes), request.client_id) == (1, None)
