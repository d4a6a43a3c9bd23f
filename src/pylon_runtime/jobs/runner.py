"""The job runner: claims jobs that are due for hands that are free, and does them.

The claimer (one thread) sleeps until a job is due, as the database and those who enqueue tell it, at most a
minute. The hands (as many threads as have been needed, up to a bound) each do one job at a time. The keeper (one
thread) says that this server lives while it has jobs, and takes over those of servers that have gone silent.

    held --(done, failed, given back: the database was told)--> not held any more
    held --(this process ends)--> taken over by another server, or by the next life of this one

What has ended is told to the database however often it takes: as long as this server lives, nobody else would.
The lock guards what is held, assigned and heard; it is never held while the database or a handler is at work.
``start`` and ``stop`` are for the owner; any thread may call ``claim_no_more``.
"""

import random
import threading
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from pylon_core.clock import Clock
from pylon_core.errors import PylonError
from pylon_http import JobLost
from pylon_http.jobs import ClaimedJob, JobClaim, JobStore, error_text
from pylon_runtime.housekeeping import is_away
from pylon_runtime.jobs.attempts import Attempt, Hopeless, NotNow, TooEarly
from pylon_runtime.jobs.handlers import Handlers, NoHandler
from pylon_runtime.threads import join, spawn

BACKOFF_S = 2.0
BACKOFF_S_MAX = 600.0
LOOK_S = 60.0
"""How long the claimer sleeps at most: in case it was not told of a job."""
OTHERS_S = 0.02
"""Until it looks again when others were faster."""
NOT_NOW_S = 1.0
"""How long nothing is claimed after a job that could not be tried."""
TELL_AGAIN_S = 1.0
BEAT_S = 5.0
SILENT_MS = 30_000
EVERYBODY_MS = -(1 << 50)
"""However lately they were heard of."""
FRAMES_LOGGED = 12
"""The innermost of each trace."""
OVERDUE_S = 15.0
"""How long a handler may go on behind its deadline, until its attempt is given up."""

log = structlog.get_logger("pylon.jobs")


@dataclass(frozen=True)
class JobLimits:
    """``is_shared``: whether other servers have the same database. Where not, whatever runs when this one starts
    is of a process that is gone."""

    hands: int
    timeout_s: float
    is_shared: bool


class JobRunner:
    """``worker`` names this process and no other, ever."""

    def __init__(
        self,
        store: JobStore,
        handlers: Handlers,
        limits: JobLimits,
        clock: Clock,
        worker: str,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.handlers = handlers
        self._store = store
        self._limits = limits
        self._clock = clock
        self._worker = worker
        self._jitter = jitter
        self._lock = threading.Lock()
        self._wake = threading.Condition(self._lock)
        self._work = threading.Condition(self._lock)
        self._held: dict[JobClaim, Attempt] = {}
        self._assigned: deque[Attempt] = deque()
        self._idle_hands = 0
        self._due_ms = 0
        """When the claimer looks next; lowered by whoever hears of a job."""
        self._is_unsure = False
        self._is_closing = False
        self._ended = threading.Event()
        self._claimer: threading.Thread | None = None
        self._keeper: threading.Thread | None = None
        self._hands: list[threading.Thread] = []
        store.on_waiting(self._hear)

    def start(self) -> None:
        if self._claimer is None and not self._is_closing:
            self._keeper = spawn("jobs-keeper", self._keep)
            self._claimer = spawn("jobs-claimer", self._claim_as_due)

    def claim_no_more(self) -> None:
        """What is running goes on. Never waits."""
        with self._lock:
            self._is_closing = True
            self._wake.notify_all()
            self._work.notify_all()

    def stop(self, deadline: float) -> None:
        """Let what is running end until then; what has not begun is given back. Safe twice, or first."""
        self.claim_no_more()
        if self._claimer is not None:
            join([self._claimer], deadline, self._clock)
        self._give_back_assigned()
        join(self._hands, deadline, self._clock)
        self._ended.set()
        if self._keeper is not None:
            join([self._keeper], deadline, self._clock)

    def _hear(self, due_ms: int | None) -> None:
        with self._lock:
            self._due_ms = min(self._due_ms, due_ms or 0)
            self._wake.notify_all()

    # The claimer

    def _claim_as_due(self) -> None:
        while not self._limits.is_shared and not self._take_over(EVERYBODY_MS):
            if self._ended.wait(TELL_AGAIN_S):
                return
        while (free := self._await_due()) > 0:
            try:
                next_ms = self._claim(free)
            except Exception as error:
                self._is_unsure = True
                next_ms = self._now_ms() + round(1000 * TELL_AGAIN_S)
                if not is_away(error):
                    log.exception("jobs_not_claimed")
            with self._lock:
                self._due_ms = min(self._due_ms, next_ms)

    def _await_due(self) -> int:
        """Wait until it is time to look and somebody could work: how many; 0 when there is to be no more. What is
        heard from now on is of a job that the look may miss."""
        with self._lock:
            while not self._is_closing:
                free = self._limits.hands - len(self._held)
                wait_ms = self._due_ms - self._now_ms()
                if free > 0 and wait_ms <= 0:
                    self._due_ms = self._now_ms() + round(1000 * LOOK_S)
                    return free
                self._wake.wait(wait_ms / 1000 if free > 0 else None)
            return 0

    def _claim(self, free: int) -> int:
        """Look for jobs, and claim what is due; when to look again."""
        if self._is_unsure:
            self._give_back_forgotten()
            self._is_unsure = False
        due_ms = self._store.next_due_ms()
        now_ms = self._now_ms()
        if due_ms is None or due_ms > now_ms:
            return now_ms + round(1000 * LOOK_S) if due_ms is None else due_ms
        claimed = self._store.claim(self._worker, free)
        self._assign(claimed)
        return now_ms if claimed else now_ms + round(1000 * OTHERS_S)

    def _assign(self, claimed: Sequence[ClaimedJob]) -> None:
        deadline = self._clock.monotonic() + self._limits.timeout_s
        attempts = [Attempt(one, deadline, self._store) for one in claimed]
        with self._lock:
            self._held.update((attempt.claim, attempt) for attempt in attempts)
            self._assigned.extend(attempts)
            missing = min(len(self._assigned) - self._idle_hands, self._limits.hands - len(self._hands))
            self._work.notify(len(attempts))
        for _ in range(missing):
            self._hands.append(spawn(f"job-{len(self._hands)}", self._do_as_assigned))

    def _give_back_forgotten(self) -> None:
        """It was not heard what became of a claim: the jobs may be ours."""
        with self._lock:
            held = set(self._held)
        for claim in self._store.claims(self._worker):
            if claim not in held:
                self._store.give_back(claim)

    def _give_back_assigned(self) -> None:
        with self._lock:
            attempts = list(self._assigned)
            self._assigned.clear()
        for attempt in attempts:
            try:
                self._store.give_back(attempt.claim)
            except PylonError as error:  # it will be taken over
                log.warning("job_not_given_back", job=attempt.job.id, code=error.code)
            self._let_go(attempt)

    # The hands

    def _do_as_assigned(self) -> None:
        while (attempt := self._next()) is not None:
            self._do(attempt)
            self._let_go(attempt)

    def _next(self) -> Attempt | None:
        with self._lock:
            self._idle_hands += 1
            while not self._assigned and not self._is_closing:
                self._work.wait()
            self._idle_hands -= 1
            return self._assigned.popleft() if self._assigned and not self._is_closing else None

    def _let_go(self, attempt: Attempt) -> None:
        with self._lock:
            self._held.pop(attempt.claim, None)
            self._wake.notify_all()

    def _do(self, attempt: Attempt) -> None:
        job, claim = attempt.job, attempt.claim
        try:
            self.handlers.find(job.name)(attempt)
        except JobLost:
            log.info("job_lost", job=job.id, name=job.name)
        except TooEarly as reason:
            self._postpone(attempt, reason.delay_s)
        except NotNow as reason:
            self._postpone(attempt, reason.delay_s)
            self._rest()
        except Hopeless as error:
            self._bury(attempt, str(error))
        except NoHandler as error:
            self._fail(attempt, str(error))
        except PylonError as error:
            self._fail(attempt, f"{error.code}: {error.message}")
        except Exception as error:  # noqa: BLE001 - a handler may raise anything; it is logged
            self._log_broken(attempt, error)
            self._fail(attempt, f"{type(error).__name__}: {error}")
        else:
            if not attempt.is_completed:
                self._tell(lambda: self._store.complete(claim))

    def _postpone(self, attempt: Attempt, delay_s: float) -> None:
        now_ms = self._now_ms()
        self._tell(lambda: self._store.give_back(attempt.claim, now_ms + round(1000 * delay_s)))

    def _rest(self) -> None:
        with self._lock:
            self._due_ms = self._now_ms() + round(1000 * NOT_NOW_S)

    def _fail(self, attempt: Attempt, error: str) -> None:
        job = attempt.job
        self._log_failure(attempt, error)
        retry_at_ms = self._now_ms() + round(1000 * self._pause_s(job.retry_count))
        self._tell(lambda: self._store.fail(attempt.claim, error, retry_at_ms))

    def _bury(self, attempt: Attempt, error: str) -> None:
        self._log_failure(attempt, error)
        self._tell(lambda: self._store.bury(attempt.claim, error))

    def _log_failure(self, attempt: Attempt, error: str) -> None:
        job = attempt.job
        log.info("job_failed", job=job.id, name=job.name, attempt=job.retry_count + 1, error=error_text(error))

    def _log_broken(self, attempt: Attempt, error: Exception) -> None:
        job = attempt.job
        trace = "".join(traceback.format_exception(error, limit=-FRAMES_LOGGED))
        log.error("job_handler_failed", job=job.id, name=job.name, exception=error_text(trace))

    def _pause_s(self, retries: int) -> float:
        return self._jitter() * min(BACKOFF_S_MAX, BACKOFF_S * 2.0 ** min(retries, 30))

    def _tell(self, ending: Callable[[], bool]) -> None:
        """Tell the database how an attempt ended. Where the answer was lost, to say it again does no harm."""
        while True:
            try:
                ending()
            except Exception as error:
                if not is_away(error):
                    log.exception("job_not_ended")
                if self._ended.wait(TELL_AGAIN_S):
                    return
            else:
                return

    # The keeper

    def _keep(self) -> None:
        rounds = 0
        while not self._ended.wait(BEAT_S):
            rounds += 1
            self._beat()
            if self._limits.is_shared and rounds % (SILENT_MS // round(1000 * BEAT_S)) == 0:
                self._take_over(SILENT_MS)

    def _take_over(self, silent_ms: int) -> bool:
        """Whether it could be tried."""
        try:
            taken = self._store.take_over(silent_ms)
        except Exception as error:
            if not is_away(error):
                log.exception("jobs_not_taken_over")
            return False
        if taken:
            log.warning("jobs_taken_over", jobs=taken)
        return True

    def _beat(self) -> None:
        with self._lock:
            attempts = list(self._held.values())
        overdue = self._clock.monotonic() - OVERDUE_S
        try:
            if attempts:
                self._store.beat(self._worker)
            for attempt in attempts:
                if attempt.deadline < overdue:
                    self._give_up(attempt)
        except Exception as error:
            if not is_away(error):
                log.exception("jobs_beat_failed")

    def _give_up(self, attempt: Attempt) -> None:
        """Its handler goes on, and keeps its hand, but whatever it says of the job does not count any more."""
        retry_at_ms = self._now_ms() + round(1000 * self._pause_s(attempt.job.retry_count))
        if self._store.fail(attempt.claim, f"Timed out after {self._limits.timeout_s:g} s.", retry_at_ms):
            log.error("job_timed_out", job=attempt.job.id, name=attempt.job.name)

    def _now_ms(self) -> int:
        return self._clock.now_ns() // 1_000_000
