"""``ctx.db`` beyond single rows: graphs, aggregates and links, on whatever a handler sends."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from pylon_core import jsontext
from pylon_core.clock import SystemClock
from pylon_core.errors import PylonError
from pylon_core.manifest import parse_manifest
from pylon_functions import database
from pylon_functions.database import Operations
from pylon_functions.protocol import Database
from pylon_storage import EphemeralStore
from tests.support.related import RELATED

MANIFEST = parse_manifest(jsontext.encode(RELATED))


@pytest.fixture
def store() -> Iterator[EphemeralStore]:
    opened = EphemeralStore(MANIFEST, watched={})

    def fill(tx: Any) -> None:
        tx.insert("Person", {"name": "Ann", "passwordHash": "h4sh"}, "ann")
        tx.insert("Project", {"title": "One", "leadId": "ann", "budget": 5}, "p1")
        tx.insert("Project", {"title": "Two", "budget": 7}, "p2")
        tx.insert("Task", {"title": "t", "authorId": "ann", "projectId": "p1"}, "t")

    opened.transact(fill)
    yield opened
    opened.close()


OPERATIONS = Operations(MANIFEST, SystemClock())


def frame(op: str, entity: str = "", **operands: Any) -> Database:
    return msgspec.convert({"type": "db", "call_id": "c", "op": op, "entity": entity, **operands}, Database)


def read(store: EphemeralStore, op: str, entity: str = "", **operands: Any) -> Any:
    with store.read() as reader:
        return OPERATIONS.read(reader, frame(op, entity, **operands))


def write(store: EphemeralStore, op: str, entity: str, **operands: Any) -> Any:
    return store.transact(lambda tx: OPERATIONS.write(tx, frame(op, entity, **operands)))


def test_a_graph_shows_whole_rows_of_every_level(store: EphemeralStore) -> None:
    graph = {"Project": {"include": {"tasks": {"include": {"author": {}}}, "lead": {}}, "limit": 1}}

    answer = read(store, "query_graph", data=graph)

    (project,) = answer["Project"]
    assert project["lead"] == project["tasks"][0]["author"]
    assert project["lead"]["passwordHash"] == "h4sh"


def test_a_graph_inside_a_mutation_sees_its_writes(store: EphemeralStore) -> None:
    def work(tx: Any) -> Any:
        OPERATIONS.write(tx, frame("link", "Project", id="p2", relation="lead", target_id="ann"))
        return OPERATIONS.write(tx, frame("query_graph", data={"Person": {"include": {"leads": {}}}}))

    (ann,) = store.transact(work)["Person"]

    assert [project["id"] for project in ann["leads"]] == ["p1", "p2"]


def test_a_graph_that_is_too_large_is_refused_rather_than_cut(
    store: EphemeralStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "GRAPH_ROWS_MAX", 1)

    with pytest.raises(PylonError) as refused:
        read(store, "query_graph", data={"Project": {}})

    assert refused.value.code == "INVALID_QUERY"


def test_an_aggregate_is_an_array_of_rows(store: EphemeralStore) -> None:
    spec = {"count": "*", "sum": ["budget"], "where": {"title": {"$in": ["One", "Two"]}}}

    assert read(store, "aggregate", "Project", data=spec) == [{"count": 2, "sum_budget": 12}]


@pytest.mark.parametrize(
    ("op", "operands", "answer", "held"),
    [
        ("link", {"id": "p2", "relation": "lead", "target_id": "ann"}, {"linked": True}, ("Project", "p2", "ann")),
        (
            "link",
            {"id": "p2", "relation": "lead", "target_id": "none"},
            {"linked": False},
            ("Project", "p2", None),
        ),
        ("link", {"id": "none", "relation": "lead", "target_id": "ann"}, {"linked": False}, None),
        ("link", {"id": "p2", "relation": "lead"}, {"linked": False}, ("Project", "p2", None)),
        ("link", {"relation": "lead", "target_id": "ann"}, {"linked": False}, None),
        ("link", {"id": "p2", "relation": "tasks", "target_id": "t"}, {"linked": True}, ("Task", "t", "p2")),
        ("link", {"id": "none", "relation": "tasks", "target_id": "t"}, {"linked": False}, ("Task", "t", "p1")),
        ("link", {"id": "p2", "relation": "tasks", "target_id": "none"}, {"linked": False}, None),
        ("unlink", {"id": "p1", "relation": "lead"}, {"unlinked": True}, ("Project", "p1", None)),
        (
            "unlink",
            {"id": "p1", "relation": "lead", "target_id": "ben"},
            {"unlinked": False},
            ("Project", "p1", "ann"),
        ),
        ("unlink", {"id": "none", "relation": "lead"}, {"unlinked": False}, None),
        ("unlink", {"relation": "lead"}, {"unlinked": False}, None),
        ("unlink", {"id": "p1", "relation": "tasks", "target_id": "t"}, {"unlinked": True}, ("Task", "t", None)),
        ("unlink", {"id": "p2", "relation": "tasks", "target_id": "t"}, {"unlinked": False}, ("Task", "t", "p1")),
        ("unlink", {"id": "p1", "relation": "tasks", "target_id": "none"}, {"unlinked": False}, None),
    ],
    ids=str,
)
def test_links(
    store: EphemeralStore,
    op: str,
    operands: dict[str, Any],
    answer: dict[str, bool],
    held: tuple[str, str, str | None] | None,
) -> None:
    assert write(store, op, "Project", **operands) == answer
    if held is not None:
        entity, row_id, value = held
        row = store.get(entity, row_id)
        assert row is not None
        assert row["leadId" if entity == "Project" else "projectId"] == value


@pytest.mark.parametrize(
    ("op", "entity", "operands", "code"),
    [
        ("query_graph", "", {}, "INVALID_QUERY"),
        ("query_graph", "", {"data": [1]}, "INVALID_QUERY"),
        ("query_graph", "", {"data": {"Nope": {}}}, "ENTITY_NOT_FOUND"),
        ("query_graph", "", {"data": {"Project": {"include": {"nope": {}}}}}, "RELATION_NOT_FOUND"),
        ("aggregate", "Project", {}, "INVALID_QUERY"),
        ("aggregate", "Project", {"data": {"sum": ["title"]}}, "INVALID_QUERY"),
        ("aggregate", "Nope", {"data": {"count": "*"}}, "ENTITY_NOT_FOUND"),
        ("link", "Project", {"id": "p1", "relation": "nope", "target_id": "ann"}, "RELATION_NOT_FOUND"),
        ("link", "Nope", {"id": "p1", "relation": "lead", "target_id": "ann"}, "ENTITY_NOT_FOUND"),
        ("link", "Project", {"id": "p1", "relation": ["lead"], "target_id": "ann"}, "RELATION_NOT_FOUND"),
        ("unlink", "Task", {"id": "t", "relation": "author"}, "UPDATE_FAILED"),
        ("unlink", "Project", {"id": "p1", "relation": "tasks"}, "INVALID_DATA"),
        ("unlink", "Project", {"id": "p1", "relation": "lead", "target_id": 5}, "INVALID_DATA"),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused(
    store: EphemeralStore, op: str, entity: str, operands: dict[str, Any], code: str
) -> None:
    with pytest.raises(PylonError) as refused:
        write(store, op, entity, **operands)

    assert refused.value.code == code


@pytest.mark.parametrize("op", ["link", "unlink"])
def test_a_query_may_not_link(store: EphemeralStore, op: str) -> None:
    with pytest.raises(PylonError) as refused:
        read(store, op, "Project", id="p1", relation="lead", target_id="ann")

    assert refused.value.code == "NOT_SUPPORTED"
