"""Where a credential may stand and what it is worth (contract 03 §2, 05 §6.1)."""

import secrets
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pylon_auth import (
    ADMIN,
    ANONYMOUS,
    NEVER_NS,
    CredentialResolver,
    Proof,
    SessionStore,
    SubprotocolToken,
    bearer_token,
    cookie_token,
    subprotocol_token,
)
from pylon_auth.credentials import percent_decoded
from pylon_core.errors import PylonError
from tests.pylon_auth.memory_backend import MemorySessionBackend, SetClock

ADMIN_TOKEN = "correct horse battery staple"
UNKNOWN = "pylon_" + "0" * 64


@pytest.fixture
def resolver(sessions: SessionStore) -> CredentialResolver:
    return CredentialResolver(sessions, ADMIN_TOKEN)


@pytest.mark.parametrize(
    ("value", "token"),
    [
        ("Bearer abc", "abc"),
        ("bearer abc", "abc"),
        ("BEARER abc", "abc"),
        ("Bearer  abc", "abc"),
        (" Bearer abc ", "abc"),
        ("Bearer p@ss,w:rd", "p@ss,w:rd"),
        ("Bearer", ""),
        ("Bearer ", ""),
        ("bearer\tabc", ""),
        ("Bearer abc def", ""),
        ("Bearer abc, Bearer def", ""),
        ("Bearer: abc", ""),
        ("Bearer \xe9", ""),
        ("Basic abc", None),
        ("Bearerabc", None),
        ("Bearer-2 abc", None),
        ("abc", None),
        ("", None),
    ],
)
def test_the_scheme_is_bearer_in_any_case_and_what_is_behind_it_is_one_word_or_fails(
    value: str, token: str | None
) -> None:
    assert bearer_token({"authorization": value}) == token


def test_without_headers_there_is_no_credential() -> None:
    assert bearer_token({}) is None
    assert cookie_token({}, "s") is None
    assert subprotocol_token({}) is None


def test_an_emptied_cookie_is_no_credential() -> None:
    assert cookie_token({"cookie": "s="}, "s") is None


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ("bearer.abc", ("bearer.abc", "abc")),
        ("chat, bearer.a%2Fb%3D", ("bearer.a%2Fb%3D", "a/b=")),
        ("bearer.a+b", ("bearer.a+b", "a b")),
        ("bearer.%zz, bearer.%e2%82%ac", ("bearer.%e2%82%ac", "€")),
        ("bearer.%ff,bearer.%4", (None, "")),
        ("chat, bearer.%zz", (None, "")),
        ("Bearer.abc", None),
        ("chat", None),
        ("bearer.a, bearer.b", ("bearer.a", "a")),
        ("bearer.", ("bearer.", "")),
        ("bearer.%2B", ("bearer.%2B", "+")),
    ],
)
def test_the_first_subprotocol_that_decodes_cleanly_is_chosen(
    offered: str, chosen: tuple[str | None, str] | None
) -> None:
    expected = None if chosen is None else SubprotocolToken(*chosen)

    assert subprotocol_token({"sec-websocket-protocol": offered}) == expected


@given(st.text(st.characters(codec="utf-8")))
def test_what_a_client_encodes_is_decoded_to_the_same_text(token: str) -> None:
    assert percent_decoded(quote(token, safe="")) == token


@given(st.text())
def test_decoding_never_fails_otherwise_than_by_none(text: str) -> None:
    decoded = percent_decoded(text)

    assert decoded is None or len(decoded.encode()) <= len(text.encode())


def test_the_admin_token_is_the_admin_everywhere(resolver: CredentialResolver) -> None:
    assert resolver.identify(ADMIN_TOKEN) is ADMIN
    assert resolver.authenticate(ADMIN_TOKEN) == Proof(ADMIN)


@pytest.mark.parametrize("wrong", [" ", ADMIN_TOKEN[:-1], ADMIN_TOKEN + "x", ADMIN_TOKEN.upper(), "é", "\ud800"])
def test_nothing_but_the_admin_token_is_the_admin(resolver: CredentialResolver, wrong: str) -> None:
    assert resolver.identify(wrong) is ANONYMOUS
    assert resolver.authenticate(wrong) is None


@pytest.mark.parametrize("unset", [None, ""])
def test_without_an_admin_token_nobody_is_the_admin(sessions: SessionStore, unset: str | None) -> None:
    resolver = CredentialResolver(sessions, unset)

    assert resolver.identify("x") is ANONYMOUS
    assert resolver.authenticate("") is None


@pytest.mark.parametrize("admin_token", [None, "", ADMIN_TOKEN])
def test_a_credential_that_could_not_be_read_is_refused(sessions: SessionStore, admin_token: str | None) -> None:
    with pytest.raises(PylonError) as refused:
        CredentialResolver(sessions, admin_token).identify("")

    assert (refused.value.code, refused.value.status) == ("UNAUTHORIZED", 401)


def test_a_live_session_is_its_user_on_http_and_on_sockets(
    resolver: CredentialResolver, sessions: SessionStore
) -> None:
    issued = sessions.create("u1")
    identity = resolver.identify(issued.token)

    assert identity.user_id == "u1"
    assert resolver.authenticate(issued.token) == Proof(identity, issued.session.expires_at * 1_000_000_000)


def test_a_session_without_end_proves_its_user_for_ever(clock: SetClock) -> None:
    sessions = SessionStore(MemorySessionBackend(), clock, secrets.token_bytes, lifetime_s=0)
    issued = sessions.create("u1")

    assert CredentialResolver(sessions, None).authenticate(issued.token) == Proof(
        issued.session.identity(), NEVER_NS
    )


def test_no_credential_is_anonymous_on_http(resolver: CredentialResolver) -> None:
    assert resolver.identify(None) is ANONYMOUS


@pytest.mark.parametrize("token", [UNKNOWN, "garbage", "header.payload.signature"])
def test_a_failed_session_is_anonymous_on_http_and_nobody_on_sockets(
    resolver: CredentialResolver, token: str
) -> None:
    assert resolver.identify(token) is ANONYMOUS
    assert resolver.authenticate(token) is None


def test_a_revoked_session_is_anonymous_on_http_and_nobody_on_sockets(
    resolver: CredentialResolver, sessions: SessionStore
) -> None:
    token = sessions.create("u1").token
    sessions.revoke(token)

    assert resolver.identify(token) is ANONYMOUS
    assert resolver.authenticate(token) is None


def test_an_api_key_is_refused_until_there_are_any(resolver: CredentialResolver) -> None:
    with pytest.raises(PylonError) as caught:
        resolver.identify("pk.key_a.b")

    assert (caught.value.code, caught.value.status) == ("INVALID_API_KEY", 401)
    assert resolver.authenticate("pk.key_a.b") is None
