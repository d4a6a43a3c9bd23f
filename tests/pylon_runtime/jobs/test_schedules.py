"""What is done by the clock: each time once, on however many servers, and what becomes of times that were missed.

The clock is moved by the test; passes are made by hand.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from pylon_core.cron import parse_cron
from pylon_core.manifest import ScheduleDef
from pylon_http.jobs import NewJob
from pylon_http.schedules import ScheduleEntry
from pylon_runtime.jobs import Schedules, Task
from pylon_storage.jobs import SqlScheduleStore
from tests.support.engines import ENGINES
from tests.support.job_stores import NOW_MS, JobWorld

MINUTE = 60_000
assert NOW_MS % MINUTE == 0


@pytest.fixture(params=ENGINES)
def world(request: pytest.FixtureRequest) -> Iterator[JobWorld]:
    world = JobWorld(request.param)
    yield world
    world.close()


def task(name: str = "tick", cron: str = "* * * * *", **settings: Any) -> Task:
    return Task(name, parse_cron(cron), settings.pop("function", name), **settings)


def server(world: JobWorld, *tasks: Task) -> Schedules:
    """As one of several has it."""
    return Schedules(tasks, SqlScheduleStore(world.store.tables, world.clock), world.jobs.enqueue, world.clock)


def payloads(world: JobWorld) -> list[Any]:
    jobs = sorted(world.jobs.page(None, None, 100), key=lambda job: int(job.id[4:]))
    return [msgspec.json.decode(job.payload) for job in jobs]


def stamps(world: JobWorld) -> list[int]:
    """Of the jobs, in minutes since the test began."""
    return [(payload["timestamp"] * 1000 - NOW_MS) // MINUTE for payload in payloads(world)]


def test_each_time_comes_once_on_two_servers(world: JobWorld) -> None:
    servers = [server(world, task()), server(world, task())]
    for minute in range(4):
        world.clock.now_ms = NOW_MS + minute * MINUTE
        for _ in range(2):
            for one in servers:
                one.enqueue_due()

    assert stamps(world) == [1, 2, 3]


def test_a_pass_says_when_the_next_is_due(world: JobWorld) -> None:
    one = server(world, task(cron="1 * * * *"))
    assert one.enqueue_due() == 60.0

    world.clock.now_ms += 59_750
    assert one.enqueue_due() == 0.25


def test_a_job_has_the_arguments_and_when_it_was_due(world: JobWorld) -> None:
    one = server(world, task(function="digest", args={"to": "all"}))
    one.enqueue_due()
    world.clock.now_ms += MINUTE + 5_000
    one.enqueue_due()

    (job,) = world.jobs.page(None, None, 10)
    assert (job.name, job.queue, job.priority) == ("digest", "default", 1)
    assert msgspec.json.decode(job.payload) == {
        "scheduled": True,
        "timestamp": (NOW_MS + MINUTE) // 1000,
        "to": "all",
    }


@pytest.mark.parametrize(("catches_up", "expected"), [(False, []), (True, [60])])
def test_times_that_were_missed(world: JobWorld, catches_up: bool, expected: list[int]) -> None:
    hourly = task(cron="0 * * * *", catches_up=catches_up)
    begin = NOW_MS - NOW_MS % (60 * MINUTE)
    world.clock.now_ms = begin
    server(world, hourly).enqueue_due()

    world.clock.now_ms = begin + 5 * 60 * MINUTE + 20 * MINUTE
    later = server(world, hourly)
    for _ in range(3):
        later.enqueue_due()

    assert [(p["timestamp"] * 1000 - begin) // MINUTE for p in payloads(world)] == expected
    world.clock.now_ms = begin + 6 * 60 * MINUTE
    later.enqueue_due()
    assert [(p["timestamp"] * 1000 - begin) // MINUTE for p in payloads(world)] == [*expected, 360]


def test_a_server_that_comes_back_within_the_minute_missed_nothing(world: JobWorld) -> None:
    server(world, task()).enqueue_due()

    world.clock.now_ms += 5 * MINUTE + 59_000
    server(world, task()).enqueue_due()

    assert stamps(world) == [5]


@pytest.mark.parametrize(
    "before",
    [{"cron": "0 0 1 1 *"}, {"timezone": "Asia/Kolkata"}, {"cron": "0 0 1 1 *", "timezone": "Europe/Berlin"}],
    ids=["cron", "time zone", "both"],
)
def test_another_time_begins_now(world: JobWorld, before: dict[str, str]) -> None:
    server(world, task(**before, catches_up=True)).enqueue_due()
    world.clock.now_ms += 10 * MINUTE
    changed = server(world, task(catches_up=True))
    changed.enqueue_due()
    assert stamps(world) == []

    world.clock.now_ms += MINUTE
    changed.enqueue_due()
    assert stamps(world) == [11]


def test_a_server_of_the_version_before_leaves_changed_schedules_alone(world: JobWorld) -> None:
    old = server(world, task(), task("gone"))
    old.enqueue_due()
    server(world, task(cron="*/30 * * * *")).enqueue_due()

    for _ in range(31):
        world.clock.now_ms += MINUTE
        old.enqueue_due()

    assert stamps(world) == []


def test_an_entry_is_advanced_only_from_what_was_seen(world: JobWorld) -> None:
    entries = SqlScheduleStore(world.store.tables, world.clock)
    entries.keep({"tick": ("spec", NOW_MS)})
    seen = entries.entries()["tick"]
    due = (NOW_MS, NewJob(name="tick"))

    assert entries.advance("tick", seen, NOW_MS + MINUTE, due)
    assert not entries.advance("tick", seen, NOW_MS + MINUTE, due)

    assert entries.entries() == {"tick": ScheduleEntry("spec", NOW_MS + MINUTE, NOW_MS)}
    assert len(payloads(world)) == 1


def test_what_is_disabled_is_done_only_by_hand(world: JobWorld) -> None:
    one = server(world, task(is_enabled=False))
    one.enqueue_due()
    world.clock.now_ms += 3 * MINUTE
    one.enqueue_due()
    assert payloads(world) == []

    assert one.trigger("tick")
    assert not one.trigger("nope")

    assert payloads(world) == [{"scheduled": True, "timestamp": NOW_MS // 1000 + 180, "manual_trigger": True}]
    assert one.listed()[0]["last_run"] is None


def test_a_schedule_that_is_enabled_again_has_missed_nothing(world: JobWorld) -> None:
    server(world, task(catches_up=True)).enqueue_due()
    server(world, task(catches_up=True, is_enabled=False)).enqueue_due()
    world.clock.now_ms += 90 * MINUTE
    server(world, task(catches_up=True)).enqueue_due()

    assert payloads(world) == []


def test_the_list_says_when_each_was_and_will_be_done(world: JobWorld) -> None:
    one = server(world, task("b"), task("a", cron="30 * * * *", timezone="Asia/Kolkata", is_enabled=False))
    one.enqueue_due()
    world.clock.now_ms += MINUTE + 1
    one.enqueue_due()

    first, second = one.listed()
    assert first == {
        "name": "a",
        "enabled": False,
        "last_run": None,
        "next_run": None,
        "cron": "30 * * * *",
        "timezone": "Asia/Kolkata",
        "function": "a",
    }
    assert (second["last_run"], second["next_run"]) == (NOW_MS // 1000 + 60, NOW_MS // 1000 + 120)


def test_a_declaration_becomes_a_task() -> None:
    declared = ScheduleDef(
        name="d", cron="0 9 * * 1", function="f", timezone="Europe/Berlin", args={"a": 1}, missed="once"
    )

    assert Task.of(declared) == Task(
        "d", parse_cron("0 9 * * 1"), "f", timezone="Europe/Berlin", args={"a": 1}, catches_up=True
    )


def at(local: str, zone: str = "Europe/Berlin", fold: int = 0) -> int:
    return round(1000 * datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp())


def done_between(world: JobWorld, one: Task, begin_ms: int, end_ms: int) -> list[str]:
    """When a schedule's jobs were due, in local time, on a server that looks each minute."""
    schedules = server(world, one)
    for world.clock.now_ms in range(begin_ms, end_ms, MINUTE):
        schedules.enqueue_due()
    zone = ZoneInfo(one.timezone)
    due = [datetime.fromtimestamp(payload["timestamp"], zone) for payload in payloads(world)]
    return [f"{when:%m-%dT%H:%M}{when:%z}"[:14] for when in due]


@pytest.mark.parametrize(
    ("cron", "day", "expected"),
    [
        ("30 2 * * *", "2026-03-29", ["03-28T02:30+01", "03-29T03:00+02", "03-30T02:30+02"]),
        ("30 3 * * *", "2026-03-29", ["03-28T03:30+01", "03-29T03:30+02", "03-30T03:30+02"]),
        ("30 2 * * *", "2026-10-25", ["10-24T02:30+02", "10-25T02:30+02", "10-26T02:30+01"]),
        ("0 3 * * *", "2026-10-25", ["10-24T03:00+02", "10-25T03:00+01", "10-26T03:00+01"]),
    ],
    ids=["jumped over in spring", "behind the jump", "twice in autumn", "behind the second"],
)
def test_each_day_has_each_time_once_when_the_clocks_change(
    world: JobWorld, cron: str, day: str, expected: list[str]
) -> None:
    noon = at(f"{day}T12:00:00")
    daily = task(cron=cron, timezone="Europe/Berlin")

    found = done_between(world, daily, noon - 36 * 60 * MINUTE, noon + 18 * 60 * MINUTE)

    assert found == expected


@pytest.mark.parametrize(("catches_up", "expected"), [(False, 0), (True, 1)])
@pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25"])
def test_what_was_missed_while_the_clocks_changed(
    world: JobWorld, day: str, catches_up: bool, expected: int
) -> None:
    daily = task(cron="30 2 * * *", timezone="Europe/Berlin", catches_up=catches_up)
    world.clock.now_ms = at(f"{day}T00:00:00")
    server(world, daily).enqueue_due()
    world.clock.now_ms = at(f"{day}T12:00:00")

    for _ in range(2):
        server(world, daily).enqueue_due()

    assert len(payloads(world)) == expected
