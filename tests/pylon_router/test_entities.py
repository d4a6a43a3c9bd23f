"""Rows over REST: what each verb answers when it is allowed to (contract 01 §5)."""

import re

import pytest

from pylon_http import ChangeKind
from tests.support.data_api import DataApi


@pytest.mark.parametrize("prefix", ["/api/entities", "/api/entity"])
def test_a_row_lives_from_create_to_delete(api: DataApi, prefix: str) -> None:
    created = api.send("POST", f"{prefix}/Open", body={"title": "Buy milk", "done": False})
    url = f"{prefix}/Open/{created.json['id']}"

    assert created.status == 201
    assert re.fullmatch("[0-9a-f]{40}", created.json["id"])
    assert api.send("GET", url).json == {"id": created.json["id"], "title": "Buy milk", "done": False}
    assert api.send("PATCH", url, body={"done": True}).json["updated"] is True
    assert api.send("GET", url).json["done"] is True
    assert api.send("DELETE", url).json == {"deleted": True}
    assert api.send("GET", url).code == "NOT_FOUND"
    assert api.send("DELETE", url).code == "NOT_FOUND"


def test_create_answers_with_the_whole_stored_row(api: DataApi) -> None:
    created = api.send("POST", "/api/entities/Note", body={"ownerId": "alice", "title": "A", "done": 1})

    expected = {"ownerId": "alice", "title": "A", "done": True, "rank": None, "slug": None}
    assert created.json == {"id": created.json["id"], **expected}


def test_an_id_in_the_body_is_ignored(api: DataApi) -> None:
    created = api.send("POST", "/api/entities/Open", body={"id": "mine", "title": "A"})
    renamed = api.send("PATCH", f"/api/entities/Open/{created.json['id']}", body={"id": "mine", "title": "B"})

    assert created.json["id"] != "mine"
    assert (renamed.json["id"], renamed.json["title"]) == (created.json["id"], "B")


def test_update_answers_with_the_whole_row(api: DataApi) -> None:
    api.add("Note", "n1", ownerId="alice", title="A", rank=3)

    updated = api.send("PATCH", "/api/entities/Note/n1", body={"rank": None})

    assert (updated.status, updated.json["title"], updated.json["rank"]) == (200, "A", None)
    assert updated.json["updated"] is True


def test_an_updated_field_of_the_row_wins_over_the_mark(api: DataApi) -> None:
    api.add("Todo", "t1", title="A", updated="yesterday")

    assert api.send("PATCH", "/api/entities/Todo/t1", body={"title": "B"}).json["updated"] == "yesterday"


def test_each_write_is_one_log_entry(api: DataApi) -> None:
    row_id = api.send("POST", "/api/entities/Open", body={"title": "A"}).json["id"]
    api.send("PATCH", f"/api/entities/Open/{row_id}", body={"title": "B"})
    api.send("DELETE", f"/api/entities/Open/{row_id}")

    kinds = [ChangeKind.INSERT, ChangeKind.UPDATE, ChangeKind.DELETE]
    assert [(event.kind, event.row_id) for event in api.log()] == [(kind, row_id) for kind in kinds]


def test_someone_who_may_write_but_not_read_learns_the_id_only(api: DataApi) -> None:
    created = api.send("POST", "/api/entities/Drop", body={"title": "A"})
    updated = api.send("PATCH", f"/api/entities/Drop/{created.json['id']}", body={"title": "B"})

    assert created.json.keys() == {"id"}
    assert updated.json == {"id": created.json["id"], "updated": True}


@pytest.mark.parametrize(
    ("method", "url", "body", "status", "code"),
    [
        ("GET", "/api/entities/Nope", None, 404, "ENTITY_NOT_FOUND"),
        ("GET", "/api/entities/Nope/x", None, 404, "ENTITY_NOT_FOUND"),
        ("GET", "/api/entities/Nope/cursor", None, 404, "ENTITY_NOT_FOUND"),
        ("POST", "/api/entities/Nope", {}, 404, "ENTITY_NOT_FOUND"),
        ("PATCH", "/api/entities/Nope/x", {}, 404, "ENTITY_NOT_FOUND"),
        ("DELETE", "/api/entities/Nope/x", None, 404, "ENTITY_NOT_FOUND"),
        ("GET", "/api/entities/Open/gone", None, 404, "NOT_FOUND"),
        ("PATCH", "/api/entities/Open/gone", {"title": "A"}, 404, "NOT_FOUND"),
        ("DELETE", "/api/entities/Open/gone", None, 404, "NOT_FOUND"),
        ("POST", "/api/entities/Open", None, 400, "INVALID_JSON"),
        ("POST", "/api/entities/Open", b"{", 400, "INVALID_JSON"),
        ("POST", "/api/entities/Open", b"\xff\xfe", 400, "INVALID_JSON"),
        ("POST", "/api/entities/Open", b"[" * 300 + b"]" * 300, 400, "INVALID_JSON"),
        ("POST", "/api/entities/Open", [], 400, "INVALID_DATA"),
        ("POST", "/api/entities/Open", "text", 400, "INVALID_DATA"),
        ("POST", "/api/entities/Open", {}, 400, "INSERT_FAILED"),
        ("POST", "/api/entities/Open", {"title": "A", "nope": 1}, 400, "INVALID_COLUMN"),
        ("POST", "/api/entities/Open", {"title": 7}, 400, "CRDT_APPLY_FAILED"),
        ("PATCH", "/api/entities/Open/o1", None, 400, "INVALID_JSON"),
        ("PATCH", "/api/entities/Open/o1", {"nope": 1}, 400, "INVALID_COLUMN"),
        ("PATCH", "/api/entities/Open/o1", {"title": None}, 400, "UPDATE_FAILED"),
        ("PUT", "/api/entities/Open/o1", {"title": "B"}, 405, "METHOD_NOT_ALLOWED"),
        ("DELETE", "/api/entities/Open", None, 405, "METHOD_NOT_ALLOWED"),
        ("PATCH", "/api/entities/Open", {}, 405, "METHOD_NOT_ALLOWED"),
        ("POST", "/api/entities/User", {"email": "a@b.c"}, 409, "INSERT_FAILED"),
        ("PATCH", "/api/entities/User/u2", {"email": "a@b.c"}, 409, "UPDATE_FAILED"),
    ],
)
def test_refusals_say_why_and_write_nothing(
    api: DataApi, method: str, url: str, body: object, status: int, code: str
) -> None:
    api.add("Open", "o1", title="A")
    api.add("User", "u1", email="a@b.c")
    api.add("User", "u2", email="d@e.f")

    with api.unchanged():
        refused = api.send(method, url, body=body)

    assert (refused.status, refused.code) == (status, code)


@pytest.mark.parametrize(
    "url",
    ["/api/entities//", "/api/entities/Open/%00", f"/api/entities/{'x' * 10_000}", "/api/entities/Open/%0d%0a"],
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "BREW"])
def test_odd_urls_are_answered(api: DataApi, method: str, url: str) -> None:
    assert 400 <= api.send(method, url, body={"title": "A"}).status < 500


def test_path_segments_are_decoded(api: DataApi) -> None:
    api.add("Open", "a:b", title="A")

    assert api.send("GET", "/api/entities/Open/a%3Ab").json["title"] == "A"


def test_a_row_named_cursor_can_be_changed_and_deleted(api: DataApi) -> None:
    api.add("Open", "cursor", title="A")

    assert api.send("PATCH", "/api/entities/Open/cursor", body={"title": "B"}).json["title"] == "B"
    assert api.send("DELETE", "/api/entities/Open/cursor").status == 200
