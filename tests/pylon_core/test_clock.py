"""Wall time as text, and what the real clock promises."""

import time

import pytest

from pylon_core.clock import SystemClock, rfc3339


@pytest.mark.parametrize(
    ("epoch_ms", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1_777_760_573_120, "2026-05-02T22:22:53.120Z"),
        (1_777_760_573_007, "2026-05-02T22:22:53.007Z"),
        (1_709_164_800_999, "2024-02-29T00:00:00.999Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
    ],
    ids=["epoch", "milliseconds", "padded", "leap day", "before the epoch"],
)
def test_rfc3339_is_utc_with_milliseconds(epoch_ms: int, text: str) -> None:
    assert rfc3339(epoch_ms) == text


def test_the_system_clock_tells_wall_time_in_nanoseconds() -> None:
    before = time.time_ns()
    now = SystemClock().now_ns()

    assert before <= now <= time.time_ns()


def test_monotonic_time_never_goes_back() -> None:
    clock = SystemClock()
    readings = [clock.monotonic() for _ in range(1000)]

    assert readings == sorted(readings)
