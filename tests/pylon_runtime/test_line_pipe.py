"""Many threads write lines to one child: whole, in each one's order, and never waiting for a child that sleeps."""

import os
import threading
from collections import Counter
from collections.abc import Iterator

import pytest

from pylon_core.clock import SystemClock
from pylon_functions.endings import CallTimedOut
from pylon_runtime.line_pipe import LinePipe

CLOCK = SystemClock()
WRITERS, LINES = 8, 400


@pytest.fixture
def ends() -> Iterator[tuple[int, LinePipe]]:
    reading, writing = os.pipe()
    pipe = LinePipe(writing, CLOCK)
    yield reading, pipe
    pipe.close()
    os.close(reading)


def received_with(line: bytes, ends: tuple[int, LinePipe]) -> bytes:
    """All that the child reads when somebody sends this line."""
    reading, pipe = ends
    sender = threading.Thread(target=pipe.send, args=(line, CLOCK.monotonic() + 30), name="sender")
    sender.start()
    text = b""
    while not text.endswith(line):
        text += os.read(reading, 1 << 16)
    sender.join(10)
    return text


def test_lines_arrive_whole_and_in_each_writers_order(ends: tuple[int, LinePipe]) -> None:
    reading, pipe = ends
    deadline = CLOCK.monotonic() + 30

    def write(writer: int) -> None:
        for number in range(LINES):
            pipe.send(f"{writer} {number} {'x' * (number * 20)}\n".encode(), deadline)

    threads = [
        threading.Thread(target=write, args=(writer,), name=f"writer-{writer}") for writer in range(WRITERS)
    ]
    for thread in threads:
        thread.start()
    text = b""
    while text.count(b"\n") < WRITERS * LINES:
        text += os.read(reading, 1 << 16)
    for thread in threads:
        thread.join(10)

    next_numbers: Counter[str] = Counter()
    for line in text.decode().splitlines():
        writer, number, filling = line.split(" ")
        assert int(number) == next_numbers[writer]
        assert filling == "x" * (int(number) * 20)
        next_numbers[writer] += 1


def test_a_child_that_does_not_read_costs_the_writer_its_deadline(ends: tuple[int, LinePipe]) -> None:
    _, pipe = ends
    deadline = CLOCK.monotonic() + 0.1

    with pytest.raises(CallTimedOut):
        pipe.send(b"x" * (1 << 20), deadline)

    assert CLOCK.monotonic() >= deadline


def test_sending_to_a_child_that_is_gone_is_no_error() -> None:
    reading, writing = os.pipe()
    pipe = LinePipe(writing, CLOCK)
    os.close(reading)

    pipe.send(b"a\n", CLOCK.monotonic() + 1)
    pipe.close()
    pipe.close()
    pipe.send(b"b\n", CLOCK.monotonic() + 1)


def test_an_offer_does_not_wait_and_the_next_who_sends_sends_the_rest(ends: tuple[int, LinePipe]) -> None:
    _, pipe = ends
    large = b"x" * (1 << 20) + b"\n"

    taken = [pipe.offer(lines) for lines in (b"first\n", large, b"later\n")]
    assert taken == [True, False, False]
    assert not pipe.is_clear

    assert received_with(b"last\n", ends) == b"first\n" + large + b"later\nlast\n"
    assert pipe.offer(b"more\n")


def test_what_is_offered_to_a_child_that_is_gone_is_dropped(ends: tuple[int, LinePipe]) -> None:
    _, pipe = ends
    pipe.close()

    assert pipe.offer(b"nobody\n")


def test_what_a_writer_runs_out_of_time_for_is_sent_by_the_next(ends: tuple[int, LinePipe]) -> None:
    _, pipe = ends
    large = b"x" * (1 << 18) + b"\n"
    assert not pipe.offer(large)
    with pytest.raises(CallTimedOut):
        pipe.send(b"late\n", CLOCK.monotonic() + 0.05)

    assert received_with(b"next\n", ends) == large + b"late\nnext\n"
