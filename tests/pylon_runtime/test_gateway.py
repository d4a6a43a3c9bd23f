"""What stands around the router: checks, identity, bodies, errors, headers (contract 01 §1, pins 15 and 18)."""

import os
import re
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from pylon_auth import ADMIN, ANONYMOUS
from pylon_core.errors import PylonError
from pylon_http import Response
from pylon_runtime.gateway import BODY_BYTES_MAX
from pylon_runtime.response_headers import common_headers
from tests.pylon_runtime.gateway_rig import ADMIN_TOKEN, COOKIE, SITE, GatewayRig

WRITES = ["POST", "PUT", "PATCH", "DELETE", "PROPFIND"]


@pytest.fixture
def rig() -> GatewayRig:
    return GatewayRig()


def code_of(response: Response) -> str:
    code: str = msgspec.json.decode(response.body)["error"]["code"]
    return code


def refuse(code: str) -> Response:
    raise PylonError(code, "no", hint="try", details={"oldest_seq": 7})


def crash() -> Response:
    raise ZeroDivisionError("secret detail")


def test_health_answers_before_anything_else(rig: GatewayRig) -> None:
    rig.clock.advance(12.7)

    response = rig.send("GET", "/health", authorization="Bearer pk.bad", origin="https://evil.example")

    assert response.status == 200
    expected = {"status": "ok", "database": "ok", "uptime_secs": 12, "version": "0.1.0"}
    assert msgspec.json.decode(response.body) == expected
    assert rig.calls == []


@pytest.mark.parametrize(
    ("target", "has_database", "status", "body"),
    [
        ("/health", True, 200, {"status": "ok", "database": "ok"}),
        ("/health", False, 200, {"status": "ok", "database": "unavailable"}),
        ("/health?ready=1", True, 200, {"status": "ok", "database": "ok"}),
        ("/health?ready=1", False, 503, {"status": "unavailable", "database": "unavailable"}),
    ],
)
def test_without_its_database_the_server_lives_but_is_not_ready(
    rig: GatewayRig, target: str, has_database: bool, status: int, body: dict[str, str]
) -> None:
    rig.has_database = has_database

    response = rig.send("GET", target)

    assert response.status == status
    assert msgspec.json.decode(response.body).items() >= body.items()


def test_health_is_that_address_exactly(rig: GatewayRig) -> None:
    assert rig.send("GET", "/health?x=1").status == 404
    assert rig.send("GET", "/healthy").status == 404
    assert rig.send("POST", "/health").status == 404
    assert rig.send("HEAD", "/health").status == 200


@pytest.mark.parametrize("target", ["/", "/api/entities/Todo", "/nowhere", "*"])
def test_options_is_204_everywhere(rig: GatewayRig, target: str) -> None:
    response = rig.send("OPTIONS", target, origin="https://evil.example")

    assert (response.status, response.body) == (204, b"")
    assert rig.calls == []


def test_a_request_reaches_the_router_as_it_was_sent(rig: GatewayRig) -> None:
    response = rig.send("POST", "/api/query/T%6Fdo?x=%20", b"{}", user_agent="curl/8", origin=SITE)

    method, url, body, caller = rig.calls[0]
    assert response.body == b'{"routed":true}'
    assert (method, url, body) == ("POST", "/api/query/T%6Fdo?x=%20", b"{}")
    assert (caller.user_agent, caller.has_origin, caller.address) == ("curl/8", True, "10.0.0.1")
    assert (caller.auth, caller.token) == (ANONYMOUS, None)


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
def test_the_body_of_a_method_without_one_is_ignored(rig: GatewayRig, method: str) -> None:
    rig.send(method, "/api/x", b"x" * (BODY_BYTES_MAX + 1))

    assert rig.calls[0][2] == b""


def test_a_body_may_have_ten_mebibytes_and_not_a_byte_more(rig: GatewayRig) -> None:
    fits = rig.send("POST", "/api/x", b"x" * BODY_BYTES_MAX)
    too_large = rig.send("POST", "/api/x", b"x" * (BODY_BYTES_MAX + 1))

    assert fits.status == 200
    assert (too_large.status, code_of(too_large)) == (413, "PAYLOAD_TOO_LARGE")
    assert len(rig.calls) == 1


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE"])
def test_outside_the_api_and_the_files_there_is_nothing(rig: GatewayRig, method: str) -> None:
    response = rig.send(method, "/nowhere")

    assert (response.status, code_of(response)) == (404, "NOT_FOUND")
    assert "hint" in msgspec.json.decode(response.body)["error"]


def test_files_are_served_to_readers_only(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("hello")
    rig = GatewayRig(public=tmp_path)

    assert rig.send("GET", "/a.txt").body == rig.send("HEAD", "/a.txt").body == b"hello"
    assert rig.send("POST", "/a.txt").status == 404
    assert rig.send("GET", "/%2e%2e/a.txt").status == 404


@pytest.mark.parametrize("method", WRITES)
def test_a_foreign_page_may_not_write(rig: GatewayRig, method: str) -> None:
    for headers in ({"origin": "https://evil.example"}, {"referer": "https://evil.example/x"}, {"origin": "null"}):
        response = rig.send(method, "/api/x", **headers)
        assert (response.status, code_of(response)) == (403, "CSRF_REJECTED")

    assert rig.calls == []


@pytest.mark.parametrize("method", WRITES)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": SITE},
        {"referer": f"{SITE}/page"},
        {"origin": "https://evil.example", "authorization": "Bearer x"},
        {"origin": "https://api.example.com", "host": "api.example.com"},
    ],
    ids=["server", "listed", "listed referer", "bearer", "own page"],
)
def test_a_server_a_listed_page_a_bearer_and_our_own_page_may_write(
    rig: GatewayRig, method: str, headers: dict[str, str]
) -> None:
    assert rig.send(method, "/api/x", **headers).status == 200


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_reading_is_never_checked(rig: GatewayRig, method: str) -> None:
    assert rig.send(method, "/api/x", origin="https://evil.example").status == 200


@pytest.mark.parametrize("scheme", ["Bearerx", "Basic Bearer "])
def test_only_a_real_bearer_header_skips_the_check(rig: GatewayRig, scheme: str) -> None:
    response = rig.send("POST", "/api/x", origin="https://evil.example", authorization=scheme)

    assert response.status == 403


@pytest.mark.parametrize("malformed", ["Bearer", "bearer\tx", "Bearer x y", "bearer:x"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_malformed_bearer_is_refused_and_never_the_cookie(rig: GatewayRig, method: str, malformed: str) -> None:
    cookie = f"{COOKIE}={rig.sessions.create('u1').token}"

    response = rig.send(method, "/api/x", authorization=malformed, cookie=cookie)

    assert (response.status, code_of(response)) == (401, "UNAUTHORIZED")
    assert rig.calls == []


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_of_a_bearer_is_known_in_any_case(rig: GatewayRig, scheme: str) -> None:
    """And so is decided by, not by the cookie beside it."""
    issued = [rig.sessions.create(f"u{n}").token for n in range(2)]

    rig.send("POST", "/api/x", authorization=f"{scheme} {issued[0]}", cookie=f"{COOKIE}={issued[1]}")

    assert rig.caller.auth.user_id == "u0"


@pytest.fixture
def dev() -> GatewayRig:
    return GatewayRig({"PYLON_CORS_ORIGIN": "", "PYLON_DEV_MODE": "1"})


@pytest.mark.parametrize(
    ("page", "status"),
    [
        ("http://localhost:5173", 200),
        ("http://127.0.0.1:3000", 200),
        ("http://[::1]:3000", 200),
        ("https://evil.example", 403),
        ("http://192.168.1.5:4321", 403),
        ("null", 403),
    ],
)
def test_in_dev_mode_only_pages_of_this_machine_may_write(dev: GatewayRig, page: str, status: int) -> None:
    cookie = f"{COOKIE}={dev.sessions.create('u1').token}"

    assert dev.send("POST", "/api/x", origin=page, host="localhost:4321", cookie=cookie).status == status


def test_in_dev_mode_a_token_that_is_worth_nothing_excuses_no_page(dev: GatewayRig) -> None:
    """In dev mode anybody may make a session: any page could, with a token of its own invention."""
    token = dev.sessions.create("u1").token
    evil = "https://evil.example"

    invented = dev.send("POST", "/api/auth/session", origin=evil, authorization="Bearer x")
    real = dev.send("POST", "/api/x", origin=evil, authorization=f"Bearer {token}")
    no_page = dev.send("POST", "/api/x", authorization="Bearer x")

    assert (invented.status, code_of(invented)) == (403, "CSRF_REJECTED")
    assert (real.status, no_page.status) == (200, 200)


def test_a_session_is_known_by_bearer_and_by_cookie(rig: GatewayRig) -> None:
    token = rig.sessions.create("u1").token

    rig.send("GET", "/api/x", authorization=f"Bearer {token}")
    rig.send("GET", "/api/x", cookie=f"a=1; {COOKIE}={token}")

    assert [(call[3].auth.user_id, call[3].token) for call in rig.calls] == [("u1", token)] * 2


def test_the_bearer_beats_the_cookie(rig: GatewayRig) -> None:
    token = rig.sessions.create("u1").token

    rig.send("GET", "/api/x", authorization=f"Bearer {ADMIN_TOKEN}", cookie=f"{COOKIE}={token}")

    assert rig.caller.auth is ADMIN


def test_a_dead_session_is_anonymous_but_keeps_its_token(rig: GatewayRig) -> None:
    token = rig.sessions.create("u1").token
    rig.sessions.revoke(token)

    assert rig.send("GET", "/api/auth/me", authorization=f"Bearer {token}").status == 200
    assert (rig.caller.auth, rig.caller.token) == (ANONYMOUS, token)


@pytest.mark.parametrize("target", ["/api/auth/me", "/api/nowhere"])
def test_an_invalid_api_key_is_refused_on_every_route(rig: GatewayRig, target: str) -> None:
    response = rig.send("GET", target, authorization="Bearer pk.key_x.y")

    assert (response.status, code_of(response)) == (401, "INVALID_API_KEY")
    assert rig.calls == []


@pytest.mark.parametrize(
    ("hops", "forwarded", "address"),
    [
        ("0", "1.2.3.4", "10.0.0.1"),
        ("1", "1.2.3.4, 9.9.9.9", "9.9.9.9"),
        ("2", "6.6.6.6, 1.2.3.4, 9.9.9.9", "1.2.3.4"),
        ("2", "9.9.9.9", "10.0.0.1"),
        ("1", "garbage", "10.0.0.1"),
        ("1", "", "10.0.0.1"),
        ("1", "2001:DB8::1", "2001:db8::1"),
    ],
)
def test_the_client_address_is_what_the_trusted_proxies_saw(hops: str, forwarded: str, address: str) -> None:
    rig = GatewayRig({"PYLON_TRUST_PROXY_HOPS": hops})

    rig.send("GET", "/api/x", x_forwarded_for=forwarded)

    assert rig.caller.address == address


def test_an_error_on_purpose_is_its_envelope(rig: GatewayRig) -> None:
    rig.answer = lambda: refuse("RESYNC_REQUIRED")

    response = rig.send("GET", "/api/x")

    assert response.status == 410
    assert msgspec.json.decode(response.body) == {
        "error": {"code": "RESYNC_REQUIRED", "message": "no", "hint": "try", "oldest_seq": 7},
        "code": "RESYNC_REQUIRED",
        "message": "no",
    }


def test_a_crash_is_one_failed_request_told_to_the_log_only(rig: GatewayRig) -> None:
    rig.answer = crash

    with capture_logs() as logs:
        response = rig.send("GET", "/api/x?token=hidden")

    assert (response.status, code_of(response)) == (500, "INTERNAL")
    assert b"secret detail" not in response.body
    request_id = dict(response.headers)["X-Request-Id"]
    assert [(log["event"], log["path"], log["request_id"]) for log in logs] == [
        ("request_failed", "/api/x", request_id)
    ]
    assert isinstance(logs[0]["exc_info"], ZeroDivisionError)
    assert rig.send("GET", "/health").status == 200


def test_the_log_has_the_cause_of_an_error_of_ours_and_the_answer_has_not(rig: GatewayRig) -> None:
    def fail() -> Response:
        try:
            return Response.json(int(SITE))
        except ValueError as cause:
            raise PylonError("QUERY_FAILED", "The database could not be read.", status=500) from cause

    rig.answer = fail

    with capture_logs() as logs:
        response = rig.send("GET", "/api/x")

    assert (response.status, code_of(response)) == (500, "QUERY_FAILED")
    assert b"ValueError" not in response.body
    (line,) = logs
    assert line["event"] == "request_failed"
    assert "PylonError: QUERY_FAILED: The database could not be read.\n" in line["exception"]
    assert line["exception"].endswith("builtins.ValueError")
    assert "int(SITE)" in line["exception"]
    assert SITE not in line["exception"]


def test_a_request_that_goes_well_is_not_logged_and_answered_as_it_is(rig: GatewayRig) -> None:
    answer = Response.json({})
    rig.answer = lambda: answer

    with capture_logs() as logs:
        response = rig.send("GET", "/api/x")

    assert response is answer
    assert logs == []


def test_a_slow_request_is_logged(rig: GatewayRig) -> None:
    def slowly() -> Response:
        rig.clock.advance(1.5)
        return Response.json({})

    rig.answer = slowly

    with capture_logs() as logs:
        rig.send("GET", "/api/x", x_request_id="abc")

    assert [(log["event"], log["log_level"], log["ms"], log["request_id"]) for log in logs] == [
        ("request_slow", "warning", 1500.0, "abc")
    ]


def test_every_request_is_logged_when_asked_for() -> None:
    rig = GatewayRig({"PYLON_ACCESS_LOG": "all"})

    with capture_logs() as logs:
        rig.send("GET", "/api/x?secret=1")

    assert [(log["event"], log["log_level"], log["method"], log["path"], log["status"]) for log in logs] == [
        ("request", "info", "GET", "/api/x", 200)
    ]


def test_a_sane_request_id_is_repeated_and_an_insane_one_replaced(rig: GatewayRig) -> None:
    def id_for(sent: str) -> str:
        return dict(rig.send("GET", "/api/x", x_request_id=sent).headers)["X-Request-Id"]

    assert id_for("trace-7.A_b") == "trace-7.A_b"
    made = [id_for(sent) for sent in ("", "a b", "x\r\nEvil: 1", "x" * 65, "é", "x\n")]
    assert len(set(made)) == len(made)
    assert all(re.fullmatch(r"[0-9a-f]{12}-[0-9a-f]+", request_id) for request_id in made)


def test_every_answer_carries_the_security_headers() -> None:
    headers = dict(common_headers(SITE))

    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-XSS-Protection"] == "1; mode=block"
    assert headers["Referrer-Policy"] == "strict-origin-when-cross-origin"
    assert headers["Permissions-Policy"].count("=()") == 7
    assert "Strict-Transport-Security" not in headers


def test_one_named_origin_may_read_with_credentials() -> None:
    headers = dict(GatewayRig().gateway.common_headers)

    assert headers["Access-Control-Allow-Origin"] == SITE
    assert headers["Access-Control-Allow-Credentials"] == "true"
    assert headers["Vary"] == "Origin"
    assert {"GET", "POST", "PUT", "PATCH", "DELETE"} <= set(headers["Access-Control-Allow-Methods"].split(", "))
    assert {"Content-Type", "Authorization", "X-Filename"} <= set(
        headers["Access-Control-Allow-Headers"].split(", ")
    )


def test_in_dev_mode_anyone_may_read_but_without_credentials() -> None:
    headers = dict(GatewayRig({"PYLON_CORS_ORIGIN": "", "PYLON_DEV_MODE": "1"}).gateway.common_headers)

    assert headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in headers
    assert "Vary" not in headers


@pytest.fixture(scope="module")
def shared_rig(tmp_path_factory: pytest.TempPathFactory) -> GatewayRig:
    public = tmp_path_factory.mktemp("app") / "public"
    public.mkdir()
    (public.parent / "secret.txt").write_text("secret")
    os.symlink(public.parent, public / "up")
    return GatewayRig(public=public)


HEADER_NAMES = ("authorization", "cookie", "origin", "referer", "host", "if-none-match", "x-request-id")
TEXT = st.text(max_size=20) | st.sampled_from(
    ["/", "/up/secret.txt", "/../secret.txt", "/api/", "/_pylon/sync.js"]
)


@given(
    method=st.sampled_from(["GET", "POST", "DELETE", "OPTIONS", "HEAD", "", "BREW", "get"]),
    target=TEXT,
    headers=st.dictionaries(
        st.sampled_from(HEADER_NAMES),
        TEXT,
    ),
)
def test_no_request_gets_less_than_an_answer_or_more_than_it_may(
    shared_rig: GatewayRig, method: str, target: str, headers: dict[str, str]
) -> None:
    with capture_logs() as logs:
        response = shared_rig.send(
            method, target, **{name.replace("-", "_"): text for name, text in headers.items()}
        )

    assert 200 <= response.status < 500
    assert b"secret" not in response.body
    assert logs == []


@pytest.mark.parametrize("method", [*WRITES, "GET", "HEAD"])
def test_a_webhook_may_come_from_any_page_and_acts_for_no_cookie(rig: GatewayRig, method: str) -> None:
    cookie = f"{COOKIE}={rig.sessions.create('alice').token}"

    answer = rig.send(
        method, "/api/webhooks/hook?q=1", b"\xff", origin="https://evil.example", cookie=cookie, x_signature="s"
    )

    assert answer.status == 200
    assert (rig.caller.auth, rig.caller.token, rig.caller.address) == (ANONYMOUS, None, "10.0.0.1")
    assert rig.caller.headers["x-signature"] == "s"
    assert rig.calls[0][:2] == (method, "/api/webhooks/hook?q=1")


def test_a_webhook_with_a_token_of_ours_is_its_holders(rig: GatewayRig) -> None:
    token = rig.sessions.create("alice").token

    rig.send("POST", "/api/webhooks/hook", authorization=f"Bearer {token}")

    assert rig.caller.auth.user_id == "alice"


@pytest.mark.parametrize("authorization", ["Bearer pk.x", "Bearer two words", "Bearer", "Basic eDp5", "Bearer x"])
def test_a_webhook_with_a_credential_of_its_own_is_let_in(rig: GatewayRig, authorization: str) -> None:
    assert rig.send("POST", "/api/webhooks/hook", authorization=authorization).status == 200
    assert rig.caller.auth == ANONYMOUS


@pytest.mark.parametrize("method", ["DELETE", "GET"])
def test_a_webhook_without_a_body_has_none(rig: GatewayRig, method: str) -> None:
    rig.send(method, "/api/webhooks/hook", b"ignored")

    assert rig.calls[0][2] == b""


def test_a_large_webhook_is_refused(rig: GatewayRig) -> None:
    refused = rig.send("POST", "/api/webhooks/hook", b"x" * (BODY_BYTES_MAX + 1))

    assert (refused.status, code_of(refused)) == (413, "PAYLOAD_TOO_LARGE")


def test_another_spelling_of_a_webhook_has_no_privilege(rig: GatewayRig) -> None:
    cookie = f"{COOKIE}={rig.sessions.create('alice').token}"

    refused = rig.send("POST", "/api/%77ebhooks/hook", origin="https://evil.example", cookie=cookie)

    assert (refused.status, code_of(refused)) == (403, "CSRF_REJECTED")
