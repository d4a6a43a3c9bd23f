"""The log keeper does what is due in steps, survives failures, and stops between steps or in a long one."""

import threading
import time
from collections.abc import Generator

import structlog

from pylon_core.clock import SystemClock
from pylon_core.errors import PylonError
from pylon_runtime.log_keeping import LogKeeper
from tests.support.waiting import until

PATIENCE_S = 10.0


class Chore:
    """Of so many steps, each noted; ``failures`` are raised first, one at each run."""

    def __init__(self, steps: int, *failures: Exception, due: bool = True) -> None:
        self._steps = steps
        self._failures = list(failures)
        self._due = due
        self.done: list[int] = []
        self.finished = threading.Event()
        self.is_closed = False

    def is_due(self) -> bool:
        return self._due

    def run(self) -> Generator[None, None, None]:
        try:
            if self._failures:
                raise self._failures.pop(0)
            for step in range(self._steps):
                self.done.append(step)
                yield
            self._due = False
            self.finished.set()
        finally:
            self.is_closed = True

    def interrupt(self) -> None:
        """No step is long."""


class LongChore(Chore):
    """Its first step takes until it is interrupted."""

    def __init__(self) -> None:
        super().__init__(1)
        self.begun = threading.Event()
        self._interrupted = threading.Event()

    def run(self) -> Generator[None, None, None]:
        self.begun.set()
        if self._interrupted.wait(PATIENCE_S):
            raise PylonError("QUERY_FAILED", "interrupted")
        yield

    def interrupt(self) -> None:
        self._interrupted.set()


def keeping(*chores: Chore, interval_s: float = 0.001, pause_s: float = 0.0) -> LogKeeper:
    keeper = LogKeeper(chores, SystemClock(), interval_s, pause_s)
    keeper.start()
    return keeper


def stop(keeper: LogKeeper) -> None:
    keeper.stop(time.monotonic() + PATIENCE_S)
    assert "log-keeper" not in [thread.name for thread in threading.enumerate()]


def test_what_is_due_is_done_to_its_end_and_nothing_else() -> None:
    due, other = Chore(5), Chore(5, due=False)

    keeper = keeping(due, other)
    assert due.finished.wait(PATIENCE_S)
    stop(keeper)

    assert due.done == [0, 1, 2, 3, 4]
    assert other.done == []


def test_nothing_is_done_at_the_start() -> None:
    chore = Chore(1)

    keeper = keeping(chore, interval_s=3600)
    stop(keeper)

    assert chore.done == []


def test_one_that_fails_is_logged_tried_again_and_keeps_no_other_from_its_turn() -> None:
    failing, other = Chore(1, OSError("disk full"), PylonError("NOT_AVAILABLE", "away")), Chore(1)

    with structlog.testing.capture_logs() as logs:
        keeper = keeping(failing, other)
        assert failing.finished.wait(PATIENCE_S)
        assert other.finished.wait(PATIENCE_S)
        stop(keeper)

    assert [(line["event"], line["chore"]) for line in logs] == [("log_keeping_failed", "Chore")]


def test_it_stops_between_two_steps_and_gives_up_the_rest() -> None:
    chore = Chore(1_000_000)
    keeper = keeping(chore, pause_s=3600)
    until(lambda: chore.done, "the first step")

    stop(keeper)

    assert chore.done == [0]
    assert chore.is_closed


def test_it_interrupts_a_long_step() -> None:
    chore = LongChore()
    keeper = keeping(chore)
    assert chore.begun.wait(PATIENCE_S)

    with structlog.testing.capture_logs() as logs:
        stop(keeper)

    assert logs == []


def test_stopping_first_twice_and_starting_twice() -> None:
    never_started = LogKeeper((), SystemClock())
    never_started.stop(time.monotonic())
    never_started.start()
    stop(never_started)

    keeper = keeping(interval_s=3600)
    keeper.start()
    assert [thread.name for thread in threading.enumerate()].count("log-keeper") == 1
    stop(keeper)
    stop(keeper)
