"""Background jobs and schedules, for the administrator (contract 14 §5.4, §6.2).

What the contract knows of a job is read as leniently as it asks: a ``priority``, ``max_retries``, ``queue`` or
``delay_secs`` of the wrong type counts as left out. Anything else that makes no sense is refused.
"""

import math
from collections.abc import Mapping
from typing import Any

import msgspec

from pylon_core import jsontext
from pylon_core.clock import seconds_text
from pylon_core.errors import PylonError
from pylon_core.manifest import SERVER_JOBS
from pylon_core.names import name_problem
from pylon_http import Response
from pylon_http.jobs import LATEST_MS, RETRIES_DEFAULT, Job, JobStatus, NewJob, priority_of
from pylon_http.workflows import JOB_KEYS
from pylon_router.context import BackgroundJobs, Call, RouterContext, require_admin
from pylon_router.params import parse_query, whole_number
from pylon_router.table import Route

PAGE_JOBS_DEFAULT = 50
PAGE_JOBS_MAX = 200
DEAD_JOBS_MAX = 1000
RETRIES_MAX = 1000
_STATUSES = {status.value: status for status in JobStatus}


def enqueue(ctx: RouterContext, call: Call) -> Response:
    jobs = _jobs(ctx, call)
    body = jsontext.decode(call.body)
    job = _new_job(body if isinstance(body, dict) else {}, ctx.clock.now_ns() / 1_000_000)
    job_id = jobs.store.enqueue(job)
    status = JobStatus.PENDING
    if job.unique_key is not None and (kept := jobs.store.find(job_id)) is not None:
        status = kept.status
    return Response.json({"id": job_id, "status": status}, 201)


def list_jobs(ctx: RouterContext, call: Call) -> Response:
    jobs = _jobs(ctx, call)
    params = parse_query(call.query)
    limit = whole_number(params, "limit")
    wanted = params.get("status") or None
    status = _STATUSES.get(wanted or "")
    if wanted is not None and status is None:
        return Response.json([])
    queue = params.get("queue") or None
    if queue is not None and name_problem(queue) is not None:
        return Response.json([])
    page = jobs.store.page(
        status,
        queue,
        min(PAGE_JOBS_DEFAULT if limit is None else limit, PAGE_JOBS_MAX),
    )
    return Response.json([to_wire(job) for job in page])


def get_stats(ctx: RouterContext, call: Call) -> Response:
    jobs = _jobs(ctx, call)
    counts = jobs.store.counts()
    dead = counts.get(JobStatus.DEAD, 0)
    return Response.json(
        {
            "pending": counts.get(JobStatus.PENDING, 0) + counts.get(JobStatus.RETRYING, 0),
            "running": counts.get(JobStatus.RUNNING, 0),
            "completed": counts.get(JobStatus.COMPLETED, 0),
            "failed": dead,
            "dead": dead,
            "handlers": jobs.handler_names(),
        }
    )


def list_dead(ctx: RouterContext, call: Call) -> Response:
    return Response.json([to_wire(job) for job in _jobs(ctx, call).store.dead(DEAD_JOBS_MAX)])


def retry_dead(ctx: RouterContext, call: Call) -> Response:
    (job_id,) = call.args
    if not _jobs(ctx, call).store.retry_dead(job_id):
        raise PylonError("NOT_FOUND", f"There is no dead job {job_id!r}.")
    return Response.json({"retried": True, "id": job_id})


def get_job(ctx: RouterContext, call: Call) -> Response:
    return Response.json(to_wire(_find(_jobs(ctx, call), call.args[0])))


def cancel(ctx: RouterContext, call: Call) -> Response:
    jobs = _jobs(ctx, call)
    (job_id,) = call.args
    if not jobs.store.cancel(job_id):
        status = _find(jobs, job_id).status
        raise PylonError("CONFLICT", f"The job is {status}; only one that has not begun can be cancelled.")
    return Response.json({"cancelled": True, "id": job_id})


def list_schedules(ctx: RouterContext, call: Call) -> Response:
    return Response.json(_jobs(ctx, call).schedules())


def trigger(ctx: RouterContext, call: Call) -> Response:
    (name,) = call.args
    if not _jobs(ctx, call).trigger(name):
        raise PylonError("NOT_FOUND", f"There is no schedule {name!r}.")
    return Response.json({"triggered": True, "task": name})


def to_wire(job: Job) -> Mapping[str, Any]:
    return {
        "id": job.id,
        "name": job.name,
        "payload": job.payload,
        "priority": job.priority.name.lower(),
        "status": job.status,
        "max_retries": job.max_retries,
        "retry_count": job.retry_count,
        "created_at": seconds_text(job.created_ms),
        "started_at": seconds_text(job.started_ms),
        "completed_at": seconds_text(job.completed_ms),
        "error": job.error,
        "delay_secs": max(0, job.run_at_ms - job.created_ms) // 1000,
        "queue": job.queue,
        "run_at": job.run_at_ms,
        "progress": job.progress,
        "unique_key": job.unique_key,
    }


def _jobs(ctx: RouterContext, call: Call) -> BackgroundJobs:
    require_admin(call)
    if ctx.jobs is None:
        raise PylonError("NOT_SUPPORTED", "There are no background jobs here.", status=501)
    return ctx.jobs


def _find(jobs: BackgroundJobs, job_id: str) -> Job:
    job = jobs.store.find(job_id)
    if job is None:
        raise PylonError("NOT_FOUND", f"There is no job {job_id!r}.")
    return job


def _new_job(body: Mapping[str, Any], now_ms: float) -> NewJob:
    name = body.get("name")
    if not isinstance(name, str) or not name:
        raise PylonError("MISSING_NAME", "A job needs a name.", hint='{"name": "sendDigest", "payload": {}}')
    _check_name("name of a job", name)
    if name.startswith(SERVER_JOBS):
        raise PylonError("INVALID_ARGS", f'Jobs whose names begin with "{SERVER_JOBS}" are the server\'s own.')
    return NewJob(
        name=name,
        payload=msgspec.Raw(jsontext.encode(body.get("payload", {}))),
        priority=priority_of(body.get("priority")),
        queue=_queue(body.get("queue")),
        max_retries=_retries(body.get("max_retries")),
        run_at_ms=_run_at_ms(body, now_ms),
        unique_key=_unique_key(body.get("unique_key")),
    )


def _run_at_ms(body: Mapping[str, Any], now_ms: float) -> int:
    """Of several the first that is given: ``run_at``, ``delay_ms``, ``delay_secs``. Rounded up, so that nothing is
    early."""
    run_at_ms, delay_ms = _milliseconds(body, "run_at"), _milliseconds(body, "delay_ms")
    if run_at_ms is not None:
        return run_at_ms
    if delay_ms is None:
        delay_ms = _seconds_ms(body.get("delay_secs"))
    return min(math.ceil(now_ms) + delay_ms, LATEST_MS) if delay_ms else 0


def _milliseconds(body: Mapping[str, Any], member: str) -> int | None:
    if body.get(member) is None:
        return None
    value = _number(body[member])
    if value is None or not 0 <= value <= LATEST_MS:
        raise PylonError("INVALID_ARGS", f'"{member}" of a job is a number of milliseconds, 0 to {LATEST_MS}.')
    return math.ceil(value)


def _seconds_ms(given: Any) -> int:
    value = _number(given)
    return 0 if value is None else math.ceil(1000 * min(max(value, 0), LATEST_MS))


def _retries(given: Any) -> int:
    value = _number(given)
    if value is None or value < 0 or value % 1:
        return RETRIES_DEFAULT
    return int(min(value, RETRIES_MAX))


def _number(value: Any) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _queue(value: Any) -> str:
    if not isinstance(value, str) or not value:
        return "default"
    _check_name('"queue" of a job', value)
    return value


def _unique_key(value: Any) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise PylonError("INVALID_ARGS", 'The "unique_key" of a job is a text.')
    _check_name('"unique_key" of a job', value)
    if value.startswith(JOB_KEYS):
        message = f'A "unique_key" that begins with "{JOB_KEYS}" is the server\'s own.'
        raise PylonError("INVALID_ARGS", message)
    return value


def _check_name(what: str, text: str) -> None:
    if (problem := name_problem(text)) is not None:
        raise PylonError("INVALID_ARGS", f"The {what} {problem}.")


ROUTES = (
    Route("POST", "/api/jobs", enqueue),
    Route("GET", "/api/jobs", list_jobs),
    Route("GET", "/api/jobs/stats", get_stats),
    Route("GET", "/api/jobs/dead", list_dead),
    Route("POST", "/api/jobs/dead/<id>/retry", retry_dead),
    Route("GET", "/api/jobs/<id>", get_job),
    Route("POST", "/api/jobs/<id>/cancel", cancel),
    Route("GET", "/api/scheduler", list_schedules),
    Route("POST", "/api/scheduler/trigger/<name>", trigger),
)
