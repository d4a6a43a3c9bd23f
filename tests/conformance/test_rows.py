"""What every adapter does with rows: types, ids, missing values, refusals that leave no trace."""

from typing import Any

import pytest

from pylon_http import DataError, DataStore, Filter
from pylon_http.filters import parse_where


def insert(store: DataStore, row_id: str | None = None, **data: Any) -> dict[str, Any]:
    return store.transact(lambda tx: tx.insert("Note", data, row_id))


def everything(store: DataStore) -> list[dict[str, Any]]:
    with store.read() as reader:
        return reader.query("Note", Filter())


def test_a_row_comes_back_whole_in_its_declared_types(store: DataStore) -> None:
    row = insert(store, title="Tea", done=1, rank=2.0, score=3, ownerId=None)

    expected = {
        "id": row["id"],
        "ownerId": None,
        "title": "Tea",
        "done": True,
        "rank": 2,
        "score": 3.0,
        "body": None,
        "slug": None,
    }
    assert row == expected
    assert store.get("Note", row["id"]) == expected
    found = store.get("Note", row["id"])
    assert found is not None
    assert [type(found[field]) for field in ("done", "rank", "score")] == [bool, int, float]


def test_a_negative_zero_is_answered_as_it_is_stored(store: DataStore) -> None:
    row = insert(store, title="Tea", score=-0.0)

    stored = store.get("Note", row["id"])
    assert stored is not None
    assert str(row["score"]) == str(stored["score"]) == "0.0"


def test_names_that_are_words_of_sql_or_hold_quotes_work(store: DataStore) -> None:
    row = store.transact(lambda tx: tx.insert("Order", {"group": "g", 'say "hi"': 1}))

    with store.read() as reader:
        assert reader.query("Order", Filter(where=parse_where({'say "hi"': 1, "group": "g"}))) == [row]


@pytest.mark.parametrize("text", ["", "café ☕", "'; DROP TABLE Note; --", "\U0001f600" * 100], ids=repr)
def test_text_survives_unchanged(store: DataStore, text: str) -> None:
    row = insert(store, title=text)

    assert store.get("Note", row["id"]) == row
    assert row["title"] == text


def test_fresh_ids_sort_in_the_order_of_creation(store: DataStore) -> None:
    made = [insert(store, title=str(number))["id"] for number in range(50)]

    assert made == sorted(made)
    assert {len(row_id) for row_id in made} == {40}
    assert [row["id"] for row in everything(store)] == made


def test_an_id_given_with_the_insert_is_used_and_taken_once(store: DataStore) -> None:
    insert(store, row_id="mine", title="first")

    with pytest.raises(DataError) as refused:
        insert(store, row_id="mine", title="second")

    assert (refused.value.code, refused.value.status) == ("INSERT_FAILED", 409)
    assert [row["title"] for row in everything(store)] == ["first"]


@pytest.mark.parametrize(
    ("entity", "data", "code", "status"),
    [
        ("Nope", {"title": "x"}, "ENTITY_NOT_FOUND", 404),
        ("Note", {"title": "x", "colour": "red"}, "INVALID_COLUMN", 400),
        ("Note", {}, "INSERT_FAILED", 400),
        ("Note", {"title": None}, "INSERT_FAILED", 400),
        ("Note", {"title": 5}, "CRDT_APPLY_FAILED", 400),
        ("Note", {"title": ["a"]}, "CRDT_APPLY_FAILED", 400),
        ("Note", {"title": "x", "done": 2}, "CRDT_APPLY_FAILED", 400),
        ("Note", {"title": "x", "done": "true"}, "CRDT_APPLY_FAILED", 400),
        ("Note", {"title": "x", "rank": 1.5}, "CRDT_APPLY_FAILED", 400),
        ("Note", {"title": "x", "rank": 2**63}, "CRDT_APPLY_FAILED", 400),
        ("Note", {"title": "x", "rank": True}, "CRDT_APPLY_FAILED", 400),
        ("Note", {"title": "x", "score": "1"}, "CRDT_APPLY_FAILED", 400),
        ("Note", {"title": "x", "score": 10**400}, "CRDT_APPLY_FAILED", 400),
        ("Order", {"group": 5}, "INVALID_DATA", 400),
    ],
)
def test_a_refused_insert_leaves_no_trace(
    store: DataStore, entity: str, data: dict[str, Any], code: str, status: int
) -> None:
    with pytest.raises(DataError) as refused:
        store.transact(lambda tx: tx.insert(entity, data))

    assert (refused.value.code, refused.value.status) == (code, status)
    assert everything(store) == []
    assert store.head() == 0


def test_a_taken_unique_value_is_a_conflict_whose_message_names_the_field_only(store: DataStore) -> None:
    insert(store, title="a", slug="s")
    other = insert(store, title="b", slug="t")

    with pytest.raises(DataError) as on_insert:
        insert(store, title="c", slug="s")
    with pytest.raises(DataError) as on_update:
        store.transact(lambda tx: tx.update("Note", other["id"], {"slug": "s"}))

    assert (on_insert.value.code, on_insert.value.status) == ("INSERT_FAILED", 409)
    assert (on_update.value.code, on_update.value.status) == ("UPDATE_FAILED", 409)
    assert "slug" in on_insert.value.message
    assert "constraint" not in on_insert.value.message


def test_any_number_of_rows_may_lack_a_unique_value(store: DataStore) -> None:
    insert(store, title="a")
    insert(store, title="b", slug=None)

    assert len(everything(store)) == 2


def test_an_update_changes_what_it_names_and_returns_the_whole_row(store: DataStore) -> None:
    row = insert(store, title="a", rank=1)

    changed = store.transact(lambda tx: tx.update("Note", row["id"], {"rank": None, "done": True, "id": "x"}))

    assert changed == {**row, "rank": None, "done": True}
    assert store.get("Note", row["id"]) == changed


def test_an_update_cannot_clear_a_required_field(store: DataStore) -> None:
    row = insert(store, title="a")

    with pytest.raises(DataError) as refused:
        store.transact(lambda tx: tx.update("Note", row["id"], {"title": None}))

    assert (refused.value.code, refused.value.status) == ("UPDATE_FAILED", 400)
    assert store.get("Note", row["id"]) == row


def test_what_is_not_there_is_neither_updated_nor_deleted(store: DataStore) -> None:
    assert store.get("Note", "gone") is None
    assert store.transact(lambda tx: tx.update("Note", "gone", {"rank": 1})) is None
    assert store.transact(lambda tx: tx.delete("Note", "gone")) is False
    assert store.head() == 0


def test_a_deleted_row_is_gone(store: DataStore) -> None:
    row = insert(store, title="a")

    assert store.transact(lambda tx: tx.delete("Note", row["id"])) is True
    assert store.get("Note", row["id"]) is None
