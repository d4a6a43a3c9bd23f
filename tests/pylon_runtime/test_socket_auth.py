"""Who opens a socket: which credential decides, what is echoed, which pages may (design decisions 6, 19, 21)."""

from collections.abc import Callable

import pytest

from pylon_auth import ADMIN, ANONYMOUS, CredentialResolver
from pylon_core.errors import PylonError
from pylon_http import Request
from pylon_runtime.hub.identity import SocketIdentity
from pylon_runtime.origins import OriginRule
from pylon_runtime.socket_auth import SocketAuthenticator
from tests.pylon_runtime.gateway_rig import ADMIN_TOKEN, COOKIE, SITE, GatewayRig


@pytest.fixture
def rig() -> GatewayRig:
    return GatewayRig()


def authenticator(rig: GatewayRig) -> SocketAuthenticator:
    readers = OriginRule.of((rig.config.cors_origin,))
    credentials = CredentialResolver(rig.sessions, ADMIN_TOKEN)
    return SocketAuthenticator(credentials, COOKIE, rig.config.hosts, rig.config.origins, readers)


def asking(**headers: str) -> Request:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request("GET", "/ws", sent, b"", "10.0.0.1")


def identify(rig: GatewayRig, **headers: str) -> SocketIdentity:
    return authenticator(rig).upgrade(asking(**headers))


def identify_stream(rig: GatewayRig, **headers: str) -> SocketIdentity:
    return authenticator(rig).stream(asking(**headers))


def test_without_a_credential_there_is_nobody(rig: GatewayRig) -> None:
    assert identify(rig) == SocketIdentity(auth=ANONYMOUS, subprotocol=None, origin_allowed=True)
    assert identify_stream(rig) == SocketIdentity(auth=ANONYMOUS, subprotocol=None, origin_allowed=True)


def test_a_session_is_known_with_its_end(rig: GatewayRig) -> None:
    issued = rig.sessions.create("u1")
    ends_ns = issued.session.expires_at * 1_000_000_000

    assert identify(rig, authorization=f"Bearer {issued.token}").expires_ns == ends_ns
    assert identify_stream(rig, cookie=f"{COOKIE}={issued.token}").expires_ns == ends_ns


def test_a_session_is_known_by_header_subprotocol_and_cookie(rig: GatewayRig) -> None:
    token = rig.sessions.create("u1").token

    for headers in (
        {"authorization": f"Bearer {token}"},
        {"authorization": f"bearer {token}"},
        {"sec_websocket_protocol": f"chat, bearer.{token}"},
        {"cookie": f"{COOKIE}={token}"},
    ):
        identity = identify(rig, **headers)
        assert identity.auth is not None
        assert identity.auth.user_id == "u1"


def test_guests_and_the_admin_are_known_too(rig: GatewayRig) -> None:
    guest = identify(rig, authorization=f"Bearer {rig.sessions.create_guest().token}").auth
    admin = identify(rig, sec_websocket_protocol=f"bearer.{ADMIN_TOKEN}").auth

    assert guest is not None
    assert guest.is_guest
    assert admin is ADMIN


def test_the_subprotocol_is_echoed_verbatim_also_when_its_token_fails(rig: GatewayRig) -> None:
    identity = identify(rig, sec_websocket_protocol="bearer.not%2Dgood")

    assert identity == SocketIdentity(auth=None, subprotocol="bearer.not%2Dgood")


def test_the_header_beats_the_subprotocol_which_beats_the_cookie(rig: GatewayRig) -> None:
    tokens = [rig.sessions.create(f"u{n}").token for n in range(3)]

    by_header = identify(
        rig,
        authorization=f"Bearer {tokens[0]}",
        sec_websocket_protocol=f"bearer.{tokens[1]}",
        cookie=f"{COOKIE}={tokens[2]}",
    ).auth
    by_subprotocol = identify(
        rig, sec_websocket_protocol=f"bearer.{tokens[1]}", cookie=f"{COOKIE}={tokens[2]}"
    ).auth

    assert by_header is not None
    assert by_subprotocol is not None
    assert (by_header.user_id, by_subprotocol.user_id) == ("u0", "u1")


@pytest.mark.parametrize(
    "bad",
    [
        {"authorization": "Bearer bad"},
        {"authorization": "Bearer"},
        {"authorization": "bearer bad"},
        {"authorization": "bearer\tbad"},
        {"authorization": "Bearer pk.key_a.b"},
        {"sec_websocket_protocol": "bearer.bad"},
        {"sec_websocket_protocol": "bearer.%zz"},
        {"sec_websocket_protocol": "chat, bearer.%ff"},
    ],
)
def test_a_failed_credential_never_falls_back_to_another(rig: GatewayRig, bad: dict[str, str]) -> None:
    cookie = f"{COOKIE}={rig.sessions.create('u1').token}"

    assert identify(rig, **bad, cookie=cookie).auth is None
    if "authorization" in bad:
        assert identify_stream(rig, **bad, cookie=cookie).auth is None


def test_a_subprotocol_that_cannot_be_read_is_not_echoed_and_beaten_by_the_header(rig: GatewayRig) -> None:
    token = rig.sessions.create("u1").token

    alone = identify(rig, sec_websocket_protocol="bearer.%zz")
    beaten = identify(rig, sec_websocket_protocol="bearer.%zz", authorization=f"Bearer {token}")

    assert alone == SocketIdentity(auth=None, subprotocol=None)
    assert beaten.auth is not None


def test_a_stale_cookie_is_no_anonymous_stream(rig: GatewayRig) -> None:
    issued = rig.sessions.create("u1")
    rig.sessions.revoke(issued.token)

    assert identify_stream(rig, cookie=f"{COOKIE}={issued.token}").auth is None
    assert identify_stream(rig, cookie=f"{COOKIE}=").auth is ANONYMOUS


def test_a_stream_does_not_look_at_subprotocols(rig: GatewayRig) -> None:
    token = rig.sessions.create("u1").token

    assert identify_stream(rig, sec_websocket_protocol=f"bearer.{token}").auth is ANONYMOUS


@pytest.mark.parametrize("header", ["origin", "referer"])
def test_a_stream_in_somebodys_name_is_not_for_foreign_pages(rig: GatewayRig, header: str) -> None:
    cookie = f"{COOKIE}={rig.sessions.create('u1').token}"
    foreign = {header: "https://evil.example"}

    assert not identify_stream(rig, **foreign, cookie=cookie).origin_allowed
    assert identify_stream(rig, **{header: SITE}, cookie=cookie).origin_allowed


def test_an_anonymous_stream_is_for_pages_that_may_read_answers() -> None:
    production = GatewayRig({"PYLON_CORS_ORIGIN": "https://reader.example", "PYLON_CSRF_ORIGINS": SITE})
    dev = GatewayRig({"PYLON_CORS_ORIGIN": "", "PYLON_DEV_MODE": "1"})

    for allowed in ("https://reader.example", SITE):
        assert identify_stream(production, origin=allowed).origin_allowed
    assert not identify_stream(production, origin="https://evil.example").origin_allowed
    assert identify_stream(dev, origin="https://evil.example").origin_allowed
    cookie = f"{COOKIE}={production.sessions.create('u1').token}"
    assert not identify_stream(production, origin="https://reader.example", cookie=cookie).origin_allowed


def test_an_ended_session_is_nobody(rig: GatewayRig) -> None:
    token = rig.sessions.create("u1").token
    rig.clock.advance(rig.sessions.lifetime_s)

    assert identify(rig, authorization=f"Bearer {token}").auth is None


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [(SITE, True), ("https://api.example.com", True), ("https://evil.example", False), ("null", False)],
)
def test_a_foreign_page_may_not_open_a_socket_even_with_a_bearer(
    rig: GatewayRig, origin: str, allowed: bool
) -> None:
    token = rig.sessions.create("u1").token

    identity = identify(rig, authorization=f"Bearer {token}", origin=origin, host="api.example.com")

    assert identity.origin_allowed is allowed


def test_in_dev_mode_a_page_of_the_internet_may_not_either() -> None:
    rig = GatewayRig({"PYLON_CORS_ORIGIN": "", "PYLON_DEV_MODE": "1"})

    assert not identify(rig, origin="https://evil.example", host="localhost:4321").origin_allowed
    assert identify(rig, origin="http://localhost:5173", host="localhost:4321").origin_allowed


@pytest.mark.parametrize("open_with", [identify, identify_stream], ids=["socket", "stream"])
def test_in_dev_mode_no_socket_is_opened_for_another_host(open_with: Callable[..., SocketIdentity]) -> None:
    rig = GatewayRig({"PYLON_CORS_ORIGIN": "", "PYLON_DEV_MODE": "1"})

    with pytest.raises(PylonError) as refused:
        open_with(rig, origin="http://evil.example:4321", host="evil.example:4321")

    assert (refused.value.code, refused.value.status) == ("FORBIDDEN", 403)
    assert open_with(rig, origin="http://localhost:5173", host="localhost:4321").origin_allowed
