"""Whatever a body says that half makes sense, a read or a link is answered and never fails inside."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.data_api import DataApi
from tests.support.related import ENGINES, related_api

ENTITIES = ["Project", "Task", "Person", "Vault", "Nope"]
FIELDS = ["id", "title", "rank", "budget", "public", "ownerId", "leadId", "_auditId", "nope"]
RELATIONS = ["lead", "tasks", "author", "wrote", "audit", "ranked", "numbered", "nope"]

values = (
    st.none()
    | st.booleans()
    | st.integers(-2, 2)
    | st.sampled_from([2**63, -(2**70), 10**400, 1e308, 0.5])
    | st.sampled_from(["", "ann", "p", "a\0b", "*", "é𝒪", "2026-05-02T00:00:00Z"])
)
conditions = values | st.dictionaries(
    st.sampled_from(["$gt", "$lt", "$not", "$like", "$in", "$exists", "$near"]),
    values | st.lists(values, max_size=3),
    max_size=2,
)
wheres = st.recursive(
    st.dictionaries(st.sampled_from([*FIELDS, "$order", "$limit", "$search"]), conditions, max_size=2),
    lambda inner: st.dictionaries(st.sampled_from(["$and", "$or"]), st.lists(inner, max_size=2), max_size=1),
    max_leaves=4,
)
selections = st.recursive(
    st.fixed_dictionaries({}, optional={"where": wheres | values, "limit": values}),
    lambda inner: st.fixed_dictionaries(
        {"include": st.dictionaries(st.sampled_from(RELATIONS), inner | values, max_size=2)},
        optional={"where": wheres, "limit": values},
    ),
    max_leaves=4,
)
fields = st.lists(st.sampled_from(FIELDS) | values, max_size=2)
aggregations = st.fixed_dictionaries(
    {},
    optional={
        "count": st.sampled_from(["*", *FIELDS]) | values,
        **dict.fromkeys(["sum", "avg", "min", "max", "countDistinct"], fields | values),
        "groupBy": fields | st.lists(st.fixed_dictionaries({"field": st.sampled_from(FIELDS), "bucket": values})),
        "where": wheres | values,
    },
)
ids = st.sampled_from(["ann", "p", "t", "none", ""]) | values
links = st.fixed_dictionaries(
    {"entity": st.sampled_from(ENTITIES), "id": ids, "relation": st.sampled_from(RELATIONS), "target_id": ids}
)
requests = st.one_of(
    st.tuples(st.just("query"), st.dictionaries(st.sampled_from(ENTITIES[:3]), selections, max_size=2)),
    st.tuples(st.sampled_from(["aggregate/Project", "aggregate/Task"]), aggregations),
    st.tuples(st.sampled_from(["link", "unlink"]), links),
)


@pytest.fixture(scope="module", params=ENGINES)
def api(request: pytest.FixtureRequest) -> Iterator[DataApi]:
    with related_api(request.param) as opened:

        def fill(tx: Any) -> None:
            tx.insert("Person", {"name": "Ann"}, "ann")
            tx.insert("Project", {"title": "One", "ownerId": "alice", "budget": 2**62, "leadId": "ann"}, "p")
            tx.insert("Project", {"title": "Two", "public": True, "budget": 2**62}, "q")
            tx.insert("Task", {"title": "t", "ownerId": "alice", "projectId": "p", "authorId": "ann"}, "t")

        opened.ctx.store.transact(fill)
        yield opened


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(request=requests, as_user=st.sampled_from(["anonymous", "alice", "admin"]))
def test_every_body_is_answered(api: DataApi, request: tuple[str, Any], as_user: str) -> None:
    url, body = request

    answered = api.send("POST", f"/api/{url}", as_user, body)

    assert answered.status in (200, 400, 403, 404, 409)
