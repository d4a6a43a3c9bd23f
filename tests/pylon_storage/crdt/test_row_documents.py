"""What becomes of documents beside plain use: restarts, other manifests, databases written by hand, no Loro."""

import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import loro
import pytest

from pylon_core import jsontext
from pylon_core.clock import SystemClock
from pylon_core.manifest import AppManifest, parse_manifest
from pylon_http import DataError, DataStore
from pylon_storage import EphemeralStore, NoFaults, SqliteStore
from pylon_workers import D1Store
from tests.strategies.documents import app, entity, field
from tests.support.d1 import LocalD1
from tests.support.documents import Replica, insert, manifest, merge, stored, stored_value

LORO_PACKAGE = Path(__file__).parents[3] / "packages" / "loro"


def opened(path: Path, of: AppManifest | None = None) -> SqliteStore:
    return SqliteStore(
        path / "test.db", of or manifest(), watched={}, visibility="", clock=SystemClock(), faults=NoFaults()
    )


def notes(*fields: dict[str, Any], crdt: bool = True) -> AppManifest:
    return parse_manifest(
        jsontext.encode(app(entities=[entity("Note", fields=[field("title"), *fields], crdt=crdt)]))
    )


def test_a_document_survives_a_restart_and_grows_by_one_peer(tmp_path: Path) -> None:
    store = opened(tmp_path)
    row_id = insert(store, body="a")
    client = Replica(store, row_id)
    store.close()

    store = opened(tmp_path)
    store.transact(lambda tx: tx.update("Note", row_id, {"body": "ab"}))
    store.transact(lambda tx: tx.update("Note", row_id, {"body": "abc"}))

    client.receive()
    assert client.value() == stored_value(store, row_id)
    assert len(client.doc.oplog_vv.to_spans().inner()) == 2
    store.close()


def whole(client: Replica) -> bytes:
    client.doc.commit()
    return client.doc.export(loro.ExportMode.Snapshot())


def as_new_edits(client: Replica) -> bytes:
    client.doc.get_text("body").insert(0, "new ")
    return client.edits()


@pytest.mark.parametrize("old_edits", [whole, as_new_edits])
@pytest.mark.parametrize("body", ["milk", None])
def test_edits_of_the_document_of_a_row_that_was_made_again_are_refused(
    tmp_path: Path, old_edits: Callable[[Replica], bytes], body: str | None
) -> None:
    store = opened(tmp_path)
    row_id = insert(store, body=body)
    client = Replica(store, row_id)
    store.transact(lambda tx: tx.delete("Note", row_id))
    store.transact(lambda tx: tx.insert("Note", {"title": "t", "body": body}, row_id))
    client.doc.get_text("body").insert(0, "old ")

    for _ in range(2):  # the second time into a document
        with pytest.raises(DataError) as refused:
            merge(store, row_id, old_edits(client))
        assert refused.value.code == "CRDT_DECODE_FAILED"
        Replica(store, row_id)

    assert stored_value(store, row_id)["body"] == (body or "")
    store.close()


def test_edits_made_before_any_document_was_had_are_taken(tmp_path: Path) -> None:
    store = opened(tmp_path)
    row_id = insert(store)
    early = loro.LoroDoc()  # type: ignore[no-untyped-call]
    early.get_text("body").insert(0, "early")
    early.commit()

    merge(store, row_id, early.export(loro.ExportMode.Snapshot()))

    assert stored_value(store, row_id)["body"] == "early"
    store.close()


def test_a_document_restored_to_an_older_state_takes_what_a_client_still_has(tmp_path: Path) -> None:
    store = opened(tmp_path)
    row_id = insert(store, body="milk")
    client = Replica(store, row_id)
    store.close()
    backup = (tmp_path / "test.db").read_bytes()
    store = opened(tmp_path)
    client.doc.get_text("body").insert(4, " and honey")
    merge(store, row_id, client.edits())
    store.close()
    (tmp_path / "test.db").write_bytes(backup)

    store = opened(tmp_path)
    store.transact(lambda tx: tx.update("Note", row_id, {"title": "restored"}))
    merge(store, row_id, whole(client))

    assert stored_value(store, row_id)["body"] == "milk and honey"
    store.close()


def test_an_update_of_which_a_part_builds_on_what_is_missing_is_refused_as_a_whole(tmp_path: Path) -> None:
    store = opened(tmp_path)
    row_id = insert(store, body="milk")
    absent, client = Replica(store, row_id), Replica(store, row_id)
    absent.doc.get_text("body").insert(0, "absent ")
    client.doc.get_text("body").insert(4, " and honey")
    client.doc.commit()
    client.doc.import_(absent.edits())
    client.doc.get_text("body").insert(0, "after it, ")
    client.doc.commit()

    with pytest.raises(DataError) as refused:
        merge(store, row_id, client.doc.export(loro.ExportMode.Updates(absent.doc.oplog_vv)))

    assert refused.value.code == "CRDT_DECODE_FAILED"
    assert stored_value(store, row_id)["body"] == "milk"
    store.close()


def test_nobody_renames_a_document(tmp_path: Path) -> None:
    store = opened(tmp_path)
    client = Replica(store, insert(store))
    client.doc.get_map("_pylon").insert("document", "mine")

    with pytest.raises(DataError) as refused:
        client.post()

    assert refused.value.code == "CRDT_DECODE_FAILED"
    store.close()


def test_an_entity_that_has_no_documents_any_more_loses_them(tmp_path: Path) -> None:
    store = opened(tmp_path, notes())
    row_id = insert(store)
    Replica(store, row_id)
    store.close()
    opened(tmp_path, parse_manifest(jsontext.encode(app(entities=[entity("Other")])))).close()

    store = opened(tmp_path, notes())
    assert stored(store, row_id) is not None, "rows and documents of an entity that is not declared stay"
    store.close()
    opened(tmp_path, notes(crdt=False)).close()

    store = opened(tmp_path, notes())
    assert stored(store, row_id) is None
    store.close()


def test_what_is_hidden_leaves_the_documents_with_their_history(tmp_path: Path) -> None:
    def users(*hidden: str) -> AppManifest:
        fields = [field("name"), field("phone", optional=True)]
        auth = {"user": {"entity": "User", "hide": list(hidden)}}
        return parse_manifest(jsontext.encode(app(entities=[entity("User", fields=fields)], auth=auth)))

    def document(of: AppManifest, row_id: str) -> bytes:
        store = opened(tmp_path, of)
        found = store.transact(lambda tx: tx.open_document("User", row_id))
        store.close()
        assert found is not None
        return found

    store = opened(tmp_path, users())
    row_id = store.transact(lambda tx: tx.insert("User", {"name": "ann", "phone": "+49 1"}))["id"]
    store.close()

    assert b"+49 1" in document(users(), row_id)
    hidden = document(users("phone"), row_id)
    assert b"+49 1" not in hidden
    assert document(users("phone"), row_id) == hidden, "it is made anew once"
    assert b"+49 1" in document(users(), row_id)
    assert b"+49 1" not in document(users("phone"), row_id), "nor after it was shown for a while"


@pytest.mark.parametrize("kind", ["lww", "text"])
def test_a_field_that_becomes_another_kind_keeps_its_value(tmp_path: Path, kind: str) -> None:
    other = {"lww": "text", "text": "lww"}[kind]
    store = opened(tmp_path, notes(field("body", crdt=kind)))
    row_id = insert(store, body="kept")
    Replica(store, row_id)
    store.close()

    store = opened(tmp_path, notes(field("body", crdt=other)))
    head = store.head()
    client = Replica(store, row_id)

    assert client.value()["body" if other == "text" else "row"] in ("kept", {"title": "t", "body": "kept"})
    assert [event.delta is None for event in store.changes(head, 9).events] == [False]
    client.doc.get_map("row").insert("title", "x")
    row = client.post()
    assert row == {"id": row_id, "title": "x", "body": "kept"}
    store.close()


def test_a_row_written_past_the_door_wins(tmp_path: Path) -> None:
    store = opened(tmp_path)
    row_id = insert(store, body="a", rank=1)
    client = Replica(store, row_id)
    store.close()
    with apsw.Connection(str(tmp_path / "test.db")) as connection:
        connection.execute("UPDATE Note SET body = 'by hand', rank = 7")

    client.store = store = opened(tmp_path)
    client.doc.get_map("row").insert("title", "x")
    row = client.post()

    assert row is not None
    assert (row["title"], row["body"], row["rank"]) == ("x", "by hand", 7)
    store.close()


def test_a_text_that_becomes_a_list_has_one_item(tmp_path: Path) -> None:
    store = opened(tmp_path, notes(field("tags")))
    row_id = insert(store, tags="one")
    store.close()

    store = opened(tmp_path, notes(field("tags", crdt="list")))

    assert store.get("Note", row_id) == {"id": row_id, "title": "t", "tags": ["one"]}
    store.close()


def test_without_loro_rows_without_documents_are_written_as_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = opened(tmp_path)
    with_one, without = insert(store), insert(store)
    Replica(store, with_one)
    monkeypatch.setitem(sys.modules, "loro", None)
    monkeypatch.delitem(sys.modules, "pylon_storage.crdt.row_document")

    store.transact(lambda tx: tx.update("Note", without, {"title": "x"}))
    for work in (
        lambda tx: tx.open_document("Note", without),
        lambda tx: tx.merge("Note", without, b"x"),
        lambda tx: tx.update("Note", with_one, {"title": "x"}),
    ):
        with pytest.raises(DataError) as caught:
            store.transact(work)
        assert (caught.value.code, caught.value.status) == ("NOT_AVAILABLE", 503)
        assert "pylonsync[crdt]" in (caught.value.hint or "")
    assert store.transact(lambda tx: tx.delete("Note", with_one))
    store.close()


def test_loro_is_loaded_with_the_first_document_only() -> None:
    program = "import sys, pylon_storage, pylon_storage.postgres; sys.exit('loro' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_a_plain_write_of_a_long_text_that_was_edited_all_over_is_quick(tmp_path: Path) -> None:
    store = opened(tmp_path)
    row_id = insert(store, body="")
    client = Replica(store, row_id)
    rng = random.Random(1)
    text = client.doc.get_text("body")
    for _ in range(30_000):
        text.insert(rng.randint(0, text.len_unicode), "x" * 20)
    client.post()
    begun = time.process_time()

    row = store.transact(lambda tx: tx.update("Note", row_id, {"body": "y" + text.to_string()}))

    assert time.process_time() - begun < 0.5
    assert row is not None
    assert row["body"] == "y" + text.to_string() == stored_value(store, row_id)["body"]
    store.close()


def test_d1_has_no_documents() -> None:
    store: DataStore = D1Store(LocalD1(), manifest(), watched={}, visibility="", clock=SystemClock())
    row_id = insert(store, tags=["a"], likes=1)

    for work in (lambda tx: tx.open_document("Note", row_id), lambda tx: tx.merge("Note", row_id, b"x")):
        with pytest.raises(DataError) as caught:
            store.transact(work)
        assert (caught.value.code, caught.value.status) == ("NOT_SUPPORTED", 400)
    row = store.transact(lambda tx: tx.update("Note", row_id, {"tags": ["b"]}))
    assert row == store.get("Note", row_id)
    assert stored(store, row_id) is None
    store.close()


BUN_CLIENT = """
import { LoroDoc } from "loro-crdt";
const snapshot = Buffer.from(process.argv[2], "hex");
const doc = new LoroDoc();
doc.import(snapshot);
const before = doc.version();
const seen = { body: doc.getText("body").toString(), rank: doc.getMap("row").get("rank") };
doc.getText("body").insert(seen.body.length, " from bun 𝄞");
doc.getMap("row").set("rank", 8);
doc.getMap("row").set("score", 1.5);
doc.getCounter("likes").increment(2);
doc.getList("tags").push("bun");
doc.commit();
const update = Buffer.from(doc.export({ mode: "update", from: before })).toString("hex");
console.log(JSON.stringify({ seen, update }));
"""


def bun() -> str | None:
    beside = Path(sys.executable).with_name("bun")
    return str(beside) if beside.exists() else shutil.which("bun")


@pytest.mark.skipif(
    bun() is None or not (LORO_PACKAGE / "node_modules" / "loro-crdt").exists(), reason="needs Bun and loro-crdt"
)
def test_documents_are_those_of_the_clients_library(tmp_path: Path) -> None:
    store = EphemeralStore(manifest(), watched={})
    row_id = insert(store, body="hello", rank=7, likes=1, tags=["a"])
    snapshot = store.transact(lambda tx: tx.open_document("Note", row_id))
    assert snapshot is not None
    script = tmp_path / "client.ts"
    script.write_text(BUN_CLIENT)
    (tmp_path / "node_modules").symlink_to(LORO_PACKAGE / "node_modules")
    program = bun()
    assert program is not None

    ran = subprocess.run(
        [program, str(script), snapshot.hex()], cwd=tmp_path, capture_output=True, check=False, timeout=60
    )

    assert ran.returncode == 0, ran.stderr.decode()
    told = jsontext.decode(ran.stdout)
    assert told["seen"] == {"body": "hello", "rank": 7}
    row = merge(store, row_id, bytes.fromhex(told["update"]))
    assert row is not None
    assert (row["body"], row["rank"], row["score"]) == ("hello from bun 𝄞", 8, 1.5)
    assert (row["likes"], row["tags"]) == (3, ["a", "bun"])
    store.close()
