"""Policies over REST: who gets through, and that a refusal leaves no row, no log entry and no hint."""

import pytest

from pylon_http import Row
from tests.strategies.documents import app
from tests.support.data_api import DataApi

EVERYONE = ["anonymous", "guest", "alice", "bob", "admin"]


@pytest.fixture(autouse=True)
def rows(api: DataApi) -> list[Row]:
    return [
        api.add("Note", "hers", ownerId="alice", title="A", slug="taken"),
        api.add("Note", "nobodys", title="B"),
        api.add("Locked", "l1", title="C"),
        api.add("Post", "draft", title="D", published=False),
        api.add("Post", "live", title="E", published=True),
    ]


@pytest.mark.parametrize(
    ("method", "url", "body", "allowed"),
    [
        ("GET", "/api/entities/Note/hers", None, {"alice"}),
        ("GET", "/api/entities/Note/nobodys", None, set()),
        ("PATCH", "/api/entities/Note/hers", {"title": "B"}, {"alice"}),
        ("PATCH", "/api/entities/Note/hers", {"ownerId": "bob"}, set()),
        ("PATCH", "/api/entities/Note/hers", {"ownerId": None}, set()),
        ("PATCH", "/api/entities/Note/nobodys", {"ownerId": "bob"}, set()),
        ("DELETE", "/api/entities/Note/hers", None, {"alice"}),
        ("DELETE", "/api/entities/Note/nobodys", None, set()),
        ("POST", "/api/entities/Note", {"title": "B", "ownerId": "alice"}, {"alice"}),
        ("POST", "/api/entities/Note", {"title": "B"}, set()),
        ("POST", "/api/entities/Note", {"title": "B", "ownerId": None}, set()),
        ("GET", "/api/entities/Locked", None, set()),
        ("GET", "/api/entities/Locked/l1", None, set()),
        ("GET", "/api/entities/Locked/cursor", None, set()),
        ("POST", "/api/query/Locked", {}, set()),
        ("POST", "/api/entities/Locked", {"title": "B"}, set()),
        ("GET", "/api/entities/Post/draft", None, set()),
        ("GET", "/api/entities/Post/live", None, set(EVERYONE)),
        ("POST", "/api/entities/Post", {"title": "B"}, {"guest", "alice", "bob"}),
    ],
)
@pytest.mark.parametrize("as_user", EVERYONE)
def test_only_the_allowed_get_through(
    api: DataApi, method: str, url: str, body: object, allowed: set[str], as_user: str
) -> None:
    if as_user in allowed | {"admin"}:
        assert api.send(method, url, as_user, body).status < 300
        return

    with api.unchanged():
        refused = api.send(method, url, as_user, body)

    assert (refused.status, refused.code) == (403, "POLICY_DENIED")
    assert "rules" not in str(refused.json)
    assert "ownerId" not in str(refused.json)


@pytest.mark.parametrize("as_user", ["anonymous", "guest", "bob"])
@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
@pytest.mark.parametrize("entity", ["Note", "Post", "Drop", "Locked"])
def test_a_hidden_row_looks_like_one_that_is_not_there(
    api: DataApi, entity: str, method: str, as_user: str
) -> None:
    """Where the caller may not change it either: a hidden row that one may write is no secret."""
    hidden = {"Note": "hers", "Post": "draft", "Drop": "d1", "Locked": "l1"}[entity]
    api.add("Drop", "d1", title="F")
    may_write = entity in ("Post", "Drop") and as_user != "anonymous" and method != "GET"

    there = api.send(method, f"/api/entities/{entity}/{hidden}", as_user, {"title": "B"})
    missing = api.send(method, f"/api/entities/{entity}/gone", as_user, {"title": "B"})

    assert missing.status == 403
    assert there.status == 200 if may_write else there == missing


def test_the_stored_row_decides_about_an_update(api: DataApi) -> None:
    with api.unchanged():
        refused = api.send("PATCH", "/api/entities/Note/hers", "bob", {"ownerId": "bob"})

    assert refused.code == "POLICY_DENIED"


@pytest.mark.parametrize(
    ("method", "url", "body"),
    [
        ("POST", "/api/entities/Note", {"ownerId": "alice", "title": "B", "slug": "taken"}),
        ("POST", "/api/entities/Note", {"ownerId": "alice", "title": "B", "nope": 1}),
        ("POST", "/api/entities/Note", {"ownerId": "alice"}),
        ("PATCH", "/api/entities/Note/hers", {"slug": "other", "title": None}),
    ],
    ids=["unique", "unknown field", "required field", "null"],
)
def test_a_refused_writer_does_not_learn_what_the_store_thinks(
    api: DataApi, method: str, url: str, body: object
) -> None:
    assert api.send(method, url, "bob", body).code == "POLICY_DENIED"
    assert api.send(method, url, "alice", body).code != "POLICY_DENIED"


def test_giving_a_row_away_does_not_probe_unique_values(api: DataApi) -> None:
    api.add("Note", "bobs", ownerId="bob", title="B", slug="other")

    refused = api.send("PATCH", "/api/entities/Note/bobs", "bob", {"ownerId": "alice", "slug": "taken"})

    assert refused.code == "POLICY_DENIED"


def test_an_entity_without_a_policy_is_closed_in_production() -> None:
    api = DataApi(app())
    assert api.send("GET", "/api/entities/Note", "alice").code == "POLICY_DENIED"
    assert api.send("GET", "/api/entities/Note", "admin").json == []
    api.store.close()


def test_an_entity_without_a_policy_is_open_in_development() -> None:
    api = DataApi(app(), dev_mode=True)
    assert api.send("GET", "/api/entities/Note", "anonymous").json == []
    api.store.close()
