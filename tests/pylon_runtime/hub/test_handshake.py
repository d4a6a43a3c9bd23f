"""Opening a socket: who is let in, what is echoed, what is refused and how (contract 05 §6.1)."""

import time
from collections.abc import Callable

import pytest
from wsproto.events import TextMessage
from wsproto.frame_protocol import FrameProtocol

from pylon_core.errors import PylonError
from pylon_http import Request
from pylon_runtime.hub import SYNC_PATHS, HubLimits, SocketIdentity
from tests.pylon_runtime.hub.harness import Stage, change, sign_in_by_subprotocol, user
from tests.support.waiting import until


def away() -> SocketIdentity:
    raise PylonError("NOT_AVAILABLE", "The database is away.")


def test_the_bearer_subprotocol_is_echoed_verbatim(stage: Stage) -> None:
    client = stage.connect("pylon_%2Fab%20c")

    assert client.subprotocol == "bearer.pylon_%2Fab%20c"


@pytest.mark.parametrize("name", [pytest.param(None, id="none"), pytest.param("bad", id="failed")])
def test_without_a_good_credential_the_socket_opens_and_is_closed_at_once(stage: Stage, name: str | None) -> None:
    started = time.monotonic()

    client = stage.connect(name)

    assert client.subprotocol == (name and f"bearer.{name}")
    assert client.close_code() == 1008
    client.drop()
    assert time.monotonic() - started < 2
    assert stage.hub.stats().connections == 0


def test_an_identity_without_a_user_is_refused_too(make_stage: Callable[..., Stage]) -> None:
    from pylon_auth.context import ANONYMOUS

    stage = make_stage(authenticate=lambda request: SocketIdentity(ANONYMOUS))

    assert stage.connect(None).close_code() == 1008


def test_a_page_of_a_foreign_origin_is_refused_before_the_upgrade(stage: Stage) -> None:
    client = stage.connect("ann", headers=[(b"Origin", b"https://evil.example")])

    assert client.refused_with == 403


@pytest.mark.parametrize("target", ["/", "/ws", "/api/sync/ws", "/?token=x", "/ws?a=b"])
def test_the_main_port_takes_sockets_at_the_sync_paths(make_stage: Callable[..., Stage], target: str) -> None:
    stage = make_stage(paths=SYNC_PATHS)

    assert stage.connect("ann", target=target).subprotocol == "bearer.ann"


def test_the_main_port_refuses_sockets_elsewhere(make_stage: Callable[..., Stage]) -> None:
    stage = make_stage(paths=SYNC_PATHS)

    assert stage.connect("ann", target="/elsewhere").refused_with == 404


def test_the_extra_port_takes_sockets_anywhere(stage: Stage) -> None:
    assert stage.connect("ann", target="/elsewhere?x").subprotocol == "bearer.ann"


def test_a_version_that_is_not_13_is_refused(stage: Stage) -> None:
    client = stage.connect("ann", headers=[(b"Sec-WebSocket-Version", b"12")])

    assert client.refused_with == 400


def test_compression_is_not_negotiated(stage: Stage) -> None:
    client = stage.connect("ann", headers=[(b"Sec-WebSocket-Extensions", b"permessage-deflate")])

    assert client.subprotocol == "bearer.ann"
    assert client.ws.connection is not None
    assert client.opening.extensions == []  # type: ignore[attr-defined]  # the opening was accepted


def test_bytes_that_came_with_the_request_are_read_as_frames(stage: Stage) -> None:
    frame = FrameProtocol(client=True, extensions=[]).send_data('{"type":"presence","n":1}', True)

    client = stage.connect("ann", sent_along=frame)

    assert client.next() == {"type": "presence", "n": 1, "from": "ann"}


def test_nothing_is_sent_on_open(stage: Stage) -> None:
    client = stage.connect()

    client.send(TextMessage(data="not json"))
    stage.publish(change(1))

    assert client.next()["seq"] == 1


def test_a_failing_authenticator_is_answered_as_http(make_stage: Callable[..., Stage]) -> None:
    def refuse(request: Request) -> SocketIdentity:
        raise PylonError("RATE_LIMITED", "Too many attempts.")

    assert make_stage(authenticate=refuse).connect().refused_with == 429


@pytest.mark.parametrize(
    ("second", "code"),
    [
        pytest.param(lambda: SocketIdentity(None), 1008, id="the session ended"),
        pytest.param(lambda: SocketIdentity(user("ann", tenant_id="red")), 1012, id="it went to another tenant"),
        pytest.param(away, 1012, id="nobody can tell"),
    ],
)
def test_a_session_that_changes_while_its_socket_is_registered_is_closed(
    make_stage: Callable[..., Stage], second: Callable[[], SocketIdentity], code: int
) -> None:
    answers = iter([lambda: SocketIdentity(user("ann")), second])
    stage = make_stage(authenticate=lambda request: next(answers)())

    client = stage.connect()

    assert client.close_code() == code


def test_an_address_has_a_bounded_number_of_sockets(make_stage: Callable[..., Stage]) -> None:
    stage = make_stage(HubLimits(connections_per_peer_max=2))
    first, _ = stage.connect("ann"), stage.connect("bob")

    refused = stage.connect("eve")
    assert refused.refused_with == 429
    assert refused.retry_after == "5"
    assert stage.connect("eve", headers=[(b"X-Peer", b"10.0.0.2")]).subprotocol == "bearer.eve"

    first.leave()
    until(lambda: stage.hub.stats().connections == 2, "the departure")
    until(lambda: not stage.connect_raw("ann").is_refused, "the place of the one that left")


def test_a_user_has_a_bounded_number_of_sockets_from_wherever(make_stage: Callable[..., Stage]) -> None:
    stage = make_stage(HubLimits(connections_per_user_max=2))
    first, _ = (stage.connect("ann", headers=[(b"X-Peer", b"10.0.0.%d" % number)]) for number in range(2))

    refused = stage.connect("ann", headers=[(b"X-Peer", b"10.0.0.9")])

    assert (refused.refused_with, refused.retry_after) == (429, "5")
    assert stage.connect("bob").subprotocol == "bearer.bob"
    first.leave()
    until(lambda: not stage.connect_raw("ann").is_refused, "the place of the one that left")


def test_the_identity_is_asked_for_on_every_connection(make_stage: Callable[..., Stage]) -> None:
    asked: list[str] = []

    def authenticate(request: Request) -> SocketIdentity:
        asked.append(request.headers["sec-websocket-protocol"])
        return sign_in_by_subprotocol(request)

    stage = make_stage(authenticate=authenticate)
    stage.connect("ann")
    stage.connect("bob")

    assert set(asked) == {"bearer.ann", "bearer.bob"}
