"""A consumer that does not keep up is sent what it missed in one go, or closed; never skipped, never a delay."""

import itertools
import random
import threading
from collections.abc import Callable

import pytest
from wsproto.events import Ping

from pylon_http import ChangeKind
from pylon_runtime.hub import HubLimits
from tests.pylon_runtime.hub.harness import Stage, change
from tests.support.waiting import until

BIG = "x" * 20_000


def assert_gapless_from(seqs: list[int], first: int) -> None:
    assert seqs == list(range(first, first + len(seqs)))


def test_a_stalled_consumer_is_closed_while_the_others_get_everything(make_stage: Callable[..., Stage]) -> None:
    stage = make_stage(HubLimits(stall_s=0.3, tick_s=0.05, close_grace_s=0.3), send_buffer=16_384)
    slow, quick = stage.connect("slow", receive_buffer=4096), stage.connect("quick")

    for seq in range(1, 101):
        stage.publish(change(seq, text=BIG))

    assert quick.seqs(100) == list(range(1, 101))
    until(lambda: stage.hub.stats().closed_for_lag == 1, "the close for lag")
    received = [message["seq"] for message in slow.messages()]
    assert_gapless_from(received, 1)
    assert len(received) < 100
    stage.publish(change(101))
    assert quick.seqs(1) == [101]


def test_a_consumer_that_falls_out_of_the_log_is_closed(make_stage: Callable[..., Stage]) -> None:
    stage = make_stage(HubLimits(log_events_max=20, tick_s=0.05), send_buffer=16_384)
    slow, quick = stage.connect("slow", receive_buffer=4096), stage.connect("quick")

    for seq in range(1, 101):
        stage.publish(change(seq, text=BIG))
        assert quick.seqs(1) == [seq]

    until(lambda: stage.hub.stats().closed_for_lag == 1, "the close for lag")
    assert_gapless_from([message["seq"] for message in slow.messages()], 1)
    assert slow.closed_with == 1013


def test_a_consumer_that_pauses_misses_nothing(make_stage: Callable[..., Stage]) -> None:
    stage = make_stage(send_buffer=16_384)
    slow, quick = stage.connect("slow", receive_buffer=4096), stage.connect("quick")

    for seq in range(1, 101):
        stage.publish(change(seq, text=BIG))
    assert quick.seqs(100) == list(range(1, 101))

    assert slow.seqs(100) == list(range(1, 101))
    stage.publish(change(101))
    assert slow.seqs(1) == quick.seqs(1) == [101]
    assert stage.hub.stats().closed_for_lag == 0


def test_partial_writes_never_mix_frames(make_stage: Callable[..., Stage]) -> None:
    """Events of all sizes through the smallest send buffer, while pings are answered and relays pass."""
    stage = make_stage(send_buffer=1)
    sizes = random.Random(7)
    ann, bob = stage.connect("ann", receive_buffer=4096), stage.connect("bob", receive_buffer=4096)

    def write() -> None:
        for seq in range(1, 61):
            stage.publish(change(seq, text="é" * sizes.choice([0, 50, 60, 125, 500, 30_000, 33_000, 120_000])))

    def ping() -> None:
        for number in range(50):
            ann.send(Ping(payload=b"%d" % number))
            bob.say({"type": "topic", "topic": "t", "data": number})

    threads = [threading.Thread(target=write), threading.Thread(target=ping)]
    for thread in threads:
        thread.start()

    for client in (ann, bob):
        changes = (message["seq"] for message in client.messages() if "seq" in message)
        assert list(itertools.islice(changes, 60)) == list(range(1, 61))
    for thread in threads:
        thread.join()
    ann.say({"type": "presence", "last": True})
    assert any(message.get("last") for message in ann.messages())
    assert ann.pongs == [b"%d" % number for number in range(50)]


def test_a_client_that_pings_without_reading_is_cut_off(make_stage: Callable[..., Stage]) -> None:
    stage = make_stage(HubLimits(tick_s=0.05, close_grace_s=0.2), send_buffer=1)
    client = stage.connect("ann", receive_buffer=4096)

    with pytest.raises(OSError):
        for _ in range(1_000):
            client.sock.sendall(b"".join(client.ws.send(Ping(payload=b"p" * 125)) for _ in range(100)))

    until(lambda: stage.hub.stats().connections == 0, "the departure")


def test_a_lagging_consumer_is_judged_like_the_others(make_stage: Callable[..., Stage]) -> None:
    stage = make_stage(send_buffer=16_384)
    slow = stage.connect("ann", receive_buffer=4096)

    for seq in range(1, 101, 2):
        stage.publish(change(seq, owner="ann", text=BIG), change(seq + 1, owner="bob", text=BIG))
    stage.publish(
        change(101, owner="ann", kind=ChangeKind.DELETE), change(102, owner="bob", kind=ChangeKind.DELETE)
    )
    stage.publish(change(103))

    received = [(message["seq"], message["kind"]) for message in itertools.islice(slow.messages(), 52)]
    assert received == [*((seq, "update") for seq in range(1, 101, 2)), (101, "delete"), (103, "update")]
