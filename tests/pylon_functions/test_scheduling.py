"""``ctx.scheduler``: jobs that exist if and only if what asked for them took place (contract 07 §8)."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pylon_auth.context import ADMIN, ANONYMOUS, AuthContext
from pylon_core import jsontext
from pylon_core.errors import PylonError
from pylon_functions.identity import decode_identity, encode_identity, without_admin
from pylon_http.jobs import LATEST_MS, JobPriority, JobStatus, NewJob
from tests.pylon_functions.job_rig import NOW_MS, Rig
from tests.pylon_functions.scripted_child import Frame

RETURN: Frame = {"type": "return", "value": None}
SCHEDULE: Frame = {"type": "schedule", "op_id": "s", "fn_name": "later", "args": {"n": 1}}
ALICE = AuthContext("alice", is_guest=False, roles=("editor",), tenant_id="acme", session_id="s1")


@pytest.fixture
def rig() -> Iterator[Rig]:
    made = Rig()
    yield made
    made.store.close()


@pytest.mark.parametrize("kind", ["m", "a"])
def test_a_job_is_the_function_with_its_arguments(rig: Rig, kind: str) -> None:
    (answer,) = rig.answers(kind, {**SCHEDULE, "delay_ms": 900}, RETURN)

    (job,) = rig.scheduled()
    assert answer["data"] == {"scheduled": True, "id": job.id}
    assert (job.name, bytes(job.payload), job.queue) == ("later", b'{"n":1}', "functions")
    assert (job.priority, job.max_retries, job.identity) == (JobPriority.NORMAL, 3, None)
    assert job.run_at_ms == NOW_MS + 900


@pytest.mark.parametrize("kind", ["m", "a"])
@pytest.mark.parametrize(
    ("times", "due_ms"),
    [
        ({}, 0),
        ({"delay_ms": 0}, 0),
        ({"delay_ms": 1}, 1),
        ({"delay_ms": 10.5}, 11),
        ({"delay_ms": -5.5}, 0),
        ({"delay_ms": None}, 0),
        ({"delay_ms": 5, "run_at": NOW_MS + 70}, 5),
        ({"run_at": NOW_MS + 70}, 70),
        ({"run_at": NOW_MS + 69.2}, 70),
        ({"run_at": NOW_MS - 70}, 0),
        ({"run_at": -1}, 0),
        ({"run_at": None}, 0),
        ({"run_at": 1e300}, LATEST_MS - NOW_MS),
        ({"delay_ms": 1e300}, LATEST_MS - NOW_MS),
    ],
    ids=str,
)
def test_a_time_is_kept_to_the_millisecond(rig: Rig, kind: str, times: dict[str, Any], due_ms: int) -> None:
    rig.answers(kind, {**SCHEDULE, **times}, RETURN)

    assert [job.run_at_ms - NOW_MS for job in rig.scheduled()] == [due_ms]


def test_a_job_is_never_early(rig: Rig) -> None:
    rig.clock.seconds = 0.0005

    rig.answers("m", {**SCHEDULE, "delay_ms": 1}, RETURN)

    assert [job.run_at_ms - NOW_MS for job in rig.scheduled()] == [2]


@pytest.mark.parametrize("kind", ["m", "a"])
@pytest.mark.parametrize(
    "odd",
    [
        {"delay_ms": "soon"},
        {"delay_ms": True},
        {"delay_ms": [1]},
        {"run_at": {}},
        {"fn_name": 5},
        {"fn_name": ""},
        {"fn_name": None},
        {"as": "admin"},
        {"as": {"user_id": "bob"}},
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused_and_the_call_goes_on(rig: Rig, kind: str, odd: dict[str, Any]) -> None:
    (answer,) = rig.answers(kind, {**SCHEDULE, **odd}, RETURN)

    assert answer["error"]["code"] == "SCHEDULE_FAILED"
    assert rig.scheduled() == []


def test_missing_arguments_are_an_empty_object(rig: Rig) -> None:
    rig.answers("m", {"type": "schedule", "fn_name": "later"}, RETURN)

    assert [bytes(job.payload) for job in rig.scheduled()] == [b"{}"]


def test_a_mutation_that_fails_schedules_nothing(rig: Rig) -> None:
    with pytest.raises(PylonError):
        rig.answers("m", SCHEDULE, {"type": "error", "code": "X", "message": "x"})

    assert rig.scheduled() == []


def test_an_action_that_fails_has_scheduled_what_it_did(rig: Rig) -> None:
    with pytest.raises(PylonError):
        rig.answers("a", SCHEDULE, {"type": "error", "code": "X", "message": "x"})

    assert len(rig.scheduled()) == 1


@pytest.mark.parametrize("kind", ["m", "a"])
def test_a_job_that_waits_can_be_cancelled_once(rig: Rig, kind: str) -> None:
    job_id = rig.jobs.enqueue(NewJob(name="later", run_at_ms=NOW_MS + 1000))
    cancel: Frame = {"type": "cancel_schedule", "schedule_id": job_id}

    answers = rig.answers(kind, cancel, cancel, RETURN)

    assert [answer["data"] for answer in answers] == [{"cancelled": True}, {"cancelled": False}]
    assert rig.jobs.find(job_id).status is JobStatus.CANCELLED  # type: ignore[union-attr]  # it is there


@pytest.mark.parametrize("schedule_id", ["job_77", "pending:later", 5, None, ["job_1"]], ids=str)
def test_a_job_that_is_none_is_not_cancelled(rig: Rig, schedule_id: Any) -> None:
    (answer,) = rig.answers("m", {"type": "cancel_schedule", "schedule_id": schedule_id}, RETURN)

    assert answer["data"] == {"cancelled": False}


def test_a_mutation_that_fails_cancels_nothing(rig: Rig) -> None:
    job_id = rig.jobs.enqueue(NewJob(name="later", run_at_ms=NOW_MS + 1000))
    failure: Frame = {"type": "error", "code": "X", "message": "x"}

    with pytest.raises(PylonError):
        rig.answers("m", {"type": "cancel_schedule", "schedule_id": job_id}, failure)

    assert [job.status for job in rig.scheduled()] == [JobStatus.PENDING]


@pytest.mark.parametrize("kind", ["m", "a"])
@pytest.mark.parametrize(
    ("auth", "runs_as"),
    [
        (ALICE, AuthContext("alice", roles=("editor",), tenant_id="acme")),
        (AuthContext("guest_1", is_guest=True), AuthContext("guest_1", is_guest=True)),
        (ADMIN, ANONYMOUS),
        (AuthContext("boss", is_admin=True, roles=("admin",)), AuthContext("boss")),
        (ANONYMOUS, ANONYMOUS),
    ],
    ids=["user", "guest", "admin token", "admin who is a user", "nobody"],
)
def test_a_job_runs_as_its_scheduler_only_when_asked(
    rig: Rig, kind: str, auth: AuthContext, runs_as: AuthContext
) -> None:
    rig.answers(kind, {**SCHEDULE, "as": "caller"}, SCHEDULE, RETURN, auth=auth)

    asked, plain = rig.scheduled()
    assert decode_identity(asked.identity) == runs_as
    assert decode_identity(plain.identity) is ANONYMOUS


def refusal(rig: Rig, fn_name: str, args: Any) -> str:
    frame = {**SCHEDULE, "fn_name": fn_name, "args": args, "delay_ms": 0}
    (answer,) = rig.answers("a", frame, RETURN)
    return str(answer["error"]["code"] if isinstance(answer.get("error"), dict) else answer.get("code"))


START, EVENT, CANCEL = (f"pylon.workflow.{what}" for what in ("start", "event", "cancel"))
WF = "wf_0123456789abcdef"


@pytest.mark.parametrize(
    ("fn_name", "args", "code"),
    [
        (START, {"id": "order-1", "name": "order"}, "WORKFLOW_START_FAILED"),
        (START, {"id": "wf_0123456789ABCDEF", "name": "order"}, "WORKFLOW_START_FAILED"),
        (START, {"id": WF + "\n", "name": "order"}, "WORKFLOW_START_FAILED"),
        (START, {"id": WF, "name": ""}, "WORKFLOW_START_FAILED"),
        (START, {"id": WF, "name": "x" * 201}, "WORKFLOW_START_FAILED"),
        (START, {"id": WF, "name": "a\0b"}, "WORKFLOW_START_FAILED"),
        (START, {"id": WF, "name": 7}, "WORKFLOW_START_FAILED"),
        (EVENT, {"id": WF, "event": "child:x"}, "WORKFLOW_EVENT_FAILED"),
        (EVENT, {"id": "nope", "event": "x"}, "WORKFLOW_EVENT_FAILED"),
        (CANCEL, {"id": "nope"}, "WORKFLOW_CANCEL_FAILED"),
        ("pylon.workflow", {}, "SCHEDULE_FAILED"),
        ("pylon.sweep", {}, "SCHEDULE_FAILED"),
        ("a\0b", {}, "SCHEDULE_FAILED"),
        ("x" * 201, {}, "SCHEDULE_FAILED"),
    ],
)
def test_what_could_never_be_done_is_refused_at_once(rig: Rig, fn_name: str, args: Any, code: str) -> None:
    assert refusal(rig, fn_name, args) == code
    assert rig.scheduled() == []


@given(
    st.builds(
        AuthContext,
        st.text(),
        is_admin=st.booleans(),
        is_guest=st.booleans(),
        roles=st.lists(st.text()).map(tuple),
        tenant_id=st.none() | st.text(),
    )
)
def test_a_kept_identity_is_the_same_user_and_never_the_admin(auth: AuthContext) -> None:
    kept = encode_identity(auth)

    found = decode_identity(kept)

    assert kept is not None
    assert jsontext.decode(bytes(kept))
    assert (found.user_id, found.tenant_id, found.is_admin) == (auth.user_id, auth.tenant_id, False)
    assert auth.is_admin or (found.roles, found.is_guest) == (auth.roles, auth.is_guest)


def test_a_row_that_names_the_administrator_names_nobody() -> None:
    row = msgspec.Raw(b'{"user_id":"__admin__","roles":["admin"],"tenant_id":"acme"}')

    assert decode_identity(row) is ANONYMOUS


@pytest.mark.parametrize(
    ("auth", "runs_as"),
    [
        (ADMIN, ANONYMOUS),
        (AuthContext("__admin__", tenant_id="acme"), ANONYMOUS),
        (
            AuthContext("boss", is_admin=True, roles=("admin",), tenant_id="acme"),
            AuthContext("boss", tenant_id="acme"),
        ),
        (ALICE, ALICE),
        (ANONYMOUS, ANONYMOUS),
    ],
    ids=["admin token", "a user called so", "admin who is a user", "user", "nobody"],
)
def test_whoever_calls_for_another_is_never_the_admin(auth: AuthContext, runs_as: AuthContext) -> None:
    assert without_admin(auth) == runs_as
