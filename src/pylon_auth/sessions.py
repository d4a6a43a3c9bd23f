"""Sessions: who a token stands for, until when, and the storage that keeps them.

The types only. ``SessionStore`` (store.py) has the behaviour; ``SessionBackend`` is what it asks of a
database, declared here so that storage can implement it without this floor knowing SQL.
"""

import enum
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from pylon_auth.context import AuthContext


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A signed-in device. ``id`` names it publicly; ``token_hash`` (SHA-256) finds it; the token is not kept.

    Times are seconds since the Unix epoch; ``expires_at`` 0 means never.
    """

    id: str
    token_hash: bytes
    user_id: str
    is_guest: bool = False
    expires_at: int
    created_at: int
    device: str | None = None
    tenant_id: str | None = None
    roles: tuple[str, ...] = ()

    def is_expired(self, now_s: int) -> bool:
        """From the second ``expires_at`` on."""
        return 0 < self.expires_at <= now_s

    def identity(self) -> AuthContext:
        return AuthContext(
            user_id=self.user_id,
            is_guest=self.is_guest,
            roles=self.roles,
            tenant_id=self.tenant_id,
            session_id=self.id,
        )


class SessionFate(enum.Enum):
    """What became of a session, for those who act in its name."""

    ENDED = "ended"
    """It was revoked, or its time is over."""
    CHANGED = "changed"
    """It goes on as somebody else, in another tenant, or under another token."""


class IssuedSession(msgspec.Struct, frozen=True):
    """A new session with its token, which is shown once: to the client that asked for it."""

    token: str
    session: Session

    def __repr__(self) -> str:
        return f"IssuedSession(token=<hidden>, session={self.session!r})"


class SessionBackend(Protocol):
    """Durable storage of sessions. Any thread may call any method; each is one transaction.

    A write is durable when its method returns. Waits inside are wrapped in ``blocking()`` by the
    implementation. Expired sessions may still be returned: the caller checks.
    """

    def save(self, session: Session) -> None:
        """Store a new session; its token hash and id are fresh."""

    def load(self, token_hash: bytes) -> Session | None:
        """The session with this token hash, or ``None``."""

    def load_by_ids(self, ids: Sequence[str]) -> Sequence[Session]:
        """Those of these sessions that there are, in any order."""

    def update(self, token_hash: bytes, change: Callable[[Session], Session]) -> Session | None:
        """Replace the stored session by ``change`` of it and return the result; ``None`` when there is none.

        Reading and replacing are one transaction, so a session that was deleted is never written back.
        ``change`` keeps ``id`` and ``token_hash``.
        """

    def delete(self, token_hash: bytes, fate: SessionFate) -> Session | None:
        """Remove a session and return what was removed; ``None`` when there was none. ``fate`` is what other
        processes are told."""

    def delete_for_user(self, user_id: str) -> Sequence[Session]:
        """Remove every session of a user and return what was removed."""

    def delete_expired(self, now_s: int, limit: int) -> Sequence[Session]:
        """Remove at most ``limit`` sessions with ``0 < expires_at <= now_s`` and return what was removed."""

    def list_for_user(self, user_id: str) -> Sequence[Session]:
        """The sessions of a user, newest first."""

    def list_live(self, now_s: int, limit: int) -> Sequence[Session]:
        """The sessions that have not ended by ``now_s``, newest first."""
