"""A flood of refusals does not fill the log, and none of them is forgotten."""

import pytest
from structlog.testing import capture_logs

from pylon_core.errors import PylonError
from pylon_policy import RefusalLog
from pylon_policy.refusals import LINE_EVERY_S


class Hands:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now_ns(self) -> int:
        return round(self.seconds * 1e9)

    def monotonic(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Hands:
    return Hands()


@pytest.fixture
def refusals(clock: Hands) -> RefusalLog:
    return RefusalLog(clock)


def counts(refusals: RefusalLog, times: int, rule: str = "owner", operation: str = "update") -> list[int]:
    """What the lines of so many refusals say."""
    with capture_logs() as lines:
        for _ in range(times):
            error = refusals.refused(rule, "Note", operation)
            assert isinstance(error, PylonError)
            assert error.code == "POLICY_DENIED"
    return [line["count"] for line in lines]


def test_the_first_refusal_is_told_at_once(refusals: RefusalLog) -> None:
    assert counts(refusals, 1) == [1]


def test_those_of_the_next_minute_are_told_together_after_it(refusals: RefusalLog, clock: Hands) -> None:
    assert counts(refusals, 1_000) == [1]

    clock.seconds += LINE_EVERY_S

    assert counts(refusals, 5) == [1_000]
    clock.seconds += LINE_EVERY_S
    assert counts(refusals, 1) == [5]


def test_each_rule_and_operation_has_its_own_lines(refusals: RefusalLog) -> None:
    assert counts(refusals, 2, "owner", "update") == [1]
    assert counts(refusals, 2, "owner", "delete") == [1]
    assert counts(refusals, 2, "tenant", "update") == [1]
