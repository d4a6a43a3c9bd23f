"""One call under way: what it may ask of the server, until it ends. Used by the threads of its handler."""

from collections.abc import Mapping
from typing import Any

from pylon_functions.python.channel import Channel
from pylon_functions.python.errors import CallAbandonedError
from pylon_functions.python.wire import CallFrame


class Call:
    def __init__(self, frame: CallFrame, channel: Channel) -> None:
        self.frame = frame
        self._channel = channel
        self.is_abandoned = False
        self._has_ended = False

    def end(self) -> None:
        """The transaction it would speak to is over: it can ask nothing more."""
        self._has_ended = True

    def abandon(self) -> None:
        self.is_abandoned = True
        self._channel.abandon(self.frame.call_id)

    def ask(self, kind: str, operands: Mapping[str, Any]) -> Any:
        if self.is_abandoned:
            raise CallAbandonedError
        if self._has_ended:
            raise RuntimeError(f'"{self.frame.fn_name}" has already returned; wait for what it starts')
        return self._channel.ask(self.frame.call_id, kind, operands)

    def stream(self, data: str, event: str | None) -> None:
        if self._has_ended or self.is_abandoned:
            return
        frame = {"type": "stream", "call_id": self.frame.call_id, "data": data}
        self._channel.send(frame if event is None else {**frame, "event": event})
