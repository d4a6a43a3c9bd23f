"""Functions that stream, over HTTP: heard while they run, ended as they end, stopped when nobody listens
(contract 07 §9).

The handlers wait for a file, the gate, so a test decides when they go on.
"""

import http.client
import itertools
import json
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.server.rig import ADMIN_TOKEN, Server, serving, write_app
from tests.support.waiting import until

TYPESCRIPT = {
    "tell": """export default action({ handler: async (ctx, args) => {
      ctx.stream.write("one");
      while (!existsSync(args.gate)) await Bun.sleep(5);
      ctx.stream.writeEvent("note", "two\\nlines\\r\\nof\\rtext");
      ctx.stream.writeEvent("result", "not the result");
      return { seven: [7] };
    } });""",
    "fail": """export default mutation({ handler: async (ctx) => {
      await ctx.db.insert("Post", { title: "undone" });
      ctx.stream.write("begun");
      throw ctx.error("SOLD_OUT", "None\\nare left.");
    } });""",
    "linger": """export default mutation({ handler: async (ctx, args) => {
      await ctx.db.insert("Post", { title: "undone" });
      ctx.stream.write("begun");
      await Bun.write(args.gate + ".reached", "");
      while (!existsSync(args.gate)) await Bun.sleep(5);
    } });""",
    "flood": """export default mutation({ handler: async (ctx) => {
      await ctx.db.insert("Post", { title: "flooded" });
      for (let n = 0; n < 800; n++) { ctx.stream.write("x".repeat(65536)); if (n % 8 == 0) await Bun.sleep(1); }
    } });""",
    "post": """export default mutation({ args: { title: v.string() },
      handler: (ctx, args) => ctx.db.insert("Post", { title: args.title }) });""",
    "posts": """export default query({
      handler: async (ctx) => (await ctx.db.list("Post")).map((row) => row.title) });""",
}
PYTHON = """
import os, time
from pylon_functions import action, mutation

@action
def tell_in_python(ctx, gate: str):
    ctx.stream.write("one")
    while not os.path.exists(gate):
        time.sleep(0.005)
    ctx.stream.write_event("note", "two\\nlines\\r\\nof\\rtext")
    ctx.stream.write_event("result", "not the result")
    return {"seven": [7]}

@mutation
def linger_in_python(ctx, gate: str):
    ctx.db.insert("Post", {"title": "undone"})
    ctx.stream.write("begun")
    open(gate + ".reached", "w").close()
    while not os.path.exists(gate) and not ctx.is_abandoned:
        time.sleep(0.005)
"""
TELL = ["tell", "tell_in_python"]
LINGER = ["linger", "linger_in_python"]
COMMON_HEADERS = ("Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "X-Content-Type-Options")
PROMPT_S = 5.0
"""Far below the 20 s that a lingering call may take."""

_numbers = itertools.count()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = write_app(tmp_path_factory.mktemp("app"), functions=TYPESCRIPT)
    (folder / "functions" / "stories.py").write_text(PYTHON)
    with serving(folder, env={"PYLON_ADMIN_TOKEN": ADMIN_TOKEN, "PYLON_FN_CALL_TIMEOUT": "20"}) as running:
        until(lambda: {"tell", "tell_in_python"} <= function_names(running), "the functions")
        yield running
        assert "Traceback" not in running.log_text()


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    return tmp_path / f"gate-{next(_numbers)}"


def function_names(server: Server) -> set[str]:
    status, functions = server.request("GET", "/api/fn", token=ADMIN_TOKEN)
    assert status == 200
    return {function["name"] for function in functions}


class EventCall:
    """A streaming call as a client makes it; ``event`` is the next one, ``None`` when the body is over."""

    def __init__(self, server: Server, name: str, args: object = None, **headers: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        body = args if isinstance(args, bytes) else json.dumps(args or {}).encode()
        accept = {"Accept": "application/json, text/event-stream", "Origin": server.url}
        self._connection.request("POST", f"/api/fn/{name}", body, accept | headers)
        self.response = self._connection.getresponse()

    def event(self) -> tuple[str | None, list[str]] | None:
        name, data = None, []
        while line := self.response.readline().decode():
            member, _, value = line.removesuffix("\n").partition(": ")
            if member == "event":
                name = value
            elif member == "data":
                data.append(value)
            elif not line.strip() and data:
                return name, data
        return None

    def events(self) -> list[tuple[str | None, list[str]]]:
        return list(iter(self.event, None))

    def close(self) -> None:
        self.response.close()
        self._connection.close()


@pytest.mark.parametrize("name", TELL)
def test_chunks_arrive_while_the_function_runs_and_its_value_last(server: Server, gate: Path, name: str) -> None:
    with closing(EventCall(server, name, {"gate": str(gate)})) as call:
        assert call.event() == (None, ["one"])
        gate.touch()
        assert call.events() == [
            ("note", ["two", "lines", "of", "text"]),
            (None, ["not the result"]),
            ("result", ['{"seven":[7]}']),
        ]


def test_a_stream_carries_the_headers_that_a_page_and_a_proxy_need(server: Server, gate: Path) -> None:
    gate.touch()
    with closing(EventCall(server, "post", {"title": "plain"}, Accept="application/json")) as plain:
        common = {name: plain.response.getheader(name) for name in COMMON_HEADERS}

    with closing(EventCall(server, "tell", {"gate": str(gate)})) as call:
        headers = dict(call.response.getheaders())

    assert call.response.status == 200
    assert headers["Content-Type"] == "text/event-stream"
    assert headers["Cache-Control"] == "no-cache"
    assert headers["X-Accel-Buffering"] == "no"
    assert {name: headers.get(name) for name in COMMON_HEADERS} == common


def test_a_failure_is_the_last_event_and_leaves_nothing(server: Server) -> None:
    with closing(EventCall(server, "fail")) as call:
        assert call.response.status == 200
        (begun, (name, data)) = call.events()

    assert begun == (None, ["begun"])
    assert (name, json.loads("".join(data))) == ("error", {"code": "SOLD_OUT", "message": "None\nare left."})
    assert "undone" not in server.call("posts")


@pytest.mark.parametrize(
    ("name", "body", "status", "code"),
    [
        ("nope", b"{}", 404, "FN_NOT_FOUND"),
        ("tell", b"{", 400, "INVALID_JSON"),
        ("traces", b"", 404, "FN_NOT_FOUND"),
    ],
)
def test_what_cannot_begin_is_answered_as_ever(
    server: Server, name: str, body: bytes, status: int, code: str
) -> None:
    with closing(EventCall(server, name, body)) as call:
        answer = json.loads(call.response.read())

    assert (call.response.status, answer["code"]) == (status, code)


def test_without_the_header_only_the_value_comes(server: Server, gate: Path) -> None:
    gate.touch()

    assert server.call("tell", {"gate": str(gate)}) == {"seven": [7]}


@pytest.mark.parametrize("streams", [True, False], ids=["stream", "plain"])
@pytest.mark.parametrize("name", LINGER)
def test_a_caller_that_leaves_takes_its_mutation_along(
    server: Server, gate: Path, name: str, streams: bool
) -> None:
    gone_before = callers_gone(server, name)
    client = socket.create_connection(("127.0.0.1", server.port))
    body = json.dumps({"gate": str(gate)}).encode()
    accept = b"Accept: text/event-stream\r\n" if streams else b""
    head = b"POST /api/fn/%b HTTP/1.1\r\nHost: 127.0.0.1\r\n%bContent-Length: %d\r\n\r\n"
    client.sendall(head % (name.encode(), accept, len(body)) + body)
    until(Path(f"{gate}.reached").exists, "the mutation to hold the transaction")

    client.close()
    status, answer = server.request("POST", "/api/fn/post", {"title": "next"}, timeout=PROMPT_S)

    assert status == 200, answer
    until(lambda: callers_gone(server, name) == gone_before + 1, "the call's end", seconds=PROMPT_S)
    gate.touch()
    assert "undone" not in server.call("posts")


def test_the_next_request_on_the_connection_does_not_look_like_leaving(server: Server, gate: Path) -> None:
    body = json.dumps({"gate": str(gate)}).encode()
    request = b"POST /api/fn/linger HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
        client.sendall(request)
        until(Path(f"{gate}.reached").exists, "the mutation")
        client.sendall(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        for _ in range(2):  # to notice one that left takes longer than until it looks at the other
            leave(server, gate)
        gate.touch()
        answers = b"".join(iter(lambda: client.recv(65536), b""))

    assert answers.count(b"HTTP/1.1 200 OK") == 2


def test_a_client_that_does_not_read_stops_the_function_and_holds_up_nobody(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(
            b"POST /api/fn/flood HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n"
            b"Content-Length: 0\r\n\r\n"
        )
        until(lambda: any(trace["fn_name"] == "flood" for trace in traces(server)), "its end")
        (trace,) = (trace for trace in traces(server) if trace["fn_name"] == "flood")

    assert trace["outcome"]["code"] == "FN_TIMEOUT"
    assert trace["stream_bytes"] < 800 * 65536
    assert "flooded" not in server.call("posts")


def leave(server: Server, gate: Path) -> None:
    """Begin another call and leave; returns when the server has noticed."""
    gone_before = callers_gone(server, "tell")
    with closing(EventCall(server, "tell", {"gate": str(gate)})) as call:
        assert call.event() == (None, ["one"])
    until(lambda: callers_gone(server, "tell") == gone_before + 1, "the other call's end")


def callers_gone(server: Server, name: str) -> int:
    """How many calls of a function have ended because nobody wanted their answers."""
    ended = [trace["outcome"].get("code") for trace in traces(server) if trace["fn_name"] == name]
    return ended.count("CALLER_GONE")


def traces(server: Server, limit: int = 500) -> list[dict[str, Any]]:
    status, answer = server.request("GET", f"/api/fn/traces?limit={limit}", token=ADMIN_TOKEN)
    assert status == 200
    found: list[dict[str, Any]] = answer
    return found
