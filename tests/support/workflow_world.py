"""Workflows in a world whose time stands still until everything is done, and whose servers die where a test says:
before or after any transaction.

A server is a ``JobRunner`` without threads, which does one job after the other on the test's own. When it dies
another takes over, as it would after half a minute.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeVar

import msgspec

from pylon_auth.context import ANONYMOUS
from pylon_core import jsontext
from pylon_functions.host import FunctionHost
from pylon_functions.invocation import Invocation
from pylon_functions.python.authoring import Function
from pylon_http import Filter
from pylon_http.jobs import JobStatus
from pylon_http.workflows import WorkflowInstance
from pylon_runtime.jobs import Attempt, Handlers, JobLimits, JobRunner
from pylon_runtime.jobs.handlers import no_handler
from pylon_runtime.jobs.runner import SILENT_MS
from pylon_runtime.stores import AppStore
from pylon_runtime.workflows import requests
from pylon_runtime.workflows.engine import WorkflowEngine
from pylon_runtime.workflows.runners import FunctionsRunner
from pylon_storage.jobs import SqlJobStore
from pylon_storage.statements import Heard, Statements, Tables, TableStatements
from pylon_storage.workflows import SqlWorkflowStore
from tests.support.engines import ENGINES
from tests.support.job_stores import MANIFEST, MovedClock
from tests.support.python_workers import PythonWorkers

T = TypeVar("T")
JOBS_MAX = 2_000
HANDLER_S = 60.0


class Death(BaseException):
    """The end of a server, wherever it is: nothing catches it."""


class Boundaries:
    """Counts how often the server comes to the beginning or the end of a transaction; ``happenings`` take place
    when it comes to that one."""

    def __init__(self) -> None:
        self.passed = 0
        self.happenings: Mapping[int, Callable[[], object]] = {}

    def come(self) -> None:
        number = self.passed
        self.passed += 1
        if number in self.happenings:
            self.happenings[number]()

    @contextmanager
    def around(self) -> Iterator[None]:
        self.come()
        yield
        self.come()


class _Tables:
    def __init__(self, tables: Tables, boundaries: Boundaries) -> None:
        self._tables = tables
        self._boundaries = boundaries

    @property
    def skip_locked(self) -> str:
        return self._tables.skip_locked

    def reading(self) -> AbstractContextManager[Statements]:
        return self._tables.reading()

    def write(self, work: Callable[[TableStatements], T]) -> T:
        with self._boundaries.around():
            return self._tables.write(work)

    def write_briefly(self, work: Callable[[TableStatements], T]) -> T:
        with self._boundaries.around():
            return self._tables.write_briefly(work)

    def on_notice(self, topic: str, heard: Heard) -> None:
        """Nobody sleeps here."""


class _Store:
    """The store as functions use it."""

    def __init__(self, store: AppStore, boundaries: Boundaries) -> None:
        self._store = store
        self._boundaries = boundaries

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def transact(self, work: Callable[[Any], T]) -> T:
        with self._boundaries.around():
            return self._store.transact(work)


class WorkflowWorld:
    def __init__(self, engine: str, functions: Iterable[Function[Any, ..., Any]]) -> None:
        self.clock = MovedClock()
        self.boundaries = Boundaries()
        self.store: AppStore = ENGINES[engine](MANIFEST, {}, self.clock)
        self.workers = PythonWorkers(functions)
        self._ids = itertools.count(1)
        self._servers = itertools.count(1)
        self.instances = SqlWorkflowStore(self.store.tables, self.clock)
        self.jobs = SqlJobStore(self.store.tables, self.clock)
        self.engine = self._engine(self.instances, self.host(self.store))
        """Of a server that does not die, for what happens from outside."""
        dying = _Tables(self.store.tables, self.boundaries)
        self._dying_jobs = SqlJobStore(dying, self.clock)
        self._handlers = Handlers(no_handler)
        mortal_host = self.host(_Store(self.store, self.boundaries))
        requests.register(
            self._handlers, self._engine(SqlWorkflowStore(dying, self.clock), mortal_host), self.clock
        )
        self._runner = self._server()

    def host(self, store: Any) -> FunctionHost:
        return FunctionHost(MANIFEST, store, self.workers, self.clock, HANDLER_S)

    def close(self) -> None:
        self.workers.close()
        self.store.close()

    def start(self, name: str, given: Any = None) -> str:
        return self.engine.start(name, msgspec.Raw(jsontext.encode({} if given is None else given)))

    def call(self, name: str, /, **args: Any) -> Any:
        host = self.host(self.store)
        return jsontext.decode(bytes(host.run(Invocation(name, args, ANONYMOUS))))

    def send(self, workflow_id: str, event: str, data: Any = None) -> bool:
        return self.engine.send(workflow_id, event, msgspec.Raw(jsontext.encode(data)))

    def find(self, workflow_id: str) -> WorkflowInstance:
        found = self.engine.find(workflow_id)
        assert found is not None
        return found

    def effects(self, workflow_id: str) -> list[str]:
        """What the steps of an instance did to the database, sorted."""
        with self.store.read() as reader:
            rows = reader.query("Effect", Filter())
        found = (row["of"].partition(":") for row in rows)
        return sorted(of for owner, _, of in found if owner == workflow_id)

    def run(
        self,
        happenings: Mapping[int, Callable[[], object]] | None = None,
        *,
        until_ms: int | None = None,
    ) -> int:
        """Do jobs until none is left, or the time has come; how many boundaries were passed."""
        self.boundaries.passed = 0
        self.boundaries.happenings = happenings or {}
        for _ in range(JOBS_MAX):
            try:
                if not self._do_next(until_ms):
                    break
            except Death:
                self.clock.now_ms += SILENT_MS + 1
                self.jobs.take_over(SILENT_MS)
                self._runner = self._server()
        else:
            raise AssertionError("it never ends")
        self.boundaries.happenings = {}
        return self.boundaries.passed

    def die(self) -> None:
        raise Death

    def unfinished_jobs(self) -> int:
        counts = self.jobs.counts()
        return sum(counts.get(status, 0) for status in (JobStatus.PENDING, JobStatus.RUNNING, JobStatus.RETRYING))

    def dead_jobs(self) -> int:
        return self.jobs.counts().get(JobStatus.DEAD, 0)

    def _do_next(self, until_ms: int | None) -> bool:
        due_ms = self.jobs.next_due_ms()
        if due_ms is None or (until_ms is not None and due_ms > until_ms):
            return False
        self.clock.now_ms = max(self.clock.now_ms, due_ms)
        for claimed in self._dying_jobs.claim(self._runner._worker, 1):
            self._runner._do(Attempt(claimed, self.clock.monotonic() + HANDLER_S, self._dying_jobs))
        return True

    def _engine(self, instances: SqlWorkflowStore, host: FunctionHost) -> WorkflowEngine:
        return WorkflowEngine(instances, (FunctionsRunner(host),), self.clock, self._bytes)

    def _server(self) -> JobRunner:
        limits = JobLimits(1, HANDLER_S, is_shared=True)
        name = f"server {next(self._servers)}"
        return JobRunner(self._dying_jobs, self._handlers, limits, self.clock, name, jitter=lambda: 0.5)

    def _bytes(self, count: int) -> bytes:
        return next(self._ids).to_bytes(count)
