"""The routes of background jobs and schedules."""

from collections.abc import Mapping

from pylon_http.jobs import JobPriority, JobStatus
from pylon_router.openapi.operation import Operation, Parameter
from pylon_router.openapi.schema import (
    ANYTHING,
    BOOLEAN,
    INTEGER,
    STRING,
    YES,
    Schema,
    array,
    nullable,
    one_of,
    partial_record,
    whole,
)

TAG = "jobs"

_PRIORITY = one_of(*(priority.name.lower() for priority in JobPriority))
_STATUS = one_of(*JobStatus)
_JOB = whole(
    id=STRING,
    name=STRING,
    payload=ANYTHING,
    priority=_PRIORITY,
    status=_STATUS,
    max_retries=INTEGER,
    retry_count=INTEGER,
    created_at=STRING,
    started_at=nullable(STRING),
    completed_at=nullable(STRING),
    error=nullable(STRING),
    delay_secs=INTEGER,
    queue=STRING,
    run_at=INTEGER,
    progress=ANYTHING,
    unique_key=nullable(STRING),
)
_NEW_JOB = partial_record(
    {
        "name": STRING,
        "payload": ANYTHING,
        "priority": _PRIORITY,
        "queue": STRING,
        "max_retries": INTEGER,
        "delay_secs": INTEGER,
        "delay_ms": INTEGER,
        "run_at": INTEGER,
        "unique_key": STRING,
    },
    ("name",),
)
_STATS = whole(
    pending=INTEGER, running=INTEGER, completed=INTEGER, failed=INTEGER, dead=INTEGER, handlers=array(STRING)
)
_SCHEDULE = whole(
    name=STRING,
    enabled=BOOLEAN,
    last_run=nullable(INTEGER),
    next_run=nullable(INTEGER),
    cron=STRING,
    timezone=STRING,
    function=STRING,
)
_PAGE = (
    Parameter("status", STRING, "Only jobs of this status."),
    Parameter("queue", STRING, "Only jobs with this label."),
    Parameter("limit", INTEGER, "How many: 50, at most 200."),
)


def job_operations() -> Mapping[tuple[str, str], Operation]:
    return {
        ("POST", "/api/jobs"): Operation(
            summary="Have something done in the background.",
            tag=TAG,
            body=_NEW_JOB,
            answers={201: whole(id=STRING, status=_STATUS)},
            refusals=(409, 501),
            admin=True,
        ),
        ("GET", "/api/jobs"): _read("Jobs that wait, run or have ended, without the dead.", array(_JOB), _PAGE),
        ("GET", "/api/jobs/stats"): _read("How many jobs there are, and what they may be.", _STATS),
        ("GET", "/api/jobs/dead"): _read("Jobs that have failed for good, oldest first.", array(_JOB)),
        ("POST", "/api/jobs/dead/<id>/retry"): _act(
            "Have a dead job begin anew.", whole(retried=YES, id=STRING), 409
        ),
        ("GET", "/api/jobs/<id>"): _read("One job.", _JOB),
        ("POST", "/api/jobs/<id>/cancel"): _act(
            "End a job that has not begun.", whole(cancelled=YES, id=STRING), 409
        ),
        ("GET", "/api/scheduler"): _read("What is done by the clock.", array(_SCHEDULE)),
        ("POST", "/api/scheduler/trigger/<name>"): _act(
            "Do now what is done by the clock.", whole(triggered=YES, task=STRING)
        ),
    }


def _read(summary: str, answer: Schema, query: tuple[Parameter, ...] = ()) -> Operation:
    return Operation(summary=summary, tag=TAG, query=query, answers={200: answer}, refusals=(501,), admin=True)


def _act(summary: str, answer: Schema, *refusals: int) -> Operation:
    return Operation(summary=summary, tag=TAG, answers={200: answer}, refusals=(*refusals, 501), admin=True)
