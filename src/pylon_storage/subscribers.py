"""Who wants to hear of committed changes. Any thread may subscribe; the lock guards the list."""

import threading
from collections.abc import Callable, Sequence

from pylon_http import ChangeEvent

Listener = Callable[[Sequence[ChangeEvent]], None]


class Subscribers:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: tuple[Listener, ...] = ()

    def add(self, listener: Listener) -> Callable[[], None]:
        """Returns the way to stop."""
        with self._lock:
            self._listeners = (*self._listeners, listener)

        def remove() -> None:
            with self._lock:
                self._listeners = tuple(other for other in self._listeners if other is not listener)

        return remove

    def tell(self, events: Sequence[ChangeEvent]) -> None:
        for listener in self._listeners:
            listener(events)
