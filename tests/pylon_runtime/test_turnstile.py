"""Turns: never more threads computing than turns, nobody forgotten, returning threads before new work."""

import threading
from functools import partial

from pylon_core import turns
from pylon_runtime.threads import spawn
from pylon_runtime.turnstile import HeldTurn, Turnstile
from tests.support.waiting import until


def nothing() -> None:
    pass


def test_no_more_threads_compute_than_there_are_turns() -> None:
    turnstile = Turnstile(2, nothing)
    inside: list[int] = []
    most: list[int] = []

    def work() -> None:
        for _ in range(300):
            turnstile.acquire()
            inside.append(1)
            most.append(len(inside))
            inside.pop()
            turnstile.release()

    threads = [spawn(f"worker-{n}", work) for n in range(8)]
    for thread in threads:
        thread.join(10)

    assert max(most) <= 2
    assert turnstile.free == 2


def test_a_waiting_thread_gives_its_turn_to_another() -> None:
    turnstile = Turnstile(1, nothing)
    other_computed = threading.Event()

    def other() -> None:
        turnstile.acquire()
        other_computed.set()
        turnstile.release()

    turn = HeldTurn(turnstile)
    turn.acquire()
    turns.hold(turn)
    try:
        thread = spawn("other", other)
        with turns.blocking(), turns.blocking():
            assert other_computed.wait(10)
        assert turnstile.free == 0
    finally:
        turns.hold(None)
    thread.join(10)


def test_returning_threads_go_in_the_order_they_came() -> None:
    turnstile = Turnstile(1, nothing)
    order: list[int] = []
    turnstile.acquire()
    threads = []

    def come_back(number: int) -> None:
        turnstile.acquire()
        order.append(number)
        turnstile.release()

    def has_returning(count: int) -> bool:
        return len(turnstile.returning) == count

    for number in range(5):
        threads.append(spawn(f"returning-{number}", partial(come_back, number)))
        until(partial(has_returning, number + 1))

    assert not turnstile.try_acquire()
    turnstile.release()
    for thread in threads:
        thread.join(10)
    assert order == [0, 1, 2, 3, 4]


def test_a_turn_nobody_returns_for_is_reported_as_spare() -> None:
    spare: list[int] = []
    turnstile = Turnstile(1, lambda: spare.append(turnstile.free))

    turnstile.acquire()
    turnstile.release()

    assert spare == [1]


def test_a_turn_taken_away_is_not_given_back_again() -> None:
    """The overseer and the thread may both release; the turnstile hears of it once."""
    turnstile = Turnstile(1, nothing)
    turn = HeldTurn(turnstile)
    turn.acquire()

    turn.release()
    turn.release()

    assert not turn.is_held
    assert turnstile.free == 1
    turn.acquire()
    assert turn.is_held
