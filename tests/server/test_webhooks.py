"""Webhooks over HTTP, with real functions of both languages: the request arrives as it was sent, whoever sends it
(contract 07 §10.4)."""

import http.client
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.server.rig import ADMIN_TOKEN, Server, serving, write_app
from tests.support.waiting import until

TYPESCRIPT = {
    "hook": """export default action({ handler: (ctx, args) => ({
      args, userId: ctx.auth.userId, isAdmin: ctx.auth.isAdmin,
      method: ctx.request.method, path: ctx.request.path, headers: ctx.request.headers,
      rawBody: ctx.request.rawBody, bytes: [...ctx.request.rawBytes] }) });""",
    "sell": 'export default mutation({ handler: () => "sold" });',
    "refuse": 'export default action({ handler: (ctx) => { throw ctx.error("BAD_SIGNATURE", "No."); } });',
}
PYTHON = """
from pylon_functions import action

@action
def hook_in_python(ctx, **args):
    request = ctx.request
    return {"args": args, "userId": ctx.auth.user_id, "isAdmin": ctx.auth.is_admin,
            "method": request.method, "path": request.path, "headers": dict(request.headers),
            "rawBody": request.raw_body, "bytes": list(request.raw_bytes)}
"""
HOOKS = pytest.mark.parametrize("name", ["hook", "hook_in_python"])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = write_app(tmp_path_factory.mktemp("app"), functions=TYPESCRIPT)
    (folder / "functions" / "hooks.py").write_text(PYTHON)
    with serving(folder, env={"PYLON_ADMIN_TOKEN": ADMIN_TOKEN}) as running:
        for name in ("hook", "hook_in_python"):
            until(lambda name=name: send(running, "GET", name)[0] == 200, name)  # type: ignore[misc]  # bound now
        yield running
        assert "Traceback" not in running.log_text()


def send(
    server: Server, method: str, name: str, body: bytes = b"", headers: list[tuple[str, str]] | None = None
) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    try:
        connection.putrequest(method, f"/api/webhooks/{name}")
        for header in [*(headers or []), ("Content-Length", str(len(body)))]:
            connection.putheader(*header)
        connection.endheaders(body)
        response = connection.getresponse()
        raw = response.read()
        return response.status, json.loads(raw) if raw else None
    finally:
        connection.close()


@HOOKS
def test_the_request_arrives_as_it_was_sent(server: Server, name: str) -> None:
    body = '{ "amount":\t5,\r\n "who": "Zoë \u2028 \U0001f600\\u0000" }\n'.encode()
    headers = [("X-Signature", "v1=abc"), ("X-Twice", "a"), ("x-twice", "b")]

    status, seen = send(server, "POST", f"{name}?challenge=a%2Fb&x", body, headers)

    assert status == 200, seen
    assert seen["rawBody"].encode() == body
    assert bytes(seen["bytes"]) == body
    assert seen["args"] == {"rawBody": body.decode()}
    assert (seen["method"], seen["path"]) == ("POST", f"/api/webhooks/{name}?challenge=a%2Fb&x")
    assert seen["headers"]["x-signature"] == "v1=abc"
    assert seen["headers"]["x-twice"] == "a, b"
    assert (seen["userId"], seen["isAdmin"]) == (None, False)


@HOOKS
def test_a_body_that_is_no_text_arrives_too(server: Server, name: str) -> None:
    body = bytes(range(256))

    status, seen = send(server, "POST", name, body)

    assert (status, seen["rawBody"], bytes(seen["bytes"])) == (200, "", body)


@HOOKS
@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "PROPFIND"])
def test_any_method_will_do(server: Server, name: str, method: str) -> None:
    status, seen = send(server, method, name)

    assert (status, seen["method"], seen["rawBody"]) == (200, method, "")


def test_head_and_options_are_answered_without_a_body(server: Server) -> None:
    assert send(server, "HEAD", "hook") == (200, None)
    assert send(server, "OPTIONS", "hook") == (204, None)


def test_somebody_who_is_signed_in_in_the_same_browser_is_not_acted_for(server: Server) -> None:
    token, user_id = server.guest()
    foreign = ("Origin", "https://evil.example")

    status, seen = send(server, "POST", "hook", b"", [("Cookie", f"notes_session={token}"), foreign])
    assert (status, seen["userId"]) == (200, None)
    status, seen = send(server, "POST", "hook", b"", [("Authorization", f"Bearer {token}"), foreign])
    assert (status, seen["userId"]) == (200, user_id)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("nope", (404, "FN_NOT_FOUND")), ("sell", (400, "NOT_AN_ACTION")), ("refuse", (400, "BAD_SIGNATURE"))],
)
def test_what_fails_says_why(server: Server, name: str, expected: tuple[int, str]) -> None:
    status, answer = send(server, "POST", name)

    assert (status, answer["error"]["code"]) == expected
