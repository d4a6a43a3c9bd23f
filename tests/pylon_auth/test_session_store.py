"""Sessions: what a token stands for, until when, and that an ended one never comes back (contract 03 §4, §18)."""

import re
import secrets
import threading

import pytest

from pylon_auth import ADMIN, AuthContext, SessionFate, SessionStore
from pylon_auth import store as store_module
from pylon_core.errors import PylonError
from tests.pylon_auth.memory_backend import MemorySessionBackend, SetClock


def test_a_token_is_pylon_and_64_hex_digits_and_no_two_are_equal(sessions: SessionStore) -> None:
    tokens = {sessions.create("u1").token for _ in range(20)}

    assert len(tokens) == 20
    assert all(re.fullmatch(r"pylon_[0-9a-f]{64}", token) for token in tokens)


def test_a_token_resolves_to_the_identity_it_was_made_for(sessions: SessionStore) -> None:
    issued = sessions.create("u1", device="curl", tenant_id="org_9", roles=("editor",))

    identity = sessions.resolve(issued.token)

    assert identity is not None
    assert (identity.user_id, identity.tenant_id, identity.roles) == ("u1", "org_9", ("editor",))
    assert (identity.is_admin, identity.is_guest) == (False, False)
    assert identity.session_id == issued.session.id


def test_a_guest_has_a_user_id_of_its_own_and_is_known_as_one(sessions: SessionStore) -> None:
    issued = sessions.create_guest("Firefox on Linux")

    identity = sessions.resolve(issued.token)

    assert identity is not None
    assert identity.is_guest
    assert re.fullmatch(r"guest_[0-9a-f]{32}", identity.user_id or "")
    assert issued.session.device == "Firefox on Linux"


@pytest.mark.parametrize(
    "token",
    ["", "garbage", "pylon_", "pylon_" + "0" * 64, "pylon_" + "é" * 64, "pk.key_a.b", "a.b.c", "\ud800" * 70],
)
def test_an_unknown_token_is_nobody(sessions: SessionStore, token: str) -> None:
    assert sessions.resolve(token) is None
    assert sessions.revoke(token) is False
    assert sessions.refresh(token) is None
    assert sessions.upgrade(token, "u1") is False
    assert sessions.select_tenant(token, "t") is False


def test_what_is_stored_does_not_contain_the_token(sessions: SessionStore, backend: MemorySessionBackend) -> None:
    issued = sessions.create("u1")

    assert issued.token not in repr(backend.sessions)
    assert issued.token not in repr(issued)
    assert issued.session.id not in issued.token


@pytest.mark.parametrize("lifetime_s", [1, 60, 2_592_000])
def test_a_session_lives_for_exactly_its_lifetime(backend: MemorySessionBackend, lifetime_s: int) -> None:
    clock = SetClock()
    sessions = SessionStore(backend, clock, secrets.token_bytes, lifetime_s)
    issued = sessions.create("u1")
    assert issued.session.expires_at - issued.session.created_at == lifetime_s

    clock.advance(lifetime_s - 0.001)
    assert sessions.resolve(issued.token) is not None

    clock.advance(0.001)
    assert sessions.resolve(issued.token) is None
    assert sessions.sessions_of("u1") == []
    assert sessions.refresh(issued.token) is None
    assert sessions.select_tenant(issued.token, "t") is False


def test_an_expired_session_is_not_revived_from_storage(
    sessions: SessionStore, backend: MemorySessionBackend, clock: SetClock
) -> None:
    token = sessions.create("u1").token
    clock.advance(sessions.lifetime_s)
    sessions.resolve(token)

    fresh_process = SessionStore(backend, clock, secrets.token_bytes)

    assert sessions.resolve(token) is None
    assert fresh_process.resolve(token) is None


def test_lifetime_zero_means_never(backend: MemorySessionBackend, clock: SetClock) -> None:
    sessions = SessionStore(backend, clock, secrets.token_bytes, lifetime_s=0)
    issued = sessions.create("u1")

    clock.advance(100 * 365 * 24 * 3600)

    assert issued.session.expires_at == 0
    assert sessions.resolve(issued.token) is not None
    assert sessions.sweep() == 0


def test_a_session_survives_a_restart(
    sessions: SessionStore, backend: MemorySessionBackend, clock: SetClock
) -> None:
    token = sessions.create("u1").token

    restarted = SessionStore(backend, clock, secrets.token_bytes)

    assert restarted.resolve(token) == sessions.resolve(token)


def test_a_known_token_is_resolved_without_storage(sessions: SessionStore, backend: MemorySessionBackend) -> None:
    token = sessions.create("u1").token

    for _ in range(10):
        sessions.resolve(token)

    assert backend.loads == 0


def test_revoking_ends_a_session_once(sessions: SessionStore) -> None:
    token = sessions.create("u1").token

    assert sessions.revoke(token) is True
    assert sessions.resolve(token) is None
    assert sessions.revoke(token) is False


def test_revoking_all_ends_every_session_of_that_user_only(sessions: SessionStore) -> None:
    mine = [sessions.create("u1").token for _ in range(2)]
    other = sessions.create("u2").token

    assert sessions.revoke_all("u1") == 2
    assert [sessions.resolve(token) for token in mine] == [None, None]
    assert sessions.resolve(other) is not None
    assert sessions.revoke_all("u1") == 0


def test_a_revocation_of_unknown_outcome_is_asked_of_storage_again(
    sessions: SessionStore, backend: MemorySessionBackend
) -> None:
    issued = sessions.create("u1")

    def commit_and_lose_the_answer() -> None:
        backend.sessions.clear()
        raise PylonError("COMMIT_FAILED", "The outcome is unknown.")

    backend.before_delete = commit_and_lose_the_answer
    with pytest.raises(PylonError):
        sessions.revoke(issued.token)

    assert sessions.resolve(issued.token) is None


def test_refresh_exchanges_the_token_and_keeps_the_rest(sessions: SessionStore, clock: SetClock) -> None:
    old = sessions.create("u1", device="curl", tenant_id="org_9", roles=("editor",))
    clock.advance(3600)

    new = sessions.refresh(old.token)

    assert new is not None
    assert sessions.resolve(old.token) is None
    assert new.session.expires_at == old.session.expires_at + 3600
    assert (new.session.device, new.session.tenant_id, new.session.roles) == ("curl", "org_9", ("editor",))
    assert new.session.id != old.session.id
    identity = sessions.resolve(new.token)
    assert identity is not None
    assert identity.user_id == "u1"


def test_a_session_revoked_during_its_refresh_leaves_no_new_one(
    sessions: SessionStore, backend: MemorySessionBackend
) -> None:
    token = sessions.create("u1").token

    def revoke_everything_first() -> None:
        backend.before_delete = lambda: None
        sessions.revoke(token)

    backend.before_delete = revoke_everything_first

    assert sessions.refresh(token) is None
    assert backend.sessions == {}


def test_a_guest_is_upgraded_under_the_same_token(sessions: SessionStore) -> None:
    issued = sessions.create_guest()
    sessions.resolve(issued.token)

    assert sessions.upgrade(issued.token, "u1") is True

    identity = sessions.resolve(issued.token)
    assert identity is not None
    assert (identity.user_id, identity.is_guest) == ("u1", False)


def test_a_user_is_not_upgraded(sessions: SessionStore) -> None:
    token = sessions.create("u1").token

    with pytest.raises(PylonError) as caught:
        sessions.upgrade(token, "u2")

    identity = sessions.resolve(token)
    assert caught.value.code == "UPGRADE_FAILED"
    assert identity is not None
    assert identity.user_id == "u1"


def test_selecting_a_tenant_shows_at_once_and_null_clears_it(sessions: SessionStore) -> None:
    token = sessions.create("u1").token

    assert sessions.select_tenant(token, "org_9", ("owner",)) is True
    chosen = sessions.resolve(token)
    assert sessions.select_tenant(token, None) is True
    cleared = sessions.resolve(token)

    assert chosen is not None
    assert cleared is not None
    assert (chosen.tenant_id, chosen.roles) == ("org_9", ("owner",))
    assert (cleared.tenant_id, cleared.roles) == (None, ())


def test_sessions_of_a_user_are_listed_newest_first(sessions: SessionStore, clock: SetClock) -> None:
    first = sessions.create("u1").session
    clock.advance(1)
    second = sessions.create("u1").session
    sessions.create("u2")

    assert sessions.sessions_of("u1") == [second, first]


def test_expired_sessions_are_swept_and_the_others_stay(
    sessions: SessionStore, backend: MemorySessionBackend, clock: SetClock
) -> None:
    sessions.create("u1")
    clock.advance(10)
    stays = sessions.create("u2").session
    clock.advance(sessions.lifetime_s - 10)

    assert sessions.sweep() == 1
    assert list(backend.sessions.values()) == [stays]


def test_listeners_hear_of_every_session_whose_identity_ended_or_changed(
    sessions: SessionStore, clock: SetClock
) -> None:
    heard: list[tuple[str, SessionFate]] = []
    stop = sessions.subscribe(lambda *told: heard.append(told))
    guest, signed_out, other, expired = sessions.create_guest(), *(sessions.create(f"u{n}") for n in range(3))

    sessions.upgrade(guest.token, "u9")
    sessions.select_tenant(other.token, "acme")
    sessions.revoke(signed_out.token)
    sessions.revoke(signed_out.token)
    sessions.revoke_all("u1")
    clock.advance(sessions.lifetime_s)
    sessions.sweep()

    assert heard[:4] == [
        (guest.session.id, SessionFate.CHANGED),
        (other.session.id, SessionFate.CHANGED),
        (signed_out.session.id, SessionFate.ENDED),
        (other.session.id, SessionFate.ENDED),
    ]
    assert set(heard[4:]) == {
        (guest.session.id, SessionFate.ENDED),
        (expired.session.id, SessionFate.ENDED),
    }
    stop()
    stop()
    sessions.revoke(sessions.create("u1").token)
    assert len(heard) == 6


def test_a_session_that_is_refreshed_goes_on_under_another_token(
    sessions: SessionStore, backend: MemorySessionBackend
) -> None:
    heard: list[tuple[str, SessionFate]] = []
    old = sessions.create("u1")
    sessions.subscribe(lambda *told: heard.append(told))

    sessions.refresh(old.token)

    assert heard == [(old.session.id, SessionFate.CHANGED)]
    assert backend.fates == [SessionFate.CHANGED]


def test_a_session_revoked_while_it_is_read_is_not_kept(
    backend: MemorySessionBackend, sessions: SessionStore, clock: SetClock
) -> None:
    token = sessions.create("u1").token
    other_process_cache = SessionStore(backend, clock, secrets.token_bytes)

    def revoke_meanwhile() -> None:
        backend.after_load = lambda: None
        other_process_cache.revoke(token)

    backend.after_load = revoke_meanwhile
    other_process_cache.resolve(token)

    assert other_process_cache.resolve(token) is None


def test_a_session_that_was_read_just_before_its_deletion_is_not_kept(
    backend: MemorySessionBackend, sessions: SessionStore, clock: SetClock
) -> None:
    token = sessions.create("u1").token

    def read_once_more() -> None:
        assert sessions.resolve(token) is not None

    backend.before_delete = read_once_more
    sessions.revoke(token)

    assert sessions.resolve(token) is None


def test_threads_that_resolve_while_sessions_end_never_see_an_ended_one_again(
    backend: MemorySessionBackend, clock: SetClock
) -> None:
    sessions = SessionStore(backend, clock, secrets.token_bytes, cached_sessions_max=8)
    tokens = [sessions.create(f"u{n}").token for n in range(32)]
    revoked: set[str] = set()
    wrong: list[str] = []
    done = threading.Event()

    def resolve_all() -> None:
        while not done.is_set():
            for token in tokens:
                was_revoked = token in revoked
                if sessions.resolve(token) is not None and was_revoked:
                    wrong.append(token)

    threads = [threading.Thread(target=resolve_all, name=f"resolve-{n}") for n in range(3)]
    for thread in threads:
        thread.start()
    for token in tokens:
        sessions.revoke(token)
        revoked.add(token)
    done.set()
    for thread in threads:
        thread.join(10)

    assert wrong == []
    assert all(sessions.resolve(token) is None for token in tokens)


def test_a_session_that_another_process_ended_is_refused_once_that_is_heard(
    backend: MemorySessionBackend, sessions: SessionStore, clock: SetClock
) -> None:
    other_process = SessionStore(backend, clock, secrets.token_bytes)
    issued = sessions.create("u1")
    heard: list[tuple[str, SessionFate]] = []
    sessions.subscribe(lambda *told: heard.append(told))
    other_process.revoke(issued.token)
    assert sessions.resolve(issued.token) is not None

    sessions.changed_elsewhere(issued.session.token_hash, issued.session.id, SessionFate.ENDED)

    assert sessions.resolve(issued.token) is None
    assert heard == [(issued.session.id, SessionFate.ENDED)]


def test_after_a_gap_no_cached_session_is_believed(
    backend: MemorySessionBackend, sessions: SessionStore, clock: SetClock
) -> None:
    ended, stays = sessions.create("u1"), sessions.create("u2")
    SessionStore(backend, clock, secrets.token_bytes).revoke(ended.token)

    sessions.forget()

    assert sessions.resolve(ended.token) is None
    assert sessions.resolve(stays.token) == stays.session.identity()


def test_a_review_finds_every_identity_that_is_not_true_any_more(
    backend: MemorySessionBackend, sessions: SessionStore, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "REVIEW_BATCH", 2)
    ended, moved, stays, other = (sessions.create(f"u{number}") for number in range(4))
    other_process = SessionStore(backend, clock, secrets.token_bytes)
    other_process.revoke(ended.token)
    other_process.select_tenant(moved.token, "acme")
    now = [*(issued.session.identity() for issued in (ended, moved, stays, other)), ADMIN]
    both = [*now, AuthContext("u1", tenant_id="acme", session_id=moved.session.id)]
    heard: list[tuple[str, SessionFate]] = []
    sessions.subscribe(lambda *told: heard.append(told))

    sessions.review(both)

    assert heard == [(ended.session.id, SessionFate.ENDED), (moved.session.id, SessionFate.CHANGED)]


def test_a_review_finds_sessions_that_have_expired(sessions: SessionStore, clock: SetClock) -> None:
    issued = sessions.create("u1")
    heard: list[tuple[str, SessionFate]] = []
    sessions.subscribe(lambda *told: heard.append(told))
    clock.advance(sessions.lifetime_s)

    sessions.review([issued.session.identity()])

    assert heard == [(issued.session.id, SessionFate.ENDED)]
