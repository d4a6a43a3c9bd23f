"""``SessionStore``: makes, resolves, changes and ends sessions, over a durable backend and a bounded cache.

Any thread may call. A change is durable, and out of the cache, before it is acknowledged. It leaves the cache
after the backend has changed, whatever became of that: left earlier, a reader could bring the old identity back
in between. No lock is held while the backend works.
"""

import threading
from collections.abc import Callable, Collection, Sequence

import msgspec

from pylon_auth.context import AuthContext
from pylon_auth.session_cache import NEVER_NS, Entry, SessionCache
from pylon_auth.sessions import IssuedSession, Session, SessionBackend, SessionFate
from pylon_auth.tokens import RandomBytes, is_session_token, new_token, token_hash
from pylon_core.clock import Clock
from pylon_core.errors import PylonError

LIFETIME_S = 30 * 24 * 3600
CACHED_SESSIONS_MAX = 50_000
SWEEP_BATCH = 500
REVIEW_BATCH = 500

SessionListener = Callable[[str, SessionFate], None]
"""Told a session's id and what became of it."""

_NS_PER_S = 1_000_000_000


class SessionStore:
    def __init__(
        self,
        backend: SessionBackend,
        clock: Clock,
        random_bytes: RandomBytes,
        lifetime_s: int = LIFETIME_S,
        cached_sessions_max: int = CACHED_SESSIONS_MAX,
    ) -> None:
        """``lifetime_s`` counts from creation; 0 means sessions never end by themselves."""
        self.lifetime_s = lifetime_s
        self._backend = backend
        self._clock = clock
        self._random_bytes = random_bytes
        self._cache = SessionCache(cached_sessions_max)
        self._listeners: list[SessionListener] = []
        self._listeners_lock = threading.Lock()

    def create(
        self,
        user_id: str,
        *,
        device: str | None = None,
        tenant_id: str | None = None,
        roles: tuple[str, ...] = (),
    ) -> IssuedSession:
        return self._issue(user_id, is_guest=False, device=device, tenant_id=tenant_id, roles=roles)

    def create_guest(self, device: str | None = None) -> IssuedSession:
        """A session of a user known nowhere else, named ``guest_`` and 32 hex digits."""
        user_id = f"guest_{self._random_bytes(16).hex()}"
        return self._issue(user_id, is_guest=True, device=device, tenant_id=None, roles=())

    def resolve(self, token: str) -> AuthContext | None:
        """Whom a token stands for now; ``None`` for anything unknown, revoked or expired."""
        entry = self.resolve_until(token)
        return None if entry is None else entry[1]

    def resolve_until(self, token: str) -> Entry | None:
        """As ``resolve``, with the instant at which the session ends by itself."""
        if not is_session_token(token):
            return None
        key = token_hash(token)
        entry = self._cache.get(key) or self._load(key)
        if entry is not None and self._clock.now_ns() >= entry[0]:
            self._cache.remove(key)
            return None
        return entry

    def refresh(self, token: str) -> IssuedSession | None:
        """Exchange a live token for a new one with a new full lifetime; the old one ends.

        The new session is stored before the old one goes, so a crash in between loses neither.
        """
        old = self._live_session(token)
        if old is None:
            return None
        issued = self._issue(
            old.user_id, is_guest=old.is_guest, device=old.device, tenant_id=old.tenant_id, roles=old.roles
        )
        if not self._end(token, SessionFate.CHANGED):
            # The old session was ended meanwhile; what it was exchanged for must not outlive it.
            self.revoke(issued.token)
            return None
        return issued

    def upgrade(self, token: str, user_id: str) -> bool:
        """Make a guest's session the session of a user, token unchanged; false when there is no such session.

        Raises UPGRADE_FAILED when the session is not a guest's.
        """

        def to_user(session: Session) -> Session:
            if not session.is_guest:
                raise PylonError("UPGRADE_FAILED", "Only a guest session can be upgraded.")
            return msgspec.structs.replace(session, user_id=user_id, is_guest=False)

        return self._change(token, to_user)

    def select_tenant(self, token: str, tenant_id: str | None, roles: tuple[str, ...] = ()) -> bool:
        """Set a session's active tenant and its roles there; false when there is no such session."""
        return self._change(
            token, lambda session: msgspec.structs.replace(session, tenant_id=tenant_id, roles=roles)
        )

    def revoke(self, token: str) -> bool:
        """End a session for good; false when there was none."""
        return is_session_token(token) and self._end(token, SessionFate.ENDED)

    def revoke_all(self, user_id: str) -> int:
        """End every session of a user; returns how many were live."""
        try:
            ended = self._backend.delete_for_user(user_id)
        finally:
            self._cache.remove_user(user_id)
        self._announce(ended, SessionFate.ENDED)
        return sum(not session.is_expired(self._now_s()) for session in ended)

    def sessions_of(self, user_id: str) -> list[Session]:
        """A user's live sessions, newest first."""
        now_s = self._now_s()
        return [session for session in self._backend.list_for_user(user_id) if not session.is_expired(now_s)]

    def newest(self, limit: int) -> Sequence[Session]:
        """Live sessions of all users, newest first."""
        return self._backend.list_live(self._now_s(), limit)

    def sweep(self) -> int:
        """Remove one batch of expired sessions; returns how many, ``SWEEP_BATCH`` meaning more may be left."""
        ended = self._backend.delete_expired(self._now_s(), SWEEP_BATCH)
        self._announce(ended, SessionFate.ENDED)
        return len(ended)

    def changed_elsewhere(self, token_hash: bytes, session_id: str, fate: SessionFate) -> None:
        """Another process has ended or changed this session: it is read anew, and listeners are told."""
        self._cache.remove(token_hash)
        self._tell(session_id, fate)

    def forget(self) -> None:
        """Other processes may have ended or changed sessions unheard: every session is read anew."""
        self._cache.clear()

    def review(self, identities: Collection[AuthContext]) -> None:
        """Tell listeners which of these identities are not any more what their sessions stand for."""
        by_session = [(who.session_id, who) for who in identities if who.session_id is not None]
        for start in range(0, len(by_session), REVIEW_BATCH):
            batch = by_session[start : start + REVIEW_BATCH]
            now_s = self._now_s()
            live = {
                session.id: session.identity()
                for session in self._backend.load_by_ids([session_id for session_id, _ in batch])
                if not session.is_expired(now_s)
            }
            for session_id, identity in batch:
                if session_id not in live:
                    self._tell(session_id, SessionFate.ENDED)
                elif live[session_id] != identity:
                    self._tell(session_id, SessionFate.CHANGED)

    def subscribe(self, listener: SessionListener) -> Callable[[], None]:
        """Call ``listener`` once a session has ended or changed; returns the way to stop.

        Listeners run on the thread that made the change and must neither block nor raise.
        """
        with self._listeners_lock:
            self._listeners.append(listener)

        def stop() -> None:
            with self._listeners_lock:
                if listener in self._listeners:
                    self._listeners.remove(listener)

        return stop

    def _issue(
        self, user_id: str, *, is_guest: bool, device: str | None, tenant_id: str | None, roles: tuple[str, ...]
    ) -> IssuedSession:
        token = new_token(self._random_bytes)
        now_s = self._now_s()
        session = Session(
            id=f"ses_{self._random_bytes(12).hex()}",
            token_hash=token_hash(token),
            user_id=user_id,
            is_guest=is_guest,
            expires_at=now_s + self.lifetime_s if self.lifetime_s else 0,
            created_at=now_s,
            device=device,
            tenant_id=tenant_id,
            roles=roles,
        )
        epoch = self._cache.epoch()
        self._backend.save(session)
        self._cache.put(session.token_hash, _entry(session), epoch)
        return IssuedSession(token, session)

    def _load(self, key: bytes) -> Entry | None:
        epoch = self._cache.epoch()
        session = self._backend.load(key)
        if session is None or session.is_expired(self._now_s()):
            return None
        entry = _entry(session)
        self._cache.put(key, entry, epoch)
        return entry

    def _live_session(self, token: str) -> Session | None:
        session = self._backend.load(token_hash(token)) if is_session_token(token) else None
        return None if session is None or session.is_expired(self._now_s()) else session

    def _end(self, token: str, fate: SessionFate) -> bool:
        key = token_hash(token)
        try:
            ended = self._backend.delete(key, fate)
        finally:
            self._cache.remove(key)
        if ended is None:
            return False
        self._announce([ended], fate)
        return True

    def _change(self, token: str, change: Callable[[Session], Session]) -> bool:
        if self._live_session(token) is None:
            return False
        key = token_hash(token)
        try:
            changed = self._backend.update(key, change)
        finally:
            self._cache.remove(key)
        if changed is None:
            return False
        self._announce([changed], SessionFate.CHANGED)
        return True

    def _announce(self, sessions: Sequence[Session], fate: SessionFate) -> None:
        for session in sessions:
            self._tell(session.id, fate)

    def _tell(self, session_id: str, fate: SessionFate) -> None:
        with self._listeners_lock:
            listeners = tuple(self._listeners)
        for listener in listeners:
            listener(session_id, fate)

    def _now_s(self) -> int:
        return self._clock.now_ns() // _NS_PER_S


def _entry(session: Session) -> Entry:
    return (session.expires_at * _NS_PER_S or NEVER_NS, session.identity())
