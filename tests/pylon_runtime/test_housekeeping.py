"""The housekeeper sweeps at once whatever is due, reviews when asked, survives failures, and stops when told."""

import threading
import time
from collections.abc import Callable

import structlog

from pylon_auth.store import SWEEP_BATCH
from pylon_core.clock import SystemClock
from pylon_core.errors import PylonError
from pylon_runtime.housekeeping import RETRY_S, Housekeeper

PATIENCE_S = 10.0


def running(sweep: Callable[[], int], interval_s: float = 0.001) -> Housekeeper:
    housekeeper = Housekeeper(sweep, lambda: None, SystemClock(), interval_s)
    housekeeper.start()
    return housekeeper


def stop(housekeeper: Housekeeper) -> None:
    housekeeper.stop(time.monotonic() + PATIENCE_S)
    assert "housekeeper" not in [thread.name for thread in threading.enumerate()]


def test_full_batches_follow_each_other_without_waiting() -> None:
    interval_s = 0.5
    batches = [SWEEP_BATCH, SWEEP_BATCH, 3]
    times: list[float] = []
    done = threading.Event()

    def sweep() -> int:
        times.append(time.monotonic())
        if len(times) == len(batches):
            done.set()
        return batches[len(times) - 1] if len(times) <= len(batches) else 0

    housekeeper = running(sweep, interval_s)
    assert done.wait(PATIENCE_S)
    stop(housekeeper)

    assert times[len(batches) - 1] - times[0] < interval_s


def test_a_sweep_that_fails_is_logged_and_tried_again() -> None:
    failures: list[Exception] = [PylonError("COMMIT_FAILED", "no room"), OSError("disk full")]
    worked = threading.Event()

    def sweep() -> int:
        if failures:
            raise failures.pop(0)
        worked.set()
        return 0

    with structlog.testing.capture_logs() as logs:
        housekeeper = running(sweep)
        assert worked.wait(PATIENCE_S)
        stop(housekeeper)

    assert [log["log_level"] for log in logs if log["event"] == "sweep_failed"] == ["error", "error"]


def test_stopping_first_twice_and_starting_twice() -> None:
    never_started = Housekeeper(lambda: 0, lambda: None, SystemClock())
    never_started.stop(time.monotonic())
    never_started.start()
    stop(never_started)

    housekeeper = running(lambda: 0, interval_s=3600)
    housekeeper.start()
    assert [thread.name for thread in threading.enumerate()].count("housekeeper") == 1
    stop(housekeeper)
    stop(housekeeper)


def test_a_stop_ends_a_sweep_that_never_would() -> None:
    began = threading.Event()

    def sweep() -> int:
        began.set()
        return SWEEP_BATCH

    housekeeper = running(sweep)
    assert began.wait(PATIENCE_S)

    stop(housekeeper)


def test_a_review_is_made_when_asked_for_and_again_until_it_works() -> None:
    failures = [PylonError("QUERY_FAILED", "no luck")]
    times: list[float] = []
    worked = threading.Event()

    def review() -> None:
        times.append(time.monotonic())
        if failures:
            raise failures.pop()
        worked.set()

    housekeeper = Housekeeper(lambda: 0, review, SystemClock(), interval_s=3600)
    housekeeper.start()
    with structlog.testing.capture_logs() as logs:
        housekeeper.ask_for_review()
        assert worked.wait(PATIENCE_S)
    stop(housekeeper)

    assert [log["event"] for log in logs] == ["review_failed"]
    assert times[1] - times[0] >= RETRY_S * 0.9


def test_a_database_that_is_away_is_the_stores_to_tell() -> None:
    failures = [PylonError("NOT_AVAILABLE", "away")]
    worked = threading.Event()

    def review() -> None:
        if failures:
            raise failures.pop()
        worked.set()

    housekeeper = Housekeeper(lambda: 0, review, SystemClock(), interval_s=3600)
    housekeeper.start()
    with structlog.testing.capture_logs() as logs:
        housekeeper.ask_for_review()
        assert worked.wait(PATIENCE_S)
    stop(housekeeper)

    assert logs == []


def test_what_is_asked_for_before_the_start_is_done() -> None:
    reviewed = threading.Event()
    housekeeper = Housekeeper(lambda: 0, reviewed.set, SystemClock(), interval_s=3600)

    housekeeper.ask_for_review()
    housekeeper.start()

    assert reviewed.wait(PATIENCE_S)
    stop(housekeeper)
