"""Short texts from process to process through the database: said in a transaction, heard once it is committed.

``Notices`` keeps who wants to hear what. Any thread may subscribe; the follower's thread is the one that tells.
The lock guards the list.
"""

import threading

from pylon_storage.statements import Heard

CHANNEL = "pylon_notices"
EVERYBODY = "*"
"""The origin of what is no process' own: all hear it, the one that says it included."""
TEXT_BYTES_MAX = 7_000
"""Postgres takes 8,000 with origin and topic."""


def payload(origin: str, topic: str, text: str) -> str:
    """``origin`` is the process that says it; topics have no spaces."""
    assert len(text.encode()) <= TEXT_BYTES_MAX
    return f"{origin} {topic} {text}"


class Notices:
    """``origin`` is this process; what it said itself it need not hear."""

    def __init__(self, origin: str) -> None:
        self._origin = origin
        self._lock = threading.Lock()
        self._listeners: tuple[tuple[str, Heard], ...] = ()

    def subscribe(self, topic: str, heard: Heard) -> None:
        with self._lock:
            self._listeners = (*self._listeners, (topic, heard))

    def tell(self, payload: str) -> None:
        """What has come in on the channel."""
        origin, topic, text = payload.split(" ", 2)
        if origin == self._origin:
            return
        for wanted, heard in self._listeners:
            if wanted == topic:
                heard(text)

    def tell_of_a_gap(self) -> None:
        for _, heard in self._listeners:
            heard(None)
