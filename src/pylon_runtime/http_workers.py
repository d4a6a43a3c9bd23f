"""The threads that serve: whoever computes also polls, so a request needs no hand-over between threads.

A worker is in one of these states:

    COMPUTING  holds a turn: serves connections, and polls without waiting when none is ready
        │ nothing to do, nobody watching            │ nothing to do, somebody watching; or its turn is over
        v                                           v
    WATCHING ──the poll returned──────────────> RESTING ──called up, given a turn──> COMPUTING
        (waits in the poll, no turn)                │ not needed for long
                                                    v
    COMPUTING ──a connection leaves──> DETACHED ──> RESTING or ended
                                       (runs what took the connection over, no turn, not counted;
                                       borrows one for what it has to compute)

Whenever a turn comes free, a resting thread, or a new one, is called up if connections are ready or nobody
watches. A thread that computes for long is as good as waiting: the overseer takes its turn away, so a slow
query or a wait that nobody declared holds others up for ``turn_s`` at most.

The lock guards ``_resting``, ``_watching``, ``_size``, ``_seats`` and ``_threads``; the turnstile's lock may be
taken inside it, never the other way round.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

import structlog

from pylon_core import turns
from pylon_runtime.http_limits import ServerLimits
from pylon_runtime.threads import spawn
from pylon_runtime.turnstile import HeldTurn, Turnstile

T = TypeVar("T")
Job = Callable[[], None]

_log = structlog.get_logger(__name__)

_SERVED_BETWEEN_POLLS_MAX = 64
"""So that what never gets done (a client that pipelines without end) cannot keep others from being seen."""

_PATIENCE = 4
"""Ready connections a worker may serve while threads return from waiting. Each hand-over costs a thread switch
which is saved when the worker soon waits itself; more would let reads starve writes."""

_QUIET_LOOKS = 20
"""Looks without anybody computing after which the overseer sleeps until somebody does."""


class _Seat:
    """One worker's place. ``gate`` opens when it is called up; ``served`` tells the overseer that it gets on."""

    __slots__ = ("called", "gate", "seen", "served", "turn")

    def __init__(self, turnstile: Turnstile) -> None:
        self.turn = HeldTurn(turnstile)
        self.gate = threading.Lock()
        self.gate.acquire()
        self.called = False
        self.served = 0
        self.seen = -1


class WorkerPool(Generic[T]):
    """Serves what ``poll``, which returns at once, and ``wait``, which does not, report.

    ``serve`` is called with a turn held and must not raise; a job it returns is run on the same thread after
    that has left the pool. ``idle`` is called likewise when there is nothing to serve, and between two polls when
    there is much; it says whether it found something to do.
    """

    def __init__(
        self,
        name: str,
        limits: ServerLimits,
        poll: Callable[[], Iterable[T]],
        wait: Callable[[], Iterable[T]],
        serve: Callable[[T], Job | None],
        idle: Callable[[], bool],
        failed: Callable[[BaseException], None],
    ) -> None:
        self._name = name
        self._poll = poll
        self._wait = wait
        self._serve = serve
        self._idle = idle
        self._failed = failed
        self._turn_s = limits.turn_s
        self._rest_s = limits.thread_rest_s
        self._size_kept = limits.active_threads + 1  # one to watch
        self._size_max = max(limits.threads_max, self._size_kept)
        self._turnstile = Turnstile(limits.active_threads, self._call_up)
        self._ready: deque[T] = deque()
        self._lock = threading.Lock()
        self._resting: list[_Seat] = []
        self._watching = False
        self._size = 0
        self._number = 0
        self._seats: set[_Seat] = set()
        self._threads: set[threading.Thread] = set()
        self._idle_owed = False
        self._closed = False
        self._ended = threading.Event()
        self._busy = threading.Event()
        """Set while the overseer must look."""

    def start(self) -> None:
        self._threads.add(spawn(f"{self._name}-overseer", self._oversee, failed=self._failed))
        self._call_up()

    def owe_idle(self) -> None:
        """See to it that ``idle`` is called, at the latest when this thread or the next has nothing to serve."""
        self._idle_owed = True

    def nudge(self) -> None:
        """As ``owe_idle``, from outside: if nobody computes, somebody is called up for it."""
        self._idle_owed = True
        self._call_up()

    def submit(self, items: Iterable[T]) -> None:
        """Have items served that were not found by polling."""
        self._ready.extend(items)
        self._call_up()

    def close(self) -> list[threading.Thread]:
        """Let each worker end after what it is doing; the threads to join, detached ones aside.

        The caller ends a waiting poll.
        """
        with self._lock:
            self._closed = True
            resting, self._resting = self._resting, []
            threads = list(self._threads)
        self._ended.set()
        self._busy.set()
        for seat in resting:
            seat.gate.release()
        return threads

    def _work(self) -> None:
        """A worker's life; it begins with a turn."""
        seat = _Seat(self._turnstile)
        self._begin(seat)
        turns.hold(seat.turn)
        thread = threading.current_thread()
        with self._lock:
            self._seats.add(seat)
        while not self._closed:
            job = self._compute(seat)
            if not (self._rest(seat) if job is None else self._detach(job, seat, thread)):
                break
        seat.turn.release()
        with self._lock:
            self._seats.discard(seat)
            self._threads.discard(thread)

    def _compute(self, seat: _Seat) -> Job | None:
        """Serve until there is nothing to do, or others have waited long enough for this turn."""
        ready = self._ready
        turn = seat.turn
        returning = self._turnstile.returning
        served = patience = 0
        while turn.is_held and not self._closed:
            if not ready or served >= _SERVED_BETWEEN_POLLS_MAX:
                if served >= _SERVED_BETWEEN_POLLS_MAX:
                    self._idle()
                served = 0
                ready.extend(self._poll())
                if self._turnstile.free and len(ready) > 1:
                    self._call_up()
            try:
                item = ready.popleft()
            except IndexError:
                self._idle_owed = False
                if self._idle():
                    continue
                return None
            job = self._serve(item)
            if job is not None:
                return job
            seat.served += 1
            served += 1
            if returning:
                patience += 1
                if patience > _PATIENCE:
                    return None
        return None

    def _rest(self, seat: _Seat) -> bool:
        """Give the turn up, watch if nobody does; true once called up, false when the thread is to end."""
        with self._lock:
            watch = not (self._watching or self._ready)
            if watch:
                self._watching = True
            elif not self._closed:
                self._resting.append(seat)
        seat.turn.release()
        if self._idle_owed:
            # The turn may have been taken away before this was owed; then nobody was called up for it.
            self._call_up()
        if watch:
            self._ready.extend(self._wait())
            with self._lock:
                self._watching = False
            return self._return(seat)
        return self._await_call(seat)

    def _return(self, seat: _Seat) -> bool:
        """Be there for what is ready, from outside and without a turn."""
        with self._lock:
            if self._closed:
                return False
            self._resting.append(seat)
        self._call_up()
        return self._await_call(seat)

    def _await_call(self, seat: _Seat) -> bool:
        while not self._closed and not seat.gate.acquire(timeout=self._rest_s):
            with self._lock:
                if self._size > self._size_kept and seat in self._resting:
                    self._resting.remove(seat)
                    self._size -= 1
                    return False
        if not seat.called:
            return False
        seat.called = False
        self._begin(seat)
        return True

    def _begin(self, seat: _Seat) -> None:
        """A turn was taken for this worker."""
        seat.served += 1  # waiting until now was not being slow
        seat.turn.granted()
        if not self._busy.is_set():
            self._busy.set()

    def _detach(self, job: Job, seat: _Seat, thread: threading.Thread) -> bool:
        """Run ``job`` outside the pool, however long it takes; true when called up after coming back."""
        with self._lock:
            self._size -= 1
            self._threads.discard(thread)
        turns.hold(None)
        turns.borrow_from(self._lend)
        seat.turn.release()
        job()
        turns.borrow_from(None)
        turns.hold(seat.turn)
        with self._lock:
            if self._closed or self._size >= self._size_max:
                return False
            self._size += 1
            self._threads.add(thread)
        return self._return(seat)

    @contextmanager
    def _lend(self) -> Iterator[None]:
        """A turn for a detached thread, which the overseer takes away from it as from any other."""
        seat = _Seat(self._turnstile)
        seat.turn.acquire()
        with self._lock:
            self._seats.add(seat)
        self._busy.set()
        turns.hold(seat.turn)
        try:
            yield
        finally:
            turns.hold(None)
            with self._lock:
                self._seats.discard(seat)
            seat.turn.release()

    def _call_up(self) -> None:
        """Hand the free turns to resting threads, or new ones, for what is ready and for watching."""
        with self._lock:
            wanted = len(self._ready) or (1 if self._idle_owed or not self._watching else 0)
            while wanted and not self._closed:
                wanted -= 1
                if not (self._resting or self._size < self._size_max) or not self._turnstile.try_acquire():
                    return
                if self._resting:
                    seat = self._resting.pop()
                    seat.called = True
                    seat.gate.release()
                elif not self._recruit():
                    break
            else:
                return
        self._turnstile.release()

    def _recruit(self) -> bool:
        """Start a thread, with the turn just taken; inside the lock so that ``close`` cannot miss it."""
        self._number += 1
        try:
            thread = spawn(f"{self._name}-{self._number}", self._work, failed=self._failed)
        except RuntimeError as error:  # the system has no more threads for us
            _log.error("thread_not_started", threads=self._size, exc_info=error)
            self._size_max = self._size
            if self._size == 0:
                self._failed(error)
            return False
        self._threads.add(thread)
        self._size += 1
        return True

    def _oversee(self) -> None:
        quiet = 0
        while not self._ended.wait(self._turn_s):
            quiet = 0 if self._look() else quiet + 1
            if quiet == _QUIET_LOOKS:
                quiet = 0
                self._busy.clear()
                if self._look():  # somebody was called up just before
                    self._busy.set()
                self._busy.wait()

    def _look(self) -> bool:
        """Take the turn from each thread that serves what it served at the last look; whether any computes."""
        with self._lock:
            seats = [seat for seat in self._seats if seat.turn.is_held]
        for seat in seats:
            if seat.seen == seat.served:
                seat.turn.release()
            seat.seen = seat.served
        return bool(seats)
