"""Opening a store makes what the database lacks, by however many processes at once, and changes nothing else."""

import threading

import pytest

from pylon_core.manifest import AppManifest, parse_manifest
from pylon_http import ChangeKind, DataError, Filter, TxStore
from pylon_storage.postgres import PostgresStore
from tests.pylon_storage.postgres.rig import MANIFEST, OpenStore, Sql, note, titles

LONG = "x" * 63


def manifest_of(fields: str, indexes: str = "") -> AppManifest:
    return parse_manifest(
        '{"manifest_version": 1, "name": "m", "version": "1", "routes": [], "entities": [{"name": "Note",'
        f' "crdt": false, "indexes": [{indexes}], "fields": [{fields}]}}]}}'
    )


def field(name: str, kind: str = "string", *, unique: bool = False) -> str:
    return f'{{"name": "{name}", "type": "{kind}", "optional": true, "unique": {str(unique).lower()}}}'


def test_many_processes_may_open_a_new_database_at_once(open_store: OpenStore) -> None:
    stores: list[PostgresStore] = []
    threads = [threading.Thread(target=lambda: stores.append(open_store())) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert len(stores) == 6
    stores[0].transact(note("a"))
    assert titles(stores[5]) == ["a"]


def test_fields_and_indexes_that_came_later_are_added(open_store: OpenStore) -> None:
    old = open_store(manifest_of(field("title")))
    old.transact(lambda tx: tx.insert("Note", {"title": "a"}))

    store = open_store(
        manifest_of(
            f"{field('title')}, {field('slug', unique=True)}",
            '{"name": "by_slug", "fields": ["slug"], "unique": false}',
        )
    )

    def twice(tx: TxStore) -> None:
        tx.insert("Note", {"title": "b", "slug": "s"})
        with pytest.raises(DataError):
            tx.insert("Note", {"title": "c", "slug": "s"})

    store.transact(twice)
    with store.read() as reader:
        assert [row["slug"] for row in reader.query("Note", Filter())] == [None, "s"]
        assert store.changes(0, 1).events[0].row == reader.query("Note", Filter())[0]


@pytest.mark.parametrize("declared", ["integer", "text", "numeric", "timestamp"])
def test_a_column_made_for_another_type_is_refused(open_store: OpenStore, sql: Sql, declared: str) -> None:
    sql(f'CREATE TABLE "Note" (id text COLLATE "C" PRIMARY KEY, rank {declared})')

    with pytest.raises(DataError) as refused:
        open_store(manifest_of(field("rank", "int")))

    assert refused.value.code == "SCHEMA_INIT_FAILED"


@pytest.mark.parametrize("declared", ["text", 'varchar(99) COLLATE "C"', 'text COLLATE "POSIX"'])
def test_a_text_column_made_by_hand_is_taken(open_store: OpenStore, sql: Sql, declared: str) -> None:
    sql(f'CREATE TABLE "Note" (id text PRIMARY KEY, title {declared})')

    store = open_store(manifest_of(field("title")))

    store.transact(note("a"))
    assert titles(store) == ["a"]


def test_names_as_long_as_they_may_be_do_not_run_into_each_other(open_store: OpenStore, sql: Sql) -> None:
    one, other = f"{LONG[:-1]}1", f"{LONG[:-1]}2"
    fields = f"{field(one)}, {field(other)}"
    indexes = ", ".join(f'{{"name": "{name}", "fields": ["{name}"], "unique": true}}' for name in (one, other))

    open_store(manifest_of(fields, indexes))
    open_store(manifest_of(fields, indexes))

    assert sql("SELECT count(*) FROM pg_indexes WHERE tablename = 'Note'") == [(3,)]


def test_when_the_policies_change_the_log_begins_anew(open_store: OpenStore) -> None:
    store = open_store(visibility="v1")
    kept = store.transact(note("kept"))
    gone = store.transact(note("gone"))
    store.transact(lambda tx: tx.update("Note", kept["id"], {"title": "kept still"}))
    store.transact(lambda tx: tx.delete("Note", gone["id"]))
    before = store.head()
    store.close()

    renewed = open_store(visibility="v2")

    page = renewed.changes(0, 10)
    assert [(event.kind, event.row_id, event.before) for event in page.events] == [
        (ChangeKind.INSERT, kept["id"], None)
    ]
    assert page.floor > before
    assert renewed.head() == page.head >= page.events[-1].seq
    renewed.transact(note("next"))
    assert renewed.changes(page.head, 10).events[0].seq > page.head


def test_under_the_same_policies_the_log_goes_on(open_store: OpenStore) -> None:
    store = open_store()
    store.transact(note("a"))
    store.close()

    again = open_store(MANIFEST)
    again.transact(note("b"))

    assert [event.seq for event in again.changes(0, 10).events] == [1, 2]
    assert again.changes(0, 10).floor == 0


def test_opening_on_tables_that_are_complete_waits_for_nobody_who_writes(open_store: OpenStore) -> None:
    manifest = manifest_of(
        f"{field('title')}, {field('slug', unique=True)}",
        '{"name": "by_title", "fields": ["title"], "unique": false}',
    )
    store = open_store(manifest)
    opened: list[PostgresStore] = []

    def work(tx: TxStore) -> None:
        tx.insert("Note", {"title": "uncommitted"})
        opening = threading.Thread(target=lambda: opened.append(open_store(manifest)))
        opening.start()
        opening.join(5)
        assert opened, "it waits"

    store.transact(work)


@pytest.mark.parametrize("name", ["x" * 64, "\u00fc" * 32, "pg_class"])
def test_names_that_postgres_would_take_for_others_are_refused(open_store: OpenStore, name: str) -> None:
    entity = (
        f'{{"manifest_version": 1, "name": "m", "version": "1", "routes": [], "entities": [{{"name": "{name}",'
        f' "crdt": false, "indexes": [], "fields": [{field("title")}]}}]}}'
    )
    with pytest.raises(DataError, match=name) as refused:
        open_store(parse_manifest(entity))

    assert refused.value.code == "SCHEMA_INIT_FAILED"
