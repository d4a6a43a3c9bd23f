"""The rows of ``bench.data``: a shop's items with text, twenty categories and a hundred owners, and their loading.

The words of a text are as frequent as those of a language, by Zipf's law. What is loaded is what the API would
have stored: rows, log entries, indexes. On SQLite the rows go through the store, without the text index, which the
store then builds at its next opening, as for an app that is given a search; on Postgres rows and log entries go in
by COPY, and the index is built likewise.
"""

import json
import random
import secrets
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import accumulate, islice, product
from pathlib import Path
from typing import Any

import psycopg

from pylon_auth import SessionStore
from pylon_core.clock import SystemClock
from pylon_core.ids import RowIds
from pylon_core.manifest import AppManifest, parse_manifest
from pylon_policy import PolicyEngine
from pylon_runtime.app_folder import LoadedManifest
from pylon_runtime.stores import Database, PostgresDatabase, SqliteFile, open_store
from pylon_storage import NoFaults, SqlSessionBackend

CALLER = "owner0"
OWNERS = 100
COSTLY = 500
"""Half of the prices are at least that."""
CATEGORIES = 20
LOAD_ROWS = 5_000
"""Rows of one transaction."""

FIELDS = (
    ("owner", "string"),
    ("title", "string"),
    ("body", "richtext"),
    ("category", "string"),
    ("price", "float"),
    ("stock", "int"),
    ("listedAt", "datetime"),
)
SEARCH = {"text": ["title", "body"], "facets": ["category"], "sortable": ["price"]}


def manifest_document(*, search: bool) -> dict[str, Any]:
    fields = [{"name": name, "type": kind, "optional": name == "price", "unique": False} for name, kind in FIELDS]
    entity = {
        "name": "Item",
        "fields": fields,
        "indexes": [{"name": "by_owner", "fields": ["owner"], "unique": False}],
        "crdt": False,
    }
    return {
        "manifest_version": 1,
        "name": "bench",
        "version": "1",
        "routes": [],
        "entities": [{**entity, "search": SEARCH} if search else entity],
        "policies": [{"name": "own", "entity": "Item", "allow": "data.owner == auth.userId"}],
    }


WORDS = ["".join(letters) for letters in islice(product("bdfkmpt", "aiou", "bdfkmpt", "aiou", "kmp"), 2_000)]
_FREQUENCIES = list(accumulate(1 / rank for rank in range(1, len(WORDS) + 1)))
SEARCHED = (WORDS[19], WORDS[49])
"""One row in 12 has the first, one in 30 the second."""


def item(chance: random.Random, owner: str) -> dict[str, Any]:
    words = chance.choices(WORDS, cum_weights=_FREQUENCIES, k=15)
    return {
        "owner": owner,
        "title": " ".join(words[:3]),
        "body": " ".join(words[3:]),
        "category": f"c{chance.randrange(CATEGORIES)}",
        "price": None if chance.random() < 0.1 else chance.randrange(100_000) / 100,
        "stock": chance.randrange(1_000),
        "listedAt": f"2026-{chance.randrange(1, 13):02d}-{chance.randrange(1, 28):02d}T12:00:00Z",
    }


@dataclass
class Owned:
    """What the caller is to find, counted while the rows are made."""

    ids: list[str] = field(default_factory=list)
    in_category: Counter[str] = field(default_factory=Counter)
    stock: Counter[str] = field(default_factory=Counter)
    costly: Counter[str] = field(default_factory=Counter)
    found: int = 0
    """Rows with both words that are searched for."""

    def note(self, row_id: str, row: dict[str, Any]) -> None:
        self.ids.append(row_id)
        self.in_category[row["category"]] += 1
        self.stock[row["category"]] += row["stock"]
        self.costly[row["category"]] += (row["price"] or 0) >= COSTLY
        words = {*row["title"].split(), *row["body"].split()}
        self.found += words.issuperset(SEARCHED)


@dataclass(frozen=True)
class Loaded:
    owned: Owned
    token: str
    rows_s: float
    index_s: float
    """How long the rows took, and the text index."""


def load(database: Database, count: int, share: float) -> Loaded:
    """Fill an empty database; ``share`` of the rows are the caller's, who is signed in."""
    clock, owned = SystemClock(), Owned()
    rows = _rows(count, share, owned)
    begun = clock.monotonic()
    plain = open_store(database, _loaded(search=False), clock, NoFaults())
    try:
        if isinstance(database, SqliteFile):
            while group := list(islice(rows, LOAD_ROWS)):
                plain.transact(lambda tx, group=group: [tx.insert("Item", row, row_id) for row_id, row in group])  # type: ignore[misc]
    finally:
        plain.close()
    if isinstance(database, PostgresDatabase):
        _copy(database.url, rows)
    filled = clock.monotonic()
    store = open_store(database, _loaded(search=True), clock, NoFaults())
    try:
        sessions = SessionStore(SqlSessionBackend(store.tables), clock, secrets.token_bytes)
        token = sessions.create(CALLER).token
    finally:
        store.close()
    return Loaded(owned, token, filled - begun, clock.monotonic() - filled)


def _rows(count: int, share: float, owned: Owned) -> Iterator[tuple[str, dict[str, Any]]]:
    chance, ids = random.Random(7), RowIds(SystemClock())
    for _ in range(count):
        owner = CALLER if chance.random() < share else f"owner{chance.randrange(1, OWNERS)}"
        row_id, row = ids.next(), item(chance, owner)
        if owner == CALLER:
            owned.note(row_id, row)
        yield row_id, row


def _copy(url: str, rows: Iterable[tuple[str, dict[str, Any]]]) -> None:
    """The log entries stand in a second list until the rows are in: COPY does one table at a time."""
    names = ["id", *(name for name, _ in FIELDS)]
    columns = ", ".join(f'"{name}"' for name in names)
    now_ms = time.time_ns() // 1_000_000
    seq = 0
    rest = iter(rows)
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        while group := list(islice(rest, 20 * LOAD_ROWS)):
            with cursor.copy(f'COPY "Item" ({columns}) FROM STDIN') as copy:
                for row_id, row in group:
                    copy.write_row((row_id, *row.values()))
            with cursor.copy("COPY _pylon_changes FROM STDIN") as copy:
                for row_id, row in group:
                    seq += 1
                    data = json.dumps({"id": row_id, **row})
                    copy.write_row((seq, "Item", row_id, "insert", data, None, now_ms, None))
        cursor.execute("SELECT setval('_pylon_changes_seq', %s)", (seq,))
        connection.commit()
        connection.autocommit = True
        cursor.execute("VACUUM ANALYZE")


def _loaded(*, search: bool) -> LoadedManifest:
    """With the policies of the whole manifest, so that the log is taken for its own."""
    return LoadedManifest(_manifest(search=search), PolicyEngine(_manifest(search=True), default_allow=False), ())


def _manifest(*, search: bool) -> AppManifest:
    return parse_manifest(json.dumps(manifest_document(search=search)))


def prepare_folder(folder: Path) -> None:
    (folder / "pylon.manifest.json").write_text(json.dumps(manifest_document(search=True)))
