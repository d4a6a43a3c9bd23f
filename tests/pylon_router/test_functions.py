"""``/api/fn``: the order of its checks, and that a handler's value goes out as it came (contract 07 §10)."""

from collections.abc import Sequence

import msgspec
import pytest

from pylon_core import jsontext
from pylon_core.errors import PylonError
from pylon_functions.invocation import Invocation
from pylon_functions.registry import FunctionDefinition, FunctionKind
from pylon_functions.traces import CallTrace, TracedOutcome
from pylon_router import Caller, route
from tests.support.data_api import IDENTITIES, DataApi

ECHO = FunctionDefinition("echo", FunctionKind.QUERY)


class EchoHost:
    """A function host with one function, which answers with its arguments and its caller."""

    def definitions(self) -> Sequence[FunctionDefinition]:
        return [ECHO]

    def find(self, name: str) -> FunctionDefinition:
        if name != ECHO.name:
            raise PylonError("FN_NOT_FOUND", f"There is no function {name!r}.")
        return ECHO

    def run(self, invocation: Invocation) -> msgspec.Raw:
        assert invocation.name == ECHO.name
        if invocation.args == {"throw": True}:
            raise PylonError("OUT_OF_STOCK", "None left.")
        if invocation.listener is not None:
            invocation.listener("a\nb", None)
            invocation.listener("c", "note")
        return msgspec.Raw(jsontext.encode([invocation.args, invocation.auth.user_id]))

    def traces(self, limit: int) -> Sequence[CallTrace]:
        ok = TracedOutcome("ok")
        return [
            CallTrace(f"c_{n}", "echo", FunctionKind.QUERY, None, 0, 0.5, ok, [], 0, 0, []) for n in range(limit)
        ]


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
        ("POST", "/api/fn/nope", b"{", 404, "FN_NOT_FOUND"),
        ("POST", "/api/fn/echo", {"throw": True}, 400, "OUT_OF_STOCK"),
        ("POST", "/api/fn/", {}, 404, "NOT_FOUND"),
        ("POST", "/api/fn/traces", {}, 404, "FN_NOT_FOUND"),
        ("PUT", "/api/fn/traces", {}, 404, "NOT_FOUND"),
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
    assert limited.json["error"]["message"] == 'Function "echo" rate limit exceeded'
    assert limited.json["error"]["retry_after_secs"] == 7
    assert limited.headers["Retry-After"] == "7"
    assert limiter.keys == [key]
    assert fn.send("POST", "/api/fn/nope", as_user, address=address).status == 404
    assert fn.send("POST", "/api/fn/echo", as_user, b"{", address=address).status == 400
    assert limiter.keys == [key]


@pytest.mark.parametrize(
    ("query", "count"),
    [("", 50), ("?limit=3", 3), ("?limit=0", 0), ("?limit=9999", 500), ("?limit=x", 50)],
)
def test_the_admin_sees_the_last_calls(fn: DataApi, query: str, count: int) -> None:
    traced = fn.send("GET", f"/api/fn/traces{query}", "admin")

    assert [trace["call_id"] for trace in traced.json] == [f"c_{n}" for n in range(count)]
    for as_user in ("anonymous", "guest", "alice"):
        refused = fn.send("GET", f"/api/fn/traces{query}", as_user)
        assert (refused.status, refused.code) == (403, "FORBIDDEN")


def test_without_a_runtime_there_are_no_traces(api: DataApi) -> None:
    assert api.send("GET", "/api/fn/traces", "admin").json == []


ACCEPTS = ["text/event-stream", "application/json, text/event-stream;q=0.9", "TEXT/EVENT-STREAM"]


@pytest.mark.parametrize("accept", ACCEPTS)
def test_a_caller_that_takes_events_gets_the_call_as_events(fn: DataApi, accept: str) -> None:
    caller = Caller(IDENTITIES["alice"], headers={"accept": accept})

    told = route(fn.ctx, "POST", "/api/fn/echo", b"[1]", caller)

    assert (told.status, told.content_type) == (200, "text/event-stream")
    assert told.body == (b'data: a\ndata: b\n\nevent: note\ndata: c\n\nevent: result\ndata: [[1],"alice"]\n\n')


def test_a_failure_of_the_call_is_an_event(fn: DataApi) -> None:
    caller = Caller(IDENTITIES["alice"], headers={"accept": "text/event-stream"})

    told = route(fn.ctx, "POST", "/api/fn/echo", b'{"throw":true}', caller)

    assert told.status == 200
    assert told.body == b'event: error\ndata: {"code":"OUT_OF_STOCK","message":"None left."}\n\n'


@pytest.mark.parametrize(
    ("name", "body", "code"),
    [("nope", b"", "FN_NOT_FOUND"), ("echo", b"{", "INVALID_JSON"), ("echo", b"", "RATE_LIMITED")],
)
def test_what_does_not_begin_is_no_stream(fn: DataApi, name: str, body: bytes, code: str) -> None:
    fn.reconfigure(function_limiter=NobodyMay())
    headers = {"accept": "text/event-stream"}

    refused = fn.send("POST", f"/api/fn/{name}", body=body, headers=headers)

    assert refused.code == code
