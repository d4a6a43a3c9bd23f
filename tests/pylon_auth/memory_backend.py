"""A ``SessionBackend`` in a dictionary, and a clock that stands still until told, for tests of what uses them."""

import threading
from collections.abc import Callable, Sequence

from pylon_auth import Session, SessionBackend, SessionFate
from pylon_core.clock import Clock


class MemorySessionBackend:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.sessions: dict[bytes, Session] = {}
        self.loads = 0
        self.before_delete: Callable[[], None] = lambda: None
        self.fates: list[SessionFate] = []
        """What other processes were told of sessions deleted by their token."""
        self.after_load: Callable[[], None] = lambda: None

    def save(self, session: Session) -> None:
        with self._lock:
            self.sessions[session.token_hash] = session

    def load(self, token_hash: bytes) -> Session | None:
        with self._lock:
            self.loads += 1
            session = self.sessions.get(token_hash)
        self.after_load()
        return session

    def load_by_ids(self, ids: Sequence[str]) -> Sequence[Session]:
        with self._lock:
            return [session for session in self.sessions.values() if session.id in ids]

    def update(self, token_hash: bytes, change: Callable[[Session], Session]) -> Session | None:
        with self._lock:
            session = self.sessions.get(token_hash)
            if session is not None:
                session = self.sessions[token_hash] = change(session)
            return session

    def delete(self, token_hash: bytes, fate: SessionFate) -> Session | None:
        self.before_delete()
        self.fates.append(fate)
        with self._lock:
            return self.sessions.pop(token_hash, None)

    def delete_for_user(self, user_id: str) -> Sequence[Session]:
        return self._remove(lambda session: session.user_id == user_id, len(self.sessions))

    def delete_expired(self, now_s: int, limit: int) -> Sequence[Session]:
        return self._remove(lambda session: session.is_expired(now_s), limit)

    def list_for_user(self, user_id: str) -> Sequence[Session]:
        with self._lock:
            found = [session for session in self.sessions.values() if session.user_id == user_id]
        return sorted(found, key=lambda session: -session.created_at)

    def list_live(self, now_s: int, limit: int) -> Sequence[Session]:
        with self._lock:
            found = [session for session in self.sessions.values() if not session.is_expired(now_s)]
        return sorted(found, key=lambda session: -session.created_at)[:limit]

    def _remove(self, wanted: Callable[[Session], bool], limit: int) -> list[Session]:
        with self._lock:
            found = [session for session in self.sessions.values() if wanted(session)][:limit]
            return [self.sessions.pop(session.token_hash) for session in found]


class SetClock:
    """Starts at ``START_S`` and moves by ``advance``; both times together."""

    START_S = 1_800_000_000

    def __init__(self) -> None:
        self._ns = self.START_S * 1_000_000_000

    def now_ns(self) -> int:
        return self._ns

    def monotonic(self) -> float:
        return self._ns / 1e9

    def advance(self, seconds: float) -> None:
        self._ns += round(seconds * 1e9)


_: type[SessionBackend] = MemorySessionBackend
_clock: type[Clock] = SetClock
