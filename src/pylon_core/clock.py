"""Time as a parameter: only the composition root names the real clock."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Two times: one for data, one for durations and deadlines. Safe from any thread."""

    def now_ns(self) -> int:
        """Nanoseconds since the Unix epoch; may jump."""

    def monotonic(self) -> float:
        """Seconds that never go back; only differences mean anything."""


class SystemClock:
    def now_ns(self) -> int:
        return time.time_ns()

    def monotonic(self) -> float:
        return time.monotonic()


def rfc3339(epoch_ms: int) -> str:
    """Milliseconds since the epoch as UTC text, ``2026-05-02T22:22:53.120Z``."""
    moment = datetime.fromtimestamp(epoch_ms // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{epoch_ms % 1000:03d}Z"


def rfc3339_s(epoch_ns: int) -> str:
    """Nanoseconds since the epoch as UTC text in whole seconds, ``2026-05-02T22:22:53Z``."""
    return f"{datetime.fromtimestamp(epoch_ns // 1_000_000_000, UTC):%Y-%m-%dT%H:%M:%SZ}"


def seconds_text(epoch_ms: int | None) -> str | None:
    """As jobs and workflows tell a time on the wire: ``"1767225600Z"``."""
    return None if epoch_ms is None else f"{epoch_ms // 1000}Z"


_: Clock = SystemClock()
