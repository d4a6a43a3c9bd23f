"""Requests of one connection: a burst at once, then so many a second; late, but never passed over."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from pylon_runtime.hub import HubLimits
from pylon_runtime.hub.connection import Connection
from pylon_runtime.hub.feeds import MessageHandler
from pylon_runtime.hub.pace import RequestPace
from tests.pylon_runtime.hub.harness import SetClock, Stage
from tests.support.waiting import until


def test_a_burst_is_served_at_once_and_the_rest_evenly() -> None:
    clock = SetClock()
    pace = RequestPace(HubLimits(requests_per_s=10, requests_burst=3), clock)

    waits = []
    for _ in range(6):
        waits.append(pace.wait_s())
        clock.seconds += waits[-1]
    clock.seconds += 100
    again = [pace.wait_s() for _ in range(4)]

    assert waits == pytest.approx([0, 0, 0, 0.1, 0.1, 0.1])
    assert again == pytest.approx([0, 0, 0, 0.1])


class Listening:
    """A feed of nothing that notes what it is asked."""

    def __init__(self) -> None:
        self.heard: list[int] = []
        self.messages = {"note": self.note}
        self.refusals: dict[str, MessageHandler] = {}

    def deliver(self, start: int, end: int) -> None:
        pass

    def drop(self, connection: Connection) -> None:
        pass

    def note(self, _connection: Connection, message: Mapping[str, Any]) -> None:
        self.heard.append(message["n"])


def test_nothing_asked_is_passed_over(make_stage: Callable[..., Stage]) -> None:
    listening = Listening()
    stage = make_stage(HubLimits(requests_per_s=500, requests_burst=10), feed=lambda _hub: listening)
    client = stage.connect()

    for number in range(100):
        client.say({"type": "note", "n": number})

    until(lambda: len(listening.heard) == 100, "the last of them")
    assert listening.heard == list(range(100))
