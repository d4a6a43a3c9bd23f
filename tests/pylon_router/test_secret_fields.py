"""Secret fields never leave, and no filter, sort or write tells a non-admin that they are there."""

import pytest

from pylon_core import jsontext
from tests.support.data_api import Answer, DataApi

SECRETS = {"passwordHash": "h4sh", "_flags": "fl4g", "phone": "555"}


@pytest.fixture(autouse=True)
def user(api: DataApi) -> None:
    api.add("User", "alice", email="a@b.c", **SECRETS)


@pytest.mark.parametrize("as_user", ["anonymous", "alice", "admin"])
@pytest.mark.parametrize(
    ("method", "url", "body"),
    [
        ("GET", "/api/entities/User/alice", None),
        ("GET", "/api/entities/User", None),
        ("GET", "/api/entities/User?limit=5", None),
        ("GET", "/api/entities/User/cursor", None),
        ("POST", "/api/query/User", {}),
        ("PATCH", "/api/entities/User/alice", {"email": "new@b.c"}),
        ("GET", "/api/sync/pull", None),
        ("GET", "/api/auth/session", None),
    ],
)
def test_no_answer_holds_a_secret(api: DataApi, method: str, url: str, body: object, as_user: str) -> None:
    answered = api.send(method, url, as_user, body)

    assert answered.status == 200
    text = jsontext.encode(answered.json).decode()
    assert [secret for pair in SECRETS.items() for secret in pair if secret in text] == []


@pytest.mark.parametrize("field", SECRETS)
@pytest.mark.parametrize("is_sort", [False, True], ids=["where", "order"])
def test_queries_refuse_a_secret_like_an_unknown_field(api: DataApi, field: str, is_sort: bool) -> None:
    def query(name: str, as_user: str) -> Answer:
        document = {"$order": {name: "asc"}} if is_sort else {name: {"$like": "5"}}
        return api.send("POST", "/api/query/User", as_user, document)

    refused, unknown = query(field, "alice"), query("nope", "alice")

    assert (refused.status, refused.code) == (unknown.status, unknown.code) == (400, "INVALID_COLUMN")
    assert query(field, "admin").status == 200


@pytest.mark.parametrize("field", SECRETS)
def test_writes_refuse_a_secret_like_an_unknown_field(api: DataApi, field: str) -> None:
    with api.unchanged():
        created = api.send("POST", "/api/entities/User", "alice", {"email": "x@y.z", field: "mine"})
        updated = api.send("PATCH", "/api/entities/User/alice", "alice", {field: "mine"})

    assert created.code == updated.code == "INVALID_COLUMN"
    assert api.send("PATCH", "/api/entities/User/alice", "admin", {field: "set"}).status == 200
