"""Refusals: one answer to the caller, and a line in the log that says which rule it was.

Anybody can be refused as often as they like, so each rule and operation has one line a minute, with how often it
refused since the last. The lock guards the counts, of which there are as many as rules and operations.
"""

import threading
from typing import NamedTuple

import structlog

from pylon_core.clock import Clock
from pylon_core.errors import PylonError

LINE_EVERY_S = 60.0

_log = structlog.get_logger()


def denial() -> PylonError:
    """The one answer to everything a policy refuses, so that refusals cannot be told apart."""
    return PylonError(
        "POLICY_DENIED",
        "You are not allowed to do this.",
        hint="Sign in with an account that has access, or ask the owner for it.",
    )


class _Count(NamedTuple):
    due: float
    untold: int


class RefusalLog:
    """Any thread may call."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._counts: dict[tuple[str | None, str, str], _Count] = {}

    def refused(self, policy: str | None, target: str, operation: str) -> PylonError:
        """What to raise. ``policy`` and ``target`` are names of the manifest, never what a caller sent."""
        count = self._count((policy, target, operation))
        if count:
            _log.info("policy_denied", policy=policy, target=target, operation=operation, count=count)
        return denial()

    def _count(self, rule: tuple[str | None, str, str]) -> int:
        """How many refusals a line has to tell of now; 0: no line."""
        now = self._clock.monotonic()
        with self._lock:
            last = self._counts.get(rule)
            if last is not None and now < last.due:
                self._counts[rule] = _Count(last.due, last.untold + 1)
                return 0
            self._counts[rule] = _Count(now + LINE_EVERY_S, 0)
        return 1 if last is None else last.untold + 1
