"""The change feed as server-sent events: its bytes, who sees what, and how it ends (contract 05 §8)."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from pylon_http import Request
from pylon_runtime.hub import HubLimits, asks_for_stream
from tests.pylon_runtime.hub.harness import SetClock, Stage, change, visible_fields
from tests.support.waiting import until


def test_the_head_is_the_published_one_and_the_stream_begins_with_a_comment(stage: Stage) -> None:
    client = stage.open_stream()

    assert client.status_line == "HTTP/1.1 200 OK"
    assert client.headers == {
        "Server": "pylon",
        "Content-Type": "text/event-stream",
        "Cache-Control": "no-cache",
        "Connection": "keep-alive",
        "Access-Control-Allow-Origin": "*",
        "X-Content-Type-Options": "nosniff",
        "X-Accel-Buffering": "no",
    }
    assert client.block() == ": connected"


def test_an_event_is_one_unnamed_line_of_json_and_a_blank_one(stage: Stage) -> None:
    client = stage.open_stream()
    client.block()

    stage.publish(change(7, title="a\nb\r\u2028", _secret="s"))

    assert client.block() == (
        'data: {"seq":7,"entity":"Note","row_id":"n7","kind":"update","timestamp":"2026-01-01T00:00:00.000Z",'
        '"data":{"id":"n7","owner":"*","title":"a\\nb\\r\u2028"}}'
    )


def test_each_sees_what_their_identity_may_read(stage: Stage) -> None:
    anybody, ann, bob = stage.open_stream(), stage.open_stream("ann"), stage.open_stream("bob")

    stage.publish(change(1, owner="ann"), change(2), change(3, owner="bob", before={"owner": "ann"}), change(4))

    assert anybody.seqs(2) == [2, 4]
    assert [(m["seq"], m["kind"]) for m in (ann.next(), ann.next(), ann.next())] == [
        (1, "update"),
        (2, "update"),
        (3, "delete"),
    ]
    assert bob.seqs(3) == [2, 3, 4]


def test_a_failed_credential_is_refused_and_never_anonymous(stage: Stage) -> None:
    client = stage.open_stream("bad")

    assert client.status == 401
    assert b'"code":"UNAUTHORIZED"' in client.rest()
    assert stage.hub.stats().connections == 0


def test_a_page_that_may_not_is_refused(stage: Stage) -> None:
    assert stage.open_stream(headers={"Origin": "https://evil.example"}).status == 403


def test_only_a_page_that_shows_who_asks_is_named_in_the_answer(stage: Stage) -> None:
    page = {"Origin": "https://app.example"}

    anybody, ann = stage.open_stream(headers=page), stage.open_stream("ann", headers=page)

    assert anybody.headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in anybody.headers
    assert ann.headers["Access-Control-Allow-Origin"] == "https://app.example"
    assert ann.headers["Access-Control-Allow-Credentials"] == "true"
    assert ann.headers["Vary"] == "Origin"


def test_events_of_the_last_minute_come_first_whatever_was_the_last_one_heard(stage: Stage) -> None:
    stage.publish(change(1), change(2, owner="bob"), change(3))

    client = stage.open_stream("ann", headers={"Last-Event-ID": "3"})
    stage.publish(change(4))

    assert client.seqs(3) == [1, 3, 4]


def test_an_event_is_encoded_once_for_frames_and_streams_together(make_stage: Callable[..., Stage]) -> None:
    projected: list[str] = []

    def project(entity: str, row: Mapping[str, Any]) -> Mapping[str, Any]:
        projected.append(row["id"])
        return visible_fields(entity, row)

    stage = make_stage(project=project)
    sockets, streams = [stage.connect("ann") for _ in range(2)], [stage.open_stream("ann") for _ in range(2)]

    stage.publish(change(1), change(2))

    assert [client.seqs(2) for client in sockets] == [client.seqs(2) for client in streams] == [[1, 2]] * 2
    assert projected == ["n1", "n2"]


def test_presence_is_not_told_on_streams_nor_is_their_own_end(stage: Stage) -> None:
    stream, ann, bob = stage.open_stream("ann"), stage.connect("ann"), stage.connect("bob")

    ann.say({"type": "presence", "n": 1})
    assert bob.next()["n"] == 1
    stage.publish(change(1))

    assert stream.next()["seq"] == 1
    assert bob.next()["seq"] == 1
    stream.drop()
    until(lambda: stage.hub.stats().connections == 2, "the departure")
    stage.publish(change(2))
    assert bob.next()["seq"] == 2


def test_a_quiet_stream_is_kept_alive_and_never_taken_for_silent(make_stage: Callable[..., Stage]) -> None:
    clock = SetClock()
    stage = make_stage(HubLimits(ping_interval_s=25, tick_s=0.01), clock=clock)
    client = stage.open_stream()
    assert client.block() == ": connected"

    for seconds in (25.0, 50.0, 75.0, 100.0):
        clock.seconds = seconds
        assert client.block() == ": keepalive"


def test_a_keepalive_comes_within_half_a_minute() -> None:
    limits = HubLimits()

    assert limits.ping_interval_s + limits.tick_s <= 30


def test_what_the_client_says_is_passed_over(stage: Stage) -> None:
    client = stage.open_stream()

    client.sock.sendall(b"GET /events HTTP/1.1\r\n\r\n" + b"x" * 100_000)
    stage.publish(change(1))

    assert client.seqs(1) == [1]


def test_a_client_that_leaves_is_let_go(stage: Stage) -> None:
    stage.open_stream().drop()

    until(lambda: stage.hub.stats().connections == 0, "the departure")


@pytest.mark.parametrize("name", [None, "ann"])
def test_a_stalled_stream_is_ended_while_the_others_get_everything(
    make_stage: Callable[..., Stage], name: str | None
) -> None:
    stage = make_stage(HubLimits(stall_s=0.3, tick_s=0.05, close_grace_s=0.3), send_buffer=16_384)
    slow, quick = stage.open_stream(name, receive_buffer=4096), stage.open_stream("bob")

    for seq in range(1, 101):
        stage.publish(change(seq, text="x" * 20_000))

    assert quick.seqs(100) == list(range(1, 101))
    until(lambda: stage.hub.stats().closed_for_lag == 1, "the close for lag")
    received = [message["seq"] for message in slow.messages()]
    assert received == list(range(1, len(received) + 1))
    assert len(received) < 100


def test_a_session_that_ends_takes_its_streams_with_it(stage: Stage) -> None:
    ann, bob = stage.open_stream("ann"), stage.open_stream("bob")

    stage.hub.close_session("session-ann", 1008)
    stage.publish(change(1))

    assert list(ann.messages()) == []
    assert bob.seqs(1) == [1]


def test_the_stop_ends_streams_after_what_was_published(stage: Stage) -> None:
    client = stage.open_stream()
    stage.publish(change(1))
    started = time.monotonic()

    stage.hub.stop(stage.clock.monotonic() + 0.5)

    assert [message["seq"] for message in client.messages()] == [1]
    assert time.monotonic() - started < 5
    assert stage.hub.stats().connections == 0
    assert stage.open_stream_raw().rest() == b": connected\n\n"


def test_streams_are_counted_by_address_apart_from_sockets(make_stage: Callable[..., Stage]) -> None:
    stage = make_stage(HubLimits(connections_per_peer_max=2))
    stage.connect("ann")
    stage.connect("bob")

    first, _ = stage.open_stream(), stage.open_stream()
    refused = stage.open_stream()

    assert (refused.status, refused.headers["Retry-After"]) == (429, "5")
    assert stage.open_stream(headers={"X-Peer": "10.0.0.2"}).status == 200
    first.drop()
    until(lambda: stage.open_stream_raw().status == 200, "the free slot")


def test_streams_of_a_user_are_counted_wherever_they_come_from(make_stage: Callable[..., Stage]) -> None:
    stage = make_stage(HubLimits(connections_per_user_max=1))
    stage.open_stream("ann", headers={"X-Peer": "10.0.0.1"})

    assert stage.open_stream("ann", headers={"X-Peer": "10.0.0.2"}).status == 429
    assert [stage.open_stream(headers={"X-Peer": "10.0.0.1"}).status for _ in range(3)] == [200] * 3


@pytest.mark.parametrize(
    ("method", "target", "accept", "is_one"),
    [
        ("GET", "/events", "text/event-stream", True),
        ("GET", "/events", None, True),
        ("GET", "/events?x=1", "*/*", True),
        ("GET", "/events", "text/html,application/xhtml+xml,*/*;q=0.8", False),
        ("GET", "/api/sync/events", "text/html", True),
        ("GET", "/api/sync/events?since=3", None, True),
        ("HEAD", "/events", None, False),
        ("POST", "/api/sync/events", None, False),
        ("GET", "/events/", None, False),
        ("GET", "/eventsource", None, False),
        ("GET", "/api/sync/events2", None, False),
        ("GET", "/", None, False),
    ],
)
def test_the_main_port_knows_a_request_for_the_stream(
    method: str, target: str, accept: str | None, is_one: bool
) -> None:
    headers = {} if accept is None else {"accept": accept}

    assert asks_for_stream(Request(method, target, headers, b"", "10.0.0.1")) is is_one
