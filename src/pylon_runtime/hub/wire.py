"""The forms that messages take on their way: frames of a WebSocket, or the lines of an event stream.

A message is one JSON object, encoded once as a single line; a wire makes of it what is sent. Pure, apart from the
forms that ``Encoded`` remembers, which only the dispatcher asks for.
"""

from collections.abc import Callable
from dataclasses import dataclass

from pylon_runtime.hub.frames import PING, close_frame, text_frame


@dataclass(frozen=True, slots=True, eq=False)
class Wire:
    form: Callable[[bytes], bytes]
    """A message, as bytes that many connections can share."""
    farewell: Callable[[int, str], bytes]
    """What is said before the end, given a close code and a reason; perhaps nothing."""
    heartbeat: bytes
    is_two_way: bool
    """Whether the peer talks: it answers heartbeats, so silence means that it has gone, and it has a presence."""


def _event(payload: bytes) -> bytes:
    return b"data: %b\n\n" % payload


def _no_farewell(_code: int, _reason: str) -> bytes:
    """An event stream just ends, and its client comes back."""
    return b""


WEBSOCKET = Wire(text_frame, close_frame, PING, is_two_way=True)
EVENT_STREAM = Wire(_event, _no_farewell, b": keepalive\n\n", is_two_way=False)


class Encoded(dict[Wire, bytes]):
    """A message by wire: its forms, each made when it is first asked for."""

    __slots__ = ("_payload",)

    def __init__(self, payload: bytes) -> None:
        super().__init__()
        self._payload = payload

    def __missing__(self, wire: Wire) -> bytes:
        form = self[wire] = wire.form(self._payload)
        return form
