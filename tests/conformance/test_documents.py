"""Collaborative documents: a row and its document live, change and die together, on every engine that has them."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import loro
import pytest

from pylon_http import DataError, DataStore, Filter, TxStore
from pylon_http.filters import parse_filter
from tests.support.documents import Replica, insert, manifest, merge, stored, stored_value
from tests.support.engines import ENGINES


@pytest.fixture(params=ENGINES)
def store(request: pytest.FixtureRequest) -> Iterator[DataStore]:
    opened = ENGINES[request.param](manifest(), {"Note": frozenset({"title"})})
    yield opened
    opened.close()


def refused(work: Callable[[], Any]) -> tuple[str, int]:
    with pytest.raises(DataError) as caught:
        work()
    return caught.value.code, caught.value.status


def test_a_row_has_no_document_before_somebody_opens_it(store: DataStore) -> None:
    row_id = insert(store, body="a")
    store.transact(lambda tx: tx.update("Note", row_id, {"body": "b"}))

    assert stored(store, row_id) is None
    assert [event.delta for event in store.changes(0, 9).events] == [None, None]


def test_an_opened_document_says_what_the_row_says_but_for_its_secrets_and_no_log_tells(store: DataStore) -> None:
    row_id = insert(
        store,
        rank=3,
        due="2026-01-01T01:00:00+01:00",
        body="höllo",
        likes=2,
        tags=["a"],
        steps=[1, 2],
        _secret="x",
    )
    head = store.head()

    value = Replica(store, row_id).value()

    assert value["row"] == {"title": "t", "rank": 3.0, "due": "2026-01-01T00:00:00Z"}
    assert type(value["row"]["rank"]) is float
    assert (value["body"], value["likes"], value["tags"], value["steps"]) == ("höllo", 2.0, ["a"], [1.0, 2.0])
    assert "id" not in value["row"]
    assert "x" not in str(value)
    assert store.head() == head


def test_opening_twice_gives_the_same_document(store: DataStore) -> None:
    row_id = insert(store)

    assert Replica(store, row_id).value() == Replica(store, row_id).value()
    assert store.transact(lambda tx: tx.open_document("Note", row_id)) == stored(store, row_id)


EDITS: dict[str, tuple[Callable[[Any], Any], dict[str, Any]]] = {
    "plain": (lambda doc: doc.get_map("row").insert("title", "new"), {"title": "new"}),
    "integer": (lambda doc: doc.get_map("row").insert("rank", 4.0), {"rank": 4}),
    "large integer": (lambda doc: doc.get_map("row").insert("rank", 2**60 + 1), {"rank": 2**60 + 1}),
    "null": (lambda doc: doc.get_map("row").delete("score"), {"score": None}),
    "datetime": (
        lambda doc: doc.get_map("row").insert("due", "2026-01-01T01:00:00+01:00"),
        {"due": "2026-01-01T00:00:00Z"},
    ),
    "text": (lambda doc: doc.get_text("body").insert(1, "𝄞"), {"body": "a𝄞bc"}),
    "text emptied": (lambda doc: doc.get_text("body").delete(0, 3), {"body": ""}),
    "counter": (lambda doc: doc.get_counter("likes").increment(2), {"likes": 3}),
    "list": (lambda doc: doc.get_list("tags").insert(0, "z"), {"tags": ["z", "a"]}),
    "movable list": (lambda doc: doc.get_movable_list("steps").mov(0, 2), {"steps": [2, 3, 1]}),
    "no field": (lambda doc: doc.get_map("row").insert("nothing", {"deep": [1]}), {}),
    "another container": (lambda doc: doc.get_text("elsewhere").insert(0, "x"), {}),
    "a secret": (lambda doc: doc.get_map("row").insert("_secret", "mine"), {}),
    "the id": (lambda doc: doc.get_map("row").insert("id", "other"), {}),
}


@pytest.mark.parametrize(("edit", "changes"), EDITS.values(), ids=EDITS)
def test_a_merged_edit_changes_row_document_and_log(
    store: DataStore, edit: Callable[[Any], Any], changes: dict[str, Any]
) -> None:
    row_id = insert(store, score=1.5, body="abc", likes=1, tags=["a"], steps=[1, 2, 3], _secret="s")
    before = store.get("Note", row_id)
    client, other = Replica(store, row_id), Replica(store, row_id)
    head = store.head()
    edit(client.doc)

    row = client.post()

    assert before is not None
    assert row == {**before, **changes} == store.get("Note", row_id)
    (event,) = store.changes(head, 9).events
    assert event.row == row
    assert event.before == ({"title": "t"} if "title" in changes else None)
    other.receive(head)
    assert other.value() == client.value() == stored_value(store, row_id)


def test_a_tree_is_read_parents_first(store: DataStore) -> None:
    row_id = insert(store)
    client = Replica(store, row_id)
    tree = client.doc.get_tree("outline")
    first, second = tree.create(), tree.create()
    child = tree.create(first)
    tree.get_meta(child).insert("name", "leaf")
    tree.get_meta(child).insert("hidden", [1])

    row = client.post()

    names = [f"{node.counter}@{node.peer}" for node in (first, child, second)]
    assert row is not None
    assert row["outline"] == [
        {"id": names[0], "parent": None, "index": 0, "meta": {}},
        {"id": names[1], "parent": names[0], "index": 0, "meta": {"hidden": None, "name": "leaf"}},
        {"id": names[2], "parent": None, "index": 1, "meta": {}},
    ]
    with_it = {"title": "again", "outline": row["outline"]}
    assert store.transact(lambda tx: tx.update("Note", row_id, with_it)) == {**row, "title": "again"}
    moved = {"outline": row["outline"][:1]}
    assert refused(lambda: store.transact(lambda tx: tx.update("Note", row_id, moved))) == (
        "CRDT_APPLY_FAILED",
        400,
    )
    assert refused(lambda: insert(store, outline=row["outline"])) == ("CRDT_APPLY_FAILED", 400)
    store.transact(lambda tx: tx.update("Note", row_id, {"outline": []}))
    assert stored_value(store, row_id)["outline"] == []


JSON_WRITES: list[dict[str, Any]] = [
    {"title": "x", "rank": 9, "done": True, "score": None, "due": "2027-01-01T00:00:00Z"},
    {"body": "aXbc"},
    {"body": None},
    {"likes": 10},
    {"likes": None},
    {"tags": ["a", "b", "c"]},
    {"tags": None},
    {"steps": [3, 2, 1]},
    {"steps": []},
    {"_secret": "other"},
]


@pytest.mark.parametrize("patch", JSON_WRITES, ids=repr)
def test_a_plain_write_maintains_the_document(store: DataStore, patch: dict[str, Any]) -> None:
    row_id = insert(store, score=1.5, body="abc", likes=1, tags=["a"], steps=[1, 2, 3], _secret="s")
    client = Replica(store, row_id)
    client.doc.get_map("row").insert("done", False)
    client.post()
    head = store.head()

    row = store.transact(lambda tx: tx.update("Note", row_id, patch))

    client.receive(head)
    assert client.value() == stored_value(store, row_id)
    assert (store.changes(head, 9).events[0].delta is None) == (patch.keys() == {"_secret"})
    client.doc.get_text("elsewhere").insert(0, "x")
    assert client.post() == row, "the document says the same as the row"


def test_a_plain_write_leaves_what_others_edit_at_the_same_time(store: DataStore) -> None:
    row_id = insert(store, body="one two three", tags=["a", "b"], likes=1)
    client = Replica(store, row_id)
    client.doc.get_text("body").insert(0, "zero ")
    client.doc.get_list("tags").insert(0, "z")
    client.doc.get_counter("likes").increment(5)

    patch = {"body": "one two three four", "tags": ["a", "b", "c"], "likes": 3}
    store.transact(lambda tx: tx.update("Note", row_id, patch))
    row = client.post()

    assert row is not None
    assert (row["body"], row["tags"], row["likes"]) == ("zero one two three four", ["z", "a", "b", "c"], 8)


def test_an_update_that_is_known_already_writes_nothing(store: DataStore) -> None:
    row_id = insert(store)
    client = Replica(store, row_id)
    client.doc.get_map("row").insert("title", "x")
    update = client.edits()
    row = merge(store, row_id, update)
    head, document = store.head(), stored(store, row_id)

    assert merge(store, row_id, update) == row
    assert (store.head(), stored(store, row_id)) == (head, document)


def test_a_snapshot_is_an_update_too(store: DataStore) -> None:
    row_id = insert(store, body="server")
    doc = loro.LoroDoc()  # type: ignore[no-untyped-call]
    doc.get_text("body").insert(0, "client ")
    doc.commit()

    row = merge(store, row_id, doc.export(loro.ExportMode.Snapshot()))

    assert row is not None
    assert row["body"] in ("client server", "serverclient ")


def test_deleting_a_row_takes_its_document_along(store: DataStore) -> None:
    row_id = insert(store, body="private")
    client = Replica(store, row_id)
    client.doc.get_text("body").insert(0, "very ")
    update = client.edits()
    merge(store, row_id, update)

    store.transact(lambda tx: tx.delete("Note", row_id))

    assert stored(store, row_id) is None
    assert merge(store, row_id, update) is None
    store.transact(lambda tx: tx.insert("Note", {"title": "another"}, row_id))
    again = Replica(store, row_id)
    assert again.value()["body"] == ""
    ours = set(client.doc.oplog_vv.to_spans().inner())
    assert ours.isdisjoint(again.doc.oplog_vv.to_spans().inner()), "no operation id comes to mean two things"


def test_a_document_of_a_row_that_is_not_there_is_none(store: DataStore) -> None:
    assert store.transact(lambda tx: tx.open_document("Note", "gone")) is None
    assert merge(store, "gone", b"anything") is None
    assert stored(store, "gone") is None


def test_rows_of_a_plain_entity_have_none(store: DataStore) -> None:
    row = store.transact(lambda tx: tx.insert("Plain", {"title": "a"}))

    assert refused(lambda: store.transact(lambda tx: tx.open_document("Plain", row["id"]))) == (
        "NOT_SUPPORTED",
        400,
    )
    assert refused(lambda: merge(store, row["id"], b"x", "Plain")) == ("NOT_SUPPORTED", 400)
    with store.read() as reader:
        assert reader.document("Plain", row["id"]) is None


def test_what_is_rolled_back_never_was(store: DataStore) -> None:
    row_id = insert(store, body="a")
    client = Replica(store, row_id)
    client.doc.get_text("body").insert(1, "b")
    update = client.edits()
    before = stored(store, row_id), store.get("Note", row_id), store.head()

    def fail(tx: TxStore) -> None:
        tx.merge("Note", row_id, update)
        raise LookupError

    def part(tx: TxStore) -> None:
        with suppress(LookupError), tx.savepoint():
            tx.merge("Note", row_id, update)
            tx.update("Note", row_id, {"title": "rejected"})
            raise LookupError
        assert tx.document("Note", row_id) == before[0]

    store.transact(part)
    with pytest.raises(LookupError):
        store.transact(fail)

    assert (stored(store, row_id), store.get("Note", row_id), store.head()) == before
    row = merge(store, row_id, update)
    assert row is not None
    assert (row["body"], row["title"]) == ("ab", "t")


def test_a_refused_write_leaves_row_and_document_as_they_were(store: DataStore) -> None:
    insert(store, slug="taken")
    row_id = insert(store)
    client = Replica(store, row_id)
    client.doc.get_map("row").insert("slug", "taken")
    client.doc.get_map("row").insert("title", "rejected")
    update = client.edits()
    before = stored(store, row_id), store.get("Note", row_id), store.head()

    assert refused(lambda: merge(store, row_id, update)) == ("UPDATE_FAILED", 409)
    patch = {"slug": "taken", "title": "rejected"}
    assert refused(lambda: store.transact(lambda tx: tx.update("Note", row_id, patch))) == ("UPDATE_FAILED", 409)

    assert (stored(store, row_id), store.get("Note", row_id), store.head()) == before
    store.transact(lambda tx: tx.update("Note", row_id, {"rank": 1}))
    assert "rejected" not in str(stored_value(store, row_id))


def test_a_refused_insert_leaves_no_document(store: DataStore) -> None:
    insert(store, slug="taken")

    assert refused(
        lambda: store.transact(lambda tx: tx.insert("Note", {"title": "x", "slug": "taken"}, "rejected"))
    ) == ("INSERT_FAILED", 409)

    assert stored(store, "rejected") is None


UNFIT: dict[str, Callable[[Any], Any]] = {
    "a number for a text": lambda doc: doc.get_map("row").insert("title", 5),
    "a required field gone": lambda doc: doc.get_map("row").delete("title"),
    "a fraction": lambda doc: doc.get_map("row").insert("rank", 1.5),
    "no number": lambda doc: doc.get_map("row").insert("score", float("nan")),
    "bytes": lambda doc: doc.get_map("row").insert("title", b"x"),
    "no datetime": lambda doc: doc.get_map("row").insert("due", "soon"),
    "a NUL": lambda doc: doc.get_text("body").insert(0, "\0"),
    "a fraction counted": lambda doc: doc.get_counter("likes").increment(0.5),
    "an item of another type": lambda doc: doc.get_list("tags").insert(0, 1),
    "an item that is an object": lambda doc: doc.get_list("tags").insert(0, {"a": 1}),
}


@pytest.mark.parametrize("edit", UNFIT.values(), ids=UNFIT)
def test_a_document_that_no_row_can_hold_is_refused(store: DataStore, edit: Callable[[Any], Any]) -> None:
    row_id = insert(store)
    client = Replica(store, row_id)
    before = stored(store, row_id)
    edit(client.doc)

    assert refused(client.post) == ("CRDT_APPLY_FAILED", 400)

    assert stored(store, row_id) == before


def test_bytes_that_are_no_update_are_refused(store: DataStore) -> None:
    row_id = insert(store)
    client = Replica(store, row_id)
    client.doc.get_text("body").insert(0, "x")
    good = client.edits()

    for bad in (b"", b"x", good[:-1], good[:20], good + b"y" * 9, b"loro" + bytes(40)):
        assert refused(lambda bad=bad: merge(store, row_id, bad)) == ("CRDT_DECODE_FAILED", 400)  # type: ignore[misc]


def test_an_update_whose_ground_is_missing_is_refused(store: DataStore) -> None:
    row_id = insert(store)
    client = Replica(store, row_id)
    before = stored(store, row_id)
    client.doc.get_text("body").insert(0, "lost")
    client.edits()
    client.doc.get_text("body").insert(4, "!")
    later = client.edits()

    with pytest.raises(DataError) as caught:
        merge(store, row_id, later)

    assert (caught.value.code, caught.value.status) == ("CRDT_DECODE_FAILED", 400)
    assert caught.value.hint is not None
    assert "Subscribe" in caught.value.hint
    assert stored(store, row_id) == before


def test_a_document_beyond_its_bound_is_refused(store: DataStore) -> None:
    row_id = insert(store)
    client = Replica(store, row_id)
    client.doc.get_text("body").insert(0, "x" * (2 * 1024 * 1024 + 1))

    assert refused(client.post) == ("PAYLOAD_TOO_LARGE", 413)
    assert refused(lambda: merge(store, row_id, bytes(5 * 1024 * 1024))) == ("PAYLOAD_TOO_LARGE", 413)
    large = insert(store, body="x" * (3 * 1024 * 1024))
    assert refused(lambda: Replica(store, large)) == ("PAYLOAD_TOO_LARGE", 413)


def test_a_text_that_others_keep_in_the_map_moves_to_the_root_once(store: DataStore) -> None:
    row_id = insert(store)
    doc = loro.LoroDoc()  # type: ignore[no-untyped-call]
    row_map = doc.get_map("row")
    row_map.insert("rank", 5.0)
    nested: Any = row_map.insert_container("body", loro.LoroText())  # type: ignore[no-untyped-call]
    nested.insert(0, "nested")
    doc.commit()

    row = merge(store, row_id, doc.export(loro.ExportMode.Snapshot()))

    assert row is not None
    assert (row["rank"], row["body"]) == (5, "nested")
    value = stored_value(store, row_id)
    assert (value["body"], "body" in value["row"]) == ("nested", False)
    client = Replica(store, row_id)
    client.doc.get_text("body").delete(0, 6)
    row = client.post()
    assert row is not None
    assert row["body"] == ""


def test_many_writes_of_one_server_are_one_peer(store: DataStore) -> None:
    row_id = insert(store, rank=0)
    Replica(store, row_id)

    def count(tx: TxStore) -> None:
        for number in range(1, 501):
            tx.update("Note", row_id, {"rank": number})

    store.transact(count)

    snapshot = stored(store, row_id)
    assert snapshot is not None
    assert len(snapshot) < 6_000
    assert len(Replica(store, row_id).doc.oplog_vv.to_spans().inner()) == 1


ARRAY_QUERIES: list[tuple[dict[str, Any], Any]] = [
    ({"tags": {"$exists": True}}, 1),
    ({"tags": None}, 2),
    ({"tags": {"$not": None}}, 1),
    ({"tags": "a"}, "INVALID_QUERY"),
    ({"tags": {"$in": ["a"]}}, "INVALID_QUERY"),
    ({"tags": {"$like": "a"}}, "INVALID_QUERY"),
    ({"steps": {"$gt": 1}}, "INVALID_QUERY"),
    ({"outline": "x"}, "INVALID_QUERY"),
    ({"$order": {"tags": "asc"}}, "INVALID_QUERY"),
]


@pytest.mark.parametrize(("document", "expected"), ARRAY_QUERIES, ids=repr)
def test_a_field_with_arrays_can_be_asked_whether_it_is_null(
    store: DataStore, document: dict[str, Any], expected: Any
) -> None:
    insert(store, tags=["a"], steps=[1])
    insert(store)
    insert(store)

    def ask() -> int:
        with store.read() as reader:
            return len(reader.query("Note", parse_filter(document)))

    if isinstance(expected, int):
        assert ask() == expected
    else:
        assert refused(ask) == (expected, 400)


def test_arrays_are_stored_checked_and_read_back(store: DataStore) -> None:
    row_id = insert(store, tags=["a", "ü"], steps=[1, 2.0, -(2**63)])

    assert store.transact(lambda tx: tx.query("Note", Filter()))[0]["steps"] == [1, 2, -(2**63)]
    for wrong in ({"tags": "a"}, {"tags": [1]}, {"tags": [None]}, {"steps": [1.5]}, {"steps": {"a": 1}}):
        assert refused(
            lambda wrong=wrong: store.transact(lambda tx: tx.update("Note", row_id, wrong))  # type: ignore[misc]
        ) == ("CRDT_APPLY_FAILED", 400)


@pytest.mark.parametrize("meanwhile", ["nothing", "the row", "the document"])
def test_a_rehearsed_merge_takes_in_what_came_meanwhile(store: DataStore, meanwhile: str) -> None:
    row_id = insert(store, body="a")
    client, other = Replica(store, row_id), Replica(store, row_id)
    client.doc.get_text("body").insert(1, "b")
    other.doc.get_text("body").insert(0, "0")
    update = client.edits()
    with store.read() as reader:
        rehearsal = reader.rehearse_merge("Note", row_id, update)
    assert rehearsal is not None
    assert (rehearsal.existing["body"], rehearsal.row()["body"]) == ("a", "ab")
    if meanwhile == "the row":
        store.transact(lambda tx: tx.update("Note", row_id, {"title": "other"}))
    elif meanwhile == "the document":
        other.post()

    row = store.transact(lambda tx: tx.merge("Note", row_id, update, rehearsal))

    assert row == store.get("Note", row_id)
    assert row is not None
    assert (row["title"], row["body"]) == (
        "other" if meanwhile == "the row" else "t",
        "0ab" if meanwhile == "the document" else "ab",
    )
    assert stored_value(store, row_id)["body"] == row["body"]


def test_a_merge_of_a_row_that_is_not_there_is_not_rehearsed(store: DataStore) -> None:
    with store.read() as reader:
        assert reader.rehearse_merge("Note", "gone", b"anything") is None
