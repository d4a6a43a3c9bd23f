"""What the app and the server have done by the clock, and the one pass that enqueues what is due.

Every server makes the passes; whoever advances a schedule's entry first has enqueued the job with it, so each time
comes once. A time that is more than a minute past was missed: it is left out, or, where the schedule says so, one
job stands for all of them.

    next in the future --(the time comes)--> due
    due --(advanced, with a job)--> next in the future
    due --(missed and left out: advanced without)--> next in the future

Any thread may call ``listed`` and ``trigger``; the scheduler's thread makes the passes.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import msgspec

from pylon_core import jsontext
from pylon_core.clock import Clock
from pylon_core.cron import CronExpression, parse_cron
from pylon_core.manifest import ScheduleDef
from pylon_http.jobs import NewJob
from pylon_http.schedules import ScheduleEntry, ScheduleStore
from pylon_runtime.jobs.cron import MINUTE_MS, next_after, time_zone

PASS_S = 60.0
"""Between two passes at most: the clock may be set."""
NEVER_MS = (1 << 53) - 1


@dataclass(frozen=True)
class Task:
    """``function`` is the name of its jobs: a function of the app, or a handler of the server."""

    name: str
    cron: CronExpression
    function: str
    timezone: str = "UTC"
    args: Mapping[str, Any] = field(default_factory=dict)
    catches_up: bool = False
    is_enabled: bool = True

    @classmethod
    def of(cls, schedule: ScheduleDef) -> "Task":
        return cls(
            name=schedule.name,
            cron=parse_cron(schedule.cron),
            function=schedule.function,
            timezone=schedule.timezone,
            args=schedule.args,
            catches_up=schedule.missed == "once",
            is_enabled=schedule.enabled,
        )

    @property
    def spec(self) -> str:
        """Where it changes, the next time is reckoned anew: nothing was missed that was not yet to be."""
        return f"{self.cron.text} {self.timezone}{'' if self.is_enabled else ' off'}"

    def next_ms(self, after_ms: int) -> int:
        found = next_after(self.cron, self._zone, after_ms) if self.is_enabled else None
        return NEVER_MS if found is None else found

    def job(self, at_ms: int, **marks: bool) -> NewJob:
        payload = {"scheduled": True, "timestamp": at_ms // 1000, **marks, **self.args}
        return NewJob(name=self.function, payload=msgspec.Raw(jsontext.encode(payload)))

    @cached_property
    def _zone(self) -> Any:
        return time_zone(self.timezone)


class Schedules:
    def __init__(
        self, tasks: Iterable[Task], store: ScheduleStore, enqueue: Callable[[NewJob], str], clock: Clock
    ) -> None:
        self._tasks = {task.name: task for task in tasks}
        self._store = store
        self._enqueue = enqueue
        self._clock = clock
        self._is_known = False

    def enqueue_due(self) -> float:
        """One pass; in how many seconds the next should be."""
        if not self._is_known:
            now_ms = self._now_ms()
            self._store.keep({task.name: (task.spec, task.next_ms(now_ms)) for task in self._tasks.values()})
            self._is_known = True
        next_ms = NEVER_MS
        for name, entry in self._store.entries().items():
            task = self._tasks.get(name)
            if task is not None and task.spec == entry.spec:  # otherwise another version of the app looks after it
                next_ms = min(next_ms, self._advance(task, entry))
        return max(0.0, min(PASS_S, (next_ms - self._now_ms()) / 1000))

    def listed(self) -> Sequence[Mapping[str, Any]]:
        """As ``GET /api/scheduler`` has it, by name."""
        entries = self._store.entries()
        return [_described(task, entries.get(name)) for name, task in sorted(self._tasks.items())]

    def trigger(self, name: str) -> bool:
        """Enqueue a task's job now, whatever its schedule says; false for an unknown one."""
        task = self._tasks.get(name)
        if task is not None:
            self._enqueue(task.job(self._now_ms(), manual_trigger=True))
        return task is not None

    def _advance(self, task: Task, entry: ScheduleEntry) -> int:
        """Do what is due of one schedule; when it is next."""
        now_ms = self._now_ms()
        if entry.next_ms > now_ms:
            return entry.next_ms
        next_ms = task.next_ms(now_ms)
        newest_ms = task.next_ms(now_ms - MINUTE_MS)
        at_ms = newest_ms if newest_ms <= now_ms else entry.next_ms if task.catches_up else None
        due = None if at_ms is None else (at_ms, task.job(at_ms))
        self._store.advance(task.name, entry, next_ms, due)
        return next_ms

    def _now_ms(self) -> int:
        return self._clock.now_ns() // 1_000_000


def _described(task: Task, entry: ScheduleEntry | None) -> Mapping[str, Any]:
    last_ms = None if entry is None else entry.last_ms
    next_ms = None if entry is None or entry.next_ms == NEVER_MS else entry.next_ms
    return {
        "name": task.name,
        "enabled": task.is_enabled,
        "last_run": None if last_ms is None else last_ms // 1000,
        "next_run": None if next_ms is None else next_ms // 1000,
        "cron": task.cron.text,
        "timezone": task.timezone,
        "function": task.function,
    }
