"""``/api/jobs`` and ``/api/scheduler``: shapes as the contract has them (14 §5.4, §6.2), for the administrator."""

from typing import Any, NamedTuple
from urllib.parse import quote

import msgspec
import pytest

from pylon_functions.invocation import Invocation, Origin
from pylon_functions.registry import FunctionDefinition, FunctionKind
from pylon_runtime.jobs import BackgroundJobs, Task
from tests.support.data_api import IDENTITIES, Answer, DataApi
from tests.support.job_stores import EVERY_MINUTE, NOW_MS, MovedClock, background_jobs


class NoCalls:
    def definitions(self) -> list[FunctionDefinition]:
        return [FunctionDefinition("sendMail", FunctionKind.ACTION)]

    def find(self, name: str, *, origin: Origin) -> FunctionDefinition:
        raise AssertionError("no job runs here")

    def run(self, invocation: Invocation) -> msgspec.Raw:
        raise AssertionError("no job runs here")


class Desk(NamedTuple):
    api: DataApi
    jobs: BackgroundJobs
    clock: MovedClock

    def send(self, method: str, path: str, body: Any = None) -> Answer:
        return self.api.send(method, path, "admin", body)

    def add(self, **body: Any) -> str:
        answer = self.send("POST", "/api/jobs", {"name": "work", **body})
        assert answer.status == 201
        return str(answer.json["id"])

    def shown(self, job_id: str) -> Any:
        return self.send("GET", f"/api/jobs/{job_id}").json


@pytest.fixture
def desk(api: DataApi) -> Desk:
    clock = MovedClock()
    jobs = background_jobs(api.store.tables, NoCalls(), clock, (Task("tick", EVERY_MINUTE, "sendMail"),))
    jobs.handlers.register("pylon.sweep", lambda _attempt: None)
    api.reconfigure(jobs=jobs, clock=clock)
    return Desk(api, jobs, clock)


def test_a_job_is_shown_as_it_was_asked_for(desk: Desk) -> None:
    answer = desk.send("POST", "/api/jobs", {"name": "sendDigest", "payload": {"userId": "u1"}, "delay_secs": 2})

    assert (answer.status, answer.json) == (201, {"id": "job_1", "status": "pending"})
    shown = desk.shown("job_1")
    assert shown == {
        "id": "job_1",
        "name": "sendDigest",
        "payload": {"userId": "u1"},
        "priority": "normal",
        "status": "pending",
        "max_retries": 3,
        "retry_count": 0,
        "created_at": f"{NOW_MS // 1000}Z",
        "started_at": None,
        "completed_at": None,
        "error": None,
        "delay_secs": 2,
        "queue": "default",
        "run_at": NOW_MS + 2000,
        "progress": None,
        "unique_key": None,
    }
    assert list(shown)[-3:] == ["run_at", "progress", "unique_key"]


@pytest.mark.parametrize(
    ("body", "member", "value"),
    [
        ({"priority": "CRITICAL"}, "priority", "critical"),
        ({"priority": "urgent"}, "priority", "normal"),
        ({"priority": 3}, "priority", "normal"),
        ({"max_retries": 0}, "max_retries", 0),
        ({"max_retries": -1}, "max_retries", 3),
        ({"max_retries": True}, "max_retries", 3),
        ({"max_retries": 1 << 60}, "max_retries", 1000),
        ({"queue": "mail"}, "queue", "mail"),
        ({"queue": ["mail"]}, "queue", "default"),
        ({"payload": None}, "payload", None),
        ({}, "payload", {}),
        ({"delay_secs": "2"}, "run_at", NOW_MS),
        ({"delay_ms": 250, "delay_secs": 9}, "run_at", NOW_MS + 250),
        ({"run_at": NOW_MS + 7, "delay_ms": 250}, "run_at", NOW_MS + 7),
        ({"run_at": NOW_MS + 6.5}, "run_at", NOW_MS + 7),
        ({"run_at": 5}, "run_at", NOW_MS),
        ({"run_at": 0, "delay_ms": 250}, "run_at", NOW_MS),
        ({"run_at": None, "delay_ms": None, "delay_secs": 1}, "run_at", NOW_MS + 1000),
        ({"run_at": 8.64e15}, "run_at", 8_640_000_000_000_000),
        ({"delay_ms": 600.0}, "run_at", NOW_MS + 600),
        ({"delay_ms": 0.5}, "run_at", NOW_MS + 1),
        ({"delay_ms": 8_640_000_000_000_000}, "run_at", 8_640_000_000_000_000),
        ({"delay_ms": 0, "delay_secs": 9}, "run_at", NOW_MS),
        ({"delay_secs": 600.0}, "run_at", NOW_MS + 600_000),
        ({"delay_secs": 0.0015}, "run_at", NOW_MS + 2),
        ({"delay_secs": -5}, "run_at", NOW_MS),
        ({"delay_secs": True}, "run_at", NOW_MS),
        ({"delay_secs": 1e15}, "run_at", 8_640_000_000_000_000),
        ({"delay_secs": 1e308}, "run_at", 8_640_000_000_000_000),
        ({"max_retries": 5.0}, "max_retries", 5),
        ({"max_retries": 1e300}, "max_retries", 1000),
        ({"max_retries": 2.5}, "max_retries", 3),
        ({"max_retries": "0"}, "max_retries", 3),
        ({"queue": ""}, "queue", "default"),
        ({"delay_secs": 1 << 62}, "run_at", 8_640_000_000_000_000),
        ({"unique_key": "k"}, "unique_key", "k"),
        ({"unique_key": None}, "unique_key", None),
    ],
)
def test_options_are_read_as_leniently_as_the_contract_has_it(
    desk: Desk, body: dict[str, Any], member: str, value: object
) -> None:
    assert desk.shown(desk.add(**body))[member] == value


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "INVALID_JSON"),
        ({}, "MISSING_NAME"),
        ({"name": ""}, "MISSING_NAME"),
        ({"name": 5}, "MISSING_NAME"),
        ([], "MISSING_NAME"),
    ],
)
def test_a_job_without_a_name_is_refused(desk: Desk, body: object, code: str) -> None:
    answer = desk.send("POST", "/api/jobs", body)

    assert (answer.status, answer.code) == (400, code)
    assert desk.send("GET", "/api/jobs").json == []


def test_a_second_job_with_a_unique_key_is_the_first(desk: Desk) -> None:
    first = desk.add(unique_key="k")
    desk.jobs.store.claim("w", 1)

    answer = desk.send("POST", "/api/jobs", {"name": "work", "unique_key": "k"})

    assert (answer.status, answer.json) == (201, {"id": first, "status": "running"})


def test_lists_are_filtered_and_bounded(desk: Desk) -> None:
    for number in range(3):
        desk.add(queue="mail" if number else "default")

    def ids(query: str) -> list[str]:
        return [job["id"] for job in desk.send("GET", f"/api/jobs?{query}").json]

    assert ids("") == ["job_1", "job_2", "job_3"]
    assert ids("queue=mail&limit=1") == ["job_2"]
    assert ids("status=pending&queue=m%61il") == ["job_2", "job_3"]
    assert ids("status=running") == ids("status=failed") == ids("status=dead") == []
    assert ids("limit=0") == []


def test_dead_jobs_are_listed_apart_and_can_be_retried(desk: Desk) -> None:
    job_id = desk.add(max_retries=0)
    desk.jobs.store.fail(desk.jobs.store.claim("w", 1)[0].claim, "BROKEN: no", 0)

    (dead,) = desk.send("GET", "/api/jobs/dead").json
    assert (dead["id"], dead["status"], dead["error"]) == (job_id, "dead", "BROKEN: no")
    assert desk.send("GET", "/api/jobs").json == []
    stats = desk.send("GET", "/api/jobs/stats").json
    assert stats == {
        "pending": 0,
        "running": 0,
        "completed": 0,
        "failed": 1,
        "dead": 1,
        "handlers": ["pylon.sweep", "sendMail"],
    }

    answer = desk.send("POST", f"/api/jobs/dead/{job_id}/retry")

    assert (answer.status, answer.json) == (200, {"retried": True, "id": job_id})
    assert desk.send("GET", "/api/jobs/dead").json == []
    assert desk.shown(job_id)["status"] == "pending"
    assert desk.send("POST", f"/api/jobs/dead/{job_id}/retry").code == "NOT_FOUND"


def test_only_a_job_that_waits_is_cancelled(desk: Desk) -> None:
    waiting, running = desk.add(delay_secs=60), desk.add()
    desk.jobs.store.claim("w", 1)

    answer = desk.send("POST", f"/api/jobs/{waiting}/cancel")

    assert (answer.status, answer.json) == (200, {"cancelled": True, "id": waiting})
    assert desk.shown(waiting)["status"] == "cancelled"
    late = desk.send("POST", f"/api/jobs/{running}/cancel")
    assert (late.status, late.code) == (409, "CONFLICT")
    assert desk.send("POST", "/api/jobs/job_99/cancel").code == "NOT_FOUND"
    assert desk.send("GET", "/api/jobs/nonsense").code == "NOT_FOUND"


def test_the_schedules_are_listed_and_triggered(desk: Desk) -> None:
    (tick,) = desk.send("GET", "/api/scheduler").json
    assert list(tick)[:3] == ["name", "enabled", "last_run"]
    assert (tick["name"], tick["enabled"], tick["last_run"]) == ("tick", True, None)

    answer = desk.send("POST", "/api/scheduler/trigger/tick")

    assert (answer.status, answer.json) == (200, {"triggered": True, "task": "tick"})
    (job,) = desk.send("GET", "/api/jobs").json
    assert (job["name"], job["payload"]["manual_trigger"]) == ("sendMail", True)
    assert desk.send("GET", "/api/scheduler").json[0]["last_run"] is None
    assert desk.send("POST", "/api/scheduler/trigger/nope").code == "NOT_FOUND"


def test_the_administrators_tables_show_jobs_and_schedules(desk: Desk) -> None:
    job_id = desk.add()

    assert desk.send("GET", "/api/admin/ops/jobs").json == [desk.shown(job_id)]
    assert desk.send("GET", "/api/admin/ops/scheduler").json[0]["id"] == "tick"


@pytest.mark.parametrize("member", ["run_at", "delay_ms"])
@pytest.mark.parametrize(
    "value",
    ["600000", "", True, False, [600], {}, -5, -0.5, 8_640_000_000_000_001, 1e16, 10**400],
    ids=lambda value: str(value)[:20],
)
def test_a_time_that_makes_no_sense_is_refused_by_its_name(desk: Desk, member: str, value: object) -> None:
    answer = desk.send("POST", "/api/jobs", {"name": "work", member: value})

    assert (answer.status, answer.code) == (400, "INVALID_ARGS")
    assert f'"{member}"' in answer.json["error"]["message"]
    assert desk.send("GET", "/api/jobs").json == []


@pytest.mark.parametrize("value", [7, True, ["k"], "", "workflow:wf_0123456789abcdef", "workflow:"])
def test_a_unique_key_that_cannot_be_is_refused_by_its_name(desk: Desk, value: object) -> None:
    answer = desk.send("POST", "/api/jobs", {"name": "work", "unique_key": value})

    assert (answer.status, answer.code) == (400, "INVALID_ARGS")
    assert '"unique_key"' in answer.json["error"]["message"]
    assert desk.send("GET", "/api/jobs").json == []


@pytest.mark.parametrize("who", [name for name in IDENTITIES if name != "admin"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/jobs"),
        ("GET", "/api/jobs"),
        ("GET", "/api/jobs/stats"),
        ("GET", "/api/jobs/dead"),
        ("POST", "/api/jobs/dead/job_1/retry"),
        ("GET", "/api/jobs/job_1"),
        ("POST", "/api/jobs/job_1/cancel"),
        ("GET", "/api/scheduler"),
        ("POST", "/api/scheduler/trigger/tick"),
    ],
)
def test_nobody_else_may(desk: Desk, who: str, method: str, path: str) -> None:
    desk.add()

    answer = desk.api.send(method, path, who, {"name": "x"})

    assert (answer.status, answer.code) == (403, "FORBIDDEN")
    assert [job["id"] for job in desk.send("GET", "/api/jobs").json] == ["job_1"]


def test_where_there_are_no_jobs_that_is_said(api: DataApi) -> None:
    assert api.send("GET", "/api/jobs", "admin").status == 501


@pytest.mark.parametrize(
    "body",
    [
        {"name": "pylon.workflow"},
        {"name": "pylon.sweep"},
        {"name": "x" * 201},
        {"name": "a\0b"},
        {"name": "a\x7fb"},
        {"name": "work", "queue": "a\nb"},
        {"name": "work", "queue": "x" * 201},
        {"name": "work", "unique_key": "a\0b"},
        {"name": "work", "unique_key": "x" * 201},
    ],
)
def test_names_that_cannot_be_are_refused(desk: Desk, body: Any) -> None:
    answer = desk.send("POST", "/api/jobs", body)

    assert (answer.status, answer.json["error"]["code"]) == (400, "INVALID_ARGS")
    assert desk.send("GET", "/api/jobs").json == []


@pytest.mark.parametrize(
    "job_id", ["job_01", "job_0", "job_+1", "job_1_", "job_٣", "job_1٣", "job_" + "9" * 19, "job_", "1"]
)
def test_a_job_has_one_id_and_no_other(desk: Desk, job_id: str) -> None:
    assert [desk.add() for _ in range(13)][0::12] == ["job_1", "job_13"]

    assert desk.send("GET", f"/api/jobs/{quote(job_id)}").status == 404
