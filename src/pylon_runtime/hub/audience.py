"""Audiences: connections that see the same in the same form, and the frames each is sent.

Equal audience keys mean equal answers of the read policy and the same wire, so an event is judged once per
audience. It is encoded at most once per variant (the row, a delete) for the whole server, and once more put in
the form of each wire; every connection is handed the same bytes object. Only the dispatcher calls in here.
"""

from collections.abc import Hashable, Mapping
from typing import Any, Protocol

from pylon_auth.context import AuthContext
from pylon_core import jsontext
from pylon_runtime.hub.connection import Connection
from pylon_runtime.hub.limits import HubLimits
from pylon_runtime.hub.log import EventLog, LogEntry
from pylon_runtime.hub.wire import Encoded, Wire
from pylon_sync.visibility import Sight, sight
from pylon_sync.wire import Projection, delete_event, row_event


class ReadPolicy(Protocol):
    """The part of the policy engine that the hub asks. May be called from any thread."""

    def may_read(self, entity: str, auth: AuthContext, row: Mapping[str, Any]) -> bool: ...

    def audience(self, auth: AuthContext) -> Hashable:
        """Equal for two identities only if ``may_read`` never tells them apart."""


class Audience:
    """``in_step`` are the members that have been sent everything below ``position``; the rest catch up."""

    __slots__ = ("auth", "in_step", "key", "members", "position", "wire")

    def __init__(self, key: Hashable, auth: AuthContext, wire: Wire, position: int) -> None:
        self.key = key
        self.auth = auth
        self.wire = wire
        self.position = position
        self.in_step: dict[Connection, None] = {}
        self.members = 0


class FellBehindError(Exception):
    """The log no longer holds what is to be sent next."""


class FrameSource:
    """Frames for audiences out of the log."""

    def __init__(self, log: EventLog, policy: ReadPolicy, project: Projection, limits: HubLimits) -> None:
        self._log = log
        self._policy = policy
        self._project = project
        self._events_max = limits.slice_events_max
        self._bytes_max = limits.chunk_bytes_max

    def stretch(self, audience: Audience, start: int, end: int) -> tuple[list[bytes], int]:
        """Frames that ``audience`` may see of the entries from ``start``, and the position after the last judged.

        Stops before ``end`` when it has enough for one send. Raises ``FellBehindError`` when an entry was
        evicted.
        """
        auth, wire = audience.auth, audience.wire
        frames: list[bytes] = []
        size = 0
        position = start
        stop = min(end, start + self._events_max)
        while position < stop and size < self._bytes_max:
            entry = self._log.entry(position)
            if entry is None:
                raise FellBehindError
            message = self._message(entry, auth)
            if message is not None:
                frame = message[wire]
                frames.append(frame)
                size += len(frame)
            position += 1
        return frames, position

    def _message(self, entry: LogEntry, auth: AuthContext) -> Encoded | None:
        event = entry.event
        match sight(event, lambda row: self._policy.may_read(event.entity, auth, row)):
            case Sight.ROW:
                if entry.as_row is None:
                    entry.as_row = Encoded(jsontext.encode(row_event(event, self._project)))
                return entry.as_row
            case Sight.DELETE:
                if entry.as_delete is None:
                    entry.as_delete = Encoded(jsontext.encode(delete_event(event)))
                return entry.as_delete
            case Sight.NOTHING:
                return None
