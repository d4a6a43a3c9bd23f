"""All that runs beside requests, put together: jobs, their runner, schedules, as router and owner see them.

``start``, ``claim_no_more`` and ``stop`` are for the owner; any thread may call the rest.
"""

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pylon_core.clock import Clock
from pylon_functions.registry import FunctionDefinition
from pylon_http.jobs import JobStore
from pylon_http.schedules import ScheduleStore
from pylon_runtime.jobs.functions import FunctionJobs, Functions
from pylon_runtime.jobs.handlers import Handlers
from pylon_runtime.jobs.runner import JobLimits, JobRunner
from pylon_runtime.jobs.scheduler import Scheduler
from pylon_runtime.jobs.schedules import Schedules, Task

WORKER_BYTES = 12
UNKNOWN_PATIENCE_S = 600.0
"""Where servers share a database, they may be of two versions for a while."""


class AppFunctions(Functions, Protocol):
    def definitions(self) -> Sequence[FunctionDefinition]: ...


@dataclass(frozen=True)
class JobStores:
    jobs: JobStore
    schedules: ScheduleStore


class BackgroundJobs:
    """``handlers`` takes what is not a function, before ``start``; ``tasks`` are done by the clock."""

    def __init__(
        self,
        stores: JobStores,
        functions: AppFunctions,
        tasks: Iterable[Task],
        limits: JobLimits,
        clock: Clock,
    ) -> None:
        self.store = stores.jobs
        patience_s = UNKNOWN_PATIENCE_S if limits.is_shared else 0.0
        self.handlers = Handlers(FunctionJobs(functions, limits.timeout_s, patience_s, clock).handler)
        self._functions = functions
        self._runner = JobRunner(stores.jobs, self.handlers, limits, clock, secrets.token_hex(WORKER_BYTES))
        self._schedules = Schedules(tasks, stores.schedules, stores.jobs.enqueue, clock)
        self._scheduler = Scheduler(self._schedules, clock)

    def start(self) -> None:
        self._runner.start()
        self._scheduler.start()

    def claim_no_more(self) -> None:
        self._runner.claim_no_more()

    def stop(self, deadline: float) -> None:
        self._scheduler.stop(deadline)
        self._runner.stop(deadline)

    def handler_names(self) -> Sequence[str]:
        """Of everything that a job could be by now."""
        return sorted({*self.handlers.names(), *(function.name for function in self._functions.definitions())})

    def schedules(self) -> Sequence[Mapping[str, Any]]:
        return self._schedules.listed()

    def trigger(self, name: str) -> bool:
        return self._schedules.trigger(name)
