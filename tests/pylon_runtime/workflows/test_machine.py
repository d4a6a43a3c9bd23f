"""The transitions of a workflow, one by one: contract 09 §5.4 and §6."""

from typing import Any

import pytest
from msgspec import Raw
from msgspec.structs import replace

from pylon_http.workflows import (
    StepStatus,
    Transition,
    WorkflowEvent,
    WorkflowInstance,
    WorkflowStatus,
)
from pylon_runtime.workflows.answers import parse_answer, parse_duration
from pylon_runtime.workflows.machine import answered, cancelled, child_id, woken

NOW_MS = 1_767_225_600_000
FRESH = WorkflowInstance(id="wf_0f3a91c25d7e4b18", name="onboard", input=Raw(b"{}"), created_ms=NOW_MS - 5)


def after(instance: WorkflowInstance, answer: Any, *events: WorkflowEvent, now_ms: int = NOW_MS) -> Transition:
    return answered(instance, parse_answer(answer), events, now_ms)


def test_a_completed_step_is_recorded_and_counted() -> None:
    done = {"action": "step_complete", "step_name": "a", "output": {"sent": True}, "duration_ms": 120}

    transition = after(FRESH, done)
    second = after(transition.instance, {**done, "step_name": "b"})

    (record,) = transition.records
    assert (record.name, record.status, bytes(record.output)) == ("a", StepStatus.COMPLETED, b'{"sent":true}')
    assert record.duration_ms == 120
    assert transition.instance.status is WorkflowStatus.RUNNING
    assert transition.instance.started_ms == NOW_MS
    assert [step.name for step in second.instance.steps] == ["a", "b"]
    assert second.instance.current_step == 2


def test_a_sleep_ends_at_its_time_and_leaves_no_record() -> None:
    asleep = after(FRESH, {"action": "sleep", "duration": "1h"})
    sleeping = asleep.instance
    wake_ms = NOW_MS + 3_600_000

    assert (sleeping.status, sleeping.wake_ms, sleeping.current_step) == (WorkflowStatus.SLEEPING, wake_ms, 1)
    assert asleep.records == ()
    assert asleep.resume_ms == wake_ms
    assert woken(sleeping, (), wake_ms - 1) is None
    woke = woken(sleeping, (), wake_ms)
    assert woke is not None
    assert (woke.instance.status, woke.instance.wake_ms) == (WorkflowStatus.RUNNING, None)


def test_an_event_ends_the_wait_for_it() -> None:
    waiting = after(FRESH, {"action": "wait_event", "event": "ok"}).instance
    other, event = WorkflowEvent(1, "no", Raw(b"1")), WorkflowEvent(2, "ok", Raw(b'{"by":"me"}'))

    assert (waiting.status, waiting.waiting_for, waiting.current_step) == (WorkflowStatus.WAITING, "ok", 0)
    assert woken(waiting, (other,), NOW_MS) is None
    woke = woken(waiting, (other, event), NOW_MS)

    assert woke is not None
    assert woke.taken == (2,)
    assert (woke.instance.status, woke.instance.waiting_for) == (WorkflowStatus.RUNNING, None)
    assert (woke.instance.current_step, woke.instance.steps[-1].name) == (1, "event:ok")
    assert bytes(woke.instance.steps[-1].output) == b'{"by":"me"}'


def test_an_event_that_came_first_is_taken_at_once() -> None:
    transition = after(FRESH, {"action": "wait_event", "event": "ok"}, WorkflowEvent(7, "ok", Raw(b"1")))

    assert transition.taken == (7,)
    assert transition.instance.status is WorkflowStatus.RUNNING
    assert transition.instance.waiting_for is None


def test_a_wait_with_a_limit_ends_without_its_event() -> None:
    waiting = after(FRESH, {"action": "wait_event", "event": "ok", "timeout": "5m"})

    assert waiting.resume_ms == NOW_MS + 300_000
    assert woken(waiting.instance, (), NOW_MS + 299_999) is None
    woke = woken(waiting.instance, (), NOW_MS + 300_000)
    assert woke is not None
    assert (woke.records[0].name, woke.records[0].status) == ("event:ok", StepStatus.SKIPPED)
    assert woke.instance.wake_ms is None


def test_the_last_answer_ends_it() -> None:
    ended = after(FRESH, {"action": "complete", "output": [1]}).instance

    assert (ended.status, bytes(ended.output), ended.completed_ms) == (WorkflowStatus.COMPLETED, b"[1]", NOW_MS)
    assert cancelled(ended, NOW_MS) is None


def test_a_step_is_tried_as_often_as_it_may_then_the_workflow_fails() -> None:
    instance = replace(FRESH, max_retries=3, current_step=2)
    pauses = []
    for attempt in range(1, 4):
        transition = after(instance, {"action": "fail", "step_name": "a", "error": f"no {attempt}"})
        instance = transition.instance
        assert instance.status is WorkflowStatus.RUNNING
        assert (instance.steps[-1].retry_count, instance.steps[-1].error) == (attempt, f"no {attempt}")
        assert transition.resume_ms is not None
        pauses.append(transition.resume_ms - NOW_MS)
    failed = after(instance, {"action": "fail", "step_name": "a", "error": "last"}).instance

    assert (failed.status, failed.error, failed.current_step) == (WorkflowStatus.FAILED, "last", 2)
    assert len(failed.steps) == 3
    assert 500 <= pauses[0] <= 1_000 < pauses[2] <= 4_000


def test_failures_of_another_step_do_not_count() -> None:
    instance = replace(FRESH, max_retries=1)
    instance = after(instance, {"action": "fail", "step_name": "a", "error": "x"}).instance

    assert after(instance, {"action": "fail", "step_name": "b", "error": "x"}).instance.status == "Running"
    assert after(instance, {"action": "fail", "step_name": "a", "error": "x"}).instance.status == "Failed"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ({}, "Unknown error"),
        ([], "Unknown error"),
        (None, "Unknown error"),
        ({"action": 7}, "Unknown error"),
        ({"action": "fail"}, "Unknown error"),
        ({"action": "sleep", "duration": "1.5h"}, "'1.5h' is no duration"),
        ({"action": "wait_event", "event": "x", "timeout": "soon"}, "'soon' is no duration"),
    ],
)
def test_an_answer_that_makes_no_sense_is_a_failure(answer: Any, error: str) -> None:
    failed = after(replace(FRESH, max_retries=0), answer).instance

    assert (failed.status, failed.error) == (WorkflowStatus.FAILED, error)


def test_an_action_nobody_knows_changes_nothing_but_the_start() -> None:
    transition = after(FRESH, {"action": "dance"})

    reason = "Unknown action: dance"
    assert transition.instance == replace(FRESH, started_ms=NOW_MS, stalled=reason, stalls=1, version=1)
    assert transition.resume_ms is not None


def test_a_child_is_waited_for_and_its_end_is_news_for_the_parent() -> None:
    transition = after(FRESH, {"action": "child", "workflow": "ship", "input": {"to": "x"}})
    (child,), parent = transition.children, transition.instance
    (news,) = after(child, {"action": "complete", "output": 9}).sent
    event = WorkflowEvent(1, news.name, news.data)
    woke = woken(parent, (event,), NOW_MS)

    assert (child.id, child.name, child.parent_id, bytes(child.input)) == (
        child_id(FRESH),
        "ship",
        FRESH.id,
        b'{"to":"x"}',
    )
    assert (parent.status, news.workflow_id) == (WorkflowStatus.WAITING, FRESH.id)
    assert woke is not None
    assert woke.records[0].name == "child:ship"
    assert bytes(woke.records[0].output) == b'{"status":"Completed","output":9,"error":null}'


def test_a_cancelled_child_is_news_as_well() -> None:
    transition = cancelled(replace(FRESH, parent_id="wf_parent"), NOW_MS)

    assert transition is not None
    assert transition.instance.status is WorkflowStatus.CANCELLED
    assert transition.sent[0].workflow_id == "wf_parent"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30),
        ("5m", 300),
        ("24h", 86_400),
        ("7d", 604_800),
        ("60", 60),
        ("  10s  ", 10),
        ("abc", None),
        ("500ms", None),
        ("1 h", None),
        ("", None),
        (60, None),
        ("-1s", None),
        ("36500d", 3_153_600_000),
        ("36501d", None),
    ],
)
def test_durations(text: Any, seconds: int | None) -> None:
    assert parse_duration(text) == seconds
