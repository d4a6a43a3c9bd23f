"""What a ``JobStore`` promises, on each engine: who gets which job, and that an attempt that is over changes
nothing."""

import threading
from collections.abc import Iterator

import msgspec
import pytest

from pylon_http import DataError, JobLost, TxStore
from pylon_http.jobs import JobPriority, JobStatus, NewJob
from pylon_storage.jobs import reading, store, transitions
from pylon_storage.statements import TableStatements
from tests.support.engines import ENGINES
from tests.support.job_stores import NOW_MS, JobWorld
from tests.support.waiting import until


@pytest.fixture(params=ENGINES)
def world(request: pytest.FixtureRequest) -> Iterator[JobWorld]:
    world = JobWorld(request.param)
    yield world
    world.close()


def test_every_field_of_a_job_comes_back(world: JobWorld) -> None:
    job_id = world.add(
        "send",
        payload=msgspec.Raw(b'{"to":"\\u0000\xc3\xa9"}'),
        priority=JobPriority.CRITICAL,
        queue="mail",
        max_retries=7,
        run_at_ms=NOW_MS + 1500,
        unique_key="once",
        identity=msgspec.Raw(b'{"user_id":"u"}'),
    )

    job = world.jobs.find(job_id)

    assert job is not None
    assert msgspec.structs.asdict(job) == {
        "id": job_id,
        "name": "send",
        "payload": msgspec.Raw(b'{"to":"\\u0000\xc3\xa9"}'),
        "priority": JobPriority.CRITICAL,
        "status": JobStatus.PENDING,
        "queue": "mail",
        "max_retries": 7,
        "retry_count": 0,
        "run_at_ms": NOW_MS + 1500,
        "created_ms": NOW_MS,
        "started_ms": None,
        "completed_ms": None,
        "error": None,
        "progress": None,
        "unique_key": "once",
        "identity": msgspec.Raw(b'{"user_id":"u"}'),
    }


def test_jobs_run_by_priority_then_first_come_first_served(world: JobWorld) -> None:
    for name in ("low", "high", "normal", "critical"):
        world.add(f"{name} 1", priority=JobPriority[name.upper()])
    for name in ("normal", "critical"):
        world.add(f"{name} 2", priority=JobPriority[name.upper()])

    first = [claimed.job.name for claimed in world.jobs.claim("w", 3)]
    rest = [claimed.job.name for claimed in world.jobs.claim("w", 10)]

    assert first == ["critical 1", "critical 2", "high 1"]
    assert rest == ["normal 1", "normal 2", "low 1"]


def test_a_delayed_job_is_due_to_the_millisecond_and_holds_up_nobody(world: JobWorld) -> None:
    world.add("later", run_at_ms=NOW_MS + 2000, priority=JobPriority.CRITICAL)
    assert world.jobs.next_due_ms() == NOW_MS + 2000
    world.add("now")
    assert world.claim(limit=5).job.name == "now"

    world.clock.now_ms += 1999
    assert world.jobs.claim("w", 5) == []

    world.clock.now_ms += 1
    assert world.claim().job.name == "later"
    assert world.jobs.next_due_ms() is None


def test_a_job_is_claimed_once(world: JobWorld) -> None:
    world.add()

    claimed = world.claim("one")

    assert world.jobs.claim("two", 5) == []
    assert claimed.job.status == JobStatus.RUNNING
    assert claimed.job.started_ms == NOW_MS


def test_a_failed_job_is_retried_when_it_said_until_it_is_dead(world: JobWorld) -> None:
    job_id = world.add(max_retries=1)
    assert world.jobs.fail(world.claim().claim, "first", NOW_MS + 500)
    job = world.jobs.find(job_id)
    assert job is not None
    assert (job.status, job.retry_count, job.error, job.started_ms) == ("retrying", 1, "first", None)
    assert world.jobs.claim("w", 1) == []

    world.clock.now_ms += 500
    assert world.jobs.fail(world.claim().claim, "second\0", NOW_MS + 9000)

    (dead,) = world.jobs.dead(10)
    assert (dead.id, dead.retry_count, dead.error, dead.completed_ms) == (job_id, 1, "second ", NOW_MS + 500)
    assert world.jobs.page(None, None, 10) == []
    assert world.jobs.claim("w", 1) == []


def test_a_dead_job_can_begin_anew(world: JobWorld) -> None:
    job_id = world.add(max_retries=0)
    world.jobs.fail(world.claim().claim, "broken", 0)

    assert world.jobs.retry_dead(job_id)

    job = world.jobs.find(job_id)
    assert job is not None
    assert (job.status, job.retry_count, job.error, job.completed_ms) == ("pending", 0, None, None)
    assert world.jobs.dead(10) == []
    assert not world.jobs.retry_dead(job_id)
    assert not world.jobs.retry_dead("job_99")
    assert not world.jobs.retry_dead("nonsense")


def test_an_attempt_that_is_over_changes_nothing(world: JobWorld) -> None:
    world.add()
    stale = world.claim("one").claim
    world.clock.now_ms += 60_000
    assert world.jobs.take_over(30_000) == 1
    current = world.claim("one").claim

    assert not world.jobs.complete(stale)
    assert not world.jobs.fail(stale, "late", 0)
    assert not world.jobs.bury(stale, "late")
    assert not world.jobs.give_back(stale)
    assert not world.jobs.report(stale, msgspec.Raw(b"1"))
    with pytest.raises(JobLost):
        world.store.transact(lambda tx: tx.complete_job(stale))
    assert world.jobs.complete(current)
    assert not world.jobs.complete(current)


def test_only_the_jobs_of_silent_workers_are_taken_over(world: JobWorld) -> None:
    silent, living = world.add("silent"), world.add("living")
    world.claim("silent")
    world.claim("living")
    world.clock.now_ms += 30_001
    world.jobs.beat("living")

    assert world.jobs.take_over(30_000) == 1
    assert world.jobs.take_over(30_000) == 0

    taken, kept = world.jobs.find(silent), world.jobs.find(living)
    assert taken is not None
    assert kept is not None
    assert (taken.status, taken.retry_count) == ("retrying", 1)
    assert taken.error == "The server that ran it stopped answering."
    assert kept.status == "running"


def test_a_job_that_ends_its_server_each_time_dies(world: JobWorld) -> None:
    world.add(max_retries=2)

    for life in range(3):
        world.claim(f"life {life}")
        world.clock.now_ms += 60_000
        assert world.jobs.take_over(30_000) == 1

    assert world.statuses() == {"dead": 1}


def test_an_attempt_given_back_does_not_count(world: JobWorld) -> None:
    job_id = world.add(max_retries=0)

    assert world.jobs.give_back(world.claim().claim, NOW_MS + 100)

    job = world.jobs.find(job_id)
    assert job is not None
    assert (job.status, job.retry_count, job.run_at_ms, job.started_ms) == ("pending", 0, NOW_MS + 100, None)
    assert world.jobs.claim("w", 1) == []


def test_a_unique_key_binds_unfinished_jobs(world: JobWorld) -> None:
    first = world.add(unique_key="k")
    assert world.add("other", unique_key="k") == first
    claim = world.claim().claim
    assert world.add(unique_key="k") == first
    world.jobs.complete(claim)

    second = world.add(unique_key="k")

    assert second != first
    assert world.add(unique_key="l") not in (first, second)


def test_a_dead_job_stays_dead_while_another_has_its_unique_key(world: JobWorld) -> None:
    dead = world.add(unique_key="k", max_retries=0)
    world.jobs.fail(world.claim().claim, "broken", 0)
    world.add(unique_key="k")

    with pytest.raises(DataError) as refused:
        world.jobs.retry_dead(dead)

    assert refused.value.code == "CONFLICT"


def test_only_what_has_not_begun_is_cancelled(world: JobWorld) -> None:
    waiting, running = world.add(run_at_ms=NOW_MS + 1), world.add()
    world.claim()

    assert world.jobs.cancel(waiting)
    assert not world.jobs.cancel(waiting)
    assert not world.jobs.cancel(running)
    assert not world.jobs.cancel("job_x")

    world.clock.now_ms += 1
    assert world.jobs.claim("w", 5) == []
    assert world.statuses() == {"cancelled": 1, "running": 1}


def test_progress_is_kept(world: JobWorld) -> None:
    job_id = world.add()

    world.jobs.report(world.claim().claim, msgspec.Raw(b'{"done":3}'))

    job = world.jobs.find(job_id)
    assert job is not None
    assert job.progress == msgspec.Raw(b'{"done":3}')


def test_lists_go_from_the_next_to_run_to_the_last_that_ended(world: JobWorld) -> None:
    names = ["ended 1", "ended 2", "ended 3", "running", "waiting", "first", "mail"]
    for name in names[:4]:
        world.add(name)
    for claimed in world.jobs.claim("w", 4)[:3]:
        world.jobs.complete(claimed.claim)
        world.clock.now_ms += 1
    world.add("waiting")
    world.add("first", priority=JobPriority.HIGH)
    world.add("mail", queue="mail")

    def listed(status: JobStatus | None = None, queue: str | None = None, limit: int = 50) -> list[str]:
        return [job.name for job in world.jobs.page(status, queue, limit)]

    assert listed() == ["first", "waiting", "mail", "running", "ended 1", "ended 2", "ended 3"]
    assert listed(limit=6) == ["first", "waiting", "mail", "running", "ended 2", "ended 3"]
    assert listed(JobStatus.RUNNING) == ["running"]
    assert listed(JobStatus.COMPLETED, limit=1) == ["ended 3"]
    assert listed(JobStatus.DEAD) == []
    assert listed(queue="mail") == ["mail"]


def test_ended_jobs_are_forgotten_and_their_ids_never_used_again(world: JobWorld) -> None:
    world.add("completed")
    last = world.add("dead", max_retries=0)
    for claimed in world.jobs.claim("w", 2):
        if claimed.job.name == "completed":
            world.jobs.complete(claimed.claim)
        else:
            world.jobs.fail(claimed.claim, "broken", 0)

    assert world.jobs.forget(NOW_MS, NOW_MS, 10) == 0
    assert world.jobs.forget(NOW_MS + 1, NOW_MS, 10) == 1
    assert world.statuses() == {"dead": 1}
    assert world.jobs.forget(NOW_MS + 1, NOW_MS + 1, 10) == 1
    assert int(world.add().removeprefix("job_")) > int(last.removeprefix("job_"))


def test_a_transaction_keeps_its_jobs_exactly_if_it_commits(world: JobWorld) -> None:
    def fails(tx: TxStore) -> None:
        tx.enqueue(NewJob(name="never"))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        world.store.transact(fails)
    job_id = world.store.transact(lambda tx: tx.enqueue(NewJob(name="once")))

    assert [job.id for job in world.jobs.page(None, None, 10)] == [job_id]


def test_a_transaction_that_lost_its_job_leaves_nothing(world: JobWorld) -> None:
    world.add()
    claim = world.claim().claim
    world.clock.now_ms += 60_000
    world.jobs.take_over(30_000)

    def work(tx: TxStore) -> None:
        tx.insert("Effect", {"of": claim.job_id})
        tx.complete_job(claim)

    with pytest.raises(JobLost):
        world.store.transact(work)

    assert world.store.head() == 0


def test_a_transaction_completes_its_job_with_what_it_did(world: JobWorld) -> None:
    job_id = world.add()
    claim = world.claim().claim

    def work(tx: TxStore) -> None:
        tx.insert("Effect", {"of": claim.job_id})
        tx.complete_job(claim)

    world.store.transact(work)

    job = world.jobs.find(job_id)
    assert job is not None
    assert job.status == "completed"


def test_heartbeats_do_not_undo_a_transaction_that_completes_a_job() -> None:
    world = JobWorld("postgres")
    world.add()
    claim = world.claim().claim
    runs: list[bool] = []

    def work(tx: TxStore) -> None:
        runs.append(tx.recall("scope", "op") is None)  # from here on it sees one state
        beat = threading.Thread(target=world.jobs.beat, args=("w",))
        beat.start()
        beat.join()
        tx.complete_job(claim)

    world.store.transact(work)
    world.close()

    assert len(runs) == 1


def test_whoever_is_idle_hears_of_every_job_that_begins_to_wait(world: JobWorld) -> None:
    heard: list[int | None] = []
    world.jobs.on_waiting(heard.append)

    world.store.transact(lambda tx: tx.enqueue(NewJob(name="a", run_at_ms=NOW_MS + 5)))
    until(lambda: NOW_MS + 5 in heard, "the job of a transaction")
    world.add("b")
    until(lambda: NOW_MS in heard, "a job by itself")
    claim = world.claim().claim
    world.jobs.fail(claim, "", NOW_MS + 70)
    until(lambda: NOW_MS + 70 in heard, "a retry")


def test_no_question_reads_all_jobs(world: JobWorld) -> None:
    """However many there are: each is answered from an index that has little else in it."""
    explain = "EXPLAIN QUERY PLAN " if not world.store.tables.skip_locked else "EXPLAIN "

    def work(statements: TableStatements) -> list[str]:
        if world.store.tables.skip_locked:
            statements.all("SET LOCAL enable_seqscan = off")  # a table as small as this is read whole otherwise
            statements.all("SET LOCAL enable_bitmapscan = off")
        plans = []
        for text, params in _questions(world.store.tables.skip_locked):
            plans.append(" ".join(str(line) for line in statements.all(explain + text, params)))
        return plans

    for plan in world.store.tables.write(work):
        assert "_pylon_jobs_" in plan, plan
        assert "SCAN _pylon_jobs'" not in plan, plan
        assert "Seq Scan on _pylon_jobs " not in plan, plan


def _questions(skip_locked: str) -> list[tuple[str, tuple[object, ...]]]:
    return [
        (store._claiming(3, skip_locked), (*[NOW_MS] * 4, "w", NOW_MS)),
        (reading._NEXT_DUE, ()),
        (transitions._UNFINISHED_WITH, ("k",)),
        (store._CLAIMS, ("w",)),
        (store._FORGET, ("completed", NOW_MS, 10)),
    ]
