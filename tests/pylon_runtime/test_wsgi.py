"""The gateway inside WSGI hosts: the protocol is kept, mounts work, paths and bodies arrive unharmed."""

import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import flask
import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client

from pylon_http import Response
from pylon_runtime.gateway import BODY_BYTES_MAX
from pylon_runtime.wsgi import WsgiApp
from tests.pylon_runtime.gateway_rig import SITE, GatewayRig


@pytest.fixture
def rig(tmp_path: Path) -> GatewayRig:
    (tmp_path / "index.html").write_text("<h1>hi</h1>")
    return GatewayRig(public=tmp_path)


class Answer:
    def __init__(self, app: Any, method: str, path: str, body: bytes = b"", /, **environ: Any) -> None:
        """One request through ``wsgiref.validate``, which raises on any breach of PEP 3333."""
        full: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": path,
            "QUERY_STRING": "",
            **environ,
        }
        if body:
            full.setdefault("CONTENT_LENGTH", str(len(body)))
        full["wsgi.input"] = io.BytesIO(body)
        setup_testing_defaults(full)
        result: Iterable[bytes] = validator(app)(full, self._start)
        self.body = b"".join(result)
        result.close()  # type: ignore[attr-defined]  # the validator adds it to any iterable

    def _start(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        self.status = status
        self.headers = dict(headers)
        assert len(self.headers) == len(headers)


def test_an_answer_has_status_type_length_and_the_common_headers(rig: GatewayRig) -> None:
    answer = Answer(WsgiApp(rig.gateway), "GET", "/health")

    assert answer.status == "200 OK"
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Content-Length"] == str(len(answer.body))
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Access-Control-Allow-Origin"] == SITE


def test_head_has_the_headers_of_get_and_no_body(rig: GatewayRig) -> None:
    got, head = (Answer(WsgiApp(rig.gateway), method, "/index.html") for method in ("GET", "HEAD"))

    assert head.body == b""
    assert head.headers == got.headers
    assert head.headers["Content-Length"] == "11"


@pytest.mark.parametrize(("method", "status"), [("OPTIONS", "204 No Content"), ("GET", "304 Not Modified")])
def test_an_answer_without_content_has_neither_type_nor_length(rig: GatewayRig, method: str, status: str) -> None:
    answer = Answer(WsgiApp(rig.gateway), method, "/index.html", HTTP_IF_NONE_MATCH="*")

    assert (answer.status, answer.body) == (status, b"")
    assert not {"Content-Type", "Content-Length"} & answer.headers.keys()


def test_headers_body_and_peer_arrive(rig: GatewayRig) -> None:
    Answer(
        WsgiApp(rig.gateway),
        "POST",
        "/api/x",
        b'{"a":1}',
        QUERY_STRING="limit=2",
        REMOTE_ADDR="10.1.1.1",
        HTTP_USER_AGENT="curl/8",
        HTTP_ORIGIN=SITE,
        CONTENT_TYPE="application/json",
    )

    method, url, body, caller = rig.calls[0]
    assert (method, url, body) == ("POST", "/api/x?limit=2", b'{"a":1}')
    assert (caller.address, caller.user_agent, caller.has_origin) == ("10.1.1.1", "curl/8", True)


def test_an_unusual_status_is_passed_on(rig: GatewayRig) -> None:
    rig.answer = lambda: Response.json({}, status=499)

    assert Answer(WsgiApp(rig.gateway), "GET", "/api/x").status == "499 Status"


@pytest.mark.parametrize(
    ("length", "status"),
    [
        (str(BODY_BYTES_MAX + 1), "413 Request Entity Too Large"),
        ("9" * 100, "413 Request Entity Too Large"),
        ("8", "400 Bad Request"),
    ],
    ids=["too large", "absurd", "cut off"],
)
def test_a_body_of_the_wrong_size_never_reaches_the_router(rig: GatewayRig, length: str, status: str) -> None:
    answer = Answer(WsgiApp(rig.gateway), "POST", "/api/x", b"1234567", CONTENT_LENGTH=length)

    assert answer.status == status
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert rig.calls == []


def test_a_length_that_is_no_number_is_refused(rig: GatewayRig) -> None:
    environ: dict[str, Any] = {"REQUEST_METHOD": "POST", "PATH_INFO": "/api/x", "CONTENT_LENGTH": "-1"}
    setup_testing_defaults(environ)
    seen: list[str] = []

    def start(status: str, headers: object, exc_info: object = None) -> Any:
        seen.append(status)

    list(WsgiApp(rig.gateway)(environ, start))

    assert seen == ["400 Bad Request"]


@pytest.mark.parametrize(("ended_by_host", "body"), [(True, b"12345"), (False, b"")])
def test_without_a_length_only_a_stream_that_the_host_ends_is_read(
    rig: GatewayRig, ended_by_host: bool, body: bytes
) -> None:
    extra = {"wsgi.input_terminated": True} if ended_by_host else {}

    Answer(WsgiApp(rig.gateway), "POST", "/api/x", b"12345", CONTENT_LENGTH="", **extra)

    assert rig.calls[0][2] == body


@pytest.mark.parametrize(
    ("raw", "path", "mount", "target"),
    [
        ("/api/rooms/a%2Fb", "/api/rooms/a/b", "", "/api/rooms/a%2Fb"),
        ("/pylon/api/rooms/a%2Fb?x=1", "/api/rooms/a/b", "/pylon", "/api/rooms/a%2Fb"),
        ("/other/api/rooms/a%2Fb", "/api/rooms/a/b", "/pylon", "/api/rooms/a/b"),
        ("/api/rooms/old", "/api/rooms/new", "", "/api/rooms/new"),
        (None, "/api/rooms/a b?#%", "", "/api/rooms/a%20b%3F%23%25"),
        (None, "/api/rooms/caf\u00c3\u00a9", "", "/api/rooms/caf%C3%A9"),
        ("/p%C3%BC/q/api/x", "/api/x", "/p\u00c3\u00bc/q", "/api/x"),
    ],
    ids=["encoded", "mounted", "other mount", "rewritten", "no original", "utf-8", "deep mount"],
)
def test_the_target_is_what_the_client_sent_below_the_mount(
    rig: GatewayRig, raw: str | None, path: str, mount: str, target: str
) -> None:
    original = {} if raw is None else {"REQUEST_URI": raw}

    Answer(WsgiApp(rig.gateway), "GET", path, SCRIPT_NAME=mount, **original)

    assert rig.calls[0][1] == target


def test_mounted_in_flask_the_api_lives_beside_the_apps_own_pages(rig: GatewayRig) -> None:
    app = flask.Flask("host")
    app.add_url_rule("/hello", view_func=lambda: "flask")
    app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {"/pylon": WsgiApp(rig.gateway)})  # type: ignore[method-assign]  # the documented way to mount

    client = app.test_client()
    own = client.get("/hello")
    health = client.get("/pylon/health")
    created = client.post("/pylon/api/entities/Todo/a%2Fb?x=1", data=b"{}", headers={"Origin": SITE})
    refused = client.post("/pylon/api/x", json={}, headers={"Origin": "https://evil.example"})

    assert own.text == "flask"
    assert health.json is not None
    assert health.json["status"] == "ok"
    assert created.status_code == 200
    assert rig.calls[0][:3] == ("POST", "/api/entities/Todo/a%2Fb?x=1", b"{}")
    assert refused.json is not None
    assert refused.json["code"] == "CSRF_REJECTED"


def test_an_embedding_host_owns_its_names_and_its_own_pages_may_write_in_dev_mode_too() -> None:
    app = WsgiApp(GatewayRig({"PYLON_CORS_ORIGIN": "", "PYLON_DEV_MODE": "1"}).gateway)

    read = Answer(app, "GET", "/api/x", HTTP_HOST="testserver")
    own = Answer(app, "POST", "/api/x", HTTP_HOST="shop.test:8000", HTTP_ORIGIN="http://shop.test:8000")
    foreign = Answer(app, "POST", "/api/x", HTTP_HOST="shop.test:8000", HTTP_ORIGIN="https://evil.example")

    assert [answer.status[:3] for answer in (read, own, foreign)] == ["200", "200", "403"]


@pytest.mark.parametrize(
    ("authorization", "status"),
    [("bearer {}", "200"), ("BEARER {}", "200"), ("Bearer {} x", "401"), ("Bearer", "401")],
)
def test_a_bearer_is_read_as_on_our_own_server(rig: GatewayRig, authorization: str, status: str) -> None:
    token = rig.sessions.create("u1").token

    answer = Answer(WsgiApp(rig.gateway), "GET", "/api/x", HTTP_AUTHORIZATION=authorization.format(token))

    assert answer.status.startswith(status)
    assert [call[3].auth.user_id for call in rig.calls] == (["u1"] if status == "200" else [])


@given(
    st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1), min_size=1, max_size=3)
)
def test_any_segments_arrive_as_they_were_sent(segments: list[str]) -> None:
    rig = GatewayRig()
    sent = "/api/" + "/".join(quote(segment, safe="") for segment in segments)

    Client(WsgiApp(rig.gateway)).get(sent)

    received = rig.calls[0][1].split("/")[2:]
    assert [unquote(segment) for segment in received] == segments
