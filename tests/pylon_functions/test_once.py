"""Calls that are repeated until somebody knows that they took place: jobs, and the steps of workflows."""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from pylon_core import jsontext
from pylon_core.errors import PylonError
from pylon_functions.invocation import OnceScope
from pylon_functions.registry import FunctionKind
from pylon_http import JobLost
from pylon_http.jobs import JobStatus
from tests.pylon_functions.job_rig import KINDS, Claimed, Rig
from tests.pylon_functions.scripted_child import Frame, Script, ScriptedChild, by_name, saying, silent

RETURN: Frame = {"type": "return", "value": None}
FAIL: Frame = {"type": "error", "code": "X", "message": "x"}
_rows = itertools.count()
STEP = OnceScope("workflow:wf_1", "step:3")


def insert(title: str) -> Frame:
    return {"type": "db", "op_id": "1", "op": "insert", "entity": "Lot", "data": {"title": title}}


@pytest.fixture
def rig() -> Iterator[Rig]:
    made = Rig()
    yield made
    made.store.close()


@pytest.mark.parametrize("frames", [(insert("t"), RETURN), (RETURN,)], ids=["writes", "does nothing"])
def test_a_mutation_completes_its_job_in_its_transaction(rig: Rig, frames: tuple[Frame, ...]) -> None:
    job = Claimed(rig)

    rig.run(ScriptedChild(saying(*frames), **KINDS), "m", claim=job.claim)

    assert job.status is JobStatus.COMPLETED


def test_a_mutation_whose_job_is_not_its_own_any_more_leaves_nothing(rig: Rig) -> None:
    job = Claimed(rig)
    assert rig.jobs.complete(job.claim)

    with pytest.raises(JobLost):
        rig.run(ScriptedChild(saying(insert("t"), RETURN), **KINDS), "m", claim=job.claim)

    assert rig.titles() == []


def test_a_mutation_that_fails_leaves_its_job_to_its_worker(rig: Rig) -> None:
    job = Claimed(rig)

    with pytest.raises(PylonError):
        rig.run(ScriptedChild(saying(insert("t"), FAIL), **KINDS), "m", claim=job.claim)

    assert job.status is JobStatus.RUNNING


@pytest.mark.parametrize("kind", ["q", "a"])
def test_a_job_of_another_kind_is_for_its_worker_to_complete(rig: Rig, kind: str) -> None:
    job = Claimed(rig)

    rig.run(ScriptedChild(saying(RETURN), **KINDS), kind, claim=job.claim)

    assert job.status is JobStatus.RUNNING


def action(*asks: Frame, end: Frame | None = None) -> Script:
    """Asks one thing after the other and returns, or ends with, what it was answered."""

    def script(child: ScriptedChild, heard: Frame) -> None:
        call_id = heard["call_id"]
        answers = [frame for frame in child.heard if frame["type"] == "result" and frame["call_id"] == call_id]
        if len(answers) < len(asks):
            child.say({**asks[len(answers)], "op_id": f"{len(answers)}", "call_id": call_id})
            return
        values = [answer.get("data", answer.get("error", {}).get("code")) for answer in answers]
        child.say({**(end or {"type": "return", "value": values}), "call_id": call_id})

    return script


def mutation(*returns: object) -> Script:
    """Inserts a row and returns the next of these each time it is called, and fails after the last."""
    values = iter(returns)

    def script(child: ScriptedChild, heard: Frame) -> None:
        call_id = heard["call_id"]
        if heard["type"] == "call":
            child.say({**insert(f"row {next(_rows)}"), "call_id": call_id})
            value = next(values, None)
            ending = FAIL if value is None else {"type": "return", "value": value}
            child.say({**ending, "call_id": call_id})

    return script


RUN: Frame = {"type": "run_fn", "fn_name": "m", "fn_type": "mutation"}
SCHEDULE: Frame = {"type": "schedule", "fn_name": "later"}


def value_of(rig: Rig, child: ScriptedChild, once: OnceScope | None = STEP) -> Any:
    return jsontext.decode(bytes(rig.run(child, "w", kind=FunctionKind.WORKFLOW, once=once)))


def test_what_a_repeated_call_runs_takes_place_once(rig: Rig) -> None:
    first = ScriptedChild(by_name(w=action(RUN, RUN, end=FAIL), m=mutation({"a": 1}, [2])), **KINDS)
    with pytest.raises(PylonError):
        value_of(rig, first)
    second = ScriptedChild(by_name(w=action(RUN, RUN), m=mutation("again")), **KINDS)

    assert value_of(rig, second) == [{"a": 1}, [2]]

    assert second.calls() == ["w"]
    assert len(rig.titles()) == 2


def test_what_was_not_reached_the_first_time_takes_place_the_second(rig: Rig) -> None:
    value_of(rig, ScriptedChild(by_name(w=action(RUN), m=mutation(1)), **KINDS))
    second = ScriptedChild(by_name(w=action(RUN, RUN), m=mutation(2)), **KINDS)

    assert value_of(rig, second) == [1, 2]
    assert len(rig.titles()) == 2


def test_what_failed_is_not_remembered(rig: Rig) -> None:
    assert value_of(rig, ScriptedChild(by_name(w=action(RUN), m=mutation()), **KINDS)) == ["X"]

    assert value_of(rig, ScriptedChild(by_name(w=action(RUN), m=mutation(2)), **KINDS)) == [2]
    assert len(rig.titles()) == 1


def test_another_mutation_in_the_place_of_one_that_failed_is_not_answered_for_it(rig: Rig) -> None:
    def run(name: str) -> Frame:
        return {**RUN, "fn_name": name}

    kinds = {**KINDS, "charge": "mutation", "note": "mutation", "ship": "mutation"}
    failing = by_name(w=action(run("charge"), run("note"), end=FAIL), charge=mutation(), note=mutation("noted"))
    with pytest.raises(PylonError):
        value_of(rig, ScriptedChild(failing, **kinds))
    going = by_name(w=action(run("charge"), run("ship")), charge=mutation("charged"), ship=mutation("shipped"))
    second = ScriptedChild(going, **kinds)

    assert value_of(rig, second) == ["charged", "shipped"]
    assert second.calls() == ["w", "charge", "ship"]
    assert len(rig.titles()) == 3


@pytest.mark.parametrize(
    "other", [OnceScope("workflow:wf_2", "step:3"), OnceScope("workflow:wf_1", "step:4"), None], ids=str
)
def test_another_step_and_a_call_that_may_repeat_are_others(rig: Rig, other: OnceScope | None) -> None:
    value_of(rig, ScriptedChild(by_name(w=action(RUN), m=mutation(1)), **KINDS))

    assert value_of(rig, ScriptedChild(by_name(w=action(RUN), m=mutation(2)), **KINDS), other) == [2]
    assert len(rig.titles()) == 2


def test_a_job_of_a_repeated_call_is_the_same_job_even_when_it_has_ended(rig: Rig) -> None:
    (first,) = value_of(rig, ScriptedChild(action(SCHEDULE), **KINDS))
    (claimed,) = rig.jobs.claim("worker", 1)
    assert rig.jobs.complete(claimed.claim)

    assert value_of(rig, ScriptedChild(action(SCHEDULE), **KINDS)) == [first]
    assert len(rig.scheduled()) == 1


def test_two_jobs_of_one_call_are_two(rig: Rig) -> None:
    first, second = value_of(rig, ScriptedChild(action(SCHEDULE, SCHEDULE), **KINDS))

    assert first["id"] != second["id"]


def test_a_mutation_itself_takes_place_once_and_completes_the_job_it_is(rig: Rig) -> None:
    rig.run(ScriptedChild(by_name(m=mutation("done")), **KINDS), "m", once=STEP)
    job = Claimed(rig)
    unasked = ScriptedChild(silent, **KINDS)

    value = rig.run(unasked, "m", once=STEP, claim=job.claim)

    assert bytes(value) == b'"done"'
    assert (unasked.calls(), len(rig.titles()), job.status) == ([], 1, JobStatus.COMPLETED)
