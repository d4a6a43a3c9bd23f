"""``/api/webhooks``: any method, the request as it was sent, and only actions (contract 07 §10.4)."""

import base64
from collections.abc import Sequence

import msgspec
import pytest

from pylon_core import jsontext
from pylon_core.errors import PylonError
from pylon_functions.invocation import Invocation
from pylon_functions.registry import FunctionDefinition, FunctionKind
from pylon_functions.traces import CallTrace
from tests.support.data_api import DataApi

KINDS = {"hook": FunctionKind.ACTION, "sell": FunctionKind.MUTATION, "count": FunctionKind.QUERY}


class Hooks:
    """A function host that remembers how it was called."""

    def __init__(self) -> None:
        self.calls: list[Invocation] = []

    def definitions(self) -> Sequence[FunctionDefinition]:
        return [self.find(name) for name in KINDS]

    def find(self, name: str) -> FunctionDefinition:
        if name not in KINDS:
            raise PylonError("FN_NOT_FOUND", f'Function "{name}" is not registered')
        return FunctionDefinition(name, KINDS[name])

    def run(self, invocation: Invocation) -> msgspec.Raw:
        self.calls.append(invocation)
        return msgspec.Raw(b'{"ok":true}')

    def traces(self, limit: int) -> Sequence[CallTrace]:
        return []


class Limiter:
    def __init__(self, wait_s: int) -> None:
        self.wait_s = wait_s
        self.keys: list[str] = []

    def admit(self, key: str) -> int:
        self.keys.append(key)
        return self.wait_s


@pytest.fixture
def hooks(api: DataApi) -> Hooks:
    found = Hooks()
    api.reconfigure(functions=found)
    return found


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "PURGE"])
def test_an_action_is_called_with_the_request_as_it_was_sent(api: DataApi, hooks: Hooks, method: str) -> None:
    headers = {"x-signature": "abc", "x-twice": "1, 2"}

    called = api.send(method, "/api/webhooks/hook?q=%2F1", "anonymous", b'{ "a":\t1 }\n', headers=headers)

    assert (called.status, called.json) == (200, {"ok": True})
    (invocation,) = hooks.calls
    assert (invocation.name, invocation.kind) == ("hook", FunctionKind.ACTION)
    assert invocation.args == {"rawBody": '{ "a":\t1 }\n'}
    assert jsontext.decode(jsontext.encode(invocation.request)) == {
        "method": method,
        "path": "/api/webhooks/hook?q=%2F1",
        "headers": headers,
        "raw_body": '{ "a":\t1 }\n',
    }


@pytest.mark.parametrize("body", [b"", b"\xef\xbb\xbfbom", "Zürich\r\n\0 ".encode()], ids=["none", "BOM", "text"])
def test_a_text_arrives_byte_for_byte(api: DataApi, hooks: Hooks, body: bytes) -> None:
    api.send("POST", "/api/webhooks/hook", body=body)

    request = hooks.calls[0].request
    assert request is not None
    assert request.raw_body.encode() == body
    assert request.raw_body_base64 is None


@pytest.mark.parametrize("body", [b"\xff", b"caf\xe9", b"\xed\xa0\x80"], ids=["byte", "latin-1", "surrogate"])
def test_what_is_no_text_arrives_beside_an_empty_one(api: DataApi, hooks: Hooks, body: bytes) -> None:
    api.send("POST", "/api/webhooks/hook", body=body)

    invocation = hooks.calls[0]
    assert invocation.args == {"rawBody": ""}
    assert invocation.request is not None
    assert invocation.request.raw_body == ""
    assert base64.b64decode(invocation.request.raw_body_base64 or "") == body


@pytest.mark.parametrize(
    ("name", "status", "code", "message"),
    [
        ("nope", 404, "FN_NOT_FOUND", 'Action "nope" is not registered'),
        ("sell", 400, "NOT_AN_ACTION", '"sell" is a mutation; webhooks call actions.'),
        ("count", 400, "NOT_AN_ACTION", '"count" is a query; webhooks call actions.'),
    ],
)
def test_only_actions_are_called(
    api: DataApi, hooks: Hooks, name: str, status: int, code: str, message: str
) -> None:
    limiter = Limiter(0)
    api.reconfigure(function_limiter=limiter)

    refused = api.send("POST", f"/api/webhooks/{name}", body=b"not JSON")

    assert (refused.status, refused.code, refused.json["message"]) == (status, code, message)
    assert hooks.calls == []
    assert limiter.keys == []


def test_without_a_runtime_webhooks_are_unavailable(api: DataApi) -> None:
    refused = api.send("GET", "/api/webhooks/hook")

    assert (refused.status, refused.code) == (503, "FUNCTIONS_NOT_AVAILABLE")


def test_webhooks_are_limited_by_address_whoever_calls(api: DataApi, hooks: Hooks) -> None:
    limiter = Limiter(9)
    api.reconfigure(function_limiter=limiter)

    limited = api.send("POST", "/api/webhooks/hook", "alice", address="1.2.3.4")

    assert (limited.status, limited.code) == (429, "RATE_LIMITED")
    assert limited.json["error"]["message"] == 'Webhook "hook" rate limit exceeded'
    assert limited.json["error"]["retry_after_secs"] == 9
    assert limited.headers["Retry-After"] == "9"
    api.send("POST", "/api/webhooks/hook", "bob", address="1.2.3.4")
    assert len(set(limiter.keys)) == 1
    assert hooks.calls == []


@pytest.mark.parametrize("url", ["/api/%77ebhooks/hook", "/%61pi/webhooks/hook", "/api/webhooks/"])
def test_no_other_spelling_leads_to_a_webhook(api: DataApi, hooks: Hooks, url: str) -> None:
    """The server lets no cookie count at the one spelling, and asks for the page's origin at all others."""
    assert api.send("POST", url).code == "NOT_FOUND"
    assert hooks.calls == []
