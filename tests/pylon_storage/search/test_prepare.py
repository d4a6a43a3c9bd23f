"""Search comes to rows that were there before it, follows what the manifest asks for, and goes."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import apsw
import pytest

from pylon_core import jsontext
from pylon_core.clock import SystemClock
from pylon_core.manifest import AppManifest, parse_manifest
from pylon_http import DataError, DataStore, Search, TxStore
from pylon_storage import NoFaults, SqliteStore, sql
from pylon_storage.postgres import PostgresStore
from pylon_storage.search import prepare
from pylon_storage.statements import Tables
from tests.strategies.documents import app, entity, field
from tests.support.postgres import fresh_database

Open = Callable[[AppManifest], "SqliteStore | PostgresStore"]
MEMBERS: dict[str, Any] = {"watched": {}, "visibility": "v1", "clock": SystemClock(), "faults": NoFaults()}


@pytest.fixture(params=["sqlite", "postgres"])
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """Opens one database with one manifest after another."""
    if request.param == "sqlite":
        return partial(SqliteStore, tmp_path / "search.db", **MEMBERS)
    return partial(PostgresStore, fresh_database(), **MEMBERS)


def manifest(*entities: str, **search: Any) -> AppManifest:
    fields = [field("title", optional=True), field("body", optional=True), field("kind", optional=True)]
    members = {"search": search} if search else {}
    declared = [entity(name, fields=fields, **members) for name in entities or ("Note",)]
    return parse_manifest(jsontext.encode(app(entities=declared)))


def found(store: DataStore, text: str) -> list[str]:
    with store.read() as reader:
        return sorted(row["id"] for row in reader.search("Note", Search(text=text)).hits)


def kept(tables: Tables) -> list[str]:
    with tables.reading() as statements:
        remembered = statements.all("SELECT key FROM _pylon_meta WHERE substr(key, 1, 7) = 'search:'")
        return [key for (key,) in remembered]


def insert(number: int, title: str, tx: TxStore) -> None:
    tx.insert("Note", {"title": title}, f"n{number}")


def delete(number: int, tx: TxStore) -> None:
    tx.delete("Note", f"n{number}")


def fill(tx: TxStore) -> None:
    tx.insert("Note", {"title": "Running shoes", "body": "for the marathon", "kind": "a"}, "n1")
    tx.insert("Note", {"title": None, "kind": "b"}, "n2")


def test_rows_that_were_there_before_are_found(open_store: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare, "BATCH_ROWS", 3)
    store = open_store(manifest())
    for number in range(10):
        store.transact(partial(insert, number, f"same w{number}"))
    store.close()

    searching = open_store(manifest(text=["title"], facets=["kind"]))

    assert found(searching, "same") == [f"n{number}" for number in range(10)]
    assert found(searching, "w7") == ["n7"]
    searching.transact(lambda tx: tx.update("Note", "n7", {"title": "other"}))
    searching.transact(lambda tx: tx.delete("Note", "n8"))
    assert found(searching, "same") == ["n0", "n1", "n2", "n3", "n4", "n5", "n6", "n9"]
    searching.close()


def test_another_language_or_other_fields_build_it_anew(open_store: Open) -> None:
    store = open_store(manifest(text=["title"]))
    store.transact(fill)
    assert (found(store, "run"), found(store, "marathon")) == ([], [])
    store.close()

    store = open_store(manifest(text=["title"], language="english"))
    assert (found(store, "run"), found(store, "marathon")) == (["n1"], [])
    store.close()

    store = open_store(manifest(text=["title", "body"]))
    assert (found(store, "run"), found(store, "running"), found(store, "marathon")) == ([], ["n1"], ["n1"])
    store.close()


def test_what_is_up_to_date_is_left_alone(open_store: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    searching = manifest(text=["title"], facets=["kind"], sortable=["title"])
    store = open_store(searching)
    store.transact(fill)
    store.close()
    monkeypatch.setattr(prepare, "_build", None)

    again = open_store(searching)

    assert found(again, "running") == ["n1"]
    again.close()


def test_a_removed_search_is_dropped_and_comes_back_whole(open_store: Open) -> None:
    store = open_store(manifest(text=["title"], facets=["kind"], sortable=["title"]))
    store.transact(fill)
    assert kept(store.tables) == ["search:Note"]
    store.close()

    store = open_store(manifest())
    assert kept(store.tables) == []
    with pytest.raises(DataError, match="SEARCH_NOT_CONFIGURED"):
        found(store, "running")
    store.transact(lambda tx: tx.update("Note", "n2", {"title": "walking"}))
    store.transact(lambda tx: tx.delete("Note", "n1"))
    store.close()

    store = open_store(manifest(text=["title"]))
    assert (found(store, "running"), found(store, "walking")) == ([], ["n2"])
    store.close()


def test_the_search_of_an_entity_that_left_the_manifest_is_dropped(open_store: Open) -> None:
    open_store(manifest("Note", "Other", text=["title"], facets=["kind"])).close()

    store = open_store(manifest("Note"))

    assert kept(store.tables) == []
    store.close()


def test_indexes_serve_facets_and_sorts(tmp_path: Path) -> None:
    path = tmp_path / "search.db"
    store = SqliteStore(path, manifest(facets=["kind"], sortable=["kind", "title"]), **MEMBERS)
    assert indexes(store) == {"Note_facet_kind", "Note_sort_title"}
    store.close()

    store = SqliteStore(path, manifest(sortable=["title"]), **MEMBERS)
    assert indexes(store) == {"Note_sort_title"}
    store.close()

    store = SqliteStore(path, manifest(), **MEMBERS)
    assert indexes(store) == set()
    store.close()


def indexes(store: SqliteStore) -> set[str]:
    with store.tables.reading() as statements:
        listed = statements.all("SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = 'Note'")
        return {name for (name,) in listed if not name.startswith("sqlite_")}


def test_compacting_the_file_changes_nothing_that_is_found(tmp_path: Path) -> None:
    """VACUUM numbers the rows of an entity's table anew."""
    store = SqliteStore(tmp_path / "search.db", manifest(text=["title"]), **MEMBERS)
    for number in range(20):
        store.transact(partial(insert, number, f"w{number}"))
    for number in range(0, 20, 2):
        store.transact(partial(delete, number))
    store.close()
    vacuum(tmp_path / "search.db")

    again = SqliteStore(tmp_path / "search.db", manifest(text=["title"]), **MEMBERS)

    assert {number: found(again, f"w{number}") for number in range(20)} == {
        number: [f"n{number}"] if number % 2 else [] for number in range(20)
    }
    again.close()


def vacuum(path: Path) -> None:
    connection = apsw.Connection(str(path))
    connection.execute("VACUUM")
    connection.close()


def test_entities_with_long_names_have_search_of_their_own(open_store: Open) -> None:
    """Postgres cuts a name after 63 bytes, also where it says which of two tables is meant."""
    first, second = "N" * 62 + "a", "N" * 62 + "b"
    store = open_store(manifest(first, second, text=["title"], facets=["kind"]))

    store.transact(lambda tx: tx.insert(first, {"title": "red", "kind": "x"}))

    with store.read() as reader:
        assert reader.search(first, Search(text="red")).total == 1
        assert reader.search(second, Search(text="red")).total == 0
    store.close()


def test_names_are_told_apart_when_they_are_too_long() -> None:
    names = {
        sql.object_name("N" * 60 + letter, suffix) for letter in "ab" for suffix in ("fts", "fts_docs", "facet_x")
    }

    assert len(names) == 6
    assert all(len(name) <= 63 for name in names)
    assert sql.object_name("Note", "fts") == "Note_fts"
