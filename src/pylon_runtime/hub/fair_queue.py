"""A queue whose holders take turns: a thousand items of one do not delay another's single one.

What a holder waits for comes in the order it was put. Any thread may call it; the lock guards the lines. It has no
bound of its own: whoever puts bounds what a holder may have.
"""

import threading
from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)


class FairQueue(Generic[T]):
    def __init__(self) -> None:
        self._changed = threading.Condition(threading.Lock())
        self._lines: dict[Hashable, dict[T, None]] = {}
        """None is empty; the first holder's turn is next."""
        self._holders: dict[T, Hashable] = {}
        self._is_closed = False

    def put(self, item: T, holders: Iterable[Hashable]) -> None:
        """An item that is not there yet, into the shortest line of those it is for, of whom there is at least
        one."""
        with self._changed:
            holder = min(holders, key=lambda each: len(self._lines.get(each, ())))
            self._lines.setdefault(holder, {})[item] = None
            self._holders[item] = holder
            self._changed.notify()

    def take(self) -> T | None:
        """Waits for one; ``None`` once it is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._lines or self._is_closed)
            if self._is_closed:
                return None
            holder = next(iter(self._lines))
            line = self._lines.pop(holder)
            item = next(iter(line))
            del line[item], self._holders[item]
            if line:
                self._lines[holder] = line
            return item

    def discard(self, item: T) -> None:
        """Nobody waits for it any more."""
        with self._changed:
            if item not in self._holders:
                return
            holder = self._holders.pop(item)
            del self._lines[holder][item]
            if not self._lines[holder]:
                del self._lines[holder]

    def close(self) -> None:
        """Nothing more is taken."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
