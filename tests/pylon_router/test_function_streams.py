"""What a function streams as server-sent events: readers of the standard get every text back, and nothing that a
handler writes can pass for the end of its call."""

import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pylon_auth.context import ANONYMOUS
from pylon_core.errors import PylonError
from pylon_functions.endings import CallEnded
from pylon_functions.invocation import Invocation
from pylon_router.function_streams import event, streamed

CALL = Invocation("tell", {}, ANONYMOUS)
TEXT = st.text(st.sampled_from("ab :\n\r\u2028\x00é")) | st.text()


def read(stream: str) -> list[tuple[str, str]]:
    """The events of a stream as the HTML standard has them read: name and text."""
    found: list[tuple[str, str]] = []
    name, data = "", list[str]()
    for line in re.split(r"\r\n|\n|\r", stream):
        member, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if data:
                found.append((name or "message", "\n".join(data)))
            name, data = "", []
        elif member == "event":
            name = value
        elif member == "data":
            data.append(value)
    return found


def one_line_end(text: str) -> str:
    return re.sub(r"\r\n|\r", "\n", text)


@given(TEXT)
def test_a_text_comes_back_whole(text: str) -> None:
    assert read(event(text).decode()) == [("message", one_line_end(text))]


@given(st.lists(st.tuples(TEXT, st.none() | TEXT)))
def test_only_the_last_event_says_how_the_call_ended(chunks: list[tuple[str, str | None]]) -> None:
    class Host:
        def run(self, invocation: Invocation) -> msgspec.Raw:
            assert invocation.listener is not None
            for text, name in chunks:
                invocation.listener(text, name)
            return msgspec.Raw(b"7")

    events = read(streamed(Host(), CALL).whole().body.decode())  # type: ignore[arg-type]  # only run is called

    assert [text for _, text in events] == [*(one_line_end(text) for text, _ in chunks), "7"]
    assert [name in ("result", "error") for name, _ in events] == [False] * len(chunks) + [True]


@pytest.mark.parametrize(
    ("name", "line"),
    [("note", b"event: note\n"), ("", b""), ("result", b""), ("error", b""), ("x\nevent: result", b"event: x ")],
)
def test_names_are_kept_where_they_harm_nobody(name: str, line: bytes) -> None:
    class Host:
        def run(self, invocation: Invocation) -> msgspec.Raw:
            assert invocation.listener is not None
            invocation.listener("text", name)
            return msgspec.Raw(b"null")

    body = streamed(Host(), CALL).whole().body  # type: ignore[arg-type]  # only run is called

    assert body.startswith(line + (b"" if name.startswith("x") else b"data: text\n\n"))
    assert body.count(b"\nevent: result") + body.startswith(b"event: result") == 1


def test_who_does_not_take_what_is_streamed_ends_the_call() -> None:
    class Full:
        def write(self, piece: bytes) -> bool:
            return False

        def is_gone(self) -> bool:
            return False

    class Host:
        def run(self, invocation: Invocation) -> msgspec.Raw:
            assert invocation.listener is not None
            with pytest.raises(CallEnded) as ended:
                invocation.listener("text", None)
            raise ended.value

    last = streamed(Host(), CALL).make(Full())  # type: ignore[arg-type]  # only run is called

    assert b'"code":"FN_TIMEOUT"' in last


def test_what_is_no_refusal_is_not_told() -> None:
    class Host:
        def run(self, invocation: Invocation) -> msgspec.Raw:
            raise RuntimeError("a bug")

    with pytest.raises(RuntimeError):
        streamed(Host(), CALL).whole()  # type: ignore[arg-type]  # only run is called


def test_a_refusal_is_told_without_its_details() -> None:
    class Host:
        def run(self, invocation: Invocation) -> msgspec.Raw:
            raise PylonError("SOLD_OUT", "None are left.", details={"secret": 1})

    body = streamed(Host(), CALL).whole().body  # type: ignore[arg-type]  # only run is called

    assert read(body.decode()) == [("error", '{"code":"SOLD_OUT","message":"None are left."}')]
