"""What becomes of a session becomes of its sockets: closed as over (1008), or as those of another one (1012)."""

import secrets
from collections.abc import Callable

import pytest

from pylon_auth import CredentialResolver, IssuedSession, SessionStore
from pylon_runtime import session_notices
from pylon_runtime.hosts import HostRule
from pylon_runtime.origins import OriginRule
from pylon_runtime.socket_auth import SocketAuthenticator
from tests.pylon_auth.memory_backend import MemorySessionBackend, SetClock
from tests.pylon_runtime.hub.harness import Stage, change

OVER, CHANGED = 1008, 1012
YOUNGER_S = 10
"""By so much the session of a bystander is."""


def revoke(sessions: SessionStore, issued: IssuedSession, clock: SetClock) -> None:
    sessions.revoke(issued.token)


def revoke_all(sessions: SessionStore, issued: IssuedSession, clock: SetClock) -> None:
    sessions.revoke_all(issued.session.user_id)


def expire(sessions: SessionStore, issued: IssuedSession, clock: SetClock) -> None:
    clock.advance(sessions.lifetime_s - YOUNGER_S)
    sessions.sweep()


def become_a_user(sessions: SessionStore, issued: IssuedSession, clock: SetClock) -> None:
    sessions.upgrade(issued.token, "u1")


def go_to_another_tenant(sessions: SessionStore, issued: IssuedSession, clock: SetClock) -> None:
    sessions.select_tenant(issued.token, "acme")


def get_another_token(sessions: SessionStore, issued: IssuedSession, clock: SetClock) -> None:
    sessions.refresh(issued.token)


def end_elsewhere(sessions: SessionStore, issued: IssuedSession, clock: SetClock) -> None:
    SessionStore(sessions._backend, clock, secrets.token_bytes).revoke(issued.token)
    sessions.review([issued.session.identity()])


def change_elsewhere(sessions: SessionStore, issued: IssuedSession, clock: SetClock) -> None:
    SessionStore(sessions._backend, clock, secrets.token_bytes).select_tenant(issued.token, "acme")
    sessions.review([issued.session.identity()])


@pytest.mark.parametrize(
    ("happen", "code"),
    [
        (revoke, OVER),
        (revoke_all, OVER),
        (expire, OVER),
        (end_elsewhere, OVER),
        (become_a_user, CHANGED),
        (go_to_another_tenant, CHANGED),
        (get_another_token, CHANGED),
        (change_elsewhere, CHANGED),
    ],
)
def test_the_sockets_of_a_session_end_with_the_code_for_what_happened(
    make_stage: Callable[..., Stage],
    happen: Callable[[SessionStore, IssuedSession, SetClock], None],
    code: int,
) -> None:
    clock = SetClock()
    sessions = SessionStore(MemorySessionBackend(), clock, secrets.token_bytes)
    authenticator = SocketAuthenticator(
        CredentialResolver(sessions, None), "c", HostRule.of("*", ""), OriginRule.of("*"), OriginRule.of("*")
    )
    stage = make_stage(authenticate=authenticator.upgrade, authenticate_stream=authenticator.stream)
    session_notices.close_sockets(sessions, stage.hub)
    issued = sessions.create_guest()
    clock.advance(YOUNGER_S)
    other = sessions.create_guest()
    client, stream = stage.connect(issued.token), stage.open_stream(issued.token)
    bystander = stage.connect(other.token)

    happen(sessions, issued, clock)

    assert client.close_code() == code
    assert list(stream.messages()) == []
    stage.publish(change(1))
    assert bystander.seqs(1) == [1]
