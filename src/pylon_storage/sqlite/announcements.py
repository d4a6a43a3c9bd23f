"""What was announced in a transaction, told after its commit. Nobody else has the file: this process is everybody.

Any thread may subscribe; whoever commits tells. The lock guards the list.
"""

import threading
from collections.abc import Iterable

from pylon_storage.statements import Heard

Announcement = tuple[str, str]
"""A topic and a text."""


class Announcements:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: tuple[tuple[str, Heard], ...] = ()

    def subscribe(self, topic: str, heard: Heard) -> None:
        with self._lock:
            self._listeners = (*self._listeners, (topic, heard))

    def tell(self, announced: Iterable[Announcement]) -> None:
        for topic, text in announced:
            for wanted, heard in self._listeners:
                if wanted == topic:
                    heard(text)

    def tell_of_a_gap(self) -> None:
        for _, heard in self._listeners:
            heard(None)
