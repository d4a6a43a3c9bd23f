"""Workflows as they are kept, and what the engine makes of runners that answer in every way: on each engine."""

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
import pytest
from msgspec import Raw
from msgspec.structs import replace
from structlog.testing import capture_logs

from pylon_core.errors import PylonError
from pylon_functions.workflows import CANCEL_JOB, EVENT_JOB, START_JOB
from pylon_http import DataError, JobLost, Response
from pylon_http.jobs import JobStatus
from pylon_http.workflows import (
    StepStatus,
    Transition,
    WorkflowDefinition,
    WorkflowInstance,
    WorkflowStatus,
    WorkflowStep,
)
from pylon_runtime.jobs import Attempt, Handlers, Hopeless, NotNow
from pylon_runtime.jobs.handlers import no_handler
from pylon_runtime.workflows import engine as engine_module
from pylon_runtime.workflows import requests
from pylon_runtime.workflows.engine import WorkflowEngine
from pylon_runtime.workflows.runners import PassInterrupted, RunnerAbsent, RunnerAway
from pylon_storage.workflows import SqlWorkflowStore
from pylon_storage.workflows import reading as reading_module
from pylon_storage.workflows import store as store_module
from tests.support.engines import ENGINES
from tests.support.job_stores import JobWorld

MISSING = "wf_ffffffffffffffff"


class PlayedRunner:
    """Answers with what the test says, one after the other; the last of it again and again."""

    def __init__(self) -> None:
        self.answers: list[Any] = [{"action": "complete", "output": None}]
        self.asked: list[WorkflowInstance] = []
        self.max_retries = 3
        self.knows = True
        self.timeouts: list[float] = []

    def definitions(self) -> Sequence[WorkflowDefinition]:
        if not self.knows:
            return []
        return [WorkflowDefinition("onboard", max_retries=self.max_retries, step_timeout_secs=90)]

    def find(self, name: str) -> WorkflowDefinition | None:
        return next((found for found in self.definitions() if found.name == name), None)

    def make_pass(self, instance: WorkflowInstance, timeout_s: float) -> Any:
        self.asked.append(instance)
        self.timeouts.append(timeout_s)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if callable(answer):
            answer = answer(instance)
        if isinstance(answer, Exception):
            raise answer
        return answer


class Rig(JobWorld):
    def __init__(self, engine: str) -> None:
        super().__init__(engine)
        self.instances = SqlWorkflowStore(self.store.tables, self.clock)
        self.runner = PlayedRunner()
        numbers = iter(range(1, 10_000))
        self.engine = WorkflowEngine(
            self.instances,
            (self.runner,),
            self.clock,
            lambda count: next(numbers).to_bytes(count),
            pause=self._work_meanwhile,
        )

    def start(self, *answers: Any, given: bytes = b"{}") -> str:
        if answers:
            self.runner.answers = list(answers)
        return self.engine.start("onboard", Raw(given))

    def work(self, worker: str = "w") -> WorkflowInstance | None:
        """Do one job that is due; the instance it is for."""
        for claimed in self.jobs.claim(worker, 1):
            attempt = Attempt(claimed, self.clock.monotonic() + 60, self.jobs)
            self.engine.carry_on(attempt)
            assert attempt.is_completed
            return self.find(json.loads(bytes(claimed.job.payload))["id"])
        return None

    def _work_meanwhile(self, _seconds: float) -> None:
        self.work()

    def find(self, workflow_id: str) -> WorkflowInstance:
        instance = self.engine.find(workflow_id)
        assert instance is not None
        return instance

    def advance_to_due(self) -> None:
        due_ms = self.jobs.next_due_ms()
        assert due_ms is not None
        self.clock.now_ms = max(self.clock.now_ms, due_ms)

    def unfinished(self) -> int:
        return sum(count for status, count in self.jobs.counts().items() if status not in (JobStatus.COMPLETED,))


@pytest.fixture(params=ENGINES)
def rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    made = Rig(request.param)
    yield made
    made.close()


def done(name: str, output: Any = None) -> dict[str, Any]:
    return {"action": "step_complete", "step_name": name, "output": output, "duration_ms": 5}


FAIL = {"action": "fail", "step_name": "a", "error": "boom"}
WAIT = {"action": "wait_event", "event": "ok"}


def test_a_new_instance_waits_for_its_first_pass(rig: Rig) -> None:
    instance = rig.find(rig.start(given=b'{"user":"u1"}'))

    assert (instance.status, instance.current_step, instance.steps) == (WorkflowStatus.PENDING, 0, ())
    assert bytes(instance.input) == b'{"user":"u1"}'
    assert rig.unfinished() == 1


def test_an_instance_is_begun_once_under_its_id(rig: Rig) -> None:
    for given in (b"1", b"2"):
        rig.engine.begin("wf_0000000000000abc", "onboard", Raw(given))

    assert bytes(rig.find("wf_0000000000000abc").input) == b"1"
    assert rig.unfinished() == 1


@pytest.mark.parametrize("status", WorkflowStatus)
def test_every_status_and_all_of_a_step_come_back(rig: Rig, status: WorkflowStatus) -> None:
    workflow_id = rig.start()
    steps = tuple(
        WorkflowStep(
            name=f"step {step.value}",
            status=step,
            recorded_ms=5,
            output=Raw(b'{"a":"\\u0000"}'),
            error="an \0 error",
            duration_ms=9,
            retry_count=2,
        )
        for step in StepStatus
    )
    after = replace(
        rig.find(workflow_id),
        status=status,
        steps=steps,
        output=Raw(b"[1]"),
        error="no",
        started_ms=1,
        completed_ms=2 if status.is_final else None,
        wake_ms=3,
        waiting_for="ok",
        current_step=4,
        stalled="away",
        stalls=2,
        version=1,
    )

    rig.instances.change(workflow_id, lambda _instance, _events: Transition(instance=after, records=steps))

    kept = rig.find(workflow_id)
    assert told(kept) == told(replace(after, steps=tuple(replace(step, error="an   error") for step in steps)))


def told(instance: WorkflowInstance) -> Any:
    """All of it, in values that can be compared."""
    return json.loads(msgspec.json.encode(instance))


def test_one_job_takes_an_instance_to_where_it_rests(rig: Rig) -> None:
    workflow_id = rig.start(done("a", 1), done("b", 2), {"action": "sleep", "duration": "1h"})

    rig.work()

    instance = rig.find(workflow_id)
    assert [step.name for step in instance.steps] == ["a", "b"]
    assert (instance.status, instance.wake_ms) == (WorkflowStatus.SLEEPING, rig.clock.now_ms + 3_600_000)
    assert rig.jobs.next_due_ms() == instance.wake_ms
    assert rig.jobs.counts() == {JobStatus.PENDING: 1}


def test_a_runner_sees_what_was_done_before(rig: Rig) -> None:
    rig.start(done("a", 1), {"action": "complete", "output": "end"})

    rig.work()

    assert [(seen.current_step, len(seen.steps)) for seen in rig.runner.asked] == [(0, 0), (1, 1)]
    assert rig.runner.timeouts == [90, 90]


def test_a_failed_step_pauses_and_does_not_keep_others_from_working(rig: Rig) -> None:
    workflow_id = rig.start(FAIL, done("a"), {"action": "complete", "output": None})
    rig.work()
    assert rig.find(workflow_id).status is WorkflowStatus.RUNNING
    assert rig.work() is None

    rig.advance_to_due()
    rig.work()

    instance = rig.find(workflow_id)
    assert [(step.status, step.retry_count) for step in instance.steps] == [("Failed", 1), ("Completed", 0)]
    assert instance.status is WorkflowStatus.COMPLETED


def test_after_the_last_retry_it_has_failed(rig: Rig) -> None:
    workflow_id = rig.start(FAIL)

    statuses = [rig.engine.advance(workflow_id) for _ in range(4)]

    instance = rig.find(workflow_id)
    assert statuses == ["Running", "Running", "Running", "Failed"]
    assert (instance.error, instance.current_step, len(instance.steps)) == ("boom", 0, 3)
    assert rig.unfinished() == 0


@pytest.mark.parametrize("away", [RunnerAway("not there"), RunnerAbsent("not there")], ids=["away", "absent"])
def test_a_runner_that_is_away_costs_no_retry(rig: Rig, away: Exception) -> None:
    workflow_id = rig.start(*[away] * 8, {"action": "complete", "output": None})
    rig.runner.max_retries = 0
    pauses = []
    for _ in range(8):
        rig.work()
        instance = rig.find(workflow_id)
        assert (instance.status, instance.stalled, instance.steps) == (WorkflowStatus.PENDING, "not there", ())
        assert instance.started_ms is None
        before_ms = rig.clock.now_ms
        rig.advance_to_due()
        pauses.append(rig.clock.now_ms - before_ms)
    rig.work()

    instance = rig.find(workflow_id)
    assert (instance.status, instance.stalled, instance.stalls) == (WorkflowStatus.COMPLETED, None, 0)
    assert 500 <= pauses[0] <= 1_000
    assert 30_000 <= pauses[-1] <= 60_000


def test_an_unknown_workflow_waits_for_a_server_that_has_it(rig: Rig) -> None:
    begun = rig.start({"action": "sleep", "duration": "1s"})
    rig.work()
    fresh = rig.start()
    rig.runner.knows = False
    for _ in range(4):
        rig.advance_to_due()
        rig.work()
    stalled = [rig.find(begun), rig.find(fresh)]
    rig.clock.now_ms += engine_module.UNKNOWN_MS
    while rig.work() is not None:
        pass

    assert [instance.stalled for instance in stalled] == ["Workflow 'onboard' not registered"] * 2
    assert rig.find(begun).status is WorkflowStatus.RUNNING
    failed = rig.find(fresh)
    assert failed.steps[-1].error == "Workflow 'onboard' not registered"


def test_a_pass_that_ends_its_process_each_time_is_a_failure_in_the_end(rig: Rig) -> None:
    rig.runner.max_retries = 0
    workflow_id = rig.start(PassInterrupted("it died"))
    for _ in range(engine_module.INTERRUPTIONS_MAX + 1):
        rig.advance_to_due()
        rig.work()

    instance = rig.find(workflow_id)
    assert (instance.status, instance.error) == (WorkflowStatus.FAILED, "it died")


def test_a_pass_that_ends_its_server_each_time_is_a_failure_in_the_end(rig: Rig) -> None:
    rig.runner.max_retries = 0
    workflow_id = rig.start(done("a"))
    for life in range(engine_module.INTERRUPTIONS_MAX):
        rig.advance_to_due()
        rig.jobs.claim(f"server {life}", 1)
        rig.clock.now_ms += 60_000
        assert rig.jobs.take_over(30_000) == 1

    rig.work()

    instance = rig.find(workflow_id)
    assert instance.status is WorkflowStatus.FAILED
    assert "3 times" in str(instance.error)
    assert rig.runner.asked == []


def test_deaths_of_servers_that_got_further_do_not_add_up(rig: Rig) -> None:
    class Death(BaseException):
        pass

    def die(_instance: WorkflowInstance) -> Any:
        raise Death

    workflow_id = rig.start()
    rig.runner.max_retries = 0
    for life in range(6):
        rig.runner.answers = [done(f"step {life}"), die]
        rig.advance_to_due()
        with pytest.raises(Death):
            rig.work(f"server {life}")
        rig.clock.now_ms += 60_000
        rig.jobs.take_over(30_000)

    assert len(rig.find(workflow_id).steps) == 6
    assert rig.find(workflow_id).status is WorkflowStatus.RUNNING


def test_an_answer_for_a_state_that_is_past_changes_nothing(rig: Rig) -> None:
    workflow_id = rig.start()

    def cancelled_meanwhile(instance: WorkflowInstance) -> Any:
        rig.engine.cancel(instance.id)
        return done("a")

    rig.runner.answers = [cancelled_meanwhile]
    rig.work()

    instance = rig.find(workflow_id)
    assert (instance.status, instance.steps) == (WorkflowStatus.CANCELLED, ())
    assert rig.unfinished() == 0


def test_a_worker_that_was_given_up_changes_nothing(rig: Rig) -> None:
    workflow_id = rig.start()

    def given_up_meanwhile(_instance: WorkflowInstance) -> Any:
        rig.clock.now_ms += 60_000
        assert rig.jobs.take_over(30_000) == 1
        return done("a")

    rig.runner.answers = [given_up_meanwhile]
    with pytest.raises(JobLost):
        rig.work()

    assert rig.find(workflow_id).steps == ()


def test_an_event_that_comes_first_is_kept(rig: Rig) -> None:
    workflow_id = rig.start(WAIT, WAIT, {"action": "complete", "output": None})
    assert rig.engine.send(workflow_id, "other", Raw(b"1"))
    assert rig.engine.send(workflow_id, "ok", Raw(b"2"))
    assert rig.engine.send(workflow_id, "ok", Raw(b"3"))

    rig.work()

    instance = rig.find(workflow_id)
    assert [(step.name, bytes(step.output)) for step in instance.steps] == [("event:ok", b"2"), ("event:ok", b"3")]
    assert instance.status is WorkflowStatus.COMPLETED


@pytest.mark.parametrize("is_over", [False, True], ids=["missing", "over"])
def test_nothing_is_kept_for_one_that_is_not_there_or_over(rig: Rig, is_over: bool) -> None:
    workflow_id = rig.start()
    rig.work()

    assert not rig.engine.send(workflow_id if is_over else MISSING, "ok", Raw(b"1"))
    assert not rig.engine.send("no id at all \0", "ok", Raw(b"1"))


def test_only_so_many_events_wait(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "EVENTS_MAX", 2)
    workflow_id = rig.start()
    for _ in range(2):
        assert rig.engine.send(workflow_id, "ok", Raw(b"1"))

    with pytest.raises(DataError, match="wait for this workflow"):
        rig.engine.send(workflow_id, "ok", Raw(b"1"))


def test_a_direct_event_is_for_one_that_waits_for_it(rig: Rig) -> None:
    workflow_id = rig.start(WAIT, {"action": "complete", "output": 1})
    with pytest.raises(PylonError, match="not waiting"):
        rig.engine.deliver(workflow_id, "ok", Raw(b"1"))
    rig.work()
    with pytest.raises(PylonError, match="waiting for 'ok', not 'no'"):
        rig.engine.deliver(workflow_id, "no", Raw(b"1"))

    rig.engine.deliver(workflow_id, "ok", Raw(b"1"))

    instance = rig.find(workflow_id)
    assert (instance.status, instance.waiting_for, instance.current_step) == (WorkflowStatus.RUNNING, None, 1)
    rig.work()
    assert rig.find(workflow_id).status is WorkflowStatus.COMPLETED


@pytest.mark.parametrize("name", ["", "child:ship:wf_0000000000000001", "x" * 201, "a\0b"])
def test_an_event_that_cannot_be_is_refused(rig: Rig, name: str) -> None:
    workflow_id = rig.start()
    for ask in (rig.engine.send, rig.engine.deliver):
        with pytest.raises(PylonError) as refused:
            ask(workflow_id, name, Raw(b"1"))
        assert refused.value.code == "WORKFLOW_EVENT_FAILED"


def test_a_job_that_comes_too_early_waits_for_the_time(rig: Rig) -> None:
    workflow_id = rig.start({"action": "sleep", "duration": "1h"})
    rig.work()
    wake_ms = rig.find(workflow_id).wake_ms

    rig.engine.send(workflow_id, "ok", Raw(b"1"))
    rig.work()

    assert rig.find(workflow_id).status is WorkflowStatus.SLEEPING
    assert rig.jobs.next_due_ms() == wake_ms
    assert len(rig.runner.asked) == 1


def test_advancing_one_that_rests_asks_nobody(rig: Rig) -> None:
    workflow_id = rig.start({"action": "sleep", "duration": "1h"})
    rig.work()

    assert rig.engine.advance(workflow_id) == "Sleeping"
    assert len(rig.runner.asked) == 1
    rig.clock.now_ms += 3_600_000
    rig.runner.answers = [{"action": "complete", "output": 1}]
    assert rig.engine.advance(workflow_id) in ("Running", "Completed")


def test_advancing_says_why_it_does_not_go_on(rig: Rig) -> None:
    workflow_id = rig.start({"action": "dance"})

    with pytest.raises(PylonError, match="Unknown action: dance") as refused:
        rig.engine.advance(workflow_id)

    instance = rig.find(workflow_id)
    assert refused.value.code == "WORKFLOW_ADVANCE_FAILED"
    assert (instance.status, instance.steps, instance.started_ms) == ("Pending", (), rig.clock.now_ms)


def test_what_takes_long_without_resting_lets_others_have_their_turn(rig: Rig) -> None:
    first = rig.start()

    def slow(_instance: WorkflowInstance) -> Any:
        rig.clock.now_ms += 15_000
        return done("a")

    rig.runner.answers = [slow]
    rig.work()

    assert len(rig.find(first).steps) == 2
    assert rig.jobs.counts() == {JobStatus.PENDING: 1}


def test_nobody_outside_tells_of_the_end_of_a_child(rig: Rig) -> None:
    workflow_id = rig.start({"action": "child", "workflow": "onboard", "input": {}})
    rig.work()
    waiting_for = rig.find(workflow_id).waiting_for
    assert waiting_for is not None

    for ask in (rig.engine.send, rig.engine.deliver):
        with pytest.raises(PylonError, match="cannot begin with 'child:'"):
            ask(workflow_id, waiting_for, Raw(b'{"status":"Completed","output":1,"error":null}'))

    assert rig.find(workflow_id).waiting_for == waiting_for


def test_a_value_from_outside_that_is_too_large_is_refused(rig: Rig) -> None:
    fits, large = (Raw(b'"' + b"x" * ((1 << 20) - 2 + more) + b'"') for more in (0, 1))
    workflow_id = rig.engine.start("onboard", fits)
    assert rig.engine.send(workflow_id, "ok", fits)

    for ask in (
        lambda: rig.engine.start("onboard", large),
        lambda: rig.engine.begin(MISSING, "onboard", large),
        lambda: rig.engine.send(workflow_id, "ok", large),
        lambda: rig.engine.deliver(workflow_id, "ok", large),
    ):
        with pytest.raises(PylonError) as refused:
            ask()
        assert refused.value.status == 413


@pytest.mark.parametrize(
    ("workflow_id", "name"),
    [
        ("wf_1", "onboard"),
        ("wf_FFFFFFFFFFFFFFFF", "onboard"),
        (MISSING, ""),
        (MISSING, "a\0b"),
        (MISSING, "x" * 201),
    ],
)
def test_what_a_row_of_the_table_asks_for_is_checked_again(rig: Rig, workflow_id: str, name: str) -> None:
    with pytest.raises(PylonError) as refused:
        rig.engine.begin(workflow_id, name, Raw(b"{}"))

    assert refused.value.code == "WORKFLOW_START_FAILED"
    assert not rig.engine.page(None, None, 10).instances


@pytest.mark.parametrize("odd", ["", "wf_\0", "wf_FFFFFFFFFFFFFFFF", MISSING + "\n", MISSING + "0"])
def test_an_id_that_cannot_be_finds_nothing(rig: Rig, odd: str) -> None:
    rig.start()

    assert rig.engine.find(odd) is None
    assert not rig.engine.page(None, odd, 10).instances
    assert not rig.engine.send(odd, "ok", Raw(b"1"))


@pytest.mark.parametrize("name", [START_JOB, EVENT_JOB, CANCEL_JOB])
def test_a_request_that_asks_for_nothing_is_hopeless(rig: Rig, name: str) -> None:
    handlers = Handlers(no_handler)
    requests.register(handlers, rig.engine, rig.clock)
    rig.add(name, payload=Raw(b'{"id":7}'))

    with pytest.raises(Hopeless):
        handlers.find(name)(Attempt(rig.claim(), 0.0, rig.jobs))


def test_a_history_ends_somewhere(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "STEPS_MAX", 5)
    rig.runner.max_retries = 0
    workflow_id = rig.start(done("again"))
    rig.work()

    instance = rig.find(workflow_id)
    assert (instance.status, len(instance.steps)) == (WorkflowStatus.FAILED, 6)
    assert "at most 5 steps" in str(instance.error)


def test_sleeps_count_towards_the_limit(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "STEPS_MAX", 5)
    rig.runner.max_retries = 0
    workflow_id = rig.start({"action": "sleep", "duration": "1s"})
    for _ in range(8):
        rig.work()
        if rig.find(workflow_id).status.is_final:
            break
        rig.advance_to_due()

    instance = rig.find(workflow_id)
    assert (instance.status, instance.current_step) == (WorkflowStatus.FAILED, 6)


def test_failed_tries_count_towards_the_limit(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "STEPS_MAX", 3)
    workflow_id = rig.start(FAIL, FAIL, done("a"), FAIL, done("b"))
    while rig.work() and not rig.find(workflow_id).status.is_final:
        rig.advance_to_due()

    instance = rig.find(workflow_id)
    assert [step.status for step in instance.steps[:4]] == [
        StepStatus.FAILED,
        StepStatus.FAILED,
        StepStatus.COMPLETED,
        StepStatus.FAILED,
    ]
    assert "at most 3 steps" in str(instance.steps[4].error)


def test_children_of_children_end_somewhere(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "DEPTH_MAX", 3)
    rig.runner.max_retries = 0
    workflow_id = rig.start({"action": "child", "workflow": "onboard", "input": {}})
    for _ in range(20):
        rig.work()
        if rig.runner.asked and rig.find(rig.runner.asked[-1].id).status is WorkflowStatus.FAILED:
            break

    depths = {instance.id: rig.instances.depth(instance.id, 100) for instance in rig.runner.asked}
    deepest = max(depths, key=lambda found: depths[found])
    assert (depths[workflow_id], depths[deepest]) == (0, 3)
    assert "3 deep at most; hand over by ctx.workflows.start" in str(rig.find(deepest).error)
    assert rig.instances.depth(deepest, 2) == 2


def test_an_error_of_megabytes_is_cut_where_it_is_kept_and_logged(rig: Rig) -> None:
    rig.runner.max_retries = 0
    workflow_id = rig.start({"action": "fail", "error": "x" * (2 << 20)})
    with capture_logs() as logged:
        rig.work()

    error = rig.find(workflow_id).error
    assert error == "x" * 3_999 + "…"
    assert [line["error"] for line in logged if line["event"] == "workflow_failed"] == [error]


@pytest.mark.parametrize("payload", [b"{}", b"[]", b'{"id":7}', b"null"])
def test_a_job_that_carries_no_workflow_is_hopeless(rig: Rig, payload: bytes) -> None:
    rig.add("pylon.workflow", payload=Raw(payload))
    claimed = rig.claim()

    with pytest.raises(Hopeless):
        rig.engine.carry_on(Attempt(claimed, 0.0, rig.jobs))


@pytest.mark.parametrize("away", [RunnerAbsent, RunnerAway])
def test_who_has_a_workflow_cannot_be_known_while_all_are_away(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, away: type[Exception]
) -> None:
    def find(_name: str) -> None:
        raise away("restarting")

    monkeypatch.setattr(rig.runner, "find", find)

    with pytest.raises(PylonError) as refused:
        rig.engine.start("onboard", Raw(b"{}"))
    response = Response.error(refused.value)
    assert (response.status, refused.value.code) == (503, "WORKFLOW_START_FAILED")
    assert ("Retry-After", "1") in response.headers
    with pytest.raises(PylonError) as hopeless:
        rig.engine.start("x" * 201, Raw(b"{}"))
    assert hopeless.value.status == 400


def test_a_workflow_may_have_as_many_steps_as_are_allowed(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "STEPS_MAX", 2)
    rig.runner.max_retries = 0
    workflow_id = rig.start(done("a"), done("b"), {"action": "complete", "output": "end"})

    rig.work()

    assert (rig.find(workflow_id).status, rig.find(workflow_id).error) == (WorkflowStatus.COMPLETED, None)


def test_a_value_that_is_too_large_is_the_steps_failure(rig: Rig) -> None:
    rig.runner.max_retries = 0
    workflow_id = rig.start(done("big", "x" * (1 << 20)))
    rig.work()

    assert "too large" in str(rig.find(workflow_id).error)


def test_pages_are_newest_first_and_cut_by_number_and_by_size(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = []
    for number in range(5):
        rig.clock.now_ms += number % 2
        ids.append(rig.start(given=b'"' + b"x" * 40 + b'"'))

    def walk(limit: int) -> list[list[str]]:
        pages, after = [], None
        while True:
            page = rig.engine.page(None, after, limit)
            pages.append([instance.id for instance in page.instances])
            after = pages[-1][-1]
            if not page.has_more:
                return pages

    assert walk(2) == [ids[4:2:-1], ids[2:0:-1], ids[:1]]
    monkeypatch.setattr(reading_module, "PAGE_CHARS_MAX", 100)
    assert [len(page) for page in walk(5)] == [2, 2, 1]
    monkeypatch.setattr(reading_module, "PAGE_CHARS_MAX", 1)
    assert [len(page) for page in walk(5)] == [1] * 5
    assert rig.engine.page(None, MISSING, 5).instances == []
    assert list(rig.engine.page(None, "nothing like it", 5).instances) == []


def test_pages_of_one_status(rig: Rig) -> None:
    waiting = rig.start(WAIT)
    rig.work()
    pending = rig.start()

    def ids(status: WorkflowStatus) -> list[str]:
        return [instance.id for instance in rig.engine.page(status, None, 10).instances]

    assert (ids(WorkflowStatus.WAITING), ids(WorkflowStatus.PENDING)) == ([waiting], [pending])
    assert ids(WorkflowStatus.FAILED) == []


def test_what_ended_long_ago_is_forgotten_with_all_that_belongs_to_it(rig: Rig) -> None:
    ended = rig.start(done("a"), {"action": "complete", "output": 1})
    rig.engine.send(ended, "never", Raw(b"1"))
    rig.work()
    rig.clock.now_ms += 10
    running = rig.start(WAIT)
    rig.work()

    assert rig.instances.forget(rig.clock.now_ms, 10) == 1
    assert rig.instances.forget(rig.clock.now_ms, 10) == 0

    assert rig.engine.find(ended) is None
    assert rig.find(running).status is WorkflowStatus.WAITING
    with rig.store.tables.reading() as statements:
        for table in ("_pylon_workflow_steps", "_pylon_workflow_events"):
            assert statements.one(f"SELECT count(*) FROM {table}") == (0,)


def test_a_busy_database_is_no_failure(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.start()
    (claimed,) = rig.jobs.claim("w", 1)

    def busy(*_: object) -> None:
        raise DataError("NOT_AVAILABLE", "busy")

    monkeypatch.setattr(rig.instances, "change", busy)
    with pytest.raises(NotNow):
        rig.engine.carry_on(Attempt(claimed, rig.clock.monotonic() + 60, rig.jobs))


@pytest.mark.parametrize("threads", [8])
def test_an_event_at_the_moment_it_is_waited_for_is_never_lost(rig: Rig, threads: int) -> None:
    """Real threads: the one that begins to wait and the one that sends meet in the database."""
    end = {"action": "complete", "output": 1}
    ids = [rig.start(lambda instance: end if instance.current_step else WAIT) for _ in range(threads)]
    barrier = threading.Barrier(2 * threads)
    failures: list[BaseException] = []

    def at_once(act: Callable[[], object]) -> None:
        barrier.wait()
        try:
            act()
        except BaseException as error:  # noqa: BLE001 - the test tells
            failures.append(error)

    acts: list[Callable[[], object]] = [
        *(lambda of=of: rig.engine.send(of, "ok", Raw(b"1")) for of in ids),
        *(lambda number=number: rig.work(f"w{number}") for number in range(threads)),
    ]
    crowd = [threading.Thread(target=at_once, args=(act,)) for act in acts]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join(30)
    while rig.work() is not None:
        pass

    assert failures == []
    assert {rig.find(workflow_id).status for workflow_id in ids} == {WorkflowStatus.COMPLETED}
