"""Graphs: related rows under the read policy of every level, one statement for each relation, within bounds."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from pylon_http import DataStore, Reader, Row, expansion
from pylon_http.graph import LEVELS_MAX
from pylon_router import graph as graph_route
from pylon_router.params import ROWS_MAX
from tests.support.data_api import Answer, DataApi
from tests.support.related import RELATED

Graph = dict[str, Any]


@pytest.fixture
def api() -> Iterator[DataApi]:
    opened = DataApi(RELATED)
    opened.add("Person", "ann", name="Ann", passwordHash="h4sh", _flags="fl4g")
    opened.add("Person", "ben", name="Ben")
    opened.add("Vault", "v1", title="secret", projectId="p1")
    opened.add("Project", "p1", ownerId="alice", title="One", leadId="ann", vaultId="v1", _auditId="ben")
    opened.add("Project", "p2", ownerId="bob", title="Two", public=True, leadId="gone")
    opened.add("Project", "p3", ownerId="bob", title="Three", leadId="ann")
    for number in range(6):
        opened.add(
            "Task",
            f"t{number}",
            title=f"task {number}",
            ownerId="alice" if number % 2 == 0 else "bob",
            public=number == 5,
            projectId="p1" if number < 4 else "p2",
            rank=10 - number,
            authorId="ann" if number < 3 else "ben",
        )
    yield opened
    opened.store.close()


def ask(api: DataApi, graph: Any, as_user: str = "alice") -> Answer:
    return api.send("POST", "/api/query", as_user, graph)


def ids(rows: list[Row]) -> list[str]:
    return [row["id"] for row in rows]


def test_entities_come_in_the_order_given_each_as_filtered(api: DataApi) -> None:
    answered = ask(
        api,
        {
            "Task": {"where": {"rank": {"$gt": 5}, "$order": {"rank": "asc"}, "$limit": 5, "$offset": 1}},
            "Project": {"limit": 1},
            "Person": {},
        },
    )

    assert answered.status == 200
    assert list(answered.json) == ["Task", "Project", "Person"]
    assert ids(answered.json["Task"]) == ["t2", "t0"]
    assert ids(answered.json["Project"]) == ["p1"]
    assert ids(answered.json["Person"]) == ["ann", "ben"]


@pytest.mark.parametrize(("where", "limit", "count"), [(3, None, 3), (3, 2, 2), (2, 3, 2), (None, 0, 0)])
def test_the_smaller_of_two_limits_counts(api: DataApi, where: int | None, limit: int | None, count: int) -> None:
    answered = ask(api, {"Task": {"where": {"$limit": where}, "limit": limit}}, "admin")

    assert len(answered.json["Task"]) == count


def test_a_relation_to_one_is_the_row_or_absent(api: DataApi) -> None:
    projects = ask(api, {"Project": {"include": {"lead": {}, "numbered": True}}}).json["Project"]

    assert projects[0]["lead"] == {"id": "ann", "name": "Ann"}
    assert projects[0]["leadId"] == "ann"
    assert "lead" not in projects[1]
    assert all("numbered" not in project for project in projects)


def test_a_relation_to_many_is_an_array_of_the_readable_rows(api: DataApi) -> None:
    projects = ask(api, {"Project": {"include": {"tasks": {}, "ranked": {}}}}).json["Project"]

    assert [ids(project["tasks"]) for project in projects] == [["t0", "t2"], ["t4", "t5"]]
    assert [project["ranked"] for project in projects] == [[], []]


def test_an_include_has_a_filter_an_order_and_a_limit_for_each_row(api: DataApi) -> None:
    tasks = {"where": {"rank": {"$lt": 10}, "$order": {"rank": "asc"}}, "limit": 1}

    projects = ask(api, {"Project": {"include": {"tasks": tasks}}}, "admin").json["Project"]

    assert [ids(project["tasks"]) for project in projects] == [["t3"], ["t5"], []]


def test_a_filter_on_a_relation_to_one_leaves_it_out(api: DataApi) -> None:
    projects = ask(api, {"Project": {"include": {"lead": {"where": {"name": "Ben"}}}}}).json["Project"]

    assert all("lead" not in project for project in projects)


def test_includes_nest(api: DataApi) -> None:
    graph: Graph = {"Person": {"include": {"wrote": {"include": {"project": {"include": {"lead": {}}}}}}}}

    ann, ben = ask(api, graph).json["Person"]

    assert [(task["id"], task["project"]["id"], task["project"]["lead"]["id"]) for task in ann["wrote"]] == [
        ("t0", "p1", "ann"),
        ("t2", "p1", "ann"),
    ]
    assert [(task["id"], task["project"]["id"], task["project"].get("lead")) for task in ben["wrote"]] == [
        ("t4", "p2", None),
        ("t5", "p2", None),
    ]


@pytest.mark.parametrize(
    ("as_user", "visible"),
    [("alice", {"p1", "p2"}), ("guest", {"p2"}), ("bob", {"p2", "p3"})],
)
def test_the_policy_of_a_target_holds_wherever_it_stands(api: DataApi, as_user: str, visible: set[str]) -> None:
    graph: Graph = {"Person": {"include": {"leads": {}, "wrote": {"include": {"project": {}}}}}}

    people = ask(api, graph, as_user).json["Person"]

    led = {row["id"] for person in people for row in person["leads"]}
    projects = {task["project"]["id"] for person in people for task in person["wrote"] if "project" in task}
    assert led <= visible
    assert projects == visible - {"p3"}


def test_a_hidden_target_looks_like_one_that_is_not_there(api: DataApi) -> None:
    api.add("Task", "hidden", title="a", ownerId="alice", projectId="p3", authorId="ann")
    api.add("Task", "dangling", title="a", ownerId="alice", projectId="none", authorId="ann")

    tasks = ask(api, {"Task": {"where": {"title": "a"}, "include": {"project": {}}}}).json["Task"]

    assert [sorted(task) for task in tasks] == [sorted(tasks[0])] * 2
    assert "project" not in tasks[0]


def test_an_entity_that_nobody_may_read_is_refused_at_the_top_and_empty_below(api: DataApi) -> None:
    refused = ask(api, {"Project": {}, "Vault": {}})
    below = ask(api, {"Project": {"include": {"vault": {}, "notes": {}}}})

    assert (refused.status, refused.code) == (403, "POLICY_DENIED")
    assert below.status == 200
    assert all(project["notes"] == [] and "vault" not in project for project in below.json["Project"])
    assert ids(ask(api, {"Vault": {}}, "admin").json["Vault"]) == ["v1"]


@pytest.mark.parametrize("as_user", ["alice", "admin"])
def test_no_level_shows_a_secret(api: DataApi, as_user: str) -> None:
    graph: Graph = {
        "Person": {"include": {"leads": {"include": {"lead": {}}}}},
        "Project": {"include": {"lead": {}}},
    }

    text = str(ask(api, graph, as_user).json)

    assert "p1" in text
    assert [word for word in ("h4sh", "fl4g", "passwordHash", "_flags", "_auditId") if word in text] == []


@pytest.mark.parametrize(
    "lead",
    [
        {"where": {"passwordHash": {"$like": "h"}}},
        {"where": {"$or": [{"name": "x"}, {"_flags": "fl4g"}]}},
        {"where": {"$order": {"passwordHash": "asc"}}},
        {"include": {"wrote": {"include": {"author": {"where": {"_flags": "x"}}}}}},
    ],
    ids=["where", "or", "order", "deep"],
)
def test_no_level_is_asked_about_a_secret(api: DataApi, lead: dict[str, Any]) -> None:
    graph = {"Project": {"include": {"lead": lead}}}

    assert (ask(api, graph).status, ask(api, graph).code) == (400, "INVALID_COLUMN")
    assert ask(api, graph, "admin").status == 200


@pytest.mark.parametrize(
    "graph",
    [
        {"Project": {"include": {"audit": {}}}},
        {"Person": {"include": {"audits": {}}}},
        {"Project": {"include": {"nope": {}}}},
        {"Project": {"include": {"tasks": {"include": {"tasks": {}}}}}},
    ],
    ids=["secret field", "secret field of the target", "unknown", "unknown below"],
)
def test_a_relation_that_is_none_is_refused(api: DataApi, graph: dict[str, Any]) -> None:
    refused = ask(api, graph)

    assert (refused.status, refused.code) == (400, "RELATION_NOT_FOUND")


def test_an_admin_follows_secret_relations(api: DataApi) -> None:
    projects = ask(api, {"Project": {"include": {"audit": {}}}}, "admin").json["Project"]

    assert projects[0]["audit"]["id"] == "ben"


def _deep(levels: int) -> dict[str, Any]:
    wanted: dict[str, Any] = {}
    for level in range(levels):
        wanted = {"include": {"wrote" if (levels - level) % 2 else "author": wanted}}
    return {"Person": wanted}


@pytest.mark.parametrize(
    ("graph", "code"),
    [
        (None, "INVALID_JSON"),
        ([], "INVALID_QUERY"),
        ({}, "INVALID_QUERY"),
        ("Project", "INVALID_QUERY"),
        ({"Project": []}, "INVALID_QUERY"),
        ({"Project": None}, "INVALID_QUERY"),
        ({"Project": {"order": {}}}, "INVALID_QUERY"),
        ({"Project": {"where": []}}, "INVALID_QUERY"),
        ({"Project": {"where": {"title": {"$near": 1}}}}, "INVALID_QUERY"),
        ({"Project": {"limit": -1}}, "INVALID_QUERY"),
        ({"Project": {"limit": "5"}}, "INVALID_QUERY"),
        ({"Project": {"include": ["lead"]}}, "INVALID_QUERY"),
        ({"Project": {"include": {"lead": False}}}, "INVALID_QUERY"),
        ({"Project": {"include": {"lead": {"limit": 1.5}}}}, "INVALID_QUERY"),
        ({"Project": {"include": {"tasks": {"where": {"$offset": 1}}}}}, "INVALID_QUERY"),
        ({"Project": {"where": {"nope": 1}}}, "INVALID_COLUMN"),
        ({"Project": {"include": {"vault": {"where": {"nope": 1}}}}}, "INVALID_COLUMN"),
        ({"Project": {"limit": 0, "include": {"tasks": {"where": {"nope": 1}}}}}, "INVALID_COLUMN"),
        (_deep(LEVELS_MAX + 1), "INVALID_QUERY"),
        ({"Person": {"include": {"wrote": {"include": {"nope": {}}}}}}, "RELATION_NOT_FOUND"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_graph_that_means_nothing_is_refused(api: DataApi, graph: object, code: str) -> None:
    refused = ask(api, graph)

    assert (refused.status, refused.code) == (400, code)


def test_an_unknown_entity_is_not_found(api: DataApi) -> None:
    assert (ask(api, {"Nope": {}}).status, ask(api, {"Nope": {}}).code) == (404, "ENTITY_NOT_FOUND")


def test_as_many_levels_as_are_allowed_are_read(api: DataApi) -> None:
    assert ask(api, _deep(LEVELS_MAX)).status == 200


def test_a_graph_has_so_many_selections_and_no_more(api: DataApi, monkeypatch: pytest.MonkeyPatch) -> None:
    graph: Graph = {"Person": {"include": {"wrote": {"include": {"project": {}}}, "leads": {}}}, "Project": {}}

    monkeypatch.setattr("pylon_http.graph.SELECTIONS_MAX", 5)
    assert ask(api, graph).status == 200
    monkeypatch.setattr("pylon_http.graph.SELECTIONS_MAX", 4)
    assert (ask(api, graph).status, ask(api, graph).code) == (400, "INVALID_QUERY")


class CountingStore:
    """Passes a store's snapshots on and counts the statements that are read from each."""

    def __init__(self, store: DataStore) -> None:
        self._store = store
        self.statements: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    @contextmanager
    def read(self) -> Iterator[Reader]:
        with self._store.read() as reader:
            self.statements.append(0)
            yield CountingReader(self, reader)


class CountingReader:
    def __init__(self, counting: CountingStore, reader: Reader) -> None:
        self._counting = counting
        self._reader = reader

    def __getattr__(self, name: str) -> Any:
        self._counting.statements[-1] += 1
        return getattr(self._reader, name)


@pytest.mark.parametrize("projects", [0, 3, 60])
def test_every_relation_is_one_statement_of_one_snapshot(api: DataApi, projects: int) -> None:
    for number in range(projects):
        row = api.add("Project", title="many", ownerId="alice", leadId="ann" if number % 2 else "ben")
        for _ in range(3):
            api.add("Task", title="x", ownerId="alice", projectId=row["id"], authorId="ann")
    counting = CountingStore(api.store)
    api.reconfigure(store=counting)

    answered = ask(
        api,
        {
            "Project": {
                "where": {"title": "many"},
                "include": {"lead": {}, "tasks": {"include": {"author": {}}, "limit": 2}},
            },
            "Person": {},
        },
    )

    assert [len(project["tasks"]) for project in answered.json["Project"]] == [2] * projects
    assert counting.statements == [5]


def test_no_entity_has_more_rows_than_a_list(api: DataApi) -> None:
    api.store.transact(lambda tx: [tx.insert("Person", {"name": "x"}) for _ in range(ROWS_MAX)])

    cut = ask(api, {"Person": {}, "Project": {}})
    limited = ask(api, {"Person": {"limit": ROWS_MAX}, "Project": {}})

    assert (len(cut.json["Person"]), cut.headers) == (ROWS_MAX, {"X-Pylon-Truncated": "true"})
    assert (len(limited.json["Person"]), limited.headers) == (ROWS_MAX, {})
    assert len(cut.json["Project"]) == 2


def _rows_in(value: Any) -> int:
    if isinstance(value, list):
        return sum(_rows_in(item) for item in value)
    return (1 if "id" in value else 0) + sum(
        _rows_in(item) for item in value.values() if isinstance(item, dict | list)
    )


@pytest.mark.parametrize("room", [1, 2, 7, 20, 60])
def test_an_answer_is_bounded_however_often_rows_include_each_other(
    api: DataApi, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    monkeypatch.setattr(graph_route, "GRAPH_ROWS_MAX", room)
    inner: Graph = {"author": {"include": {"wrote": {"include": {"author": {"include": {"wrote": {}}}}}}}}

    answered = ask(api, {"Task": {"include": inner}, "Person": {}}, "admin")

    assert answered.headers == {"X-Pylon-Truncated": "true"}
    assert _rows_in(answered.json) <= room
    assert _rows_in(answered.json) > room * 0.6


def test_what_fits_the_bound_exactly_is_whole(api: DataApi, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = ask(api, {"Task": {"include": {"author": {}}}}, "admin")
    monkeypatch.setattr(graph_route, "GRAPH_ROWS_MAX", _rows_in(whole.json))

    again = ask(api, {"Task": {"include": {"author": {}}}}, "admin")

    assert (again.json, again.headers) == (whole.json, {})


def test_a_relation_may_hide_the_field_it_goes_by() -> None:
    document = {**RELATED, "entities": [*RELATED["entities"]]}
    task = next(entity for entity in document["entities"] if entity["name"] == "Task")
    hiding = {**task, "relations": [{**task["relations"][1], "name": "authorId"}, *task["relations"]]}
    document["entities"] = [hiding if entity is task else entity for entity in document["entities"]]
    api = DataApi(document)
    try:
        api.add("Person", "ann", name="Ann")
        api.add("Task", "t", title="a", ownerId="alice", authorId="ann")

        (found,) = ask(api, {"Task": {"include": {"authorId": {}, "author": {}}}}).json["Task"]
    finally:
        api.store.close()

    assert found["authorId"] == found["author"] == {"id": "ann", "name": "Ann"}


def test_the_rows_of_a_relation_are_those_of_the_rows_shown(api: DataApi) -> None:
    projects = ask(api, {"Project": {"where": {"$limit": 1}, "include": {"tasks": {}}}}, "admin").json["Project"]

    assert [ids(project["tasks"]) for project in projects] == [["t0", "t1", "t2", "t3"]]


def test_a_large_row_that_many_lead_to_is_counted_each_time(api: DataApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expansion, "CHARS_MAX", 25_000)
    api.add("Person", "zed", name="z" * 10_000)
    for number in range(4):
        api.add("Project", f"z{number}", ownerId="alice", title="Z", leadId="zed")

    answered = ask(api, {"Project": {"where": {"leadId": "zed"}, "include": {"lead": {}}}})

    assert ["lead" in project for project in answered.json["Project"]] == [True, True, False, False]
    assert answered.headers["X-Pylon-Truncated"] == "true"


def test_what_may_not_be_read_takes_no_room(api: DataApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expansion, "CHARS_MAX", 1_000)
    api.add("Person", "zed", name="Zed", passwordHash="h" * 1_000)

    answered = ask(api, {"Person": {"where": {"name": "Zed"}}})

    assert ids(answered.json["Person"]) == ["zed"]
    assert "X-Pylon-Truncated" not in answered.headers
