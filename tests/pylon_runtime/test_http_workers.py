"""The worker pool without sockets: who is called up, growing, shrinking, leaving, ending."""

import queue
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pylon_core.turns import blocking, computing
from pylon_runtime.http_limits import ServerLimits
from pylon_runtime.http_workers import Job, WorkerPool
from tests.support.waiting import until

ONE_TURN = ServerLimits(active_threads=1, turn_s=10)


class Source:
    """Items to be found by polling."""

    def __init__(self) -> None:
        self.items: queue.SimpleQueue[int | None] = queue.SimpleQueue()

    def poll(self) -> list[int]:
        try:
            item = self.items.get_nowait()
        except queue.Empty:
            return []
        return [] if item is None else [item]

    def wait(self) -> list[int]:
        item = self.items.get()
        return [] if item is None else [item]


def nothing() -> bool:
    return False


def noting(looks: "queue.SimpleQueue[None]") -> Callable[[], bool]:
    """Never finds anything to do, and says that it looked."""

    def idle() -> bool:
        looks.put(None)
        return False

    return idle


def make(
    source: Source,
    serve: Callable[[int], Job | None],
    limits: ServerLimits = ONE_TURN,
    idle: Callable[[], bool] = nothing,
) -> WorkerPool[int]:
    return WorkerPool("pool", limits, source.poll, source.wait, serve, idle, fail)


def fail(error: BaseException) -> None:
    raise AssertionError("a worker ended") from error


def end(workers: WorkerPool[int], source: Source) -> None:
    threads = workers.close()
    for _ in threads:
        source.items.put(None)
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()


@contextmanager
def pool(
    serve: Callable[[int], Job | None], *, turns: int = 1, threads_max: int = 50, rest_s: float = 10.0
) -> Iterator[tuple[Source, Callable[[], int]]]:
    """A running pool: where to put items, and how many threads it has."""
    source = Source()
    limits = ServerLimits(active_threads=turns, threads_max=threads_max, thread_rest_s=rest_s)
    workers = make(source, serve, limits)
    workers.start()
    yield source, lambda: sum(re.fullmatch(r"pool-\d+", t.name) is not None for t in threading.enumerate())
    end(workers, source)


def test_everything_found_is_served_once() -> None:
    served: list[int] = []
    with pool(lambda n: served.append(n), turns=3) as (source, _):
        for n in range(5000):
            source.items.put(n)
        until(lambda: len(served) == 5000)

    assert sorted(served) == list(range(5000))


def test_a_pool_without_work_keeps_one_thread() -> None:
    served: list[int] = []
    with pool(lambda n: served.append(n), turns=4) as (source, size):
        source.items.put(1)
        until(lambda: served == [1])
        assert size() == 1


def test_threads_that_wait_are_replaced_and_end_when_no_longer_needed() -> None:
    gate = threading.Event()
    inside: list[int] = []

    def serve(n: int) -> None:
        inside.append(n)
        with blocking():
            gate.wait(10)

    with pool(serve, rest_s=0.05) as (source, size):
        for n in range(20):
            source.items.put(n)
        until(lambda: len(inside) == 20)
        assert size() >= 20
        gate.set()
        until(lambda: size() <= 2)


def test_no_more_threads_than_allowed_and_all_is_served_in_the_end() -> None:
    gate = threading.Event()
    served: list[int] = []
    most: list[int] = []

    def serve(n: int) -> None:
        with blocking():
            gate.wait(10)
        served.append(n)

    with pool(serve, threads_max=5) as (source, size):
        for n in range(30):
            source.items.put(n)
        until(lambda: size() == 5)
        most.append(size())
        gate.set()
        until(lambda: len(served) == 30)
        most.append(size())

    assert max(most) == 5


def test_a_job_leaves_the_pool_and_its_thread_may_come_back() -> None:
    gate = threading.Event()
    jobs: list[str] = []
    served: list[int] = []

    def job() -> None:
        jobs.append(threading.current_thread().name)
        gate.wait(10)

    def serve(n: int) -> Job | None:
        served.append(n)
        return job if n < 10 else None

    with pool(serve, threads_max=2) as (source, _):
        for n in range(12):
            source.items.put(n)
        until(lambda: len(served) == 12)
        assert len(set(jobs)) == 10
        gate.set()
        source.items.put(13)
        until(lambda: 13 in served)


def test_a_thread_that_left_borrows_a_turn_for_what_it_computes() -> None:
    """With the one turn lent nobody else computes, unless the borrower waits."""
    order: list[str] = []
    borrowed, go_on, waiting, back = (threading.Event() for _ in range(4))

    def job() -> None:
        with computing(), computing():
            borrowed.set()
            assert go_on.wait(10)
            order.append("borrower")
            with blocking():
                waiting.set()
                assert back.wait(10)
            order.append("borrower again")

    def serve(n: int) -> Job | None:
        if n == 1:
            return job
        order.append("worker")
        back.set()
        return None

    with pool(serve) as (source, _):
        source.items.put(1)
        assert borrowed.wait(10)
        source.items.put(2)
        assert order == []
        go_on.set()
        assert back.wait(10)
        until(lambda: len(order) == 3)

    assert order == ["borrower", "worker", "borrower again"]


def test_a_borrowed_turn_is_taken_from_whoever_computes_for_long() -> None:
    borrowed, served, done = threading.Event(), threading.Event(), threading.Event()

    def job() -> None:
        with computing():
            borrowed.set()
            assert served.wait(10)
        done.set()

    def serve(n: int) -> Job | None:
        if n == 1:
            return job
        served.set()
        return None

    source = Source()
    workers = make(source, serve, ServerLimits(active_threads=1, turn_s=0.005))
    workers.start()
    source.items.put(1)
    assert borrowed.wait(10)
    source.items.put(2)

    assert done.wait(10)
    source.items.put(2)
    end(workers, source)


def test_elsewhere_nothing_is_borrowed() -> None:
    with computing(), blocking():
        pass


def test_waiting_threads_come_back_while_there_is_always_something_else_to_do() -> None:
    """Reads without end must not starve a write whose commit is done."""
    returned = threading.Event()
    endless = iter(range(1, 10**9))

    class Endless(Source):
        def poll(self) -> list[int]:
            return [next(endless)]

        wait = poll

    def serve(n: int) -> None:
        if n == 5:
            with blocking():
                pass
            returned.set()

    source = Endless()
    workers = make(source, serve)
    workers.start()
    assert returned.wait(10)
    end(workers, source)


def test_what_is_never_done_does_not_keep_new_work_from_being_seen() -> None:
    seen = threading.Event()
    source = Source()

    def serve(n: int) -> None:
        if n == 1:
            seen.set()
        elif not seen.is_set():
            workers.submit([n])

    workers = make(source, serve)
    source.items.put(0)
    source.items.put(1)
    workers.start()
    found = seen.wait(10)
    seen.set()
    end(workers, source)

    assert found


def test_a_thread_with_nothing_to_serve_looks_for_other_work() -> None:
    source, done = Source(), queue.SimpleQueue[str]()
    owed = [0]

    def serve(_item: int) -> None:
        owed[0] += 1

    def idle() -> bool:
        if not owed[0]:
            return False
        done.put(f"did {owed[0]}")
        owed[0] = 0
        return True

    workers = make(source, serve, idle=idle)
    workers.start()
    source.items.put(1)

    assert done.get(timeout=10) == "did 1"
    end(workers, source)


def test_a_nudge_reaches_a_pool_in_which_everybody_waits() -> None:
    source, looked = Source(), queue.SimpleQueue[None]()
    workers = make(source, lambda _item: None, idle=noting(looked))
    workers.start()
    looked.get(timeout=10)

    workers.nudge()

    looked.get(timeout=10)
    end(workers, source)


def test_what_is_owed_is_done_also_when_the_thread_that_owes_it_leaves() -> None:
    source, looked, left = Source(), queue.SimpleQueue[None](), threading.Event()
    go_on = threading.Event()

    def leave() -> None:
        left.set()
        assert go_on.wait(10)

    def serve(item: int) -> Job | None:
        if item == 2:
            return leave
        workers.owe_idle()
        return None

    workers = make(source, serve, idle=noting(looked))
    source.items.put(1)
    source.items.put(2)
    workers.start()

    assert left.wait(10)
    looked.get(timeout=10)
    go_on.set()
    end(workers, source)


def test_what_is_owed_is_done_also_when_the_turn_was_taken_away_before() -> None:
    source, looked, taken = Source(), queue.SimpleQueue[None](), threading.Event()
    limits = ServerLimits(active_threads=1, turn_s=0.005)

    def serve(item: int) -> None:
        if item == 1:
            assert taken.wait(10)
            while not looked.empty():
                looked.get()
            workers.owe_idle()
        else:
            taken.set()

    workers = make(source, serve, limits, idle=noting(looked))
    source.items.put(1)
    source.items.put(2)
    workers.start()

    assert taken.wait(10)
    looked.get(timeout=10)
    end(workers, source)
