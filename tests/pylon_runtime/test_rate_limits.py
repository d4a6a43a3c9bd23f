"""Sliding windows: never more than allowed in any of them, and nobody waits longer than that takes."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pylon_runtime.rate_limits import TIMES_PER_KEY_MAX, RateLimiter
from tests.pylon_runtime.server_rig import FakeClock

ROUNDING_S = 1e-5


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def test_one_call_too_many_waits_until_the_oldest_leaves_the_window(clock: FakeClock) -> None:
    limiter = RateLimiter(3, 60, clock)

    answers = []
    for _ in range(4):
        answers.append(limiter.admit("ann"))
        clock.seconds += 10.5

    assert answers == [0, 0, 0, math.ceil(60 - 31.5)]
    assert limiter.admit("bob") == 0
    clock.seconds = 1060.0
    assert limiter.admit("ann") == 0
    assert limiter.admit("ann") == math.ceil(10.5)


def test_the_wait_is_never_none(clock: FakeClock) -> None:
    limiter = RateLimiter(1, 60, clock)
    limiter.admit("ann")
    clock.seconds += 59.999

    assert limiter.admit("ann") == 1


def test_who_is_refused_does_not_wait_longer_for_having_asked(clock: FakeClock) -> None:
    limiter = RateLimiter(1, 60, clock)
    limiter.admit("ann")
    for _ in range(59):
        clock.seconds += 1
        assert limiter.admit("ann") > 0

    clock.seconds += 1
    assert limiter.admit("ann") == 0


steps = st.lists(st.tuples(st.floats(0, 7), st.integers(1, 40)), max_size=80)


@given(calls_max=st.sampled_from([1, 2, 5, TIMES_PER_KEY_MAX + 1, 3 * TIMES_PER_KEY_MAX]), steps=steps)
def test_no_window_has_more_than_allowed_and_a_wait_that_is_kept_is_enough(
    calls_max: int, steps: list[tuple[float, int]]
) -> None:
    clock = FakeClock()
    limiter = RateLimiter(calls_max, 10, clock)
    admitted: list[float] = []

    for pause, calls in steps:
        clock.seconds += pause
        for _ in range(calls):
            wait_s = limiter.admit("ann")
            if wait_s:
                assert 1 <= wait_s <= 10
                clock.seconds += wait_s + ROUNDING_S
                assert limiter.admit("ann") == 0
            admitted.append(clock.seconds)

    for begin in admitted:
        assert sum(begin <= time < begin + 10 - ROUNDING_S for time in admitted) <= calls_max


def test_where_few_are_allowed_nobody_is_refused_early(clock: FakeClock) -> None:
    limiter = RateLimiter(5, 10, clock)
    times: list[float] = []

    for step in range(400):
        clock.seconds += (step * 7 % 11) / 4
        within = sum(time + 10 > clock.seconds for time in times)
        is_admitted = limiter.admit("ann") == 0
        assert is_admitted == (within < 5)
        times += [clock.seconds] * is_admitted


def test_a_flood_of_keys_takes_no_more_memory_and_forgets_who_called_longest_ago(clock: FakeClock) -> None:
    limiter = RateLimiter(2, 60, clock, times_max=100)
    for _ in range(2):
        limiter.admit("early")
    for number in range(97):
        limiter.admit(f"flood-{number}")
    limiter.admit("late")

    assert limiter.admit("early") > 0
    limiter.admit("late")
    assert limiter.admit("early") == 0, "it was forgotten"
    assert limiter.admit("late") > 0
    assert limiter._times <= 100


def test_a_key_that_may_call_very_often_takes_little_memory(clock: FakeClock) -> None:
    limiter = RateLimiter(100_000, 60, clock)

    for _ in range(100_000):
        assert limiter.admit("ann") == 0
        clock.seconds += 0.0001

    assert limiter.admit("ann") > 0
    assert limiter._times <= TIMES_PER_KEY_MAX


def test_what_left_its_window_is_forgotten_when_others_call(clock: FakeClock) -> None:
    limiter = RateLimiter(2, 60, clock)
    for number in range(50):
        limiter.admit(f"early-{number}")
    clock.seconds += 61

    limiter.admit("late")

    assert list(limiter._logs) == ["late"]
    assert limiter._times == 1
