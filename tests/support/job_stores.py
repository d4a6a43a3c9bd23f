"""A ``JobStore`` on either engine, with a clock that the test moves."""

from collections.abc import Iterable, Mapping

from pylon_core.clock import Clock
from pylon_core.cron import parse_cron
from pylon_core.manifest import AppManifest
from pylon_http.jobs import ClaimedJob, NewJob
from pylon_runtime.jobs import BackgroundJobs, JobLimits, JobStores, Task
from pylon_runtime.jobs.background import AppFunctions
from pylon_runtime.stores import AppStore
from pylon_storage.jobs import SqlJobStore, SqlScheduleStore
from pylon_storage.statements import Tables
from tests.support.engines import ENGINES

MANIFEST = AppManifest.model_validate(
    {"manifest_version": 1, "name": "jobs", "version": "1", "routes": [], "entities": [
        {"name": "Effect", "indexes": [], "crdt": False, "fields": [
            {"name": "of", "type": "string", "optional": False, "unique": False}]}]}
)  # fmt: skip
NOW_MS = 1_800_000_000_000


class MovedClock:
    """Stands still until it is moved, in milliseconds."""

    def __init__(self, now_ms: int = NOW_MS) -> None:
        self.now_ms = now_ms

    def now_ns(self) -> int:
        return self.now_ms * 1_000_000

    def monotonic(self) -> float:
        return self.now_ms / 1000


EVERY_MINUTE = parse_cron("* * * * *")


def background_jobs(
    tables: Tables, functions: AppFunctions, clock: Clock, tasks: Iterable[Task] = ()
) -> BackgroundJobs:
    """Nothing runs before ``start``."""
    stores = JobStores(SqlJobStore(tables, clock), SqlScheduleStore(tables, clock))
    return BackgroundJobs(stores, functions, tasks, JobLimits(hands=2, timeout_s=60, is_shared=False), clock)


class JobWorld:
    """A database, its jobs, and the time."""

    def __init__(self, engine: str) -> None:
        self.clock = MovedClock()
        self.store: AppStore = ENGINES[engine](MANIFEST, {}, self.clock)
        self.jobs = SqlJobStore(self.store.tables, self.clock)

    def add(self, name: str = "work", **settings: object) -> str:
        return self.jobs.enqueue(NewJob(name=name, **settings))  # type: ignore[arg-type]  # as the test says

    def claim(self, worker: str = "w", limit: int = 1) -> ClaimedJob:
        """The first of those claimed; there must be one."""
        return self.jobs.claim(worker, limit)[0]

    def statuses(self) -> Mapping[str, int]:
        return {status.value: count for status, count in self.jobs.counts().items()}

    def close(self) -> None:
        self.store.close()
