"""Calls of server functions a second: the host, one Bun child and the durable store, without HTTP around them.
Callers compute under turns, as the server's threads do.

    python -m bench.functions                       the three functions at 1, 8 and 32 callers
    python -m bench.functions --callers 32 --seconds 10 --workers 2

``echo`` is a call alone, ``read`` a query with one read, ``bump`` a mutation with one read and one write. Rows are
counted after each run. The rate is given for the whole run and for its best quarter second: on a machine that
others use too, the second comes closer to what the code can do.
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
from pylon_functions import FunctionHost
from pylon_http import DataStore, Filter
from pylon_runtime.bun import BunRuntime
from pylon_runtime.bun_launch import BunOptions
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
FUNCTIONS = {
    "echo": "query({ handler: (_ctx, args) => args })",
    "read": 'query({ args: { id: v.id("Counter") }, handler: (ctx, args) => ctx.db.get("Counter", args.id) })',
    "bump": """mutation({ args: { id: v.id("Counter") }, handler: async (ctx, args) => {
      const counter = await ctx.db.get<{ value: number }>("Counter", args.id);
      return ctx.db.insert("Counter", { value: (counter?.value ?? 0) + 1 });
    } })""",
}


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
        host.call(function, args, ANONYMOUS)
    latencies: list[list[float]] = [[] for _ in range(callers)]
    started = time.perf_counter()

    def call_until_the_end(mine: list[float]) -> None:
        turn = HeldTurn(turnstile)
        turn.acquire()
        hold(turn)
        now = time.perf_counter()
        while now < started + seconds:
            host.call(function, args, ANONYMOUS)
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
    for name, definition in FUNCTIONS.items():
        path = folder / "functions" / f"{name}.ts"
        path.parent.mkdir(exist_ok=True)
        path.write_text(
            f'import {{ mutation, query, v }} from "@pylonsync/functions";\nexport default {definition};\n'
        )
    clock = SystemClock()
    store = SqliteStore(folder / "bench.db", MANIFEST, watched={}, visibility="", clock=clock, faults=NoFaults())
    runtime = BunRuntime(BunOptions(Path("functions"), folder, os.environ, options.workers), clock)
    runtime.start()
    try:
        runtime.pick(clock.monotonic() + START_S)
        return _measure_all(FunctionHost(MANIFEST, store, runtime, clock, 30.0), store, options)
    finally:
        runtime.stop(clock.monotonic() + 2.0)
        store.close()


def _measure_all(host: FunctionHost, store: DataStore, options: argparse.Namespace) -> Table:
    turnstile = Turnstile(options.turns, lambda: None)
    row_id = store.transact(lambda tx: tx.insert("Counter", {"value": 0})["id"])
    table = Table("function", "callers", "calls/s", "best 1/4 s", "p50 ms", "p99 ms")
    for function in FUNCTIONS:
        for callers in options.callers or CALLERS:
            rows = _rows(store)
            rate = measure(host, function, {"id": row_id}, callers, options.seconds, turnstile)
            expected = rate.calls + WARM_UP_CALLS if function == "bump" else 0
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
    parser.add_argument("--turns", type=int, default=2, help="threads that compute at once, as in the server")
    parser.add_argument("--folder", help="where the database goes; default: the system's temporary folder")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        Console().print(run(Path(folder), options))


if __name__ == "__main__":
    main()
