"""``blocking`` gives the calling thread's turn back for the time of its body, and only that thread's."""

import threading
from collections.abc import Iterator

import pytest

from pylon_core.turns import Awaited, blocking, hold


class LoggedTurn:
    """Writes down what is done to it."""

    def __init__(self) -> None:
        self.log: list[str] = []

    def release(self) -> None:
        self.log.append("release")

    def acquire(self) -> None:
        self.log.append("acquire")

    def promise(self, gate: threading.Lock) -> None:
        self.log.append("promise")
        gate.release()

    def granted(self) -> None:
        self.log.append("granted")


class Seat:
    """One seat for all threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def release(self) -> None:
        self._lock.release()

    def acquire(self) -> None:
        self._lock.acquire()

    def promise(self, gate: threading.Lock) -> None:
        self._lock.acquire()
        gate.release()

    def granted(self) -> None:
        pass


@pytest.fixture
def turn() -> Iterator[LoggedTurn]:
    lent = LoggedTurn()
    hold(lent)
    yield lent
    hold(None)


def test_a_wait_releases_the_turn_and_takes_it_again(turn: LoggedTurn) -> None:
    with blocking():
        turn.log.append("wait")

    assert turn.log == ["release", "wait", "acquire"]


def test_each_wait_does_so_anew(turn: LoggedTurn) -> None:
    for _ in range(2):
        with blocking():
            pass

    assert turn.log == ["release", "acquire"] * 2


def test_a_wait_inside_a_wait_does_nothing_more(turn: LoggedTurn) -> None:
    with blocking():
        with blocking():
            turn.log.append("inner")
        turn.log.append("outer")

    assert turn.log == ["release", "inner", "outer", "acquire"]


def test_the_turn_is_taken_again_when_the_wait_fails(turn: LoggedTurn) -> None:
    with pytest.raises(TimeoutError), blocking():
        raise TimeoutError

    assert turn.log == ["release", "acquire"]


def test_without_a_turn_nothing_happens() -> None:
    with blocking():
        reached = True

    assert reached


def test_a_turn_given_up_is_not_touched(turn: LoggedTurn) -> None:
    hold(None)

    with blocking():
        pass

    assert turn.log == []


def test_another_threads_wait_leaves_this_threads_turn_alone(turn: LoggedTurn) -> None:
    def wait() -> None:
        with blocking():
            pass

    other = threading.Thread(target=wait, name="other")
    other.start()
    other.join(10)

    assert not other.is_alive()
    assert turn.log == []


def test_a_released_turn_lets_another_thread_compute() -> None:
    seat, computed = Seat(), threading.Event()

    def compute() -> None:
        seat.acquire()
        computed.set()
        seat.release()

    other = threading.Thread(target=compute, name="other")
    seat.acquire()
    hold(seat)
    try:
        other.start()
        with blocking():
            reached = computed.wait(10)
    finally:
        hold(None)
        seat.release()
        other.join(10)

    assert reached
    assert not other.is_alive()


def test_who_awaits_gives_its_turn_back_and_wakes_with_the_one_promised(turn: LoggedTurn) -> None:
    news = Awaited()
    other = threading.Thread(target=news.announce, name="other")
    other.start()
    other.join(10)

    news.wait()
    with blocking():
        turn.log.append("wait")

    assert turn.log == ["promise", "release", "granted", "release", "wait", "acquire"]


def test_who_awaits_without_a_turn_just_waits() -> None:
    news = Awaited()
    other = threading.Thread(target=news.announce, name="other")
    other.start()

    news.wait()
    other.join(10)

    assert not other.is_alive()


def test_the_same_wait_serves_again(turn: LoggedTurn) -> None:
    news = Awaited()
    for _ in range(2):
        news.announce()
        news.wait()

    assert turn.log == ["promise", "release", "granted"] * 2
