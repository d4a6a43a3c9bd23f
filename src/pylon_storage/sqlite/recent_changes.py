"""Which rows the newest commits changed, by seq: whoever has read a state asks what is different by now without
reading the log. Of the thread that leads the committer.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import islice

from pylon_http import ChangeEvent

CHANGES_MAX = 4_096
"""Who asks for more than that waited too long."""

Key = tuple[str, str]


class RecentChanges:
    """``head`` is the newest seq there is; what came before is not known of."""

    __slots__ = ("_head", "_keys")

    def __init__(self, head: int) -> None:
        self._head = head
        self._keys: deque[Key] = deque(maxlen=CHANGES_MAX)

    @property
    def head(self) -> int:
        return self._head

    def add(self, events: Sequence[ChangeEvent]) -> None:
        """What was committed: each seq follows the one before it."""
        self._keys.extend((event.entity, event.row_id) for event in events)
        self._head = events[-1].seq

    def since(self, seq: int) -> Iterator[Key] | None:
        """Entity and id of each change behind ``seq``, newest first; ``None`` when not all are known."""
        count = self._head - seq
        return islice(reversed(self._keys), count) if 0 <= count <= len(self._keys) else None
