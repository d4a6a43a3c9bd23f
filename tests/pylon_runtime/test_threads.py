"""Threads: named, their failures heard, their ends waited for within a deadline."""

import threading

from structlog.testing import capture_logs

from pylon_core.clock import SystemClock
from pylon_runtime.threads import join, spawn

CLOCK = SystemClock()


def test_what_escapes_a_thread_is_logged_and_reported() -> None:
    reported: list[BaseException] = []

    def fail() -> None:
        raise LookupError("gone")

    with capture_logs() as logs:
        spawn("doomed", fail, failed=reported.append).join(10)

    assert [type(error) for error in reported] == [LookupError]
    assert [(log["event"], log["thread"]) for log in logs] == [("thread_failed", "doomed")]


def test_a_thread_that_outlives_the_deadline_is_named() -> None:
    gate = threading.Event()

    def wait() -> None:
        gate.wait(10)

    stuck, quick = spawn("stuck", wait), spawn("quick", lambda: None)

    with capture_logs() as logs:
        late = join([stuck, quick], CLOCK.monotonic() + 0.05, CLOCK)
    gate.set()

    assert late == ["stuck"]
    assert [log["event"] for log in logs] == ["threads_did_not_stop"]
    assert join([stuck, quick, threading.current_thread()], CLOCK.monotonic() + 10, CLOCK) == []
