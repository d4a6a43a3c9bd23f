"""The hub's log begins with the changes just before the start: none is missing, none is there twice."""

from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Any, cast

import pytest

from pylon_core.clock import SystemClock
from pylon_http import ChangeEvent, ChangeKind, DataStore, LogPage
from pylon_runtime.hub import Hub, HubLimits
from pylon_runtime.hub.priming import MARGIN_S
from tests.pylon_runtime.hub.harness import OwnerPolicy, visible_fields

CLOCK = SystemClock()
LIMITS = HubLimits(log_events_max=20)
OLD_MS = int(1000 * (LIMITS.replay_s + MARGIN_S + 5))


class Store:
    """A store's log, to which others write, also in the middle of somebody's reading."""

    def __init__(self) -> None:
        self.events: list[ChangeEvent] = []
        self._listeners: list[Callable[[Sequence[ChangeEvent]], None]] = []
        self._seqs = count(1)
        self.meanwhile: Iterator[Callable[[], None]] = iter(())

    def commit(self, age_ms: int = 0) -> None:
        seq = next(self._seqs)
        made_ms = CLOCK.now_ns() // 1_000_000 - age_ms
        event = ChangeEvent(seq, "Note", f"n{seq}", ChangeKind.INSERT, {"owner": "*"}, None, made_ms)
        self.events.append(event)
        for listener in self._listeners:
            listener([event])

    def head(self) -> int:
        return len(self.events)

    def changes(self, since: int, limit: int) -> LogPage:
        found = self.events[since : since + min(limit, 3)]
        page = LogPage(found, since + len(found) < len(self.events), len(self.events), 0)
        next(self.meanwhile, lambda: None)()
        return page

    def subscribe(self, listener: Callable[[Sequence[ChangeEvent]], None]) -> Callable[[], None]:
        self._listeners.append(listener)
        next(self.meanwhile, lambda: None)()
        return lambda: None


def primed(store: Store) -> list[int]:
    """The seqs in the log of a hub that follows."""
    hub = Hub(OwnerPolicy(), visible_fields, LIMITS, CLOCK)
    hub.follow(cast(DataStore, store))
    store.commit()
    events: Any = hub.events
    return [events.entry(position).event.seq for position in range(events.first, events.end)]


def test_it_begins_with_the_changes_of_just_before() -> None:
    store = Store()
    for _ in range(5):
        store.commit()

    assert primed(store) == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("when", range(4))
def test_what_is_committed_while_it_is_primed_is_there_once(when: int) -> None:
    store = Store()
    for _ in range(7):
        store.commit()
    store.meanwhile = iter([*[lambda: None] * when, store.commit, store.commit])

    seqs = primed(store)

    assert seqs == list(range(1, len(store.events) + 1))
    assert len(seqs) >= 9


def test_what_is_older_than_a_replay_is_left_out() -> None:
    store = Store()
    for age_ms in (OLD_MS, OLD_MS, 10_000, 0):
        store.commit(age_ms)

    assert primed(store) == [3, 4, 5]


def test_it_takes_no_more_than_it_would_replay() -> None:
    store = Store()
    for _ in range(100):
        store.commit()

    assert primed(store) == list(range(91, 102))
