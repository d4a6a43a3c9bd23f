"""Calls of server functions a second: the host, one process of the language and the durable store, without HTTP
around them. Callers compute under turns, as the server's threads do.

    python -m bench.functions                       four functions in two languages at 1, 8 and 32 callers
    python -m bench.functions --callers 32 --seconds 10 --workers 2 --languages TypeScript

``echo`` is a call alone, ``read`` a query with one read, ``bump`` a mutation with one read and one write,
``nested`` an action that runs that mutation. Rows are counted after each run. The rate is given for the whole run
and for its best quarter second: on a machine that others use too, the second comes closer to what the code can do.
"""

import argparse
import os
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from pylon_auth.context import ANONYMOUS
from pylon_core.clock import SystemClock
from pylon_core.manifest import parse_manifest
from pylon_core.turns import hold
from pylon_functions.host import FunctionHost
from pylon_functions.invocation import Invocation
from pylon_http import DataStore, Filter
from pylon_runtime.function_launch import FunctionOptions
from pylon_runtime.function_runtime import FunctionRuntime
from pylon_runtime.turnstile import HeldTurn, Turnstile
from pylon_storage import NoFaults, SqliteStore

CALLERS = (1, 8, 32)
WARM_UP_CALLS = 300
SAMPLE_S = 0.25
START_S = 15.0
MANIFEST = parse_manifest(
    """{"manifest_version": 1, "name": "bench", "version": "1", "routes": [], "entities": [
      {"name": "Counter", "crdt": false, "indexes": [], "fields": [
        {"name": "value", "type": "int", "optional": false, "unique": false}]}]}"""
)
TYPESCRIPT = """import { action, mutation, query, v } from "@pylonsync/functions";
export default """
FUNCTIONS = {
    "echo": "query({ handler: (_ctx, args) => args })",
    "read": 'query({ args: { id: v.id("Counter") }, handler: (ctx, args) => ctx.db.get("Counter", args.id) })',
    "bump": """mutation({ args: { id: v.id("Counter") }, handler: async (ctx, args) => {
      const counter = await ctx.db.get<{ value: number }>("Counter", args.id);
      return ctx.db.insert("Counter", { value: (counter?.value ?? 0) + 1 });
    } })""",
    "nested": 'action({ handler: (ctx, args) => ctx.runMutation("bump", args) })',
}
PYTHON = """
from pylon_functions import action, mutation, query

@query
def py_echo(ctx, **args):
    return args

@query
def py_read(ctx, id: str):
    return ctx.db.get("Counter", id)

@mutation
def py_bump(ctx, id: str):
    counter = ctx.db.get("Counter", id)
    return ctx.db.insert("Counter", {"value": counter["value"] + 1})

@action
def py_nested(ctx, id: str):
    return ctx.run_mutation("py_bump", {"id": id})
"""
LANGUAGES = {"TypeScript": tuple(FUNCTIONS), "Python": tuple(f"py_{name}" for name in FUNCTIONS)}
WRITING = ("bump", "nested")


@dataclass(frozen=True)
class Rate:
    calls: int
    mean: float
    best: float
    p50_ms: float
    p99_ms: float


def measure(
    host: FunctionHost, function: str, args: Mapping[str, Any], callers: int, seconds: float, turnstile: Turnstile
) -> Rate:
    """Call from so many threads at once for so long; a failed call fails the run."""
    for _ in range(WARM_UP_CALLS):
        host.run(Invocation(function, args, ANONYMOUS))
    latencies: list[list[float]] = [[] for _ in range(callers)]
    started = time.perf_counter()

    def call_until_the_end(mine: list[float]) -> None:
        turn = HeldTurn(turnstile)
        turn.acquire()
        hold(turn)
        now = time.perf_counter()
        while now < started + seconds:
            host.run(Invocation(function, args, ANONYMOUS))
            before, now = now, time.perf_counter()
            mine.append(now - before)
        hold(None)
        turn.release()

    threads = [
        threading.Thread(target=call_until_the_end, args=(mine,), name=f"caller-{number}")
        for number, mine in enumerate(latencies)
    ]
    for thread in threads:
        thread.start()
    best = _best_rate(latencies, started + seconds)
    for thread in threads:
        thread.join()
    elapsed = time.perf_counter() - started
    every = sorted(latency for mine in latencies for latency in mine)
    p50, p99 = every[len(every) // 2] * 1000, every[len(every) * 99 // 100] * 1000
    return Rate(len(every), len(every) / elapsed, best, p50, p99)


def _best_rate(latencies: list[list[float]], end: float) -> float:
    best, calls, at = 0.0, 0, time.perf_counter()
    while at + SAMPLE_S < end:
        time.sleep(SAMPLE_S)
        now, count = time.perf_counter(), sum(map(len, latencies))
        best = max(best, (count - calls) / (now - at))
        calls, at = count, now
    return best


def run(folder: Path, options: argparse.Namespace) -> Table:
    functions = folder / "functions"
    functions.mkdir()
    (functions / "bench.py").write_text(PYTHON)
    for name, definition in FUNCTIONS.items():
        (functions / f"{name}.ts").write_text(f"{TYPESCRIPT}{definition};\n")
    clock = SystemClock()
    store = SqliteStore(folder / "bench.db", MANIFEST, watched={}, visibility="", clock=clock, faults=NoFaults())
    runtime = FunctionRuntime(FunctionOptions(Path("functions"), folder, os.environ, options.workers), clock)
    runtime.start()
    try:
        for language in options.languages:
            runtime.pick(LANGUAGES[language][0], clock.monotonic() + START_S)
        return _measure_all(FunctionHost(MANIFEST, store, runtime, clock, 30.0), store, options)
    finally:
        runtime.stop(clock.monotonic() + 2.0)
        store.close()


def _measure_all(host: FunctionHost, store: DataStore, options: argparse.Namespace) -> Table:
    turnstile = Turnstile(options.turns, lambda: None)
    row_id = store.transact(lambda tx: tx.insert("Counter", {"value": 0})["id"])
    table = Table("function", "callers", "calls/s", "best 1/4 s", "p50 ms", "p99 ms")
    for function in (name for language in options.languages for name in LANGUAGES[language]):
        for callers in options.callers or CALLERS:
            rows = _rows(store)
            rate = measure(host, function, {"id": row_id}, callers, options.seconds, turnstile)
            expected = rate.calls + WARM_UP_CALLS if function.removeprefix("py_") in WRITING else 0
            if _rows(store) - rows != expected:
                raise RuntimeError(f"{function}: {_rows(store) - rows} rows were stored instead of {expected}")
            numbers = (f"{rate.mean:,.0f}", f"{rate.best:,.0f}", f"{rate.p50_ms:.2f}", f"{rate.p99_ms:.2f}")
            table.add_row(function, str(callers), *numbers)
    return table


def _rows(store: DataStore) -> int:
    with store.read() as reader:
        return reader.count("Counter", Filter())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--callers", type=int, nargs="*")
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--languages", nargs="*", choices=LANGUAGES, default=list(LANGUAGES))
    parser.add_argument("--turns", type=int, default=2, help="threads that compute at once, as in the server")
    parser.add_argument("--folder", help="where the database goes; default: the system's temporary folder")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        Console().print(run(Path(folder), options))


if __name__ == "__main__":
    main()
