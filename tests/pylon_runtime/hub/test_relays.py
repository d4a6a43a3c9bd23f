"""Presence and topic messages: signed with their sender, kept inside the tenant, bounded, never a change event."""

from collections.abc import Callable

import pytest
from wsproto.events import BytesMessage

from pylon_runtime.hub import HubLimits
from pylon_runtime.hub.relay import RelayAllowance, RelayQueue, relayed
from tests.pylon_runtime.hub.harness import SetClock, Stage, change


def test_presence_reaches_everybody_and_the_sender_under_the_senders_own_name(stage: Stage) -> None:
    ann, bob = stage.connect("ann"), stage.connect("bob")

    ann.say({"type": "presence", "event": "update", "data": {"x": 1}, "from": "someone-else"})

    expected = {"type": "presence", "event": "update", "data": {"x": 1}, "from": "ann"}
    assert (ann.next(), bob.next()) == (expected, expected)


def test_a_topic_message_is_passed_on(stage: Stage) -> None:
    ann, bob = stage.connect("ann"), stage.connect("bob")

    ann.say('  { "data" : {"text":"hi"}, "topic":"chat:42",\n "type" : "topic" } ')

    assert bob.next() == {"type": "topic", "topic": "chat:42", "data": {"text": "hi"}, "from": "ann"}


def test_relays_and_disconnects_stay_inside_the_tenant(stage: Stage) -> None:
    red, also_red, blue = stage.connect("ann@red"), stage.connect("bob@red"), stage.connect("eve@blue")

    red.say({"type": "presence", "n": 1})
    assert also_red.next()["from"] == "ann"
    red.leave()
    assert also_red.next() == {"type": "presence", "event": "disconnect", "clientId": 0, "from": "ann"}

    blue.say({"type": "presence", "n": 2})
    assert blue.next()["from"] == "eve"


@pytest.mark.parametrize("drop", [pytest.param(False, id="by a close frame"), pytest.param(True, id="by a cut")])
def test_the_end_of_a_socket_is_told_to_the_others(stage: Stage, drop: bool) -> None:
    ann, bob = stage.connect("ann"), stage.connect("bob")

    if drop:
        ann.drop()
    else:
        ann.leave()

    assert bob.next() == {"type": "presence", "event": "disconnect", "clientId": 0, "from": "ann"}


def test_a_ping_is_answered_to_who_sent_it_alone(stage: Stage) -> None:
    ann, bob = stage.connect("ann"), stage.connect("bob")

    ann.say({"type": "ping"})
    assert ann.next() == {"type": "pong"}

    ann.say({"type": "topic", "n": 1})
    assert bob.next()["type"] == "topic"


@pytest.mark.parametrize(
    "message",
    [
        pytest.param("not json", id="not json"),
        pytest.param("[]", id="not an object"),
        pytest.param("{}", id="no type"),
        pytest.param('{"type":7}', id="a type that is no string"),
        pytest.param('{"type":["presence"]}', id="a type that cannot be hashed"),
        pytest.param('{"type":"hello"}', id="an unknown type"),
        pytest.param('{"type":"crdt-subscribe","entity":"E","rowId":"r"}', id="a crdt message"),
        pytest.param('{"type":"presence","seq":9,"entity":"E","kind":"delete","row_id":"r"}', id="a forged event"),
        pytest.param('{"type":"topic","data":"' + "x" * 70_000 + '"}', id="too long"),
        pytest.param('{"type":"topic","data":"' + "x" * 65_536 + '"}', id="a little too long"),
        pytest.param("[" * 5_000 + "]" * 5_000, id="too deep"),
    ],
)
def test_anything_else_is_ignored_and_the_socket_stays_open(stage: Stage, message: str) -> None:
    ann, bob = stage.connect("ann"), stage.connect("bob")

    ann.say(message)
    ann.say({"type": "presence", "after": True})

    assert bob.next() == {"type": "presence", "after": True, "from": "ann"}


def test_binary_messages_are_ignored(stage: Stage) -> None:
    ann = stage.connect()

    ann.send(BytesMessage(data=b'{"type":"presence"}'))
    stage.publish(change(1))

    assert ann.next()["seq"] == 1


def test_a_long_message_in_pieces_is_neither_kept_nor_passed_on(stage: Stage) -> None:
    ann = stage.connect()

    ann.send(BytesMessage(data=b"x" * 200_000, message_finished=False))
    ann.send(BytesMessage(data=b"y" * 100_000, message_finished=True))
    ann.say({"type": "presence", "after": True})

    assert ann.next()["after"]


def test_a_message_too_long_to_read_ends_the_socket(make_stage: Callable[..., Stage]) -> None:
    ann = make_stage(HubLimits(message_bytes_max=10_000)).connect()

    ann.say({"type": "presence", "data": "x" * 10_000})

    assert ann.close_code() == 1009


def test_one_connection_may_pass_on_a_bounded_stream() -> None:
    clock = SetClock()
    allowance = RelayAllowance(HubLimits(relay_messages_per_s=10, relay_bytes_per_s=1000), clock)

    assert [allowance.spend(10) for _ in range(30)] == [True] * 20 + [False] * 10
    clock.seconds = 0.1
    assert [allowance.spend(10), allowance.spend(10)] == [True, False]
    clock.seconds = 60.0
    assert [allowance.spend(1500), allowance.spend(600), allowance.spend(500)] == [True, False, True]


def test_relays_beyond_the_backlog_are_dropped_and_counted() -> None:
    queue = RelayQueue(bytes_max=50)

    assert [queue.add("t", b"x" * 20) for _ in range(3)] == [True, True, False]
    assert (queue.dropped, len(queue.take()["t"])) == (1, 2)
    assert queue.add("t", b"x" * 20)


def test_a_relay_never_keeps_what_the_client_said_of_its_sender() -> None:
    assert relayed({"type": "presence", "from": "root"}, None) == b'{"type":"presence","from":null}'


def test_a_room_event_goes_to_one_tenant(stage: Stage) -> None:
    red, blue = stage.connect("ann@red"), stage.connect("bob@blue")

    stage.hub.relay("red", b'{"type":"join","room":"r"}')
    assert red.next() == {"type": "join", "room": "r"}

    stage.publish(change(1))
    assert blue.next()["seq"] == 1
