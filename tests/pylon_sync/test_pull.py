"""Pull's paging: what the cursor does over hidden entries, and when a replica must start again."""

from collections.abc import Iterable

import pytest

from pylon_core.errors import PylonError
from pylon_http import ChangeEvent, ChangeKind, LogPage
from pylon_sync.pull import PAGE_EVENTS_MAX, PullPage, following, pull


class Log:
    """A change log of the given seqs, of which ``dropped`` are gone; ``floor`` is the newest of those."""

    def __init__(self, seqs: Iterable[int], dropped: Iterable[int] = ()) -> None:
        gone = frozenset(dropped)
        every = list(seqs)
        self.head = max(every, default=0)
        self.floor = max(gone, default=0)
        self._kept = [seq for seq in every if seq not in gone]

    def changes(self, since: int, limit: int) -> LogPage:
        after = [seq for seq in self._kept if seq > since]
        events = [ChangeEvent(seq, "Note", f"n{seq}", ChangeKind.INSERT, {}, None, 0) for seq in after[:limit]]
        return LogPage(events, len(after) > limit, self.head, self.floor)


def everything(event: ChangeEvent) -> int | None:
    return event.seq


def nothing(event: ChangeEvent) -> int | None:
    return None


def odd(event: ChangeEvent) -> int | None:
    return event.seq if event.seq % 2 else None


@pytest.mark.parametrize(
    ("log", "since", "page"),
    [
        (Log([]), 0, PullPage([], 0, False)),
        (Log([1]), 0, PullPage([1], 1, False)),
        (Log([1]), 1, PullPage([], 1, False)),
        (Log([1, 2, 3]), 1, PullPage([2, 3], 3, False)),
        (Log([1, 2, 3]), 3, PullPage([], 3, False)),
        (Log(range(1, 10), dropped=[9]), 0, PullPage([1, 2, 3, 4, 5, 6, 7, 8], 9, False, 9)),
    ],
    ids=["empty", "first", "at head", "behind", "level", "newest entry dropped"],
)
def test_pages(log: Log, since: int, page: PullPage[int]) -> None:
    assert pull(log, since, everything) == page


def test_the_cursor_moves_over_hidden_entries() -> None:
    log = Log(range(1, PAGE_EVENTS_MAX + 10))

    assert pull(log, 0, nothing) == PullPage([], PAGE_EVENTS_MAX, True)
    assert pull(log, PAGE_EVENTS_MAX, nothing) == PullPage([], PAGE_EVENTS_MAX + 9, False)


@pytest.mark.parametrize(
    "count", [1, PAGE_EVENTS_MAX - 1, PAGE_EVENTS_MAX, PAGE_EVENTS_MAX + 1, 3 * PAGE_EVENTS_MAX]
)
def test_following_the_cursor_shows_every_entry_once_in_order(count: int) -> None:
    log = Log(range(1, count + 1))
    shown: list[int] = []

    page = pull(log, 0, odd)
    shown += page.changes
    while page.has_more:
        page = pull(log, page.last_seq, odd)
        shown += page.changes

    assert shown == [seq for seq in range(1, count + 1) if seq % 2]
    assert page.last_seq == log.head


@pytest.mark.parametrize(
    ("log", "since", "oldest_seq"),
    [
        (Log([1, 2, 3, 4], dropped=[1, 2]), 1, 3),
        (Log([1, 2, 3]), 4, 4),
        (Log([]), 1, 1),
        (Log([1, 2, 3]), 2**62, 4),
    ],
    ids=["entries gone", "above the head", "empty log", "far above the head"],
)
def test_a_lost_cursor_starts_again(log: Log, since: int, oldest_seq: int) -> None:
    with pytest.raises(PylonError) as lost:
        pull(log, since, everything)

    assert (lost.value.code, lost.value.status) == ("RESYNC_REQUIRED", 410)
    assert lost.value.details == {"oldest_seq": oldest_seq}


@pytest.mark.parametrize(("since", "shown"), [(2, [3, 4]), (0, [3, 4]), (3, [4])])
def test_a_cursor_that_missed_nothing_goes_on(since: int, shown: list[int]) -> None:
    assert pull(Log([1, 2, 3, 4], dropped=[1, 2]), since, everything).changes == shown


def test_a_fresh_replica_is_never_handed_a_cursor_that_would_be_refused() -> None:
    """With old rows still below the floor, its first answer reaches beyond it, however long that is."""
    newest = 3 * PAGE_EVENTS_MAX
    log = Log(range(1, newest + 1), dropped=[newest - 10])

    first = pull(log, 0, everything)
    assert first.is_unfinished
    pages = [first, *following(log, first, everything)]

    last_seq = pages[-1].last_seq
    assert [page.is_unfinished for page in pages] == [True, True, False]
    assert last_seq >= log.floor
    shown = [seq for page in pages for seq in page.changes]
    assert shown == [seq for seq in range(1, last_seq + 1) if seq != log.floor]
    assert pull(log, last_seq, everything).last_seq == newest


def test_an_answer_that_the_log_was_compacted_under_breaks_off() -> None:
    log = Log(range(1, 3 * PAGE_EVENTS_MAX + 1), dropped=[2 * PAGE_EVENTS_MAX])
    first = pull(log, 0, everything)
    pages = following(log, first, everything)

    log.floor += 1

    with pytest.raises(PylonError) as broken:
        next(pages)
    assert (broken.value.code, broken.value.status) == ("NOT_AVAILABLE", 503)


@pytest.mark.parametrize("since", [0, 700])
def test_an_ordinary_page_is_finished(since: int) -> None:
    assert not pull(Log(range(1, 3 * PAGE_EVENTS_MAX), dropped=[400]), since, everything).is_unfinished
