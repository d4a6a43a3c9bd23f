"""A manifest that grows: tables, columns and indexes are added, rows and their log stay true."""

from pathlib import Path
from typing import Any

import pytest

from pylon_core import jsontext
from pylon_core.clock import SystemClock
from pylon_core.diagnostics import has_errors
from pylon_core.manifest import AppManifest, parse_manifest
from pylon_core.manifest_checks import check_manifest
from pylon_http import DataError, Filter
from pylon_storage import NoFaults, SqliteStore


def field(name: str, kind: str = "string", *, optional: bool = True, unique: bool = False) -> dict[str, Any]:
    return {"name": name, "type": kind, "optional": optional, "unique": unique}


def manifest(**entities: list[dict[str, Any]]) -> AppManifest:
    document = {
        "manifest_version": 1,
        "name": "growth",
        "version": "1",
        "routes": [],
        "entities": [{"name": name, "fields": fields, "indexes": []} for name, fields in entities.items()],
    }
    return parse_manifest(jsontext.encode(document))


def with_index(app: AppManifest, name: str) -> AppManifest:
    """The manifest with one more index, on ``Note.a``."""
    document = app.to_wire()
    document["entities"][0]["indexes"] = [{"name": name, "fields": ["a"], "unique": False}]
    return parse_manifest(jsontext.encode(document))


def open_store(directory: Path, app: AppManifest, visibility: str = "v1") -> SqliteStore:
    return SqliteStore(
        directory / "growth.db",
        app,
        watched={},
        visibility=visibility,
        clock=SystemClock(),
        faults=NoFaults(),
    )


def test_a_column_added_in_the_middle_is_matched_by_name(tmp_path: Path) -> None:
    store = open_store(tmp_path, manifest(Note=[field("a"), field("c", "int")]))
    old = store.transact(lambda tx: tx.insert("Note", {"a": "x", "c": 3}))
    store.close()

    grown = open_store(tmp_path, manifest(Note=[field("a"), field("b", "bool"), field("c", "int")], Tag=[]))
    new = grown.transact(lambda tx: tx.insert("Note", {"a": "y", "b": True, "c": 4}))
    grown.transact(lambda tx: tx.insert("Tag", {}))
    with grown.read() as reader:
        rows = reader.query("Note", Filter())
    events = grown.changes(0, 10).events
    grown.close()

    assert rows == [{**old, "b": None}, new]
    assert new == {"id": new["id"], "a": "y", "b": True, "c": 4}
    assert events[0].row == {**old, "b": None}, "the log speaks of the fields of today"


def test_a_field_that_left_the_manifest_no_longer_leaves_the_store(tmp_path: Path) -> None:
    store = open_store(tmp_path, manifest(Note=[field("a"), field("secret")]))
    store.transact(lambda tx: tx.insert("Note", {"a": "x", "secret": "s"}, "n1"))
    store.close()

    shrunk = open_store(tmp_path, manifest(Note=[field("a")]))
    row = shrunk.get("Note", "n1")
    event = shrunk.changes(0, 10).events[0]
    shrunk.close()

    assert row == event.row == {"id": "n1", "a": "x"}


def test_a_required_column_that_came_later_does_not_break_old_rows(tmp_path: Path) -> None:
    store = open_store(tmp_path, manifest(Note=[field("a")]))
    store.transact(lambda tx: tx.insert("Note", {"a": "x"}, "n1"))
    store.close()

    grown = open_store(tmp_path, manifest(Note=[field("a"), field("b", optional=False)]))
    changed = grown.transact(lambda tx: tx.update("Note", "n1", {"a": "z"}))
    with pytest.raises(DataError) as refused:
        grown.transact(lambda tx: tx.insert("Note", {"a": "x"}))
    grown.close()

    assert changed == {"id": "n1", "a": "z", "b": None}
    assert refused.value.code == "INSERT_FAILED"


def test_a_unique_column_that_came_later_is_unique(tmp_path: Path) -> None:
    store = open_store(tmp_path, manifest(Note=[field("a")]))
    store.close()

    grown = open_store(tmp_path, manifest(Note=[field("a"), field("slug", unique=True)]))
    grown.transact(lambda tx: tx.insert("Note", {"slug": "s"}))
    with pytest.raises(DataError) as refused:
        grown.transact(lambda tx: tx.insert("Note", {"slug": "s"}))
    grown.close()

    assert refused.value.status == 409


def test_an_index_of_the_manifest_never_stands_in_for_a_later_uniqueness(tmp_path: Path) -> None:
    """Of two indexes with one name the second would silently not be made."""
    before = manifest(Note=[field("a")])
    after = manifest(Note=[field("a"), field("slug", unique=True)])
    open_store(tmp_path, with_index(before, "slug_unique")).close()

    grown = open_store(tmp_path, with_index(after, "slug_unique"))
    grown.transact(lambda tx: tx.insert("Note", {"slug": "s"}))
    with pytest.raises(DataError) as refused:
        grown.transact(lambda tx: tx.insert("Note", {"slug": "s"}))
    grown.close()

    assert refused.value.status == 409
    assert has_errors(check_manifest(with_index(after, "slug_key")))


def test_when_who_may_see_what_changes_every_cursor_must_start_again(tmp_path: Path) -> None:
    app = manifest(Note=[field("a")])
    store = open_store(tmp_path, app, "rules one")
    for number in range(3):
        store.transact(lambda tx, number=number: tx.insert("Note", {"a": str(number)}))  # type: ignore[misc]
    cursor = store.head()
    assert store.changes(cursor, 10).floor == 0
    store.close()

    same = open_store(tmp_path, app, "rules one")
    assert (same.head(), same.changes(cursor, 10).floor) == (cursor, 0)
    same.close()

    changed = open_store(tmp_path, app, "rules two")
    page = changed.changes(0, 10)
    new = changed.transact(lambda tx: tx.insert("Note", {"a": "new"}))
    last = changed.changes(0, 10).events[-1]
    changed.close()

    assert cursor < page.floor <= page.events[0].seq
    assert [event.row["a"] for event in page.events if event.row] == ["0", "1", "2"]
    assert [event.seq for event in page.events] == sorted({event.seq for event in page.events})
    assert (last.row_id, last.seq) == (new["id"], page.head + 1)


def test_when_who_may_see_what_changes_the_log_forgets_what_only_the_old_rules_could_judge(tmp_path: Path) -> None:
    """An entry keeps of the row before it what the rules of its time looked at: here, nothing."""
    app = manifest(Note=[field("owner")], Tag=[])
    store = open_store(tmp_path, app, "rules one")
    for row_id in ("deleted", "given", "made again"):
        store.transact(lambda tx, row_id=row_id: tx.insert("Note", {"owner": "ada"}, row_id))  # type: ignore[misc]
    store.transact(lambda tx: tx.insert("Tag", {}, "deleted"))
    store.transact(lambda tx: tx.update("Note", "given", {"owner": "bob"}))
    for row_id in ("made again", "deleted"):
        store.transact(lambda tx, row_id=row_id: tx.delete("Note", row_id))  # type: ignore[misc]
    store.transact(lambda tx: tx.insert("Note", {"owner": "cid"}, "made again"))
    store.close()

    changed = open_store(tmp_path, app, "rules two")
    events = changed.changes(0, 100).events
    changed.close()

    assert [(event.kind, event.entity, event.row, event.before) for event in events] == [
        ("insert", "Tag", {"id": "deleted"}, None),
        ("insert", "Note", {"id": "given", "owner": "bob"}, None),
        ("insert", "Note", {"id": "made again", "owner": "cid"}, None),
    ]


def test_seqs_go_on_also_from_a_log_without_entries(tmp_path: Path) -> None:
    app = manifest(Note=[field("a")])
    store = open_store(tmp_path, app, "rules one")
    store.transact(lambda tx: tx.insert("Note", {}, "n1"))
    store.transact(lambda tx: tx.delete("Note", "n1"))
    cursor = store.head()
    store.close()

    open_store(tmp_path, app, "rules two").close()
    changed = open_store(tmp_path, app, "rules two")
    empty = changed.changes(0, 10)
    changed.transact(lambda tx: tx.insert("Note", {}, "n2"))
    page = changed.changes(empty.head, 10)
    changed.close()

    assert (list(empty.events), empty.has_more) == ([], False)
    assert cursor < empty.floor <= empty.head
    assert [event.row_id for event in page.events] == ["n2"]


def test_a_file_that_is_no_database_is_refused_with_a_reason(tmp_path: Path) -> None:
    (tmp_path / "growth.db").write_bytes(b"this is not a database, it is a poem" * 100)

    with pytest.raises(DataError) as refused:
        open_store(tmp_path, manifest(Note=[]))

    assert refused.value.code == "SCHEMA_INIT_FAILED"


def test_a_second_store_on_the_same_file_is_refused_until_the_first_is_closed(tmp_path: Path) -> None:
    first = open_store(tmp_path, manifest(Note=[]))

    with pytest.raises(DataError) as refused:
        open_store(tmp_path, manifest(Note=[]))
    first.close()
    open_store(tmp_path, manifest(Note=[])).close()

    assert refused.value.code == "SCHEMA_INIT_FAILED"
    assert "Another server" in refused.value.message


@pytest.mark.parametrize(
    ("old", "new"),
    [("string", "int"), ("string", "bool"), ("int", "string"), ("float", "string"), ("int", "float")],
)
def test_a_field_that_changed_its_type_is_refused_and_nothing_is_touched(
    tmp_path: Path, old: str, new: str
) -> None:
    values = {"string": "5", "int": 5, "float": 5.0}
    store = open_store(tmp_path, manifest(Note=[field("a", old)]))
    row = store.transact(lambda tx: tx.insert("Note", {"a": values[old]}))
    store.close()

    with pytest.raises(DataError) as refused:
        open_store(tmp_path, manifest(Note=[field("a", new)]))
    reopened = open_store(tmp_path, manifest(Note=[field("a", old)]))
    kept = reopened.get("Note", row["id"])
    reopened.close()

    assert refused.value.code == "SCHEMA_INIT_FAILED"
    assert "Note.a" in refused.value.message
    assert kept == row
