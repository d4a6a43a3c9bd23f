"""The job runner over a real store: what is due is done, what fails is tried again, and what ends is told."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import pytest
from structlog.testing import capture_logs

from pylon_core.clock import SystemClock
from pylon_core.errors import PylonError
from pylon_http import DataError, JobLost
from pylon_http.jobs import Job, JobClaim, JobPriority, NewJob
from pylon_runtime.jobs import Attempt, Handlers, Hopeless, JobLimits, JobRunner, NotNow
from pylon_runtime.jobs import runner as runner_module
from pylon_runtime.jobs.handlers import no_handler
from pylon_runtime.stores import AppStore
from pylon_storage.jobs import SqlJobStore
from tests.support.engines import ENGINES, engine_of_tests
from tests.support.job_stores import MANIFEST
from tests.support.waiting import until

CLOCK = SystemClock()
WORKERS = count()


class Rig:
    """Jobs, and as many runners as a test starts."""

    def __init__(self, store: AppStore) -> None:
        self.store = store
        self.jobs = SqlJobStore(store.tables, CLOCK)
        self.handlers = Handlers(no_handler)
        self.done: list[str] = []
        self.handlers.register("note", lambda attempt: self.done.append(attempt.job.id))

    def runner(self, hands: int = 2, timeout_s: float = 60, *, is_shared: bool = True) -> JobRunner:
        limits = JobLimits(hands, timeout_s, is_shared=is_shared)
        return JobRunner(self.jobs, self.handlers, limits, CLOCK, f"w{next(WORKERS)}", jitter=lambda: 0.0)

    @contextmanager
    def running(self, **limits: Any) -> Iterator[JobRunner]:
        runner = self.runner(**limits)
        runner.start()
        try:
            yield runner
        finally:
            runner.stop(CLOCK.monotonic() + 10)

    def add(self, name: str = "note", **settings: Any) -> str:
        return self.jobs.enqueue(NewJob(name=name, **settings))

    def job(self, job_id: str) -> Job:
        job = self.jobs.find(job_id)
        assert job is not None
        return job

    def ends(self, job_id: str, status: str) -> Job:
        until(lambda: self.job(job_id).status == status, f"{job_id} to be {status}")
        return self.job(job_id)


@pytest.fixture
def rig() -> Iterator[Rig]:
    store = ENGINES[engine_of_tests()](MANIFEST, {})
    yield Rig(store)
    store.close()


def test_a_job_is_done_once_and_completed(rig: Rig) -> None:
    with rig.running():
        job_id = rig.add()
        rig.ends(job_id, "completed")

    assert rig.done == [job_id]


def test_a_delayed_job_begins_when_it_is_due_and_not_before(rig: Rig) -> None:
    begun: list[int] = []
    rig.handlers.register("when", lambda _attempt: begun.append(CLOCK.now_ns() // 1_000_000))
    with rig.running():
        due_ms = CLOCK.now_ns() // 1_000_000 + 120
        rig.ends(rig.add("when", run_at_ms=due_ms), "completed")

    assert 0 <= begun[0] - due_ms < 2_000


def test_an_idle_runner_hardly_asks_the_database(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = _counted(monkeypatch, rig.jobs, "next_due_ms")
    naps: list[float | None] = []
    runner = rig.runner()
    wait = runner._wake.wait

    def nap(seconds: float | None = None) -> bool:
        naps.append(seconds)
        return wait(seconds)

    monkeypatch.setattr(runner._wake, "wait", nap)
    runner.start()
    try:
        until(lambda: naps, "it to go to sleep")
    finally:
        runner.stop(CLOCK.monotonic() + 10)

    assert len(looks) == 1
    assert naps[0] is not None
    assert naps[0] > runner_module.LOOK_S - 5


def test_two_thousand_delayed_jobs_run_by_priority(rig: Rig) -> None:
    due_ms = CLOCK.now_ns() // 1_000_000 + 50
    for number in range(2_000):
        priority = JobPriority(number % 4)
        rig.store.submit(
            lambda tx, priority=priority: tx.enqueue(  # type: ignore[misc]  # a bound default
                NewJob(name="note", priority=priority, run_at_ms=due_ms)
            ),
            lambda outcome: outcome.get(),
        )
    while rig.store.flush():
        pass
    until(lambda: CLOCK.now_ns() // 1_000_000 > due_ms, "the time")

    with rig.running(hands=1):
        until(lambda: len(rig.done) == 2_000, "all jobs", seconds=50)

    order = [int(job_id.removeprefix("job_")) for job_id in rig.done]
    assert order == sorted(order, key=lambda number: (-((number - 1) % 4), number))


def test_a_failed_job_is_tried_again_and_then_dead(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    attempts: list[int] = []

    def fails(attempt: Attempt) -> None:
        attempts.append(attempt.job.retry_count)
        raise PylonError("BROKEN", "It does not work.")

    rig.handlers.register("fails", fails)
    with rig.running():
        job = rig.ends(rig.add("fails", max_retries=2), "dead")

    assert attempts == [0, 1, 2]
    assert job.error == "BROKEN: It does not work."


def test_retries_wait_longer_each_time_up_to_a_bound(rig: Rig) -> None:
    runner = JobRunner(rig.jobs, rig.handlers, JobLimits(1, 60, is_shared=True), CLOCK, "w", jitter=lambda: 1.0)

    assert [runner._pause_s(retries) for retries in (0, 1, 2, 3, 9, 500)] == [2, 4, 8, 16, 600, 600]


def test_a_job_nobody_knows_is_dead_with_the_reason(rig: Rig) -> None:
    with rig.running():
        job = rig.ends(rig.add("nope", max_retries=0), "dead")

    assert job.error == "No handler registered for 'nope'"


def test_a_handler_that_breaks_costs_its_job_and_no_thread(rig: Rig) -> None:
    def breaks(_attempt: Attempt) -> None:
        raise ZeroDivisionError("division by zero")

    rig.handlers.register("breaks", breaks)
    with rig.running(hands=1):
        broken = [rig.add("breaks", max_retries=0) for _ in range(5)]
        rig.ends(rig.add(), "completed")

    assert [rig.job(job_id).error for job_id in broken] == ["ZeroDivisionError: division by zero"] * 5


def test_what_cannot_be_tried_waits_and_does_not_count(rig: Rig) -> None:
    tries = count()

    def starts_late(_attempt: Attempt) -> None:
        if next(tries) < 2:
            raise NotNow("starting", 0.05)

    rig.handlers.register("late", starts_late)
    with rig.running():
        job = rig.ends(rig.add("late", max_retries=0), "completed")

    assert job.retry_count == 0


def test_what_is_hopeless_is_dead_at_once_and_its_error_is_cut(rig: Rig) -> None:
    def gives_up(_attempt: Attempt) -> None:
        raise Hopeless("x" * (2 << 20))

    rig.handlers.register("gives up", gives_up)
    with capture_logs() as logged, rig.running():
        job = rig.ends(rig.add("gives up", max_retries=1_000), "dead")

    assert (job.retry_count, job.error) == (0, "x" * 3_999 + "…")
    assert [line["error"] for line in logged if line["event"] == "job_failed"] == [job.error]


def test_the_trace_of_a_handler_that_breaks_is_logged_up_to_a_bound(rig: Rig) -> None:
    def deeper(levels: int) -> None:
        if levels == 0:
            raise ValueError("y" * (2 << 20))
        and_deeper(levels)

    def and_deeper(levels: int) -> None:  # frames that are the same are told once
        deeper(levels - 1)

    rig.handlers.register("deep", lambda _attempt: deeper(200))
    with capture_logs() as logged, rig.running():
        rig.ends(rig.add("deep", max_retries=0), "dead")

    (line,) = [line for line in logged if line["event"] == "job_handler_failed"]
    assert len(line["exception"]) == 4_000
    assert "in deeper" in line["exception"]
    assert "ValueError: yyy" in line["exception"]
    assert "exc_info" not in line


def test_a_lost_job_is_left_alone(rig: Rig) -> None:
    begun = threading.Event()

    def loses(_attempt: Attempt) -> None:
        begun.set()
        raise JobLost

    rig.handlers.register("loses", loses)
    with rig.running():
        job_id = rig.add("loses")
        assert begun.wait(10)

    assert rig.job(job_id).status == "running"


def test_a_handler_that_completed_its_job_is_believed(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    completions = _counted(monkeypatch, rig.jobs, "complete")

    def completes(attempt: Attempt) -> None:
        rig.store.transact(lambda tx: tx.complete_job(attempt.claim))
        attempt.is_completed = True

    rig.handlers.register("completes", completes)
    with rig.running():
        rig.ends(rig.add("completes"), "completed")

    assert completions == []


def test_progress_can_be_seen_while_the_job_runs(rig: Rig) -> None:
    go_on = threading.Event()

    def reports(attempt: Attempt) -> None:
        attempt.report({"done": 3})
        go_on.wait(10)

    rig.handlers.register("reports", reports)
    with rig.running():
        job_id = rig.add("reports")
        until(lambda: rig.job(job_id).progress, "the progress")
        go_on.set()

    assert bytes(rig.job(job_id).progress or b"") == b'{"done":3}'


def test_no_more_jobs_run_at_once_than_there_are_hands(rig: Rig) -> None:
    running, most = set[str](), list[int]()
    lock, together = threading.Lock(), threading.Barrier(3)

    def crowds(attempt: Attempt) -> None:
        with lock:
            running.add(attempt.job.id)
            most.append(len(running))
        together.wait(10)
        with lock:
            running.discard(attempt.job.id)

    rig.handlers.register("crowds", crowds)
    jobs = [rig.add("crowds", max_retries=0) for _ in range(39)]
    with rig.running(hands=3):
        for job_id in jobs:
            rig.ends(job_id, "completed")

    assert max(most) == 3


def test_stopping_lets_what_runs_end_and_gives_back_the_rest(rig: Rig) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(_attempt: Attempt) -> None:
        begun.set()
        go_on.wait(10)

    rig.handlers.register("slow", slow)
    runner = rig.runner(hands=1)
    runner.start()
    running = rig.add("slow")
    assert begun.wait(10)
    waiting = rig.add("slow")
    runner.claim_no_more()
    go_on.set()
    runner.stop(CLOCK.monotonic() + 10)
    runner.stop(CLOCK.monotonic() + 10)

    assert rig.job(running).status == "completed"
    assert rig.job(waiting).status == "pending"


def test_what_does_not_end_in_time_is_somebody_elses_later(rig: Rig) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def hangs(_attempt: Attempt) -> None:
        if not begun.is_set():
            begun.set()
            go_on.wait(10)

    rig.handlers.register("hangs", hangs)
    runner = rig.runner()
    runner.start()
    job_id = rig.add("hangs")
    assert begun.wait(10)
    runner.stop(CLOCK.monotonic() + 0.05)
    with rig.running(is_shared=False):
        rig.ends(job_id, "completed")
    go_on.set()

    assert rig.job(job_id).retry_count == 1


def test_a_server_alone_takes_over_at_once_what_ran_before_it(rig: Rig) -> None:
    job_id = rig.add()
    rig.jobs.claim("the process before", 1)

    with rig.running(is_shared=False):
        rig.ends(job_id, "completed")


def test_jobs_of_a_silent_server_are_taken_over_by_another(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner_module, "BEAT_S", 0.01)
    monkeypatch.setattr(runner_module, "SILENT_MS", 300)
    job_id = rig.add()
    rig.jobs.claim("silent", 1)

    with rig.running():
        job = rig.ends(job_id, "completed")

    assert job.retry_count == 1


def test_a_server_that_lives_keeps_its_jobs(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner_module, "BEAT_S", 0.01)
    monkeypatch.setattr(runner_module, "SILENT_MS", 300)

    looks = _counted(monkeypatch, rig.jobs, "take_over")
    rig.handlers.register("long", lambda _attempt: until(lambda: len(looks) >= 4, "others to look for the silent"))
    with rig.running(), rig.running():
        job = rig.ends(rig.add("long"), "completed")

    assert job.retry_count == 0


def test_a_handler_that_hangs_is_given_up(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner_module, "BEAT_S", 0.01)
    monkeypatch.setattr(runner_module, "OVERDUE_S", 0.0)
    go_on = threading.Event()
    rig.handlers.register("hangs", lambda _attempt: go_on.wait(10))  # type: ignore[arg-type]  # its result is nothing

    with rig.running(timeout_s=0.05):
        job = rig.ends(rig.add("hangs", max_retries=0), "dead")
        go_on.set()

    assert job.error == "Timed out after 0.05 s."


def test_an_ending_is_told_until_the_database_hears_it(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner_module, "TELL_AGAIN_S", 0.01)
    complete, tries = rig.jobs.complete, count()

    def unheard(claim: JobClaim) -> bool:
        if next(tries) < 3:
            raise DataError("NOT_AVAILABLE", "The database cannot be reached.")
        return complete(claim)

    monkeypatch.setattr(rig.jobs, "complete", unheard)
    with rig.running():
        rig.ends(rig.add(), "completed")

    assert next(tries) == 4


def test_jobs_claimed_without_hearing_of_it_are_done_all_the_same(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_module, "TELL_AGAIN_S", 0.01)
    claim, tries = rig.jobs.claim, count()

    def unheard(worker: str, limit: int) -> Any:
        claimed = claim(worker, limit)
        if next(tries) == 0:
            raise DataError("COMMIT_FAILED", "It is unknown whether the write was stored.")
        return claimed

    monkeypatch.setattr(rig.jobs, "claim", unheard)
    with rig.running():
        job = rig.ends(rig.add(), "completed")

    assert job.retry_count == 0


def test_a_runner_without_hands_claims_nothing(rig: Rig) -> None:
    with rig.running(hands=0):
        job_id = rig.add()
        with rig.running(hands=1):
            rig.ends(job_id, "completed")


def _counted(monkeypatch: pytest.MonkeyPatch, jobs: SqlJobStore, name: str) -> list[float]:
    """When a method was called."""
    method: Callable[..., Any] = getattr(jobs, name)
    calls: list[float] = []

    def counted(*args: Any) -> Any:
        calls.append(time.monotonic())
        return method(*args)

    monkeypatch.setattr(jobs, name, counted)
    return calls
