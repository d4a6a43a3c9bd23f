"""Pull: one page of the change log as one viewer may see it, and the cursor to go on from (contract 05 §4).

The cursor moves over hidden events too, so a page without changes still makes progress. A new replica whose first
page ends before the oldest cursor still served is not done with it: what follows belongs to the same answer, which
is made page by page while it is sent. Pure over the log it is given; any thread may call.
"""

from collections.abc import Callable, Iterator
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
    """What the viewer may see of the page, the cursor after it, and whether to ask again; ``floor`` is the oldest
    cursor that is still served."""

    changes: list[Shown]
    last_seq: int
    has_more: bool
    floor: int = 0

    @property
    def is_unfinished(self) -> bool:
        """Whether its cursor would be refused: the pages of ``following`` are part of the answer."""
        return self.has_more and self.last_seq < self.floor


def pull(log: ChangeLog, since: int, show: Callable[[ChangeEvent], Shown | None]) -> PullPage[Shown]:
    """The page behind ``since``; ``show`` turns an event into what the viewer sees of it, or ``None``.

    Raises RESYNC_REQUIRED for a cursor from another history or from before the oldest one still served; never
    for 0, which every replica can start from, and whose page alone may be unfinished.
    """
    page = log.changes(since, PAGE_EVENTS_MAX)
    _refuse_lost_cursor(since, page)
    return _pull_page(page, show)


def following(
    log: ChangeLog, first: PullPage[Shown], show: Callable[[ChangeEvent], Shown | None]
) -> Iterator[PullPage[Shown]]:
    """The pages behind an unfinished one, up to the first whose cursor is served.

    Raises NOT_AVAILABLE when the log is compacted meanwhile: what was shown before may be of rows whose end cannot
    be shown any more.
    """
    page = first
    while page.is_unfinished:
        entries = log.changes(page.last_seq, PAGE_EVENTS_MAX)
        if entries.floor != first.floor:
            raise PylonError("NOT_AVAILABLE", "The change log was compacted meanwhile. Try again.")
        page = _pull_page(entries, show)
        yield page


def _pull_page(page: LogPage, show: Callable[[ChangeEvent], Shown | None]) -> PullPage[Shown]:
    changes = [seen for event in page.events if (seen := show(event)) is not None]
    return PullPage(changes, _cursor_after(page), page.has_more, page.floor)


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


def _cursor_after(page: LogPage) -> int:
    """The last page ends at the head, not at its last entry: the newest entry may be a dropped tombstone."""
    return page.events[-1].seq if page.has_more else page.head
