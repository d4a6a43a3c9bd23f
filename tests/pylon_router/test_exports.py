"""``/api/export`` and ``/api/import``: all rows out as one document, and back in."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pylon_core import jsontext
from pylon_http import ChangeKind, Filter, StreamedResponse
from pylon_router import Caller, dispatch, route, row_pages
from pylon_router.imports import ERRORS_MAX
from pylon_router.row_pages import PAGE_BYTES, PAGE_ROWS_MAX, row_texts
from tests.pylon_auth.memory_backend import SetClock
from tests.support.data_api import IDENTITIES, NOTES, DataApi

ADMIN = Caller(IDENTITIES["admin"])


@contextmanager
def opened() -> Iterator[DataApi]:
    api = DataApi(NOTES, clock=SetClock())
    yield api
    api.store.close()


def export(api: DataApi, path: str = "/api/export") -> bytes:
    response = route(api.ctx, "GET", path, b"", ADMIN)
    assert response.status == 200
    return response.body


def load(api: DataApi, document: Any) -> Any:
    answer = api.send("POST", "/api/import", "admin", document)
    assert answer.status == 200
    return answer.json


@pytest.mark.parametrize("path", ["/api/export", "/api/export/Note", "/api/export/Nothing"])
@pytest.mark.parametrize("who", ["anonymous", "guest", "alice"])
def test_exports_are_for_the_administrator(api: DataApi, who: str, path: str) -> None:
    assert api.send("GET", path, who).code == "FORBIDDEN"


def test_an_export_has_every_row_and_secret_fields_too(api: DataApi) -> None:
    later, earlier = api.add("Open", "b", title="later"), api.add("Open", "a", title="earlier")
    user = api.add("User", email="ann@example.org", passwordHash="hash", _flags="f", phone="1")

    document = jsontext.decode(export(api))

    assert list(document) == ["entities", "counts", "exported_at"]
    assert document["entities"]["Open"] == [earlier, later]
    assert document["entities"]["User"] == [user]
    assert document["counts"]["Open"] == 2
    assert document["entities"].keys() == document["counts"].keys() == {e.name for e in api.manifest.entities}


def test_one_entity_can_be_exported_alone(api: DataApi) -> None:
    row = api.add("Open", title="x")

    document = jsontext.decode(export(api, "/api/export/Open"))

    assert (document["entities"], document["counts"]) == ({"Open": [row]}, {"Open": 1})


def test_an_unknown_entity_is_refused_before_anything_is_sent(api: DataApi) -> None:
    answer = api.send("GET", "/api/export/Nothing", "admin")

    assert (answer.status, answer.code) == (404, "ENTITY_NOT_FOUND")


def test_an_export_is_of_one_moment(api: DataApi) -> None:
    api.add("Drop", title="before")
    answer = dispatch(api.ctx, "GET", "/api/export", b"", ADMIN)
    assert isinstance(answer, StreamedResponse)

    pieces = answer.pieces()
    begun = next(pieces) + next(pieces)
    api.add("Todo", title="too late")
    document = jsontext.decode(begun + b"".join(pieces))

    assert document["counts"]["Drop"] == 1
    assert document["counts"]["Todo"] == 0


def test_a_table_is_read_in_pages_that_fit_in_memory(api: DataApi) -> None:
    big = "x" * (PAGE_BYTES // 4)

    def fill(tx: Any) -> None:
        for number in range(3 * PAGE_ROWS_MAX):
            tx.insert("Todo", {"title": str(number)}, f"small_{number:05}")
        for number in range(2 * PAGE_ROWS_MAX):
            tx.insert("Todo", {"title": big}, f"zbig_{number:05}")

    api.store.transact(fill)

    with api.store.read() as reader:
        pages = list(row_texts(reader, "Todo", Filter()))

    assert sum(page.rows for page in pages) == 5 * PAGE_ROWS_MAX
    assert max(page.rows for page in pages) == PAGE_ROWS_MAX
    assert max(len(page.text) for page in pages[-10:]) <= 2 * PAGE_BYTES


def test_closing_an_export_ends_its_reading(api: DataApi) -> None:
    api.add("Open", title="x")
    answer = dispatch(api.ctx, "GET", "/api/export", b"", ADMIN)
    assert isinstance(answer, StreamedResponse)
    pieces = answer.pieces()
    next(pieces)

    pieces.close()

    assert list(pieces) == []
    assert export(api)


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
row_ids = texts.filter(bool)
rows = {
    "Note": st.fixed_dictionaries(
        {"title": texts},
        optional={
            "ownerId": texts | st.none(),
            "done": st.booleans() | st.none(),
            "rank": st.integers(-(2**63), 2**63 - 1) | st.none(),
        },
    ),
    "User": st.fixed_dictionaries(
        {"email": st.uuids().map(str)}, optional={"passwordHash": texts, "_flags": texts}
    ),
}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    notes=st.dictionaries(row_ids, rows["Note"], max_size=30),
    users=st.dictionaries(row_ids, rows["User"], max_size=4),
)
def test_what_was_exported_and_imported_is_exported_the_same(notes: dict[str, Any], users: dict[str, Any]) -> None:
    with opened() as source, opened() as target:
        for entity, found in (("Note", notes), ("User", users)):
            for row_id, data in found.items():
                source.add(entity, row_id, **data)
        document = export(source)

        answer = load(target, document)

        assert (answer["failed"], answer["imported"]) == (0, len(notes) + len(users))
        assert export(target) == document


class TestImport:
    def test_rows_keep_their_ids_and_are_announced(self, api: DataApi) -> None:
        answer = load(api, {"entities": {"Todo": [{"id": "b", "title": "two"}, {"id": "a", "title": "one"}]}})

        assert answer == {
            "by_entity": [{"entity": "Todo", "failed": 0, "inserted": 2}],
            "errors": [],
            "failed": 0,
            "imported": 2,
        }
        assert [(e.kind, e.row_id) for e in api.log()] == [(ChangeKind.INSERT, "b"), (ChangeKind.INSERT, "a")]

    def test_a_row_without_an_id_gets_one(self, api: DataApi) -> None:
        load(api, {"entities": {"Todo": [{"title": "one"}, {"id": None, "title": "two"}]}})

        assert all(len(row["id"]) == 40 for row in api.send("GET", "/api/entities/Todo").json)

    def test_what_is_refused_is_told_and_the_rest_is_stored(self, api: DataApi) -> None:
        document = {
            "entities": {
                "Todo": [
                    {"id": "a", "title": "sound", "__internal__": {"x": 1}},
                    {"id": "a", "title": "same id"},
                    {"id": "b", "title": 7},
                    {"id": "c", "title": "x", "nothing": 1},
                    {"id": "", "title": "x"},
                    {"id": 5, "title": "x"},
                    {"id": "a\0b", "title": "x"},
                    "no row",
                ],
                "Nothing": [{"id": "a"}],
                "Open": {"not": "an array"},
            }
        }

        answer = load(api, document)

        assert answer["by_entity"] == [
            {"entity": "Nothing", "failed": 1, "inserted": 0},
            {"entity": "Todo", "failed": 7, "inserted": 1},
        ]
        assert (answer["failed"], answer["imported"]) == (8, 1)
        assert [(error["entity"], error["id"], error["code"]) for error in answer["errors"]] == [
            ("Nothing", "a", "ENTITY_NOT_FOUND"),
            ("Todo", "a", "INSERT_FAILED"),
            ("Todo", "b", "CRDT_APPLY_FAILED"),
            ("Todo", "c", "INVALID_COLUMN"),
            ("Todo", "", "INVALID_DATA"),
            ("Todo", 5, "INVALID_DATA"),
            ("Todo", "a\0b", "INVALID_DATA"),
            ("Todo", None, "INVALID_DATA"),
        ]
        assert all(error["message"] for error in answer["errors"])

    def test_only_so_many_failures_are_told_one_by_one(self, api: DataApi) -> None:
        answer = load(api, {"entities": {"Todo": [{}] * (ERRORS_MAX + 50)}})

        assert answer["failed"] == ERRORS_MAX + 50
        assert len(answer["errors"]) == ERRORS_MAX

    def test_importing_twice_changes_nothing_more(self, api: DataApi) -> None:
        document = {"entities": {"Todo": [{"id": "a", "title": "one"}]}}
        load(api, document)

        with api.unchanged():
            assert load(api, document)["failed"] == 1

    @pytest.mark.parametrize("body", [{}, {"entities": []}, {"entities": None}], ids=repr)
    def test_entities_must_be_there(self, api: DataApi, body: Any) -> None:
        answer = api.send("POST", "/api/import", "admin", body)

        assert (answer.status, answer.code) == (400, "MISSING_FIELD")


def test_rows_too_large_for_one_page_are_exported_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    api = DataApi()
    for number in range(5):
        api.add("Open", f"r{number}", title="x" * 400)
    monkeypatch.setattr(row_pages, "ANSWER_CHARS_MAX", 1_000)

    exported = api.send("GET", "/api/export/Open", "admin").json
    api.store.close()

    assert [row["id"] for row in exported["entities"]["Open"]] == [f"r{number}" for number in range(5)]
