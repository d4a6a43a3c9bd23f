"""Tenant rules: whose tenant a row is in decides who may write it, before and besides every policy."""

from collections.abc import Iterator
from typing import Any

import pytest

from pylon_auth import AuthContext
from tests.strategies.documents import app, entity, field
from tests.support.data_api import Answer, DataApi, optional, rules

ANN = AuthContext("ann", tenant_id="acme")
ZOE = AuthContext("zoe", tenant_id="zeta")
NOBODY_S = AuthContext("ned")

TENANTS = app(
    entities=[
        entity("Doc", fields=[field("title"), optional("tenantId"), optional("slug", unique=True)]),
        entity("Snake", fields=[field("title"), field("tenant_id")]),
        entity("Org", fields=[field("title"), optional("orgId")]),
        entity("Flat", fields=[field("title"), optional("tenantId", "int")]),
    ],
    policies=[rules(name, allow="true") for name in ("Doc", "Snake", "Org", "Flat")],
)


@pytest.fixture
def api() -> Iterator[DataApi]:
    made = DataApi(TENANTS)
    yield made
    made.store.close()


def created(api: DataApi, auth: AuthContext, name: str = "Doc", **data: Any) -> Answer:
    return api.send("POST", f"/api/entities/{name}", body={"title": "x", **data}, auth=auth)


@pytest.mark.parametrize("given", [{}, {"tenantId": None}, {"tenantId": ""}], ids=str)
def test_a_row_that_names_no_tenant_gets_the_writers(api: DataApi, given: dict[str, Any]) -> None:
    answered = created(api, ANN, **given)

    assert answered.status == 201
    assert answered.json["tenantId"] == "acme"
    assert api.log()[-1].row == answered.json


def test_a_required_field_is_stamped_in_time(api: DataApi) -> None:
    assert created(api, ANN, "Snake").json["tenant_id"] == "acme"


@pytest.mark.parametrize(
    ("auth", "given"),
    [(ANN, {"tenantId": "zeta"}), (ANN, {"tenantId": ["acme"]}), (NOBODY_S, {}), (NOBODY_S, {"tenantId": "acme"})],
    ids=str,
)
def test_nobody_creates_a_row_of_another_tenant(api: DataApi, auth: AuthContext, given: dict[str, Any]) -> None:
    with api.unchanged():
        assert created(api, auth, **given).code == "POLICY_DENIED"


@pytest.mark.parametrize("auth", [ZOE, NOBODY_S], ids=str)
@pytest.mark.parametrize("tenant", ["acme", None, ""], ids=str)
def test_nobody_changes_or_deletes_a_row_that_is_not_of_their_tenant(
    api: DataApi, auth: AuthContext, tenant: str | None
) -> None:
    api.add("Doc", "d1", title="x", tenantId=tenant)

    with api.unchanged():
        answers = [
            api.send("PATCH", "/api/entities/Doc/d1", body=body, auth=auth)
            for body in ({"title": "y"}, {"tenantId": auth.tenant_id})
        ]
        answers.append(api.send("DELETE", "/api/entities/Doc/d1", auth=auth))

    assert [answered.code for answered in answers] == ["POLICY_DENIED"] * 3


@pytest.mark.parametrize("tenant", ["zeta", None, ""], ids=str)
def test_a_row_cannot_be_moved_out_of_its_tenant(api: DataApi, tenant: str | None) -> None:
    api.add("Doc", "d1", title="x", tenantId="acme")

    with api.unchanged():
        assert (
            api.send("PATCH", "/api/entities/Doc/d1", body={"tenantId": tenant}, auth=ANN).code == "POLICY_DENIED"
        )

    assert (
        api.send("PATCH", "/api/entities/Doc/d1", body={"title": "y", "tenantId": "acme"}, auth=ANN).status == 200
    )
    assert api.send("DELETE", "/api/entities/Doc/d1", auth=ANN).status == 200


def test_the_same_holds_in_a_push(api: DataApi) -> None:
    api.add("Doc", "theirs", title="x", tenantId="zeta")
    changes = [
        {"entity": "Doc", "row_id": "mine", "kind": "insert", "data": {"title": "x"}},
        {"entity": "Doc", "row_id": "theirs", "kind": "update", "data": {"title": "y"}},
    ]

    pushed = api.send("POST", "/api/sync/push", body={"changes": changes}, auth=ANN)

    assert [result["status"] for result in pushed.json["results"]] == ["applied", "failed"]
    assert api.store.get("Doc", "mine") == {"id": "mine", "title": "x", "tenantId": "acme", "slug": None}


def test_the_administrator_writes_rows_of_any_tenant_and_of_none(api: DataApi) -> None:
    for given in ({}, {"tenantId": "acme"}, {"tenantId": "zeta"}):
        answered = api.send("POST", "/api/entities/Doc", "admin", {"title": "x", **given})
        assert answered.json["tenantId"] == given.get("tenantId")
        path = f"/api/entities/Doc/{answered.json['id']}"
        assert api.send("PATCH", path, "admin", {"tenantId": "other"}).json["tenantId"] == "other"
        assert api.send("DELETE", path, "admin").status == 200


@pytest.mark.parametrize("name", ["Org", "Flat"])
@pytest.mark.parametrize("auth", [ANN, NOBODY_S], ids=str)
def test_other_fields_are_left_to_the_policies(api: DataApi, name: str, auth: AuthContext) -> None:
    answered = created(api, auth, name)

    assert answered.status == 201
    assert answered.json.get("orgId", answered.json.get("tenantId")) is None


def test_a_stranger_does_not_learn_which_values_are_taken(api: DataApi) -> None:
    api.add("Doc", "d1", title="x", tenantId="acme", slug="taken")

    answers = [created(api, ZOE, tenantId="acme", slug=slug) for slug in ("taken", "free")]

    assert answers[0] == answers[1]
    assert answers[0].code == "POLICY_DENIED"
