"""One catalogue in both databases: every search has the same hits, total and counts, every sort the same order."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import pytest

from pylon_core.clock import SystemClock
from pylon_http import DataStore, Search, SearchPage, TxStore
from pylon_storage import NoFaults, SqliteStore
from pylon_storage.postgres import PostgresStore
from tests.support.corpus import Corpus, catalogue
from tests.support.postgres import fresh_database

ROWS = 5_000
SEARCHES = 220
SEED = 20_260
BATCH = 1_000
PLANTED = {
    "z0": {"title": "quixotic zebra", "body": "the one"},
    "z1": {
        "title": "another",
        "body": "quixotic things, and a zebra among other words that say little",
    },
    "z2": {"title": "yet another", "body": "zebra zebra quixotic zebra"},
}
MEMBERS: dict[str, Any] = {"watched": {}, "visibility": "v1", "clock": SystemClock(), "faults": NoFaults()}


class Both(NamedTuple):
    sqlite: DataStore
    postgres: DataStore
    searches: Sequence[Search]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    corpus, manifest = Corpus(SEED), catalogue("english")
    rows = [*corpus.rows(ROWS), *PLANTED.items()]
    sqlite = SqliteStore(tmp_path_factory.mktemp("corpus") / "catalogue.db", manifest, **MEMBERS)
    postgres = PostgresStore(fresh_database(), manifest, **MEMBERS)
    for store in (sqlite, postgres):
        for start in range(0, len(rows), BATCH):
            store.transact(partial(insert, rows[start : start + BATCH]))
        store.transact(change)
    yield Both(sqlite, postgres, list(corpus.searches(SEARCHES)))
    sqlite.close()
    postgres.close()


def insert(rows: list[tuple[str, dict[str, Any]]], tx: TxStore) -> None:
    for row_id, row in rows:
        tx.insert("Product", row, row_id)


def change(tx: TxStore) -> None:
    """Some of them, as if time had passed."""
    for number in range(0, ROWS, 50):
        tx.update("Product", f"p{number:06}", {"title": f"Running {number}"})
        tx.update("Product", f"p{number + 1:06}", {"brand": "Atlas"})
        tx.delete("Product", f"p{number + 2:06}")


def found(store: DataStore, wanted: Search) -> SearchPage:
    with store.read() as reader:
        return reader.search("Product", wanted)


def ids(page: SearchPage) -> list[str]:
    return [row["id"] for row in page.hits]


def test_every_search_finds_and_counts_the_same(both: Both) -> None:
    hits = 0
    for wanted in both.searches:
        one, other = found(both.sqlite, wanted), found(both.postgres, wanted)

        assert one.total == len(one.hits) == other.total, wanted
        assert sorted(ids(one)) == sorted(ids(other)), wanted
        if wanted.sort is not None:
            assert ids(one) == ids(other), wanted
        assert counted(one) == counted(other), wanted
        hits += one.total
    assert hits > SEARCHES * 20, "searches that find nothing show nothing"


def counted(page: SearchPage) -> dict[str, list[tuple[str, int]]]:
    """With their order."""
    return {facet: list(values.items()) for facet, values in page.facet_counts.items()}


def test_both_put_the_row_first_whose_title_says_it(both: Both) -> None:
    for store in (both.sqlite, both.postgres):
        for text in ("quixotic", "quixotic zebra", '"quixotic zebra"', "quixo*"):
            assert ids(found(store, Search(text=text)))[0] == "z0", text
