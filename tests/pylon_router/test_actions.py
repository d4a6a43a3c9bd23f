"""Actions: checked in the contract's order, then echoed; nothing is executed."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.strategies.documents import app, field
from tests.support.data_api import SIGNED_IN, DataApi, optional

ACTIONS = app(
    actions=[
        {
            "name": "createTodo",
            "input": [
                field("title"),
                field("authorId", "id(Note)"),
                optional("note", "richtext"),
                optional("rank", "int"),
                optional("price", "float"),
                optional("done", "bool"),
                optional("at", "datetime"),
            ],
        },
        {"name": "ping"},
        {"name": "closed"},
    ],
    policies=[
        {"name": "own", "action": "createTodo", "allow": "auth.userId == input.authorId"},
        {"name": "closed", "action": "closed", "allow": "false"},
        {"name": "notes", "entity": "Note", "allow": SIGNED_IN},
    ],
)
INPUT = {"title": "milk", "authorId": "alice"}


@pytest.fixture
def api() -> Iterator[DataApi]:
    opened = DataApi(ACTIONS)
    yield opened
    opened.store.close()


def run(api: DataApi, name: str, payload: Any, as_user: str = "alice") -> Any:
    return api.send("POST", f"/api/actions/{name}", as_user, payload)


@pytest.mark.parametrize(
    "more",
    [
        {},
        {
            "note": None,
            "rank": 3,
            "price": 3,
            "done": True,
            "at": "2026-05-02T22:22:53+02:00",
            "note2": {"any": []},
        },
        {"rank": 3.0, "price": 0.5, "done": 0, "note": "x"},
    ],
    ids=str,
)
def test_an_input_that_fits_is_echoed(api: DataApi, more: dict[str, Any]) -> None:
    with api.unchanged():
        answered = run(api, "createTodo", {**INPUT, **more})

    assert answered.status == 200
    assert answered.json == {"action": "createTodo", "executed": True, "input": {**INPUT, **more}}


def test_an_action_without_a_policy_is_open_to_all(api: DataApi) -> None:
    assert run(api, "ping", {}, "anonymous").json == {"action": "ping", "executed": True, "input": {}}


@pytest.mark.parametrize(
    ("method", "name", "payload", "as_user", "status", "code"),
    [
        ("GET", "nope", None, "anonymous", 405, "METHOD_NOT_ALLOWED"),
        ("PATCH", "createTodo", b"{", "anonymous", 405, "METHOD_NOT_ALLOWED"),
        ("POST", "createTodo", b"{", "bob", 400, "INVALID_JSON"),
        ("POST", "createTodo", None, "bob", 400, "INVALID_JSON"),
        ("POST", "nope", [], "bob", 400, "INVALID_DATA"),
        ("POST", "createTodo", {"authorId": "alice"}, "bob", 403, "POLICY_DENIED"),
        ("POST", "createTodo", {"title": 5}, "anonymous", 403, "POLICY_DENIED"),
        ("POST", "closed", {}, "bob", 403, "POLICY_DENIED"),
        ("POST", "nope", {}, "bob", 404, "ACTION_NOT_FOUND"),
        ("POST", "createTodo", {"authorId": "alice"}, "alice", 400, "ACTION_MISSING_INPUT"),
        ("POST", "createTodo", {**INPUT, "title": None}, "alice", 400, "ACTION_MISSING_INPUT"),
        ("POST", "createTodo", {}, "admin", 400, "ACTION_MISSING_INPUT"),
    ],
)
def test_the_first_thing_that_is_wrong_is_told(
    api: DataApi, method: str, name: str, payload: Any, as_user: str, status: int, code: str
) -> None:
    refused = api.send(method, f"/api/actions/{name}", as_user, payload)

    assert (refused.status, refused.code) == (status, code)


@pytest.mark.parametrize(
    ("name", "payload", "hint"),
    [("nope", {}, "closed, createTodo, ping"), ("createTodo", {"authorId": "alice"}, "title, authorId")],
)
def test_a_hint_says_what_there_is(api: DataApi, name: str, payload: dict[str, Any], hint: str) -> None:
    assert hint in run(api, name, payload).json["error"]["hint"]


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("title", 5),
        ("note", ["x"]),
        ("rank", 1.5),
        ("rank", "1"),
        ("rank", True),
        ("price", "1"),
        ("price", False),
        ("done", "yes"),
        ("done", 2),
        ("at", "2026-05-02"),
        ("at", 5),
    ],
)
def test_an_input_of_the_wrong_type_is_refused(api: DataApi, member: str, value: object) -> None:
    refused = run(api, "createTodo", {**INPUT, member: value})

    assert (refused.status, refused.code) == (400, "INVALID_DATA")
    assert member in refused.json["error"]["message"]
