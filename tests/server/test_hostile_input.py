"""Whatever arrives on the wire: an error that says so, or a clean close; and the others are served meanwhile."""

import json
import socket
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

from pylon_router.route import ROUTES
from tests.pylon_runtime.server_rig import RawClient, Reply, get, post
from tests.server.rig import Server

ROUTE_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
UNROUTED_METHODS = ("TRACE", "PROPFIND", "LINK", "PURGE")
PATTERNS = sorted({route.pattern for route in ROUTES} | {"/", "/health", "/api", "/api/nope", "/ws", "/events"})


@pytest.fixture
def token(shared: Server) -> str:
    return shared.guest()[0]


def ask(server: Server, data: bytes, *, head: bool = False) -> Reply:
    with RawClient(server.port) as client:
        return client.ask(data, head=head)


def assert_error(reply: Reply) -> None:
    """A refusal of the client, in the one envelope."""
    assert 400 <= reply.status < 500, reply
    body = json.loads(reply.body)
    assert set(body) == {"error", "code", "message"}
    assert body["error"]["code"] == body["code"]
    assert body["error"]["message"] == body["message"] != ""
    assert reply.headers["content-type"] == "application/json"


def send_json(server: Server, token: str, target: str, body: bytes, method: str = "POST") -> Reply:
    return ask(server, post(body, target, f"Authorization: Bearer {token}").replace(b"POST", method.encode(), 1))


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("method", [*ROUTE_METHODS, *UNROUTED_METHODS])
def test_every_route_answers_every_method(shared: Server, token: str, pattern: str, method: str) -> None:
    target = pattern.replace("<entity>", "Post").replace("<id>", "none").replace("<name>", "none")

    reply = ask(
        shared,
        post(b"{}", target, f"Authorization: Bearer {token}").replace(b"POST", method.encode(), 1),
        head=method == "HEAD",
    )

    assert reply.status < 500
    if reply.status >= 400 and method != "HEAD":
        assert_error(reply)


BODIES = {
    "nothing": b"",
    "not json": b"{nope}",
    "half": b'{"title": "a',
    "two": b"{}{}",
    "array": b"[]",
    "null": b"null",
    "string": b'"title"',
    "byte order mark": b'\xef\xbb\xbf{"title": "a"}',
    "bad utf-8": b'{"title": "\xff\xfe"}',
    "utf-16": '{"title": "a"}'.encode("utf-16"),
    "lone surrogate": b'{"title": "\\ud800"}',
    "surrogate key": b'{"\\udfff": 1}',
    "control character": b'{"title": "\x01"}',
    "NaN": b'{"title": "a", "score": NaN}',
    "Infinity": b'{"title": "a", "score": -Infinity}',
    "1e999": b'{"title": "a", "score": 1e999}',
    "5,000 digits": b'{"title": "a", "rank": ' + b"9" * 5000 + b"}",
    "300 deep": b'{"title": ' + b"[" * 300 + b"]" * 300 + b"}",
    "a million deep": b"[" * 1_000_000,
    "100 deep": b'{"title": ' + b"[" * 100 + b"]" * 100 + b"}",
    "10**400": b'{"title": "a", "rank": 1' + b"0" * 400 + b"}",
    "wrong types": b'{"title": {"a": [1, null, true]}}',
    "unknown field": b'{"title": "a", "constructor": 1, "__proto__": 2}',
}


@pytest.mark.parametrize("body", BODIES.values(), ids=list(BODIES))
@pytest.mark.parametrize(
    ("method", "target"),
    [("POST", "/api/entities/Post"), ("PATCH", "/api/entities/Post/none"), ("POST", "/api/auth/session")],
)
def test_a_body_that_is_no_row_is_refused(
    shared: Server, token: str, method: str, target: str, body: bytes
) -> None:
    with shared.unchanged(token):
        assert_error(send_json(shared, token, target, body, method))


@pytest.mark.parametrize("body", BODIES.values(), ids=list(BODIES))
@pytest.mark.parametrize("target", ["/api/query/Note", "/api/sync/push", "/api/fn/ping", "/api/fn/none"])
def test_a_body_may_mean_something_elsewhere_but_never_breaks_it(
    shared: Server, token: str, target: str, body: bytes
) -> None:
    reply = send_json(shared, token, target, body)

    if reply.status != 200:
        assert_error(reply)


def test_of_a_repeated_member_the_last_counts(shared: Server, token: str) -> None:
    reply = send_json(shared, token, "/api/entities/Post", b'{"title": "a", "title": "b"}')

    assert (reply.status, json.loads(reply.body)["title"]) == (201, "b")


@pytest.mark.parametrize("kind", ["text/plain", "multipart/form-data; boundary=x", "application/xml", "\xff;;="])
def test_a_wrong_content_type_changes_nothing(shared: Server, token: str, kind: str) -> None:
    head = f"Authorization: Bearer {token}", f"Content-Type: {kind}"

    assert ask(shared, post(b'{"title": "a"}', "/api/entities/Post", *head)).status == 201
    assert_error(ask(shared, post(b"--x\r\n\r\n", "/api/entities/Post", *head)))


FILTERS: dict[str, Any] = {
    "operator": {"rank": {"$where": "1=1"}},
    "empty constraint": {"rank": {}},
    "object operand": {"rank": {"$gt": {"a": 1}}},
    "in": {"rank": {"$in": "abc"}},
    "like": {"title": {"$like": 5}},
    "long like": {"title": {"$like": "%a" * 30_000}},
    "limit": {"$limit": -1},
    "huge limit": {"$limit": 10**30},
    "offset": {"$offset": 0.5},
    "order": {"$order": "title"},
    "order column": {"$order": {"title; DROP TABLE Note": "asc"}},
    "column": {'title" OR 1=1 --': 1},
    "empty column": {"": 1},
    "option": {"$having": 1},
    "a lot": {"rank": {"$in": list(range(100_000))}},
    "nul": {"title": "\0"},
    "array": {"title": ["a"]},
    "another type": {"title": {"$in": [True, "x"]}},
}


@pytest.mark.parametrize("document", FILTERS.values(), ids=list(FILTERS))
def test_a_filter_that_means_nothing_is_refused(shared: Server, token: str, document: Any) -> None:
    assert_error(send_json(shared, token, "/api/query/Note", json.dumps(document).encode()))


ODD_FILTERS: dict[str, Any] = {
    "huge number": {"rank": 10**400},
    "huge negative": {"rank": {"$lt": -(10**400)}},
    "far": {"$offset": 2**63 - 1},
    "mixed": {"rank": {"$in": [None, 1.5, 10**30, -(10**400)]}},
}


@pytest.mark.parametrize("document", ODD_FILTERS.values(), ids=list(ODD_FILTERS))
def test_a_filter_that_selects_nothing_is_an_empty_list(shared: Server, token: str, document: Any) -> None:
    reply = send_json(shared, token, "/api/query/Note", json.dumps(document).encode())

    assert (reply.status, reply.body) == (200, b"[]")


TARGETS = {
    "empty entity": "/api/entities/",
    "empty entity and id": "/api/entities//",
    "empty id": "/api/entities/Post/",
    "nul": "/api/entities/Post/%00",
    "nul entity": "/api/entities/%00",
    "bad utf-8": "/api/entities/%ff%fe",
    "bad escape": "/api/entities/Post/%zz",
    "half an escape": "/api/entities/Post/%",
    "slashes": "/api/entities/Post/%2f..%2f..%2fetc%2fpasswd",
    "dots": "/api/entities/../../etc/passwd",
    "backslashes": "/api\\entities\\Post",
    "no API": "/api",
    "double": "//api/entities/Post",
    "prototype": "/api/fn/__proto__",
    "traversal": "/..%2f..%2fpylon.manifest.json",
    "dotfile": "/.pylon/dev.db",
    "manifest": "/pylon.manifest.json",
    "nul file": "/index.html%00.png",
    "long segment": "/" + "a" * 300,
    "7 kB": "/api/entities/Post/" + "a" * 7000,
    "10 kB": "/api/entities/Post/" + "a" * 10_000,
    "asterisk": "*",
    "no slash": "api/entities/Post",
}


@pytest.mark.parametrize("target", TARGETS.values(), ids=list(TARGETS))
def test_an_odd_target_is_refused(shared: Server, token: str, target: str) -> None:
    assert_error(ask(shared, get(target, f"Authorization: Bearer {token}")))


ODD_QUERIES = [
    "limit=abc&offset=-1",
    "limit=99999999999999999999",
    "limit=9223372036854775807&offset=9223372036854775807",
    "limit=%00&limit=5&=&&;",
    "%ff=%fe",
    "a" * 7000,
]


@pytest.mark.parametrize("query", ODD_QUERIES, ids=lambda query: query[:20])
@pytest.mark.parametrize("path", ["/api/entities/Post", "/api/entities/Post/cursor", "/api/manifest", "/health"])
def test_a_query_that_says_nothing_is_ignored(shared: Server, token: str, path: str, query: str) -> None:
    assert ask(shared, get(f"{path}?{query}", f"Authorization: Bearer {token}")).status in (200, 404)


@pytest.mark.parametrize(
    ("since", "status"), [("abc", 200), ("-1", 200), ("1e3", 200), ("9" * 18, 410), ("9" * 40, 200)]
)
def test_a_cursor_nobody_gave_out(shared: Server, token: str, since: str, status: int) -> None:
    assert ask(shared, get(f"/api/sync/pull?since={since}", f"Authorization: Bearer {token}")).status == status


HEADS = {
    "header flood": get("/health", *[f"X-{number}: y" for number in range(5000)]),
    "long header": get("/health", "X-A: " + "a" * 100_000),
    "no host": b"GET /health HTTP/1.1\r\n\r\n",
    "two hosts": get("/health", "Host: other"),
    "old version": b"GET /health HTTP/0.9\r\nHost: localhost\r\n\r\n",
    "no version": b"GET /health\r\n\r\n",
    "unknown method": b"BREW /health HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "lower case method": b"get /health HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "proxy request": b"CONNECT example.com:443 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "nul in a header": get("/health", "X-A: a\0b"),
    "spaced name": get("/health", "X A : b"),
    "two lengths": post(b"{}", "/api/sync/push", "Content-Length: 5"),
    "negative length": b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
    "length and chunks": post(b"{}", "/api/sync/push", "Transfer-Encoding: chunked"),
    "bad chunk": b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "noise": bytes(range(256)) * 4,
    "TLS hello": bytes.fromhex("16030100c8010000c40303") + b"\0" * 64,
    "11 MiB announced": b"POST /api/sync/push HTTP/1.1\r\nHost: localhost\r\nContent-Length: 11534336\r\n\r\n",
    "length of 100 digits": b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + b"9" * 100 + b"\r\n\r\n",
}


@pytest.mark.parametrize("data", HEADS.values(), ids=list(HEADS))
def test_what_is_not_http_is_refused_and_the_connection_closed(shared: Server, data: bytes) -> None:
    with RawClient(shared.port) as client:
        client.send(data)
        reply = client.reply()
        assert client.is_closed()

    if reply.status != HTTPStatus.HTTP_VERSION_NOT_SUPPORTED:
        assert_error(reply)


def test_eleven_megabytes_are_refused_and_ten_are_read(shared: Server, token: str) -> None:
    head = f"Authorization: Bearer {token}"
    with RawClient(shared.port) as client:
        reply = client.ask(post(b'{"title": "' + b"a" * (11 << 20) + b'"}', "/api/entities/Post", head))
    assert (reply.status, reply.code) == (413, "PAYLOAD_TOO_LARGE")

    assert_error(ask(shared, post(b" " * (10 << 20), "/api/entities/Post", head)))


def test_half_a_request_and_silence_hold_up_nobody(shared: Server, token: str) -> None:
    halves = [
        b"GE",
        b"GET /api/entities/Post HTTP/1.1\r\nHost:",
        b"POST /api/entities/Post HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    ]
    silent = [socket.create_connection(("127.0.0.1", shared.port)) for _ in range(300)]
    try:
        for number, sock in enumerate(silent):
            sock.sendall(halves[number % len(halves)])
        for _ in range(20):
            assert shared.request("GET", "/api/entities/Post", token=token, timeout=2)[0] == 200
    finally:
        for sock in silent:
            sock.close()
    assert shared.request("GET", "/health")[0] == 200


@pytest.mark.parametrize(
    "header",
    [
        "Authorization: Basic YTpi",
        "Authorization: Bearer " + "a" * 5000,
        "Cookie: notes_session=\xff; ;=;==",
        "Cookie: " + "a=b; " * 1000,
        "Origin: \xff://[::",
        "Origin: https://[::1",
        "Referer: http://[",
        "X-Request-Id: \xff" + "a" * 500,
        "X-Forwarded-For: ::1, bogus, \xff",
    ],
    ids=lambda header: ascii(header[:30]),
)
def test_odd_headers_make_the_caller_nobody(shared: Server, header: str) -> None:
    reply = ask(shared, get("/api/auth/me", header))

    assert reply.status == 200
    assert json.loads(reply.body)["user_id"] is None


@pytest.mark.parametrize("value", ["Bearer", "Bearer ", "bearer\t", "Bearer \xff\xfe", "BEARER a b"], ids=ascii)
def test_a_bearer_that_cannot_be_read_is_refused(shared: Server, token: str, value: str) -> None:
    reply = ask(shared, get("/api/auth/me", f"Authorization: {value}", f"Cookie: notes_session={token}"))

    assert reply.status == 401
    assert json.loads(reply.body)["code"] == "UNAUTHORIZED"


def test_an_upgrade_that_is_no_websocket_is_refused(shared: Server) -> None:
    for lines in (("Upgrade: websocket",), ("Connection: Upgrade", "Upgrade: websocket")):
        with RawClient(shared.port) as client:
            client.send(get("/api/sync/ws", *lines))
            reply = client.reply()
        assert 400 <= reply.status < 500


def test_nothing_outside_the_public_folder_is_a_page(shared: Server) -> None:
    public = Path(shared.app, "public")
    public.mkdir()
    (public / "page.html").write_text("hello")
    (public / "out").symlink_to(shared.app / "pylon.manifest.json")

    assert ask(shared, get("/page.html")).status == 200
    for target in (
        "/out",
        "/../pylon.manifest.json",
        "/%2e%2e/pylon.manifest.json",
        "/page.html/",
        "/page.html/x",
    ):
        assert_error(ask(shared, get(target)))
