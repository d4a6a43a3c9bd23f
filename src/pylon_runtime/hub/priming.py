"""What the hub's log begins with: the changes just before the server started, as the store's log has them.

Their age is told by the clocks of the servers that made them, and by when their transactions began; so a good deal
more is taken than is replayed. Runs once, before the first socket; nothing here is kept.
"""

from collections.abc import Sequence

from pylon_core.clock import Clock
from pylon_http import ChangeEvent, DataStore
from pylon_runtime.hub.limits import HubLimits

PAGE_EVENTS = 1_000
MARGIN_S = 120.0
"""For clocks that differ, and for transactions that took long."""


def recent(store: DataStore, limits: HubLimits, clock: Clock) -> Sequence[ChangeEvent]:
    """The changes up to now of about the time that is replayed, at most as many as are replayed. Every change
    committed before the call is among them, unless it is too old."""
    not_before_ms = clock.now_ns() // 1_000_000 - int(1000 * (limits.replay_s + MARGIN_S))
    since = max(0, store.head() - limits.log_events_max // 2)
    found: list[ChangeEvent] = []
    has_more = True
    while has_more:
        page = store.changes(since, PAGE_EVENTS)
        found += [event for event in page.events if event.timestamp_ms >= not_before_ms]
        since, has_more = page.events[-1].seq if page.events else since, page.has_more
    return found
