"""The routes of background jobs and schedules."""

from collections.abc import Mapping
from functools import partial

from pylon_http.jobs import LATEST_MS, JobPriority, JobStatus
from pylon_router.openapi.operation import Operation, Parameter, for_admin
from pylon_router.openapi.schema import (
    ANYTHING,
    BOOLEAN,
    INTEGER,
    NUMBER,
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
_MILLISECONDS: Schema = {"type": "number", "minimum": 0, "maximum": LATEST_MS}
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
        "delay_secs": NUMBER,
        "delay_ms": _MILLISECONDS,
        "run_at": _MILLISECONDS,
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


_of_admin = partial(for_admin, TAG)


def job_operations() -> Mapping[tuple[str, str], Operation]:
    return {
        ("POST", "/api/jobs"): _of_admin(
            "Have something done in the background.",
            whole(id=STRING, status=_STATUS),
            status=201,
            body=_NEW_JOB,
            refusals=(409, 501),
        ),
        ("GET", "/api/jobs"): _of_admin(
            "Jobs that wait, run or have ended, without the dead.", array(_JOB), query=_PAGE, refusals=(501,)
        ),
        ("GET", "/api/jobs/stats"): _of_admin(
            "How many jobs there are, and what they may be.", _STATS, refusals=(501,)
        ),
        ("GET", "/api/jobs/dead"): _of_admin(
            "Jobs that have failed for good, oldest first.", array(_JOB), refusals=(501,)
        ),
        ("POST", "/api/jobs/dead/<id>/retry"): _of_admin(
            "Have a dead job begin anew.", whole(retried=YES, id=STRING), refusals=(409, 501)
        ),
        ("GET", "/api/jobs/<id>"): _of_admin("One job.", _JOB, refusals=(501,)),
        ("POST", "/api/jobs/<id>/cancel"): _of_admin(
            "End a job that has not begun.", whole(cancelled=YES, id=STRING), refusals=(409, 501)
        ),
        ("GET", "/api/scheduler"): _of_admin("What is done by the clock.", array(_SCHEDULE), refusals=(501,)),
        ("POST", "/api/scheduler/trigger/<name>"): _of_admin(
            "Do now what is done by the clock.", whole(triggered=YES, task=STRING), refusals=(501,)
        ),
    }
