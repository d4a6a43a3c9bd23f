"""The scheduler's thread: it makes its passes when they are due, and goes on after one that failed."""

import threading
from collections.abc import Callable
from typing import Any, cast

import pytest

from pylon_core.clock import SystemClock
from pylon_runtime.jobs import Schedules, scheduler
from pylon_runtime.jobs.scheduler import Scheduler
from tests.support.waiting import until

CLOCK = SystemClock()


class Passes:
    def __init__(self, one: Callable[[int], float]) -> None:
        self.count = 0
        self._one = one

    def enqueue_due(self) -> float:
        self.count += 1
        return self._one(self.count)


def running(passes: Passes) -> Scheduler:
    made = Scheduler(cast(Schedules, passes), CLOCK)
    made.start()
    made.start()
    return made


def test_it_sleeps_as_long_as_it_was_told() -> None:
    passes = Passes(lambda number: 0.01 if number < 3 else 60.0)
    made = running(passes)
    until(lambda: passes.count == 3, "three passes")

    made.stop(CLOCK.monotonic() + 5)

    assert passes.count == 3
    assert not [thread for thread in threading.enumerate() if thread.name == "scheduler"]


def test_a_pass_that_fails_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler, "RETRY_S", 0.01)

    def fails(number: int) -> Any:
        if number < 3:
            raise ZeroDivisionError
        return 60.0

    passes = Passes(fails)
    made = running(passes)
    until(lambda: passes.count == 3, "the third")
    made.stop(CLOCK.monotonic() + 5)


def test_it_may_be_stopped_first() -> None:
    passes = Passes(lambda _number: 0.0)
    made = Scheduler(cast(Schedules, passes), CLOCK)

    made.stop(CLOCK.monotonic())
    made.start()

    assert passes.count == 0
