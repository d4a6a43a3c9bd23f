"""How many sockets each peer has open. Any thread may ask; the lock guards the counts."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


class PeerSlots:
    def __init__(self, per_peer_max: int) -> None:
        self._per_peer_max = per_peer_max
        self._lock = threading.Lock()
        self._taken: Counter[str] = Counter()

    @contextmanager
    def claim(self, peer: str) -> Iterator[bool]:
        """Hold a slot during the body; false when the peer has none left."""
        with self._lock:
            has_room = self._taken[peer] < self._per_peer_max
            if has_room:
                self._taken[peer] += 1
        try:
            yield has_room
        finally:
            if has_room:
                self._give_back(peer)

    def _give_back(self, peer: str) -> None:
        with self._lock:
            self._taken[peer] -= 1
            if not self._taken[peer]:
                del self._taken[peer]
