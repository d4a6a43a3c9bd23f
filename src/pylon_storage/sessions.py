"""Sessions in the application's own database. The token itself is never stored, only its SHA-256.

Every other process on the database is told of a session that ends or changes, in the same transaction: it may have
it in its cache, and sockets open in its name. Any thread may call.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from pylon_auth.sessions import Session, SessionBackend, SessionFate
from pylon_storage.statements import Statements, Tables, TableStatements

TABLES = (  # SQLite keeps bytes as they are under any type's name
    (
        "CREATE TABLE IF NOT EXISTS _pylon_sessions (token_hash BYTEA PRIMARY KEY, id TEXT NOT NULL UNIQUE,"
        " user_id TEXT NOT NULL, is_guest INTEGER NOT NULL, expires_at BIGINT NOT NULL,"
        " created_at BIGINT NOT NULL, device TEXT, tenant_id TEXT, roles TEXT NOT NULL)"
    ),
    "CREATE INDEX IF NOT EXISTS _pylon_sessions_user ON _pylon_sessions (user_id)",
    "CREATE INDEX IF NOT EXISTS _pylon_sessions_expiry ON _pylon_sessions (expires_at)",
)
_COLUMNS = "token_hash, id, user_id, is_guest, expires_at, created_at, device, tenant_id, roles"
_SAVE = (
    f"INSERT INTO _pylon_sessions ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (token_hash)"
    " DO UPDATE SET expires_at = excluded.expires_at, device = excluded.device, tenant_id = excluded.tenant_id,"
    " roles = excluded.roles, user_id = excluded.user_id, is_guest = excluded.is_guest"
)
_BY_TOKEN = f"SELECT {_COLUMNS} FROM _pylon_sessions WHERE token_hash = ?"
_BY_USER = f"SELECT {_COLUMNS} FROM _pylon_sessions WHERE user_id = ? ORDER BY created_at DESC, id"
_LIVE = (
    f"SELECT {_COLUMNS} FROM _pylon_sessions WHERE expires_at = 0 OR expires_at > ?"
    " ORDER BY created_at DESC, id LIMIT ?"
)
_DELETE = f"DELETE FROM _pylon_sessions WHERE token_hash = ? RETURNING {_COLUMNS}"
_DELETE_OF_USER = f"DELETE FROM _pylon_sessions WHERE user_id = ? RETURNING {_COLUMNS}"
_DELETE_EXPIRED = (
    "DELETE FROM _pylon_sessions WHERE token_hash IN (SELECT token_hash FROM _pylon_sessions"
    f" WHERE expires_at > 0 AND expires_at <= ? LIMIT ?) RETURNING {_COLUMNS}"
)

NOTICE_TOPIC = "session"

_roles_decoder = msgspec.json.Decoder(tuple[str, ...])


class SqlSessionBackend:
    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def save(self, session: Session) -> None:
        self._tables.write(lambda statements: _save(statements, session))

    def load(self, token_hash: bytes) -> Session | None:
        with self._tables.reading() as statements:
            found = statements.one(_BY_TOKEN, (token_hash,))
        return None if found is None else _session(found)

    def load_by_ids(self, ids: Sequence[str]) -> Sequence[Session]:
        marks = ", ".join("?" * len(ids))
        with self._tables.reading() as statements:
            found = statements.all(f"SELECT {_COLUMNS} FROM _pylon_sessions WHERE id IN ({marks})", ids)
        return [_session(columns) for columns in found]

    def update(self, token_hash: bytes, change: Callable[[Session], Session]) -> Session | None:
        def work(statements: TableStatements) -> Session | None:
            stored = statements.one(_BY_TOKEN, (token_hash,))
            if stored is None:
                return None
            changed = change(_session(stored))
            _save(statements, changed)
            _tell_others(statements, changed, SessionFate.CHANGED)
            return changed

        return self._tables.write(work)

    def delete(self, token_hash: bytes, fate: SessionFate) -> Session | None:
        removed = self._remove(fate, _DELETE, token_hash)
        return removed[0] if removed else None

    def delete_for_user(self, user_id: str) -> Sequence[Session]:
        return self._remove(SessionFate.ENDED, _DELETE_OF_USER, user_id)

    def delete_expired(self, now_s: int, limit: int) -> Sequence[Session]:
        return self._remove(SessionFate.ENDED, _DELETE_EXPIRED, now_s, limit)

    def list_for_user(self, user_id: str) -> Sequence[Session]:
        with self._tables.reading() as statements:
            return [_session(columns) for columns in statements.all(_BY_USER, (user_id,))]

    def list_live(self, now_s: int, limit: int) -> Sequence[Session]:
        with self._tables.reading() as statements:
            return [_session(columns) for columns in statements.all(_LIVE, (now_s, limit))]

    def _remove(self, fate: SessionFate, text: str, *params: Any) -> list[Session]:
        def work(statements: TableStatements) -> list[Session]:
            removed = [_session(columns) for columns in statements.all(text, params)]
            for session in removed:
                _tell_others(statements, session, fate)
            return removed

        return self._tables.write(work)


def read_notice(text: str) -> tuple[bytes, str, SessionFate]:
    """Token hash and public id of the session that a notice is about, and what became of it."""
    token_hash, session_id, fate = text.split(" ")
    return bytes.fromhex(token_hash), session_id, SessionFate(fate)


def _tell_others(statements: TableStatements, session: Session, fate: SessionFate) -> None:
    statements.notify(NOTICE_TOPIC, f"{session.token_hash.hex()} {session.id} {fate.value}")


def _save(statements: Statements, session: Session) -> None:
    statements.all(
        _SAVE,
        (
            session.token_hash,
            session.id,
            session.user_id,
            int(session.is_guest),
            session.expires_at,
            session.created_at,
            session.device,
            session.tenant_id,
            msgspec.json.encode(session.roles).decode(),
        ),
    )


def _session(columns: tuple[Any, ...]) -> Session:
    token_hash, public_id, user_id, is_guest, expires_at, created_at, device, tenant_id, roles = columns
    return Session(
        id=public_id,
        token_hash=token_hash,
        user_id=user_id,
        is_guest=is_guest != 0,
        expires_at=expires_at,
        created_at=created_at,
        device=device,
        tenant_id=tenant_id,
        roles=_roles_decoder.decode(roles),
    )


_: type[SessionBackend] = SqlSessionBackend
