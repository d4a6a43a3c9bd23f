"""Sessions in SQLite: what is saved comes back, what is removed is returned, tokens are never on disk."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from pylon_auth.sessions import Session, SessionFate
from pylon_core.clock import SystemClock
from pylon_core.manifest import parse_manifest
from pylon_storage import NoFaults, SqliteStore, SqlSessionBackend
from pylon_storage.sessions import read_notice

MANIFEST = parse_manifest(
    '{"manifest_version": 1, "name": "s", "version": "1", "routes": [], "entities": '
    '[{"name": "Note", "fields": [], "indexes": []}]}'
)


def open_store(path: Path) -> SqliteStore:
    return SqliteStore(path, MANIFEST, watched={}, visibility="", clock=SystemClock(), faults=NoFaults())


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = open_store(tmp_path / "sessions.db")
    yield store
    store.close()


def make_session(name: str = "a", user_id: str = "u1", expires_at: int = 0) -> Session:
    return Session(
        id=f"ses_{name}",
        token_hash=name.encode() * 32,
        user_id=user_id,
        is_guest=True,
        expires_at=expires_at,
        created_at=5,
        device="Firefox",
        tenant_id="org",
        roles=("editor", 'with "quotes"'),
    )


def backend_of(store: SqliteStore) -> SqlSessionBackend:
    return SqlSessionBackend(store.tables)


def test_a_session_comes_back_as_it_was_saved_also_after_a_restart(tmp_path: Path) -> None:
    session = make_session()
    first = open_store(tmp_path / "sessions.db")
    backend_of(first).save(session)
    assert backend_of(first).load(session.token_hash) == session
    first.close()

    second = open_store(tmp_path / "sessions.db")
    assert backend_of(second).load(session.token_hash) == session
    second.close()


def test_an_update_replaces_and_never_brings_back(store: SqliteStore) -> None:
    backend, session = backend_of(store), make_session()
    backend.save(session)

    changed = backend.update(session.token_hash, lambda s: msgspec.structs.replace(s, tenant_id=None))
    missing = backend.update(b"none", lambda s: s)

    assert changed == msgspec.structs.replace(session, tenant_id=None)
    assert backend.load(session.token_hash) == changed
    assert missing is None


def test_what_is_removed_is_returned_once(store: SqliteStore) -> None:
    backend = backend_of(store)
    mine, too, other = make_session("a"), make_session("b"), make_session("c", "u2")
    for session in (mine, too, other):
        backend.save(session)

    assert backend.list_for_user("u1") == [mine, too]
    assert backend.delete(mine.token_hash, SessionFate.ENDED) == mine
    assert backend.delete(mine.token_hash, SessionFate.ENDED) is None
    assert backend.delete_for_user("u1") == [too]
    assert backend.list_for_user("u2") == [other]


def test_only_sessions_that_end_are_swept_and_no_more_than_asked(store: SqliteStore) -> None:
    backend = backend_of(store)
    for name, expires_at in (("a", 0), ("b", 10), ("c", 11), ("d", 12), ("e", 9)):
        backend.save(make_session(name, expires_at=expires_at))

    first = {session.id for session in backend.delete_expired(11, 2)}
    rest = {session.id for session in backend.delete_expired(11, 10)}

    assert len(first) == 2
    assert first | rest == {"ses_b", "ses_c", "ses_e"}


def test_sessions_are_found_by_their_public_ids(store: SqliteStore) -> None:
    backend = backend_of(store)
    for name in "abc":
        backend.save(make_session(name))

    found = backend.load_by_ids(["ses_a", "ses_c", "ses_gone"])

    assert {session.id for session in found} == {"ses_a", "ses_c"}
    assert list(backend.load_by_ids([])) == []


def test_a_notice_says_which_session_it_is_about_and_what_became_of_it() -> None:
    session = make_session("a")

    notice = f"{session.token_hash.hex()} {session.id} changed"

    assert read_notice(notice) == (session.token_hash, session.id, SessionFate.CHANGED)
