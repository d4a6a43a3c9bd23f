"""``/api/fn``: the order of its checks, and that a handler's value goes out as it came (contract 07 §10)."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from pylon_auth import AuthContext
from pylon_core import jsontext
from pylon_core.errors import PylonError
from pylon_functions import FunctionDefinition, FunctionKind
from tests.support.data_api import DataApi

ECHO = FunctionDefinition("echo", FunctionKind.QUERY)


class EchoHost:
    """A function host with one function, which answers with its arguments and its caller."""

    def definitions(self) -> Sequence[FunctionDefinition]:
        return [ECHO]

    def call(self, name: str, args: Any, auth: AuthContext) -> msgspec.Raw:
        if name != ECHO.name:
            raise PylonError("FN_NOT_FOUND", f"There is no function {name!r}.")
        if args == {"throw": True}:
            raise PylonError("OUT_OF_STOCK", "None left.")
        return msgspec.Raw(jsontext.encode([args, auth.user_id]))


class NobodyMay:
    def __init__(self) -> None:
        self.keys: list[str] = []

    def admit(self, key: str) -> int:
        self.keys.append(key)
        return 7


@pytest.fixture
def fn(api: DataApi) -> DataApi:
    api.reconfigure(functions=EchoHost())
    return api


@pytest.mark.parametrize(
    ("as_user", "body", "answer"),
    [
        ("alice", {"a": 1}, [{"a": 1}, "alice"]),
        ("anonymous", None, [{}, None]),
        ("admin", b" \n ", [{}, "__admin__"]),
        ("alice", [1], [[1], "alice"]),
    ],
)
def test_a_function_is_called_with_its_caller(fn: DataApi, as_user: str, body: object, answer: object) -> None:
    called = fn.send("POST", "/api/fn/echo", as_user, body)

    assert (called.status, called.json) == (200, answer)


@pytest.mark.parametrize(
    ("method", "url", "body", "status", "code"),
    [
        ("POST", "/api/fn/echo", b"{", 400, "INVALID_JSON"),
        ("POST", "/api/fn/nope", {}, 404, "FN_NOT_FOUND"),
        ("POST", "/api/fn/echo", {"throw": True}, 400, "OUT_OF_STOCK"),
        ("POST", "/api/fn/", {}, 404, "NOT_FOUND"),
        ("GET", "/api/fn/echo", None, 404, "NOT_FOUND"),
        ("DELETE", "/api/fn/echo", None, 404, "NOT_FOUND"),
    ],
)
def test_calls_that_fail(fn: DataApi, method: str, url: str, body: object, status: int, code: str) -> None:
    refused = fn.send(method, url, body=body)

    assert (refused.status, refused.code) == (status, code)
    assert refused.json["code"] == code


def test_without_a_runtime_calls_are_unavailable_and_the_list_is_empty(api: DataApi) -> None:
    unavailable = api.send("POST", "/api/fn/echo", body=b"{")

    assert (unavailable.status, unavailable.code) == (503, "FUNCTIONS_NOT_AVAILABLE")
    assert api.send("GET", "/api/fn", "admin").json == []


def test_only_the_admin_sees_the_list(fn: DataApi) -> None:
    assert fn.send("GET", "/api/fn", "admin").json == [{"name": "echo", "fn_type": "query"}]
    for as_user in ("anonymous", "guest", "alice"):
        refused = fn.send("GET", "/api/fn", as_user)
        assert (refused.status, refused.code) == (403, "FORBIDDEN")


@pytest.mark.parametrize(
    ("as_user", "address", "key"),
    [
        ("alice", "1.2.3.4", "echo::alice"),
        ("anonymous", "1.2.3.4", "echo::1.2.3.4"),
        ("anonymous", None, "echo::anon"),
    ],
)
def test_calls_are_limited_per_function_and_caller(
    fn: DataApi, as_user: str, address: str | None, key: str
) -> None:
    limiter = NobodyMay()
    fn.reconfigure(function_limiter=limiter)

    limited = fn.send("POST", "/api/fn/echo", as_user, address=address)

    assert (limited.status, limited.code) == (429, "RATE_LIMITED")
    assert limited.json["error"]["retry_after_secs"] == 7
    assert limiter.keys == [key]
