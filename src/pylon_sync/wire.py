"""The JSON shape of a change event (contract 05 §2), for pull answers, WebSocket frames and event streams.

Pure; any thread may call it.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from pylon_core.clock import rfc3339
from pylon_http import ChangeEvent, ChangeKind
from pylon_sync.visibility import MayRead, Sight, sight

Projection = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]
"""The fields of an entity's row that may leave the server: everything but hidden and secret ones."""


class WireEvent(msgspec.Struct, frozen=True):
    """A change event as replicas read it; a delete has no ``data`` member at all."""

    seq: int
    entity: str
    row_id: str
    kind: ChangeKind
    timestamp: str
    data: Mapping[str, Any] | msgspec.UnsetType = msgspec.UNSET


def row_event(event: ChangeEvent, project: Projection) -> WireEvent:
    """The event with its complete post-image; only for an event that has one."""
    assert event.row is not None
    return WireEvent(
        event.seq,
        event.entity,
        event.row_id,
        event.kind,
        rfc3339(event.timestamp_ms),
        project(event.entity, event.row),
    )


def delete_event(event: ChangeEvent) -> WireEvent:
    """The event as a delete, also for a viewer from whose sight an update took the row."""
    return WireEvent(event.seq, event.entity, event.row_id, ChangeKind.DELETE, rfc3339(event.timestamp_ms))


def shown_event(event: ChangeEvent, may_read: MayRead, project: Projection) -> WireEvent | None:
    """What a viewer is sent of an event; ``None``: nothing."""
    match sight(event, may_read):
        case Sight.ROW:
            return row_event(event, project)
        case Sight.DELETE:
            return delete_event(event)
        case Sight.NOTHING:
            return None
