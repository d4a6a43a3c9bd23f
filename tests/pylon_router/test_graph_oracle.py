"""A graph is what following each relation of each row by hand would give, under the same policies."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pylon_core.manifest import RelationDef
from pylon_http import Filter, Row
from tests.support.data_api import IDENTITIES, DataApi
from tests.support.related import ENGINES, RELATED, related_api

LEVELS = 3
SECRET = {"audit", "audits"}

PEOPLE, PROJECTS, TASKS = ("a", "b", "gone"), ("p", "q", "r", "gone"), ("t", "u", "v", "w", "x")
owners = st.sampled_from(["alice", "bob", None])
flags = st.sampled_from([True, False, None])
ranks = st.sampled_from([None, 0, 1, 2])
projects = st.fixed_dictionaries(
    {
        "ownerId": owners,
        "public": flags,
        "budget": ranks,
        "title": st.sampled_from("xy"),
        "leadId": st.sampled_from([*PEOPLE, None]),
        "_auditId": st.sampled_from([*PEOPLE, None]),
        "vaultId": st.sampled_from(["v1", None]),
    }
)
tasks = st.fixed_dictionaries(
    {
        "ownerId": owners,
        "public": flags,
        "rank": ranks,
        "title": st.sampled_from("xy"),
        "projectId": st.sampled_from([*PROJECTS, None]),
        "authorId": st.sampled_from(PEOPLE),
    }
)

ORDERED = {"Project": ("title", "budget"), "Task": ("title", "rank"), "Person": ("name",), "Vault": ("title",)}
TARGETS = {
    entity["name"]: {relation["name"]: relation["target"] for relation in entity.get("relations", [])}
    for entity in RELATED["entities"]
}


@st.composite
def selections(draw: st.DrawFn, entity: str, level: int) -> dict[str, Any]:
    where: dict[str, Any] = {}
    if draw(st.booleans()):
        where[ORDERED[entity][0]] = draw(
            st.sampled_from(["x", {"$not": "x"}, {"$exists": True}, {"$in": ["x", "y"]}])
        )
    if draw(st.booleans()):
        where["$order"] = {
            name: draw(st.sampled_from(["asc", "desc"])) for name in draw(st.permutations(ORDERED[entity]))
        }
    wanted: dict[str, Any] = {"where": where} if where else {}
    if draw(st.booleans()):
        wanted["limit"] = draw(st.integers(0, 3))
    names = [name for name in TARGETS[entity] if name not in SECRET]
    if level < LEVELS and names:
        chosen = draw(st.lists(st.sampled_from(names), unique=True, max_size=2))
        wanted["include"] = {name: draw(selections(TARGETS[entity][name], level + 1)) for name in chosen}
    return wanted


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, Any]:
    entities = draw(st.lists(st.sampled_from(["Project", "Task", "Person"]), unique=True, min_size=1, max_size=2))
    return {entity: draw(selections(entity, 0)) for entity in entities}


class ByHand:
    """One row after the other, one look at the policy for each."""

    def __init__(self, api: DataApi, as_user: str) -> None:
        self._api = api
        self._auth = IDENTITIES[as_user]
        with api.ctx.store.read() as reader:
            self._rows = {entity.name: reader.query(entity.name, Filter()) for entity in api.manifest.entities}

    def answer(self, graph: dict[str, Any]) -> dict[str, Any]:
        return {entity: self._select(entity, wanted, self._rows[entity]) for entity, wanted in graph.items()}

    def _select(self, entity: str, wanted: dict[str, Any], rows: list[Row]) -> list[dict[str, Any]]:
        where = wanted.get("where", {})
        kept = [row for row in rows if self._may_read(entity, row) and _holds(where, row)]
        for field, direction in reversed(where.get("$order", {}).items()):
            kept.sort(
                key=lambda row: (row[field] is not None, row[field] or 0 if field != "title" else row[field])
            )
            if direction == "desc":
                kept = _descending(kept, field)
        return [self._shown(entity, row, wanted.get("include", {})) for row in kept[: wanted.get("limit")]]

    def _shown(self, entity: str, row: Row, includes: dict[str, Any]) -> dict[str, Any]:
        shown = dict(self._api.ctx.project(entity, row))
        for name, wanted in includes.items():
            declared = self._api.ctx.entity(entity).relation(name)
            assert declared is not None
            found = self._select(declared.target, wanted, self._related(declared, row))
            if declared.many:
                shown[name] = found
            elif found:
                shown[name] = found[0]
        return shown

    def _related(self, relation: RelationDef, row: Row) -> list[Row]:
        own, theirs = ("id", relation.field) if relation.many else (relation.field, "id")
        return [
            other for other in self._rows[relation.target] if row[own] is not None and other[theirs] == row[own]
        ]

    def _may_read(self, entity: str, row: Row) -> bool:
        return self._api.policies.may_read(entity, self._auth, row)


def _descending(rows: list[Row], field: str) -> list[Row]:
    """Greatest first, those that are equal as they were."""
    values = list(dict.fromkeys(row[field] for row in rows))
    return [row for value in reversed(values) for row in rows if row[field] == value]


def _holds(where: dict[str, Any], row: Row) -> bool:
    for field, wanted in where.items():
        value = row.get(field)
        match wanted:
            case _ if field == "$order":
                continue
            case {"$not": other}:
                holds = value is not None and value != other
            case {"$exists": _}:
                holds = value is not None
            case {"$in": members}:
                holds = value in members
            case _:
                holds = value == wanted
        if not holds:
            return False
    return True


@pytest.fixture(scope="module", params=ENGINES)
def api(request: pytest.FixtureRequest) -> Iterator[DataApi]:
    with related_api(request.param) as opened:
        yield opened


def store_rows(api: DataApi, stored: dict[str, dict[str, Row]]) -> None:
    """These rows, and no others."""

    def work(tx: Any) -> None:
        for entity in api.manifest.entities:
            for row in tx.query(entity.name, Filter()):
                tx.delete(entity.name, row["id"])
        for name, rows in stored.items():
            for row_id, row in rows.items():
                tx.insert(name, row, row_id)

    api.ctx.store.transact(work)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    as_user=st.sampled_from(["guest", "alice", "bob", "admin"]),
    graph=graphs(),
    stored=st.fixed_dictionaries(
        {
            "Person": st.dictionaries(st.sampled_from(PEOPLE[:2]), st.just({"name": "x", "_flags": "f"})),
            "Project": st.dictionaries(st.sampled_from(PROJECTS[:3]), projects),
            "Task": st.dictionaries(st.sampled_from(TASKS), tasks),
            "Vault": st.just({"v1": {"title": "x", "projectId": "p"}}),
        }
    ),
)
def test_a_graph_is_what_following_each_relation_by_hand_gives(
    api: DataApi, as_user: str, graph: dict[str, Any], stored: dict[str, dict[str, Row]]
) -> None:
    store_rows(api, stored)

    answered = api.send("POST", "/api/query", as_user, graph)

    assert answered.status == 200
    assert answered.json == ByHand(api, as_user).answer(graph)
