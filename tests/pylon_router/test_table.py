"""Dispatch: which handler a method and a path lead to, and with which values."""

import pytest

from pylon_core.errors import PylonError
from pylon_http import Response
from pylon_router.context import Call, RouterContext
from pylon_router.table import ANY_METHOD, Route, RouteTable, effective_method


def _handler(_ctx: RouterContext, _call: Call) -> Response:
    return Response(200, b"")


def _other(_ctx: RouterContext, _call: Call) -> Response:
    return Response(200, b"")


TABLE = RouteTable(
    [
        Route("GET", "/api/things", _handler),
        Route("GET", "/api/things/<id>", _handler),
        Route("PATCH", "/api/things/<id>", _handler),
        Route("GET", "/api/things/cursor", _other),
        Route(ANY_METHOD, "/api/things", _other),
        Route("GET", "/api/files/<name...>", _handler),
        Route("GET", "/api/files/<name>/info", _other),
        Route("GET", "/api/files/special/<rest...>", _other),
        Route("DELETE", "/api/files/<name>", _other),
    ]
)


@pytest.mark.parametrize(
    ("method", "path", "handler", "values"),
    [
        ("GET", "/api/things", _handler, ()),
        ("PUT", "/api/things", _other, ()),
        ("GET", "/api/things/7", _handler, ("7",)),
        ("GET", "/api/things/cursor", _other, ()),
        ("PATCH", "/api/things/cursor", _handler, ("cursor",)),
        ("GET", "/api/things/a%20b", _handler, ("a b",)),
        ("GET", "/api/things/a%2Fb", _handler, ("a/b",)),
        ("GET", "/api/th%69ngs/7", _handler, ("7",)),
        ("GET", "/api/things/%00", _handler, ("\0",)),
        ("GET", "/api/things/%ff", _handler, ("\ufffd",)),
        ("GET", "/api/files/a", _handler, ("a",)),
        ("GET", "/api/files/a/b%2Fc/d%20e", _handler, ("a/b/c/d e",)),
        ("GET", "/api/files//a//", _handler, ("/a//",)),
        ("GET", "/api/files/a/info", _other, ("a",)),
        ("GET", "/api/files/a/info/b", _handler, ("a/info/b",)),
        ("GET", "/api/files/special/a/b", _other, ("a/b",)),
        ("GET", "/api/files/special", _handler, ("special",)),
        ("GET", "/api/files/special/", _handler, ("special/",)),
        ("DELETE", "/api/files/a", _other, ("a",)),
    ],
)
def test_a_path_leads_to_its_handler(method: str, path: str, handler: object, values: tuple[str, ...]) -> None:
    assert TABLE.find(method, path) == (handler, values)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api"),
        ("GET", "/"),
        ("GET", ""),
        ("GET", "api/things"),
        ("GET", "x/api/things"),
        ("GET", "/api/things/"),
        ("GET", "/api//things"),
        ("GET", "/api/things/7/8"),
        ("GET", "/api/Things"),
        ("POST", "/api/things/7"),
        ("GET", "/api/files"),
        ("GET", "/api/files/"),
        ("POST", "/api/files/a/b"),
        ("DELETE", "/api/files/a/b"),
    ],
)
def test_anything_else_is_not_found(method: str, path: str) -> None:
    with pytest.raises(PylonError) as refused:
        TABLE.find(method, path)

    assert (refused.value.code, refused.value.status) == ("NOT_FOUND", 404)
    assert refused.value.hint


def test_two_handlers_for_one_route_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="two handlers"):
        RouteTable([Route("GET", "/a/<x>", _handler), Route("GET", "/a/<y>", _other)])


@pytest.mark.parametrize(
    ("method", "effective"),
    [("GET", "GET"), ("HEAD", "GET"), ("PROPFIND", "GET"), ("get", "GET"), ("PATCH", "PATCH"), ("PUT", "PUT")],
)
def test_undefined_methods_read(method: str, effective: str) -> None:
    assert effective_method(method) == effective
