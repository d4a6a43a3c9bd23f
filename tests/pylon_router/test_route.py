"""What every route shares: unknown URLs, OPTIONS, the error envelope, and bugs that are not hidden."""

import ast
from pathlib import Path

import pytest

import pylon_router
from pylon_router import ROUTES, Caller, Route, route
from tests.support.data_api import IDENTITIES, DataApi


@pytest.mark.parametrize(
    ("method", "url"),
    [
        ("GET", "/"),
        ("GET", "/api"),
        ("GET", "/api/nope"),
        ("GET", "/nope?x=1"),
        ("POST", "/api/manifest"),
        ("POST", "/api/sync/pull"),
        ("GET", "/api/sync/push"),
        ("GET", "/api/query/Note"),
        ("PATCH", "/api/query"),
        ("GET", ""),
        ("GET", "?"),
    ],
)
def test_an_unknown_route_is_not_found_with_a_hint(api: DataApi, method: str, url: str) -> None:
    refused = api.send(method, url)

    assert (refused.status, refused.code) == (404, "NOT_FOUND")
    assert refused.json["error"]["hint"]


def test_errors_carry_their_code_where_every_client_looks(api: DataApi) -> None:
    body = api.send("GET", "/api/nope").json

    assert body["code"] == body["error"]["code"] == "NOT_FOUND"
    assert body["message"] == body["error"]["message"]


@pytest.mark.parametrize("url", ["/api/entities/Note", "/nowhere"])
def test_options_is_an_empty_answer(api: DataApi, url: str) -> None:
    response = route(api.ctx, "OPTIONS", url, b"", Caller(IDENTITIES["anonymous"]))

    assert (response.status, response.body) == (204, b"")


def test_query_strings_do_not_change_the_route(api: DataApi) -> None:
    assert api.send("GET", "/api/auth/me?x=1").status == 200
    assert api.send("POST", "/api/sync/push?x=1", body={"changes": []}).status == 200


def test_a_bug_is_not_turned_into_an_answer(api: DataApi) -> None:
    api.reconfigure(store=None)

    with pytest.raises(AttributeError):
        api.send("GET", "/api/entities/Note/x")


@pytest.mark.parametrize("declared", ROUTES, ids=lambda declared: f"{declared.method} {declared.pattern}")
def test_every_route_has_a_path_of_its_own(declared: Route) -> None:
    assert declared.pattern.startswith("/api/")
    assert sum((declared.method, declared.pattern) == (other.method, other.pattern) for other in ROUTES) == 1


PURE = {
    "collections",
    "dataclasses",
    "functools",
    "ipaddress",
    "itertools",
    "math",
    "msgspec",
    "re",
    "typing",
    "urllib",
}


def test_the_package_names_no_driver_server_or_thread() -> None:
    package = Path(pylon_router.__file__).parent
    imported = {
        name.split(".")[0]
        for source in package.rglob("*.py")
        for node in ast.walk(ast.parse(source.read_text()))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }

    ours = {f"pylon_{floor}" for floor in ("core", "http", "policy", "auth", "sync", "functions", "router")}
    assert imported - ours <= PURE
