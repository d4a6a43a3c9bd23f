"""What one viewer learns of a change: the row as it is now, that it is gone, or nothing (design §3.3).

Pull and the hub decide here, so a replica sees the same over HTTP and over a socket. Pure; any thread may call
it.
"""

import enum
from collections.abc import Callable, Mapping
from typing import Any

from pylon_http import ChangeEvent

MayRead = Callable[[Mapping[str, Any]], bool]
"""Whether the viewer may read a row of the event's entity."""


class Sight(enum.Enum):
    ROW = "row"
    """The viewer may read the row as it is after the change."""
    DELETE = "delete"
    """The viewer could read the row before the change and cannot after it."""
    NOTHING = "nothing"
    """The viewer could not read the row before the change and cannot after it."""


def sight(event: ChangeEvent, may_read: MayRead) -> Sight:
    """Judged on whole rows, never on a patch: an owner sees updates that leave the owner alone."""
    if event.row is not None:
        if may_read(event.row):
            return Sight.ROW
        if event.before is None:
            return Sight.NOTHING
    return Sight.DELETE if may_read(_row_before(event)) else Sight.NOTHING


def _row_before(event: ChangeEvent) -> dict[str, Any]:
    """The pre-image as far as policies look at it; every other field kept the value it has after the change."""
    return {"id": event.row_id, **(event.row or {}), **(event.before or {})}
