"""Any order of steps by two workers, with time going on, against a model in a few lines: on each engine."""

import os
from dataclasses import dataclass, field
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from pylon_http import DataError, JobLost
from pylon_http.jobs import JobClaim, JobPriority, NewJob
from tests.support.job_stores import JobWorld

WORKERS = st.sampled_from(["one", "two"])
SILENT_MS = 100
EXAMPLES = {"sqlite": 250, "postgres": 40}


@dataclass
class ModelJob:
    priority: int
    run_at_ms: int
    max_retries: int
    key: str | None
    status: str = "pending"
    retries: int = 0
    claim: JobClaim | None = None
    history: list[JobClaim] = field(default_factory=list)

    @property
    def waits(self) -> bool:
        return self.status in ("pending", "retrying")

    @property
    def is_finished(self) -> bool:
        return self.status in ("completed", "dead", "cancelled")

    def fails(self, retry_at_ms: int) -> None:
        self.claim = None
        if self.retries < self.max_retries:
            self.status, self.retries, self.run_at_ms = "retrying", self.retries + 1, retry_at_ms
        else:
            self.status = "dead"


class JobMachine(RuleBasedStateMachine):
    engine: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self.world = JobWorld(self.engine)
        self.jobs: dict[str, ModelJob] = {}
        self.seen: dict[str, int] = {}

    def teardown(self) -> None:
        self.world.close()

    @property
    def now_ms(self) -> int:
        return self.world.clock.now_ms

    @rule(
        priority=st.sampled_from(JobPriority),
        delay=st.sampled_from([0, 0, 40, 120]),
        retries=st.integers(0, 2),
        key=st.sampled_from([None, None, "k", "l"]),
        in_transaction=st.booleans(),
    )
    def enqueue(
        self, priority: JobPriority, delay: int, retries: int, key: str | None, in_transaction: bool
    ) -> None:
        run_at_ms = self.now_ms + delay
        job = NewJob(name="x", priority=priority, run_at_ms=run_at_ms, max_retries=retries, unique_key=key)
        if in_transaction:
            job_id = self.world.store.transact(lambda tx: tx.enqueue(job))
        else:
            job_id = self.world.jobs.enqueue(job)

        holders = [kept for kept, of in self.jobs.items() if key and of.key == key and not of.is_finished]
        if holders:
            assert [job_id] == holders
        else:
            assert job_id not in self.jobs
            self.jobs[job_id] = ModelJob(int(priority), run_at_ms, retries, key)

    @initialize(retries=st.lists(st.integers(0, 3), min_size=3, max_size=6))
    def begin_with_some(self, retries: list[int]) -> None:
        for count in retries:
            self.enqueue(JobPriority.NORMAL, 0, count, None, in_transaction=False)

    @precondition(lambda self: any(job.waits for job in self.jobs.values()))
    @rule(worker=WORKERS, limit=st.integers(1, 3))
    def claim(self, worker: str, limit: int) -> None:
        claimed = self.world.jobs.claim(worker, limit)

        self.seen[worker] = self.now_ms
        due = [
            (-job.priority, job.run_at_ms, int(job_id[4:]), job_id)
            for job_id, job in self.jobs.items()
            if job.waits and job.run_at_ms <= self.now_ms
        ]
        assert [one.job.id for one in claimed] == [job_id for *_, job_id in sorted(due)[:limit]]
        for one in claimed:
            job = self.jobs[one.job.id]
            assert one.claim not in job.history
            job.status, job.claim = "running", one.claim
            job.history.append(one.claim)

    @precondition(lambda self: any(job.history for job in self.jobs.values()))
    @rule(
        data=st.data(),
        ending=st.sampled_from(["complete", "transaction", "fail", "give back"]),
        delay=st.sampled_from([0, 0, 50]),
    )
    def end(self, data: st.DataObject, ending: str, delay: int) -> None:
        """By an attempt that counts, or one that does not any more."""
        claims = [claim for job in self.jobs.values() for claim in job.history]
        claim = data.draw(st.sampled_from(claims))
        job = self.jobs[claim.job_id]
        held = self._end(claim, ending, self.now_ms + delay)

        assert held == (job.claim == claim)
        if not held:
            return
        if ending == "fail":
            job.fails(self.now_ms + delay)
        elif ending == "give back":
            job.status = "retrying" if job.retries else "pending"
            job.claim, job.run_at_ms = None, max(job.run_at_ms, self.now_ms + delay)
        else:
            job.status, job.claim = "completed", None

    def _end(self, claim: JobClaim, ending: str, retry_at_ms: int) -> bool:
        match ending:
            case "complete":
                return self.world.jobs.complete(claim)
            case "fail":
                return self.world.jobs.fail(claim, "broken", retry_at_ms)
            case "give back":
                return self.world.jobs.give_back(claim, retry_at_ms)
        try:
            self.world.store.transact(lambda tx: tx.complete_job(claim))
        except JobLost:
            return False
        return True

    @precondition(lambda self: sum(job.waits for job in self.jobs.values()) > 2)
    @rule(data=st.data(), in_transaction=st.booleans())
    def cancel(self, data: st.DataObject, in_transaction: bool) -> None:
        job_id = data.draw(st.sampled_from([*self.jobs, "job_777"]))
        if in_transaction:
            cancelled = self.world.store.transact(lambda tx: tx.cancel_job(job_id))
        else:
            cancelled = self.world.jobs.cancel(job_id)

        job = self.jobs.get(job_id)
        assert cancelled == (job is not None and job.waits)
        if job is not None and cancelled:
            job.status = "cancelled"

    @precondition(lambda self: any(job.status == "dead" for job in self.jobs.values()))
    @rule(data=st.data())
    def retry_dead(self, data: st.DataObject) -> None:
        job_id = data.draw(st.sampled_from([*self.jobs, "job_777"]))
        job = self.jobs.get(job_id)
        is_dead = job is not None and job.status == "dead"
        key = None if job is None else job.key
        is_taken = any(key and other.key == key and not other.is_finished for other in self.jobs.values())
        if is_dead and is_taken:
            with pytest.raises(DataError, match="unique key"):
                self.world.jobs.retry_dead(job_id)
            return
        retried = self.world.jobs.retry_dead(job_id)
        assert retried == is_dead
        if job is not None and retried:
            job.status, job.retries, job.run_at_ms = "pending", 0, self.now_ms

    @precondition(lambda self: any(job.claim for job in self.jobs.values()))
    @rule(worker=WORKERS)
    def beat(self, worker: str) -> None:
        self.world.jobs.beat(worker)
        self.seen[worker] = self.now_ms

    @precondition(lambda self: any(job.claim for job in self.jobs.values()))
    @rule()
    def take_over(self) -> None:
        taken = self.world.jobs.take_over(SILENT_MS)

        silent = [
            job
            for job in self.jobs.values()
            if job.claim is not None and self.seen[job.claim.worker] < self.now_ms - SILENT_MS
        ]
        assert taken == len(silent)
        for job in silent:
            job.fails(self.now_ms)

    @rule(milliseconds=st.sampled_from([1, 30, SILENT_MS, 2 * SILENT_MS]))
    def wait(self, milliseconds: int) -> None:
        self.world.clock.now_ms += milliseconds

    @invariant()
    def every_job_is_where_the_model_has_it(self) -> None:
        listed = [*self.world.jobs.page(None, None, 1000), *self.world.jobs.dead(1000)]
        assert {job.id: (job.status.value, job.retry_count) for job in listed} == {
            job_id: (job.status, job.retries) for job_id, job in self.jobs.items()
        }

    @invariant()
    def the_next_that_is_due_is_known(self) -> None:
        waiting = [job.run_at_ms for job in self.jobs.values() if job.waits]
        assert self.world.jobs.next_due_ms() == min(waiting, default=None)

    @invariant()
    def each_worker_knows_what_it_has(self) -> None:
        for worker in ("one", "two"):
            held = {job.claim for job in self.jobs.values() if job.claim and job.claim.worker == worker}
            assert set(self.world.jobs.claims(worker)) == held


class SqliteJobs(JobMachine):
    engine = "sqlite"


class PostgresJobs(JobMachine):
    engine = "postgres"


def _run(machine: type[JobMachine]) -> None:
    examples = int(os.environ.get("PYLON_JOB_EXAMPLES") or EXAMPLES[machine.engine])
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_jobs_on_sqlite_do_what_the_model_does() -> None:
    _run(SqliteJobs)


def test_jobs_on_postgres_do_what_the_model_does() -> None:
    _run(PostgresJobs)
