"""The index in SQLite: touched only by writes of text, sound after any of them, and rid of what is deleted."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import apsw
import pytest

from pylon_core import jsontext
from pylon_core.clock import SystemClock
from pylon_core.manifest import SearchDef, parse_manifest
from pylon_http import Row, Search, TxStore
from pylon_storage import NoFaults, SqliteStore
from pylon_storage.search.fts5 import Fts5Index
from pylon_storage.search.index import MakeIndex
from pylon_storage.search.tsvector import TsvectorIndex
from pylon_storage.statements import Columns
from tests.strategies.documents import app, entity, field

MANIFEST = parse_manifest(
    jsontext.encode(
        app(entities=[entity("Note", fields=[field("title"), field("kind")], search={"text": ["title", "kind"]})])
    )
)
WORDS = ["red", "blue", "green", "shoes", "hat"]


class Recorded:
    """Statements that are only counted."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def all(self, text: str, _params: Sequence[Any] = ()) -> list[Columns]:
        self.texts.append(text)
        return []

    def bounded(self, text: str, params: Sequence[Any], _chars_max: int) -> list[Columns]:
        return self.all(text, params)

    def one(self, text: str, params: Sequence[Any] = ()) -> Columns | None:
        self.all(text, params)
        return None

    def write(self, text: str, params: Sequence[Any] = ()) -> None:
        self.all(text, params)


@pytest.mark.parametrize("make", [Fts5Index, TsvectorIndex])
def test_an_update_that_touches_no_text_touches_no_index(make: MakeIndex) -> None:
    index, statements = make("Note", SearchDef(text=("title",))), Recorded()
    row: Row = {"id": "n", "title": "red", "kind": "x"}

    index.replace(statements, row, {"kind": "x"})
    assert statements.texts == []

    index.replace(statements, row, {"title": "red"})
    assert statements.texts


def test_the_index_is_sound_after_many_writes_and_keeps_nothing_of_deleted_rows(tmp_path: Path) -> None:
    store = SqliteStore(
        tmp_path / "notes.db", MANIFEST, watched={}, visibility="", clock=SystemClock(), faults=NoFaults()
    )
    chance = random.Random(7)
    kept: dict[str, str] = {}

    def write(tx: TxStore) -> None:
        row_id, title = f"n{chance.randrange(30)}", " ".join(chance.choices(WORDS, k=4))
        if row_id not in kept:
            tx.insert("Note", {"title": title, "kind": "x"}, row_id)
        elif chance.random() < 0.4:
            tx.delete("Note", row_id)
            del kept[row_id]
            return
        else:
            tx.update("Note", row_id, {"title": title})
        kept[row_id] = title

    for _ in range(400):
        store.transact(write)
    with store.read() as reader:
        for word in WORDS:
            found = {row["id"] for row in reader.search("Note", Search(text=word, page_size=100)).hits}
            assert found == {row_id for row_id, title in kept.items() if word in title.split()}
    store.close()

    connection = apsw.Connection(str(tmp_path / "notes.db"))
    connection.execute("INSERT INTO Note_fts (Note_fts) VALUES ('integrity-check')")
    assert connection.execute("SELECT count(*) FROM Note_fts WHERE Note_fts MATCH 'x'").get == len(kept)
    assert connection.execute("SELECT count(*) FROM Note_fts_docs").get == len(kept)
    connection.close()
