"""Pull: one page of the change log as one viewer may see it, and the cursor to go on from (contract 05 §4).

The cursor moves over hidden events too, so a page without changes still makes progress. Pure over the log it
is given; any thread may call ``pull``.
"""

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

import msgspec

from pylon_core.errors import PylonError
from pylon_http import ChangeEvent, LogPage

PAGE_EVENTS_MAX = 500
"""Log entries read for one answer. Replicas never see it: they ask again while there is more."""

Shown = TypeVar("Shown")


class ChangeLog(Protocol):
    """The part of a store that pull reads; ``DataStore.changes`` says what must hold."""

    def changes(self, since: int, limit: int) -> LogPage: ...


class PullPage(msgspec.Struct, Generic[Shown], frozen=True):
    """What the viewer may see of the page, the cursor after it, and whether to ask again."""

    changes: list[Shown]
    last_seq: int
    has_more: bool


def pull(log: ChangeLog, since: int, show: Callable[[ChangeEvent], Shown | None]) -> PullPage[Shown]:
    """The page behind ``since``; ``show`` turns an event into what the viewer sees of it, or ``None``.

    Raises RESYNC_REQUIRED for a cursor from another history or from before the oldest one still served; never
    for 0, which every replica can start from.
    """
    page = log.changes(since, PAGE_EVENTS_MAX)
    _refuse_lost_cursor(since, page)
    changes = _shown(page, show)
    # A cursor between 0 and the floor would be refused next time, so a fresh replica must not be handed one:
    # its first answer reaches at least to the floor.
    while page.has_more and _cursor_after(page) < page.floor:
        page = log.changes(_cursor_after(page), PAGE_EVENTS_MAX)
        changes += _shown(page, show)
    return PullPage(changes, _cursor_after(page), page.has_more)


def _refuse_lost_cursor(since: int, page: LogPage) -> None:
    if since > page.head:
        raise _resync_required(since, page.head + 1)
    if 0 < since < page.floor:
        raise _resync_required(since, page.floor + 1)


def _resync_required(since: int, oldest_seq: int) -> PylonError:
    return PylonError(
        "RESYNC_REQUIRED",
        f"The cursor {since} is no longer served; start again from 0.",
        details={"oldest_seq": oldest_seq},
    )


def _shown(page: LogPage, show: Callable[[ChangeEvent], Shown | None]) -> list[Shown]:
    return [seen for event in page.events if (seen := show(event)) is not None]


def _cursor_after(page: LogPage) -> int:
    """The last page ends at the head, not at its last entry: the newest entry may be a dropped tombstone."""
    return page.events[-1].seq if page.has_more else page.head
