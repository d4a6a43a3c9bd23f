"""Search finds the same on every engine: its words, facets, order, upkeep (contract 12 §11).

``finds`` and ``words_of`` are a second, plain reading of ``docs/search.md`` that the engines are compared with.
"""

import unicodedata
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pylon_core import jsontext
from pylon_core.manifest import parse_manifest
from pylon_http import Condition, DataError, DataStore, Filter, Search, SearchPage, TxStore
from pylon_http.aggregates import parse_aggregation
from pylon_http.filters import parse_where
from tests.conformance.conftest import ADAPTERS
from tests.strategies.documents import app, entity, field


def optional(name: str, type_: str = "string") -> dict[str, Any]:
    return field(name, type_, optional=True)


MANIFEST = parse_manifest(
    jsontext.encode(
        app(
            entities=[
                entity(
                    "Item",
                    fields=[
                        optional("title"),
                        optional("body", "richtext"),
                        optional("brand"),
                        optional("price", "float"),
                        optional("stock", "int"),
                        optional("used", "bool"),
                        optional("since", "datetime"),
                        optional("ownerId"),
                    ],
                    search={
                        "text": ["title", "body"],
                        "facets": ["brand", "price", "stock", "used", "since"],
                        "sortable": ["price", "brand", "title"],
                    },
                ),
                entity("Doc", fields=[optional("rank")], search={"text": ["rank"], "language": "english"}),
                entity("Facets", fields=[optional("kind")], search={"facets": ["kind"]}),
                entity("Plain", fields=[optional("title")]),
            ]
        )
    )
)

ITEMS: dict[str, dict[str, Any]] = {
    "a": {"title": "Red running shoes", "body": "For the café", "brand": "Atlas", "price": 4.0, "used": True},
    "b": {
        "title": "Blue shoe",
        "body": "red-ish, with laces; red, red",
        "brand": "Bolt",
        "price": 4.5,
        "used": False,
    },
    "c": {"title": "Red hat", "body": None, "brand": "Bolt", "price": None, "stock": 3, "ownerId": "alice"},
    "d": {"title": "東京タワー", "body": "Tokyo's tower", "brand": "", "price": 1e300, "stock": -(2**60)},
    "e": {"title": None, "body": None, "brand": None, "since": "2026-05-02T22:22:53+02:00"},
}


@pytest.fixture(params=ADAPTERS)
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DataStore]:
    opened = ADAPTERS[request.param](MANIFEST, tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def filled(empty: DataStore) -> DataStore:
    """The items, to be changed."""
    empty.transact(fill)
    return empty


@pytest.fixture(scope="module", params=ADAPTERS)
def items(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DataStore]:
    """The items, not to be changed."""
    opened = ADAPTERS[request.param](MANIFEST, tmp_path_factory.mktemp("search"))
    opened.transact(fill)
    yield opened
    opened.close()


def fill(tx: TxStore) -> None:
    for row_id, row in ITEMS.items():
        tx.insert("Item", row, row_id)


def search(store: DataStore, entity_name: str = "Item", **wanted: Any) -> SearchPage:
    with store.read() as reader:
        return reader.search(entity_name, Search(**wanted))


def ids(store: DataStore, entity_name: str = "Item", **wanted: Any) -> list[str]:
    return [row["id"] for row in search(store, entity_name, **wanted).hits]


def found(store: DataStore, text: str, entity_name: str = "Item") -> list[str]:
    return sorted(ids(store, entity_name, text=text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "abcde"),
        ('🎉 * - "', "abcde"),
        ("red", "abc"),
        ("RED shoes", "a"),
        ("shoe", "b"),
        ("sho*", "ab"),
        ('"red hat"', "c"),
        ('"hat red"', ""),
        ("red-ish", "b"),
        ("ish-with", "b"),
        ('"shoe red"', ""),
        ("cafe", "a"),
        ("CAFÉ", "a"),
        ("tokyo's", "d"),
        ("京タ", "d"),
        ("東タ", ""),
        ("-red", "de"),
        ("-red -tower", "e"),
        ("red -sho*", "c"),
        ('red -"red hat"', "ab"),
        ("nothing", ""),
        ("red OR hat", ""),
        ("title:red", ""),
    ],
)
def test_a_search_finds(items: DataStore, text: str, expected: str) -> None:
    assert found(items, text) == list(expected)


def test_the_best_hit_comes_first(items: DataStore) -> None:
    assert ids(items, text="red")[-1] == "b", "the title weighs more than the text, however often it says so"
    assert ids(items, text="-nothing") == ["a", "b", "c", "d", "e"]


def test_stems_are_found_and_beginnings_of_words_as_they_are_written(empty: DataStore) -> None:
    empty.transact(lambda tx: tx.insert("Doc", {"rank": "The houses were running"}, "r"))

    for text in ("house", "housing", '"house were"', "run", "running", "runni*", "ho* -walk"):
        assert found(empty, text, "Doc") == ["r"], text
    for text in ("-house", "runny*", "walk", '"running house"', "-runni*"):
        assert found(empty, text, "Doc") == [], text


def test_hits_are_whole_rows_and_total_counts_every_page(items: DataStore) -> None:
    page = search(items, text="red", page_size=2)

    assert page.total == 3
    assert len(page.hits) == 2
    assert page.hits[0] == items.get("Item", page.hits[0]["id"])
    assert search(items, text="red", page_size=2, page=9).total == 3


def test_facets_count_the_found_rows_by_value_text(items: DataStore) -> None:
    assert search(items).facet_counts == {
        "brand": {"Bolt": 2, "": 1, "Atlas": 1},
        "price": {"4": 1, "4.5": 1, "1e300": 1},
        "stock": {"-1152921504606846976": 1, "3": 1},
        "used": {"false": 1, "true": 1},
        "since": {"2026-05-02T20:22:53Z": 1},
    }
    assert search(items, text="red", facets=("brand", "nope")).facet_counts == {"brand": {"Bolt": 2, "Atlas": 1}}
    assert list(search(items, facets=("brand",)).facet_counts["brand"]) == ["Bolt", "", "Atlas"]
    assert search(items, text="nothing").facet_counts == {}


def test_a_facets_own_filter_does_not_narrow_its_counts(items: DataStore) -> None:
    page = search(items, filters={"brand": "Bolt", "used": False}, facets=("brand", "used", "stock"))

    assert [row["id"] for row in page.hits] == ["b"]
    assert page.total == 1
    assert page.facet_counts == {"brand": {"Bolt": 1}, "used": {"false": 1}}
    assert search(items, filters={"brand": "Bolt"}, facets=("brand", "stock")).facet_counts == {
        "brand": {"Bolt": 2, "": 1, "Atlas": 1},
        "stock": {"3": 1},
    }


def test_only_the_hundred_most_frequent_values_are_counted(empty: DataStore) -> None:
    def fill(tx: TxStore) -> None:
        for number in range(120):
            tx.insert("Facets", {"kind": f"{number:03}"})
        tx.insert("Facets", {"kind": "119"})

    empty.transact(fill)

    counts = search(empty, "Facets").facet_counts["kind"]
    assert list(counts) == ["119", *(f"{number:03}" for number in range(99))]
    assert counts["119"] == 2


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"brand": "Bolt"}, "bc"),
        ({"brand": ""}, "d"),
        ({"brand": None}, ""),
        ({"price": 4}, "a"),
        ({"price": "4"}, "a"),
        ({"price": "4.5"}, "b"),
        ({"stock": 3.0}, "c"),
        ({"used": True}, "a"),
        ({"used": "false"}, "b"),
        ({"since": "2026-05-02T20:22:53Z"}, "e"),
        ({"brand": "Bolt", "used": False}, "b"),
        ({"brand": "' OR 1=1 --"}, ""),
    ],
    ids=repr,
)
def test_a_filter_narrows_the_hits(items: DataStore, filters: dict[str, Any], expected: str) -> None:
    assert sorted(ids(items, filters=filters)) == list(expected)
    assert search(items, filters=filters).total == len(expected)


@pytest.mark.parametrize(
    "wanted",
    [
        {"filters": {"ownerId": "alice"}},
        {"filters": {"nope": 1}},
        {"filters": {"id": "a"}},
        {"filters": {"stock": "many"}},
        {"filters": {"used": "yes"}},
        {"filters": {"brand": 5}},
        {"filters": {"brand": "a\0"}},
        {"sort": ("ownerId", False)},
        {"sort": ("body", True)},
        {"sort": ("nope", True)},
    ],
    ids=repr,
)
def test_what_means_nothing_is_refused(items: DataStore, wanted: dict[str, Any]) -> None:
    with pytest.raises(DataError) as refused:
        search(items, **wanted)

    assert refused.value.code == "INVALID_QUERY"


def test_a_sort_orders_all_rows_and_ties_go_by_id_in_its_direction(items: DataStore) -> None:
    assert ids(items, sort=("brand", False)) == ["e", "d", "a", "b", "c"]
    assert ids(items, sort=("brand", True)) == ["c", "b", "a", "d", "e"]
    assert ids(items, sort=("price", False)) == ["c", "e", "a", "b", "d"]
    assert ids(items, text="red", sort=("price", True)) == ["b", "a", "c"]


@pytest.mark.parametrize("wanted", [{}, {"text": "red"}, {"sort": ("brand", True)}], ids=repr)
def test_pages_cover_everything_once(items: DataStore, wanted: dict[str, Any]) -> None:
    total = search(items, **wanted).total

    paged = [row_id for page in range(total + 1) for row_id in ids(items, page=page, page_size=1, **wanted)]

    assert paged == ids(items, **wanted)


def test_the_condition_holds_for_hits_total_and_every_count(items: DataStore) -> None:
    page = search(items, text="red", condition=Condition('"ownerId" = ?', ("alice",)))

    assert [row["id"] for row in page.hits] == ["c"]
    assert page.total == 1
    assert page.facet_counts == {"brand": {"Bolt": 1}, "stock": {"3": 1}}
    nobody = search(items, condition=Condition('"ownerId" = ?', ("mallory",)))
    assert (nobody.hits, nobody.total, nobody.facet_counts) == ([], 0, {})


def test_an_entity_without_search_has_none(items: DataStore) -> None:
    for ask in (
        lambda: search(items, "Plain"),
        lambda: query(items, {"$search": "a"}, "Plain"),
        lambda: query(items, {"$search": "a"}, "Facets"),
    ):
        with pytest.raises(DataError) as refused:
            ask()
        assert refused.value.code == "SEARCH_NOT_CONFIGURED"


def test_facets_alone_are_counted_whatever_the_text(empty: DataStore) -> None:
    row = empty.transact(lambda tx: tx.insert("Facets", {"kind": "x"}))
    assert search(empty, "Facets", text="ignored").facet_counts == {"kind": {"x": 1}}

    empty.transact(lambda tx: tx.delete("Facets", row["id"]))

    assert search(empty, "Facets").facet_counts == {}


def query(store: DataStore, where: dict[str, Any], entity_name: str = "Item", **rows: Any) -> list[str]:
    with store.read() as reader:
        return [row["id"] for row in reader.query(entity_name, Filter(where=parse_where(where), **rows))]


def test_a_filter_takes_a_search_beside_its_other_terms(items: DataStore) -> None:
    assert query(items, {"$search": "red"}) == ids(items, text="red")
    assert query(items, {"$search": "red", "brand": "Bolt"}) == ["c", "b"]
    assert query(items, {"$search": "red", "title": {"$like": "shoe"}}) == ["a", "b"]
    assert query(items, {"$search": "red"}, order=(("title", True),)) == ["a", "c", "b"]
    assert query(items, {"$search": "red"}, limit=1, offset=1) == ids(items, text="red")[1:2]
    assert sorted(query(items, {"$or": [{"$search": "tower"}, {"brand": "Atlas"}]})) == ["a", "d"]
    assert sorted(query(items, {"$search": 'red " * -'})) == ["a", "b", "c"]
    assert query(items, {"$search": "-red"}) == ["d", "e"]
    assert query(items, {"$search": ""}) == ["a", "b", "c", "d", "e"]
    assert query(items, {"$search": "red", "$and": [{"$search": "hat"}]}) == ["c"]


def test_counts_and_aggregates_take_a_search(items: DataStore) -> None:
    with items.read() as reader:
        assert reader.count("Item", Filter(where=parse_where({"$search": "red"}))) == 3
        wanted = parse_aggregation({"count": "*", "groupBy": ["brand"], "where": {"$search": "red"}})
        assert reader.aggregate("Item", wanted) == [
            {"brand": "Atlas", "count": 1},
            {"brand": "Bolt", "count": 2},
        ]


def test_a_transaction_finds_what_it_wrote_and_others_do_once_it_commits(filled: DataStore) -> None:
    def work(tx: TxStore) -> None:
        tx.insert("Item", {"title": "green"}, "n")
        tx.update("Item", "c", {"title": "Green hat"})
        tx.delete("Item", "b")

        assert [row["id"] for row in tx.search("Item", Search(text="green")).hits] in (["n", "c"], ["c", "n"])
        assert [row["id"] for row in tx.search("Item", Search(text="red")).hits] == ["a"]

    filled.transact(work)

    assert found(filled, "green") == ["c", "n"]
    assert found(filled, "red") == ["a"]


def test_facets_follow_updates_and_deletes(filled: DataStore) -> None:
    filled.transact(lambda tx: tx.update("Item", "a", {"brand": "Bolt", "used": None}))
    filled.transact(lambda tx: tx.delete("Item", "b"))

    assert search(filled, facets=("brand", "used")).facet_counts == {"brand": {"Bolt": 2, "": 1}}


class UndoneError(Exception):
    pass


def test_what_is_undone_is_not_found(filled: DataStore) -> None:
    def change(tx: TxStore) -> None:
        tx.insert("Item", {"title": "green"}, "n")
        tx.update("Item", "a", {"title": "green"})
        tx.delete("Item", "c")

    def undone_in_part(tx: TxStore) -> None:
        tx.insert("Item", {"title": "kept green"}, "k")
        with pytest.raises(UndoneError), tx.savepoint():
            change(tx)
            raise UndoneError

    def undone(tx: TxStore) -> None:
        change(tx)
        raise UndoneError

    filled.transact(undone_in_part)
    with pytest.raises(UndoneError):
        filled.transact(undone)

    assert found(filled, "green") == ["k"]
    assert found(filled, "red") == ["a", "b", "c"]


def test_a_refused_write_leaves_nothing_to_find(filled: DataStore) -> None:
    with pytest.raises(DataError):
        filled.transact(lambda tx: tx.insert("Item", {"title": "green"}, "a"))

    assert found(filled, "green") == []
    assert found(filled, "running") == ["a"]


def test_a_row_too_long_to_keep_whole_is_found_by_its_beginning(empty: DataStore) -> None:
    often, many = "w " * 300 + "end", " ".join(f"n{number}" for number in range(20_000))

    empty.transact(lambda tx: tx.insert("Item", {"title": often, "body": many}, "long"))

    for text, expected in [
        ('"w w"', ["long"]),
        ('"w end"', []),
        ("end", ["long"]),
        ("n15000", ["long"]),
        ("n19999", []),
        ('"end n0"', []),
        ('"n14999 n15000"', ["long"]),
    ]:
        assert found(empty, text) == expected, text


# Any text, any search: what is found is what the plain reading says.

PIECES = ["red", "Red", "shoes", "SHOE", "café", "cafe", "é", "東京", "タ", "x1", "1", "a"]
GLUE = [
    " ",
    "  ",
    "-",
    '"',
    "*",
    "'",
    ".",
    "\0",
    "(",
    ")",
    ":",
    "&",
    "|",
    "!",
    "<->",
    "🎉",
    "\n",
    "^",
    "·",
    "\\",
    "%",
]
texts = st.lists(st.sampled_from([*PIECES, *GLUE, " ", " "]), max_size=8).map("".join)
row_texts = texts.map(lambda text: text.replace("\0", ""))


def words_of(text: str) -> list[str]:
    words, word = [], ""
    for character in unicodedata.normalize("NFKD", text).casefold():
        if unicodedata.category(character) == "Mn":
            continue
        if character in "東京タ":
            words += [word, character]
            word = ""
        elif character.isalpha() or character.isdigit():
            word += character
        else:
            words.append(word)
            word = ""
    return [found_word for found_word in [*words, word] if found_word]


def parts_of(text: str) -> Iterator[str]:
    """Quoted parts with their quotes, everything else cut at spaces."""
    rest = text
    while rest := rest.strip(" \n\x1c"):
        minus = "-" if rest.startswith('-"') else ""
        quoted = rest.removeprefix(minus)
        end = quoted.find('"', 1) if quoted.startswith('"') else -1
        cut = len(minus) + end + 1 if end > 0 else len(rest.split()[0])
        yield rest[:cut]
        rest = rest[cut:]


def finds(text: str, fields: list[str]) -> bool:
    for part in parts_of(text):
        is_quoted = (
            part.lstrip("-")[:1] == '"' and part.endswith('"') and part.count('"') == 2 and part[:2] != "--"
        )
        words = words_of(part)
        if words:
            is_prefix = part.endswith("*") and not is_quoted
            there = any(stands_in(words, words_of(content), is_prefix=is_prefix) for content in fields)
            if there == part.startswith("-"):
                return False
    return True


def stands_in(wanted: list[str], words: list[str], *, is_prefix: bool) -> bool:
    for start in range(len(words) - len(wanted) + 1):
        stretch = words[start : start + len(wanted)]
        if stretch[:-1] == wanted[:-1]:
            last = stretch[-1].startswith(wanted[-1]) if is_prefix else stretch[-1] == wanted[-1]
            if last:
                return True
    return False


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    rows=st.lists(st.tuples(row_texts, row_texts), max_size=6),
    changed=st.lists(st.tuples(st.integers(0, 5), row_texts), max_size=4),
    removed=st.sets(st.integers(0, 5), max_size=2),
    asked=st.lists(texts, min_size=5, max_size=10),
)
def test_any_search_finds_what_the_plain_reading_of_the_syntax_says(
    empty: DataStore,
    rows: list[tuple[str, str]],
    changed: list[tuple[int, str]],
    removed: set[int],
    asked: list[str],
) -> None:
    kept = {f"r{number}": list(row) for number, row in enumerate(rows)}

    def write(tx: TxStore) -> None:
        for row in tx.query("Item", Filter()):
            tx.delete("Item", row["id"])
        for row_id, (title, body) in kept.items():
            tx.insert("Item", {"title": title, "body": body, "brand": title[:1]}, row_id)
        for number, title in changed:
            if tx.update("Item", f"r{number}", {"title": title, "brand": title[:1]}) is not None:
                kept[f"r{number}"][0] = title
        for number in removed:
            if tx.delete("Item", f"r{number}"):
                del kept[f"r{number}"]

    empty.transact(write)

    for text in asked:
        expected = sorted(row_id for row_id, fields in kept.items() if finds(text, fields))
        page = search(empty, text=text, facets=("brand",))
        assert sorted(row["id"] for row in page.hits) == expected, (text, kept)
        assert page.total == len(expected)
        assert page.facet_counts.get("brand", {}) == Counter(kept[row_id][0][:1] for row_id in expected)
        assert sorted(query(empty, {"$search": text})) == expected
