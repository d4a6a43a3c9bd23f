"""A function's call as server-sent events: what it streams, then how it ended (contract 07 §9).

    data: <text>                        for each write, with an ``event:`` line before it for each writeEvent
    event: result / data: <JSON>        the value it returned, or
    event: error  / data: {code, message}

Pure; the server sends what is written here as it comes.
"""

import re

from pylon_core import jsontext
from pylon_core.errors import PylonError
from pylon_functions.endings import OutOfTime
from pylon_functions.invocation import Invocation
from pylon_http import Outlet, PushedResponse
from pylon_router.context import FunctionHost

EVENT_STREAM = "text/event-stream"

_LINE_END = re.compile(r"\r\n|\r|\n")
_ENDINGS = frozenset({"result", "error"})
"""The names of the last event, which no other has: readers stop there."""


def streamed(functions: FunctionHost, invocation: Invocation) -> PushedResponse:
    """The answer that makes the call while it is sent, and gives the call up when nobody takes it any more."""

    def make(outlet: Outlet) -> bytes:
        def listener(text: str, name: str | None) -> None:
            if not outlet.write(event(text, None if name in _ENDINGS else name)):
                raise OutOfTime("The caller takes what the function streams too slowly.")

        heard = Invocation(
            invocation.name, invocation.args, invocation.auth, listener=listener, is_gone=outlet.is_gone
        )
        try:
            value = functions.run(heard)
        except PylonError as error:
            return event(jsontext.encode({"code": error.code, "message": error.message}).decode(), "error")
        return event(bytes(value).decode(), "result")

    return PushedResponse(EVENT_STREAM, make)


def event(text: str, name: str | None = None) -> bytes:
    """One event. Each line of the text is a ``data`` line of its own, or readers would lose all but the first."""
    lines = [f"data: {line}\n" for line in _LINE_END.split(text)]
    if name:
        lines.insert(0, f"event: {_LINE_END.sub(' ', name)}\n")
    return f"{''.join(lines)}\n".encode()
