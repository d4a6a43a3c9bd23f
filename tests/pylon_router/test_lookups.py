"""A row by a value: found among readable rows only, so that a hidden row and an absent one look the same."""

import pytest

from tests.support.data_api import DataApi


@pytest.mark.parametrize(
    ("path", "title"),
    [
        ("title/plain", "plain"),
        ("title/a%20b%3F", "a b?"),
        ("title/a/b/c", "a/b/c"),
        ("title/a%2Fb%2Fc", "a/b/c"),
        ("title//lead", "/lead"),
        ("title/trail/", "trail/"),
        ("title/100%25", "100%"),
        ("done/true", "plain"),
        ("done/1", "plain"),
        ("id/o1", "plain"),
    ],
)
def test_a_row_is_found_by_the_rest_of_the_path(api: DataApi, path: str, title: str) -> None:
    for number, stored in enumerate(["plain", "a b?", "a/b/c", "/lead", "trail/", "100%"]):
        api.add("Open", f"o{number + 1}", title=stored, done=number == 0 or None)

    found = api.send("GET", f"/api/lookup/Open/{path}", "anonymous")

    assert (found.status, found.json.get("title")) == (200, title)


@pytest.mark.parametrize(("value", "rank"), [("7", 7), ("7.0", 7), ("7e0", 7), ("-1", -1)])
def test_a_number_is_found_as_it_is_spelled(api: DataApi, value: str, rank: int) -> None:
    api.add("Note", ownerId="alice", title="a", rank=rank)

    assert api.send("GET", f"/api/lookup/Note/rank/{value}").json["rank"] == rank


@pytest.mark.parametrize("value", ["nope", "seven", "%00", "9" * 400, "NaN"])
def test_a_value_that_no_row_has_is_not_found(api: DataApi, value: str) -> None:
    api.add("Todo", title="a")

    assert (api.send("GET", f"/api/lookup/Todo/title/{value}").status) == 404
    assert (api.send("GET", f"/api/lookup/Todo/done/{value}").code) == "NOT_FOUND"


def test_the_first_readable_row_is_found_past_hidden_ones(api: DataApi) -> None:
    api.add("Note", "n1", ownerId="bob", title="same")
    api.add("Note", "n2", ownerId="alice", title="same")
    api.add("Note", "n3", ownerId="alice", title="same")

    assert api.send("GET", "/api/lookup/Note/title/same").json["id"] == "n2"
    assert api.send("GET", "/api/lookup/Note/title/same", "admin").json["id"] == "n1"


@pytest.mark.parametrize("as_user", ["anonymous", "guest", "alice"])
def test_a_hidden_row_and_an_absent_one_look_the_same(api: DataApi, as_user: str) -> None:
    api.add("Note", ownerId="bob", title="hidden", slug="hidden")
    api.add("Drop", title="hidden")

    for path in ("Note/slug", "Note/title", "Drop/title"):
        hidden = api.send("GET", f"/api/lookup/{path}/hidden", as_user)
        absent = api.send("GET", f"/api/lookup/{path}/absent", as_user)
        assert (hidden.status, hidden.json) == (absent.status, absent.json)
        assert (hidden.status, hidden.code) == (403, "POLICY_DENIED")


def test_a_secret_field_is_unknown_and_none_is_shown(api: DataApi) -> None:
    api.add("User", "u", email="a@b.c", passwordHash="h4sh", phone="5")

    for name in ("passwordHash", "phone", "nope"):
        refused = api.send("GET", f"/api/lookup/User/{name}/5")
        assert (refused.status, refused.code) == (400, "INVALID_COLUMN")
    assert api.send("GET", "/api/lookup/User/email/a%40b.c").json == {"id": "u", "email": "a@b.c"}
    assert api.send("GET", "/api/lookup/User/phone/5", "admin").json == {"id": "u", "email": "a@b.c"}


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "Nope/title/x", "ENTITY_NOT_FOUND"),
        ("GET", "Open/title/", "NOT_FOUND"),
        ("GET", "Open/title", "NOT_FOUND"),
        ("GET", "Open//x", "NOT_FOUND"),
        ("POST", "Open/title/x", "NOT_FOUND"),
    ],
)
def test_anything_else_is_not_found(api: DataApi, method: str, path: str, code: str) -> None:
    refused = api.send(method, f"/api/lookup/{path}", body={})

    assert (refused.status, refused.code) == (404, code)
