"""Aggregates over HTTP: only what the caller may read is counted, and only what it may ask about."""

from collections.abc import Iterator
from typing import Any

import pytest

from pylon_auth import AuthContext
from pylon_core import jsontext
from pylon_router import aggregates
from tests.strategies.documents import Document, app, entity, field
from tests.support.data_api import OWNED, Answer, DataApi, optional, rules

SHOP: Document = app(
    entities=[
        entity(
            "Order",
            fields=[optional("ownerId"), optional("orgId"), optional("amount", "int"), optional("at", "datetime")],
        ),
        entity("Own", fields=[optional("ownerId"), optional("orgId"), optional("amount", "int")]),
        entity("Numbered", fields=[optional("orgId", "int")]),
        entity("Locked"),
        entity(
            "User", fields=[field("email"), optional("passwordHash"), optional("_flags", "int"), optional("phone")]
        ),
    ],
    policies=[
        rules("Order", allow="true"),
        rules("Own", allow=OWNED),
        rules("Numbered", allow="true"),
        rules("Locked", allow="false"),
        rules("User", allow="true"),
    ],
    auth={"user": {"entity": "User", "hide": ["phone"]}},
)

ACME = AuthContext("ed", tenant_id="acme")


@pytest.fixture
def api() -> Iterator[DataApi]:
    opened = DataApi(SHOP)
    for number, (owner, org) in enumerate([("alice", "acme"), ("bob", "acme"), ("bob", "other"), ("ed", None)]):
        opened.add("Order", ownerId=owner, orgId=org, amount=10**number, at="2026-05-02T22:00:00Z")
        opened.add("Own", ownerId=owner, orgId=org, amount=10**number)
    yield opened
    opened.store.close()


def ask(api: DataApi, spec: Any, entity_name: str = "Order", as_user: str = "alice", **who: Any) -> Answer:
    return api.send("POST", f"/api/aggregate/{entity_name}", as_user, spec, **who)


def test_the_answer_has_one_row_a_group(api: DataApi) -> None:
    answered = ask(api, {"count": "*", "sum": ["amount"], "groupBy": ["orgId", {"field": "at"}]})

    day = {"at_day": "2026-05-02"}
    assert answered.status == 200
    assert answered.json == {
        "rows": [
            {"orgId": None, **day, "count": 1, "sum_amount": 1000},
            {"orgId": "acme", **day, "count": 2, "sum_amount": 11},
            {"orgId": "other", **day, "count": 1, "sum_amount": 100},
        ]
    }


@pytest.mark.parametrize(
    ("as_user", "count", "total"),
    [("alice", 1, 1), ("bob", 2, 110), ("guest", 0, None), ("admin", 4, 1111)],
)
def test_only_readable_rows_are_counted(api: DataApi, as_user: str, count: int, total: int | None) -> None:
    answered = ask(api, {"count": "*", "sum": ["amount"]}, "Own", as_user)

    assert answered.json == {"rows": [{"count": count, "sum_amount": total}]}


@pytest.mark.parametrize(("entity_name", "as_user"), [("Locked", "alice"), ("Own", "anonymous")])
def test_a_caller_whom_no_row_could_belong_to_is_refused(api: DataApi, entity_name: str, as_user: str) -> None:
    refused = ask(api, {"count": "*"}, entity_name, as_user)

    assert (refused.status, refused.code) == (403, "POLICY_DENIED")


@pytest.mark.parametrize(
    ("where", "total"),
    [
        (None, 11),
        ({}, 11),
        ({"orgId": "other"}, 11),
        ({"orgId": {"$not": "acme"}}, 11),
        ({"orgId": None, "amount": {"$gt": 5}}, 10),
        ({"$or": [{"orgId": "other"}, {"amount": 1}]}, 1),
        ({"$and": [{"orgId": "other"}]}, None),
        ({"$or": [{}]}, 11),
    ],
    ids=str,
)
def test_a_callers_tenant_wins_over_what_it_asks_for(
    api: DataApi, where: dict[str, Any] | None, total: int | None
) -> None:
    answered = ask(api, {"sum": ["amount"], "where": where}, auth=ACME)

    assert answered.json == {"rows": [{"sum_amount": total}]}


def test_the_tenant_does_not_widen_what_a_policy_shows(api: DataApi) -> None:
    assert ask(api, {"count": "*", "where": {"orgId": "acme"}}, "Own", auth=ACME).json == {"rows": [{"count": 0}]}


def test_a_filter_of_the_wrong_form_does_not_get_past_the_tenant(api: DataApi) -> None:
    assert ask(api, {"count": "*", "where": []}, auth=ACME).code == "INVALID_QUERY"


def test_without_a_tenant_the_whole_filter_language_counts(api: DataApi) -> None:
    where = {"$or": [{"orgId": "other"}, {"amount": {"$lt": 5}}]}

    assert ask(api, {"sum": ["amount"], "where": where}).json == {"rows": [{"sum_amount": 101}]}


def test_a_number_is_no_tenant(api: DataApi) -> None:
    api.add("Numbered", orgId=5)

    assert ask(api, {"count": "*"}, "Numbered", auth=ACME).json == {"rows": [{"count": 1}]}


@pytest.mark.parametrize(
    "spec",
    [
        {"count": "passwordHash"},
        {"min": ["passwordHash"]},
        {"sum": ["_flags"]},
        {"countDistinct": ["phone"]},
        {"count": "*", "groupBy": ["phone"]},
        {"count": "*", "where": {"phone": {"$like": "5"}}},
    ],
    ids=str,
)
def test_a_secret_field_is_unknown(api: DataApi, spec: dict[str, Any]) -> None:
    text = jsontext.encode(spec)
    for name in (b"passwordHash", b"_flags", b"phone"):
        text = text.replace(name, b"nope")

    refused, unknown = ask(api, spec, "User"), ask(api, text, "User")

    assert (refused.status, refused.code) == (unknown.status, unknown.code) == (400, "INVALID_COLUMN")


@pytest.mark.parametrize(
    ("spec", "status"),
    [
        ({"count": "phone"}, 200),
        ({"count": "*", "where": {"phone": "5"}}, 200),
        ({"max": ["phone"]}, 400),
        ({"sum": ["_flags"]}, 400),
        ({"count": "*", "groupBy": ["passwordHash"]}, 400),
    ],
    ids=str,
)
def test_a_secret_value_leaves_for_nobody(api: DataApi, spec: dict[str, Any], status: int) -> None:
    assert ask(api, spec, "User", "admin").status == status


@pytest.mark.parametrize(
    ("spec", "code"),
    [
        (None, "INVALID_JSON"),
        ([], "INVALID_QUERY"),
        ({}, "INVALID_QUERY"),
        ({"groupBy": ["orgId"]}, "INVALID_QUERY"),
        ({"count": 1}, "INVALID_QUERY"),
        ({"sum": "amount"}, "INVALID_QUERY"),
        ({"sum": [1]}, "INVALID_QUERY"),
        ({"sum": ["ownerId"]}, "INVALID_QUERY"),
        ({"sum": ["amount", "amount"]}, "INVALID_QUERY"),
        ({"count": "*", "groupBy": [{"field": "at", "bucket": "decade"}]}, "INVALID_QUERY"),
        ({"count": "*", "groupBy": [{"field": "at", "bucket": ["day"]}]}, "INVALID_QUERY"),
        ({"count": "*", "groupBy": [{"bucket": "day"}]}, "INVALID_QUERY"),
        ({"count": "*", "where": "x"}, "INVALID_QUERY"),
        ({"count": "*", "where": {"$limit": 1}}, "INVALID_QUERY"),
        ({"count": "*", "where": {"$order": {}}}, "INVALID_QUERY"),
        ({"count": "*", "having": {}}, "INVALID_QUERY"),
        ({"count": "nope"}, "INVALID_COLUMN"),
    ],
    ids=str,
)
def test_an_aggregation_that_is_not_understood_is_refused(api: DataApi, spec: object, code: str) -> None:
    refused = ask(api, spec)

    assert (refused.status, refused.code) == (400, code)


def test_an_aggregation_of_an_unknown_entity_is_not_found(api: DataApi) -> None:
    assert ask(api, {"count": "*"}, "Nope").code == "ENTITY_NOT_FOUND"


@pytest.mark.parametrize(("groups_max", "headers"), [(4, {}), (3, {"X-Pylon-Truncated": "true"})])
def test_the_groups_of_an_answer_are_bounded(
    api: DataApi, monkeypatch: pytest.MonkeyPatch, groups_max: int, headers: dict[str, str]
) -> None:
    monkeypatch.setattr(aggregates, "GROUPS_MAX", groups_max)

    answered = ask(api, {"count": "*", "groupBy": ["amount"]})

    assert [row["amount"] for row in answered.json["rows"]] == [1, 10, 100, 1000][:groups_max]
    assert answered.headers == headers
