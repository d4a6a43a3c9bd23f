"""The identities of recently used sessions, bounded, so that resolving a token rarely asks storage.

Two generations stand in for a strict least-recently-used order: entries enter the young one, a hit in the old
one brings an entry back, and when the young one is full it becomes the old one and the old one is dropped.
A hit in the young generation, the hot path, takes no lock. Any thread may call; the lock guards both
generations against changes and the epoch.

The epoch keeps a removed session from coming back: whoever reads storage notes the epoch first, and what was
read is kept only if nothing was removed meanwhile.
"""

import threading

from pylon_auth.context import AuthContext

Entry = tuple[int, AuthContext]
"""When the session ends, in nanoseconds since the epoch, and whom it stands for."""

NEVER_NS = 1 << 63
"""For a session that does not end by itself."""


class SessionCache:
    def __init__(self, capacity: int) -> None:
        self._generation_size = max(1, capacity // 2)
        self._lock = threading.Lock()
        self._young: dict[bytes, Entry] = {}
        self._old: dict[bytes, Entry] = {}
        self._epoch = 0

    def get(self, token_hash: bytes) -> Entry | None:
        return self._young.get(token_hash) or self._bring_back(token_hash)

    def epoch(self) -> int:
        """To be noted before storage is read."""
        return self._epoch

    def put(self, token_hash: bytes, entry: Entry, epoch: int) -> None:
        """Keep what was read from storage, unless something was removed since ``epoch`` was noted."""
        with self._lock:
            if epoch == self._epoch:
                self._insert(token_hash, entry)

    def remove(self, token_hash: bytes) -> None:
        with self._lock:
            self._epoch += 1
            self._young.pop(token_hash, None)
            self._old.pop(token_hash, None)

    def remove_user(self, user_id: str) -> None:
        with self._lock:
            self._epoch += 1
            for generation in (self._young, self._old):
                for token_hash in [key for key, (_, who) in generation.items() if who.user_id == user_id]:
                    del generation[token_hash]

    def clear(self) -> None:
        with self._lock:
            self._epoch += 1
            self._young.clear()
            self._old.clear()

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def _bring_back(self, token_hash: bytes) -> Entry | None:
        if token_hash not in self._old:
            return None
        with self._lock:
            entry = self._old.pop(token_hash, None)
            if entry is not None:
                self._insert(token_hash, entry)
            return entry

    def _insert(self, token_hash: bytes, entry: Entry) -> None:
        if len(self._young) >= self._generation_size:
            self._old, self._young = self._young, {}
        self._young[token_hash] = entry
