"""Frames decode whatever a handler put into them, and every request that can be told is answered."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pylon_auth.context import ADMIN, ANONYMOUS, AuthContext
from pylon_core.errors import PylonError
from pylon_functions import protocol
from pylon_functions.invocation import WebhookRequest
from pylon_functions.lines import HEAD_BYTES, LineSplitter
from pylon_functions.registry import FunctionDefinition, FunctionKind

FN = FunctionDefinition("placeBid", FunctionKind.MUTATION)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("\ud800"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)
REQUESTS = ("db", "run_fn", "schedule", "cancel_schedule")
MEMBERS = (
    "op",
    "entity",
    "id",
    "field",
    "value",
    "data",
    "after",
    "limit",
    "fn_name",
    "fn_type",
    "args",
    "delay_ms",
)


@settings(deadline=None)
@given(type_=st.sampled_from(REQUESTS), members=st.dictionaries(st.sampled_from(MEMBERS), ANYTHING))
@example(type_="db", members={"data": "\ud800"})
@example(type_="db", members={"limit": 10**400, "value": float("nan")})
def test_a_request_keeps_its_ids_whatever_else_it_says(type_: str, members: dict[str, Any]) -> None:
    line = json.dumps({"type": type_, "call_id": "c_1", "op_id": "c_1#2", **members}).encode()

    frame = protocol.decode(line)

    assert isinstance(frame, protocol.Request)
    assert (frame.call_id, frame.op_id) == ("c_1", "c_1#2")
    assert protocol.result_line(frame, None) == (
        b'{"type":"result","call_id":"c_1","data":null,"op_id":"c_1#2"}\n'
    )


@settings(deadline=None)
@given(st.binary(max_size=200) | ANYTHING.map(lambda value: json.dumps(value).encode()))
@example(b"[" * 100_000)
@example(b'{"type":"db","call_id":"c","x":' + b"[" * 100_000)
@example(b'{"type":["db"],"call_id":"c"}')
def test_any_bytes_are_a_frame_or_nothing(line: bytes) -> None:
    frame = protocol.decode(line)

    assert frame is None or isinstance(frame, protocol.CallFrame | protocol.Ready)


@pytest.mark.parametrize("tail", [b'"\\ud800"}', b"[" * 100_000, b'"cut to its he'], ids=["text", "deep", "cut"])
def test_a_result_that_cannot_be_read_ends_the_call(tail: bytes) -> None:
    frame = protocol.decode(b'{"type":"return","call_id":"c_1","value":' + tail)

    assert isinstance(frame, protocol.Failure)
    assert (frame.call_id, frame.code) == ("c_1", "PROTOCOL_ERROR")


@pytest.mark.parametrize(
    ("line", "frame"),
    [
        (b'{"type":"db","call_id":"c","op":"query"}', protocol.Database("c", "query")),
        (b'{"type":"stream","call_id":"c","data":"x","event":5}', protocol.Stream("c", "x", 5)),
        (b'{"type":"error","call_id":"c"}', protocol.Failure("c")),
        (b'{"type":"db","call_id":"c","op_id":5}', protocol.Unreadable("c", None)),
        (b'{"type":"later","call_id":"c","op_id":"o"}', protocol.Unreadable("c", "o")),
        (b'{"type":"db"}', None),
        (b"", None),
    ],
    ids=["no data", "stream", "bare error", "odd op_id", "unknown type", "no call", "empty"],
)
def test_a_line_decodes(line: bytes, frame: object) -> None:
    assert protocol.decode(line) == frame


@pytest.mark.parametrize(
    ("line", "value"),
    [
        (b'{"type":"return","call_id":"c","value":{"a": [1]}}', b'{"a": [1]}'),
        (b'{"type":"return","call_id":"c"}', b"null"),
    ],
)
def test_a_value_stays_the_text_it_was(line: bytes, value: bytes) -> None:
    frame = protocol.decode(line)

    assert isinstance(frame, protocol.Return)
    assert bytes(frame.value) == value


def test_missing_arguments_of_a_nested_call_are_empty() -> None:
    frame = protocol.decode(b'{"type":"run_fn","call_id":"c","fn_name":"f","fn_type":"query"}')

    assert isinstance(frame, protocol.RunFunction)
    assert bytes(frame.args) == b"{}"


def test_ready_names_the_functions() -> None:
    frame = protocol.decode(
        b'{"type":"ready","functions":[{"name":"getLot","fn_type":"query","args_schema":{"id":{"type":"id"}}},'
        b'{"name":"tick","fn_type":"mutation","args_schema":null}]}'
    )

    assert frame == protocol.Ready(
        (
            FunctionDefinition("getLot", FunctionKind.QUERY, {"id": {"type": "id"}}),
            FunctionDefinition("tick", FunctionKind.MUTATION),
        )
    )


@pytest.mark.parametrize(
    ("auth", "wire"),
    [
        (ANONYMOUS, {"is_admin": False}),
        (ADMIN, {"is_admin": True, "user_id": "__admin__", "roles": ["admin"]}),
        (AuthContext("u9", tenant_id="org1"), {"is_admin": False, "user_id": "u9", "tenant_id": "org1"}),
    ],
    ids=["nobody", "admin", "user"],
)
def test_a_call_line_tells_who_calls_and_no_more(auth: AuthContext, wire: dict[str, Any]) -> None:
    line = protocol.call_line("c_7", FN, {"amount": 5}, auth)

    assert json.loads(line) == {
        "type": "call",
        "call_id": "c_7",
        "fn_name": "placeBid",
        "fn_type": "mutation",
        "args": {"amount": 5},
        "auth": wire,
    }


def test_a_webhooks_call_line_has_its_request() -> None:
    request = WebhookRequest("POST", "/api/webhooks/paid?n=1", {"x-signature": "s"}, '{"a": 1}')

    line = protocol.call_line("c", FN, {}, ANONYMOUS, request)

    assert json.loads(line)["request"] == {
        "method": "POST",
        "path": "/api/webhooks/paid?n=1",
        "headers": {"x-signature": "s"},
        "raw_body": '{"a": 1}',
    }


def test_whose_rights_an_operation_has_and_whom_a_job_runs_as_is_said_by_as() -> None:
    operation = protocol.decode(b'{"type":"db","call_id":"c","op":"list","as":"user"}')
    schedule = protocol.decode(b'{"type":"schedule","call_id":"c","fn_name":"f","delay_ms":10.5,"as":"caller"}')

    assert operation == protocol.Database("c", "list", identity="user")
    assert schedule == protocol.Schedule("c", "f", delay_ms=10.5, identity="caller")


def test_arguments_with_line_breaks_stay_one_line() -> None:
    line = protocol.call_line("c", FN, msgspec.Raw(b'{\n"a":\r\n1}'), ANONYMOUS)

    assert line.count(b"\n") == 1
    assert json.loads(line)["args"] == {"a": 1}


def test_a_refusal_names_code_and_message() -> None:
    request = protocol.Database("c", "get")

    line = protocol.refusal_line(request, PylonError("A", "b", hint="not sent"))

    assert json.loads(line) == {"type": "result", "call_id": "c", "error": {"code": "A", "message": "b"}}


@settings(deadline=None)
@given(st.lists(st.binary(max_size=30).filter(lambda line: b"\n" not in line)), st.data())
def test_lines_come_out_whole_wherever_the_chunks_are_cut(lines: list[bytes], data: st.DataObject) -> None:
    text = b"".join(line + b"\n" for line in lines)
    splitter, found = LineSplitter(), list[bytes]()

    while text:
        size = data.draw(st.integers(1, len(text)))
        found += splitter.push(text[:size])
        text = text[size:]

    assert found == lines


def test_a_line_that_is_too_long_is_cut_to_its_head_and_not_kept() -> None:
    splitter = LineSplitter(line_bytes_max=4096)

    for _ in range(10_000):
        assert splitter.push(b"x" * 1000) == []
    (line, following) = splitter.push(b"\nnext\n")

    assert len(line) <= 4096 + HEAD_BYTES + 1000
    assert following == b"next"
