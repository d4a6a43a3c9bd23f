"""Reads and durable creates against PocketBase, side by side on this machine.

    python -m bench.http                     every workload at 1, 64, 256 and 1,000 connections
    python -m bench.http --connections 64 --pairs 2 --seconds 2 --only pylon

Method: both servers hold the same rows under the same rule; runs alternate A B A B on fresh folders; each run
warms up first; the rows are counted after each run of creates and a single failed answer fails the run; what is
compared is the ratio within a pair, its median and range. The server and wrk share the machine unpinned, unless
``--pin`` puts the server on core 0 and wrk on core 1. Needs wrk (Debian package) and the ``bench`` extra.
"""

import argparse
import json
import statistics
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.contenders import CONTENDERS, ROWS, Running
from bench.machine import describe
from bench.wrk import Load, Measurement, measure

CONNECTIONS = (1, 64, 256, 1000)
WORKLOADS = ("get", "create", "list")
RESULTS = Path(__file__).parent / "results"


def load_of(workload: str, server: Running) -> Load:
    headers = f'{{["Authorization"] = "Bearer {server.token}", ["Content-Type"] = "application/json"}}'
    if workload == "get":
        lua = f'  return wrk.format("GET", "{server.row_path}" .. ids[math.random(#ids)], {headers})'
        return Load(lua, server.ids)
    if workload == "list":
        return Load(f'  return wrk.format("GET", "{server.list_path}", {headers})')
    body = json.dumps({"owner": server.user_id, "title": "made by the benchmark", "body": "x" * 60})
    return Load(f'  return wrk.format("POST", "{server.create_path}", {headers}, [[{body}]])')


def run(workload: str, server: Running, connections: int, options: argparse.Namespace) -> Measurement:
    load, cpu = load_of(workload, server), 1 if options.pin else None
    warm = measure(server.url, load, connections, options.warmup, cpu)
    result = measure(server.url, load, connections, options.seconds, cpu)
    if warm.failed or result.failed:
        raise RuntimeError(f"{server.name} {workload} at {connections}: {result.failed} answers failed")
    return result


def run_all(name: str, options: argparse.Namespace) -> dict[tuple[str, int], Measurement]:
    """One contender's turn: every workload at every number of connections, on a fresh folder."""
    results: dict[tuple[str, int], Measurement] = {}
    with (
        tempfile.TemporaryDirectory(dir=options.folder) as folder,
        CONTENDERS[name](Path(folder), 0 if options.pin else None) as server,
    ):
        expected = ROWS
        for workload in options.workloads:
            for connections in options.connections:
                results[workload, connections] = run(workload, server, connections, options)
                if workload == "create":
                    held = server.count()
                    if held < expected + results[workload, connections].requests:
                        raise RuntimeError(f"{name} acknowledged rows that it does not hold")
                    expected = held
                time.sleep(0.2)
    return results


def report(rounds: list[dict[str, dict[tuple[str, int], Measurement]]], options: argparse.Namespace) -> None:
    table = Table("workload", "connections", "server", "per second", "p50 ms", "p99 ms", "ratio (range)")
    for workload in options.workloads:
        for connections in options.connections:
            for name in rounds[0]:
                runs = [turn[name][workload, connections] for turn in rounds]
                table.add_row(
                    workload,
                    str(connections),
                    name,
                    f"{statistics.median(m.per_second for m in runs):,.0f}",
                    f"{statistics.median(m.p50_ms for m in runs):.2f}",
                    f"{statistics.median(m.p99_ms for m in runs):.2f}",
                    ratio_text(rounds, workload, connections) if name == "pylon" and len(rounds[0]) > 1 else "",
                )
    Console().print(table)


def ratio_text(rounds: list[Any], workload: str, connections: int) -> str:
    ratios = [
        turn["pylon"][workload, connections].per_second / turn["pocketbase"][workload, connections].per_second
        for turn in rounds
    ]
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"


def save(machine: dict[str, object], rounds: list[Any], options: argparse.Namespace) -> None:
    RESULTS.mkdir(exist_ok=True)
    document = {
        "machine": machine,
        "pinned": options.pin,
        "rounds": [
            {
                name: [{"workload": w, "connections": c, **asdict(m)} for (w, c), m in results.items()]
                for name, results in turn.items()
            }
            for turn in rounds
        ],
    }
    (RESULTS / "http.json").write_text(json.dumps(document, indent=1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, nargs="+", default=CONNECTIONS)
    parser.add_argument("--workloads", nargs="+", choices=WORKLOADS, default=WORKLOADS)
    parser.add_argument("--only", choices=tuple(CONTENDERS))
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--warmup", type=int, default=1)
    parser.add_argument("--pin", action="store_true")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    options = parser.parse_args()
    machine = describe(options.folder)
    print(json.dumps(machine))
    names = [options.only] if options.only else list(CONTENDERS)
    rounds = [{name: run_all(name, options) for name in names} for _ in range(options.pairs)]
    report(rounds, options)
    save(machine, rounds, options)


if __name__ == "__main__":
    main()
