"""Live events to many subscribers against PocketBase, side by side on this machine.

    python -m bench.fanout                              100, 1,000 and 5,000 subscribers
    python -m bench.fanout --subscribers 1000 --deliveries 40000 --only pylon

Method: real servers on fresh folders, pinned to core 0; the subscribers, one process that reads every socket, and
the writer, one that creates rows over HTTP at a steady rate, on core 1. A delivery counts from before the row is
sent to be created, so a durable write is in every latency; and every subscriber must have got every event once, or
the run fails; events out of order are counted. Contenders alternate A B A B. What is beyond a server, or the
reader, shows as latency.
"""

import argparse
import json
import multiprocessing
import os
import re
import select
import statistics
import tempfile
import time
from array import array
from contextlib import suppress
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.broadcasters import BROADCASTERS, Broadcaster
from bench.machine import describe

SUBSCRIBERS = (100, 1000, 5000)
DELIVERIES = (10_000, 40_000, 100_000)
RESULTS = Path(__file__).parent / "results"
PATIENCE_S = 15.0

_MARK = re.compile(rb'"title":"(\d{7})-(\d{20})"')
_MARK_BYTES = 64
"""More than what is matched."""


@dataclass(frozen=True)
class Measurement:
    """Latencies in milliseconds, ``server_cpu`` as a share of one core, memory in kB a subscriber, and how many
    events did not come right after the one before them."""

    subscribers: int
    asked_per_s: int
    delivered_per_s: float
    p50_ms: float
    p99_ms: float
    server_cpu: float
    memory_kb: float
    out_of_order: int


class Subscriber:
    """Reads one stream: finds the marks in it, and checks that each comes once."""

    __slots__ = ("got", "next", "rest", "sock", "strays")

    def __init__(self, broadcaster: Broadcaster, number: int) -> None:
        self.sock, self.rest = broadcaster.open_stream(number)
        self.next = self.strays = 0
        self.got: set[int] = set()

    def read(self, latencies: "array[float]") -> int:
        data = self.rest + self.sock.recv(1 << 18)
        now_ns = time.monotonic_ns()
        end = found = 0
        for match in _MARK.finditer(data):
            index = int(match[1])
            if index in self.got:
                raise RuntimeError(f"event {index} came twice")
            self.got.add(index)
            self.strays += index != self.next
            self.next = index + 1
            latencies.append((now_ns - int(match[2])) / 1e6)
            end, found = match.end(), found + 1
        self.rest = data[max(end, len(data) - _MARK_BYTES) :]
        return found


def publish(broadcaster: Broadcaster, rate: float, events: int) -> None:
    """The writer's process."""
    _pin(1)
    started = time.monotonic()
    for index in range(events):
        time.sleep(max(0.0, started + index / rate - time.monotonic()))
        broadcaster.publish(f"{index:07d}-{time.monotonic_ns():020d}")


def run(broadcaster: Broadcaster, subscribers: int, asked_per_s: int, seconds: float) -> Measurement:
    resident = _resident_kb(broadcaster.pid)
    streams = [Subscriber(broadcaster, number) for number in range(subscribers)]
    time.sleep(1.0)
    memory_kb = (_resident_kb(broadcaster.pid) - resident) / subscribers
    rate = asked_per_s / subscribers
    events = max(1, round(rate * seconds))
    writer = multiprocessing.Process(target=publish, args=(broadcaster, rate, events))
    cpu_s, started = _cpu_s(broadcaster.pid), time.monotonic()
    writer.start()
    latencies, elapsed = _read_all(streams, subscribers * events)
    cpu = (_cpu_s(broadcaster.pid) - cpu_s) / (time.monotonic() - started)
    writer.join()
    for stream in streams:
        stream.sock.close()
    ordered = sorted(latencies)
    return Measurement(
        subscribers,
        asked_per_s,
        len(ordered) / elapsed,
        ordered[len(ordered) // 2],
        ordered[len(ordered) * 99 // 100],
        cpu,
        memory_kb,
        sum(stream.strays for stream in streams),
    )


def _read_all(streams: list[Subscriber], expected: int) -> tuple["array[float]", float]:
    by_fd = {stream.sock.fileno(): stream for stream in streams}
    poll = select.epoll()
    for fd in by_fd:
        poll.register(fd, select.EPOLLIN)
    latencies = array("d")
    started: float | None = None
    last = time.monotonic()
    while len(latencies) < expected:
        for fd, _ in poll.poll(1.0):
            if by_fd[fd].read(latencies):
                last = time.monotonic()
                started = started or last
        if time.monotonic() - last > PATIENCE_S:
            raise RuntimeError(f"{len(latencies)} of {expected} deliveries came")
    poll.close()
    return latencies, max(last - (started or last), 1e-9)


def _spawned(name: str, subscribers: int, asked_per_s: int, options: argparse.Namespace) -> Measurement:
    """One contender's turn on a fresh folder, read in a process of its own on core 1."""
    ours, theirs = multiprocessing.Pipe()
    child = multiprocessing.Process(target=_turn, args=(theirs, name, subscribers, asked_per_s, options))
    child.start()
    theirs.close()
    try:
        found: Measurement = ours.recv()
    except EOFError:
        raise RuntimeError(f"{name} failed at {subscribers} subscribers") from None
    finally:
        child.join()
    return found


def _turn(answer: Connection, name: str, subscribers: int, asked_per_s: int, options: argparse.Namespace) -> None:
    _pin(1)
    with (
        tempfile.TemporaryDirectory(dir=options.folder) as folder,
        BROADCASTERS[name](Path(folder), 0) as broadcaster,
    ):
        answer.send(run(broadcaster, subscribers, asked_per_s, options.seconds))


def _pin(core: int) -> None:
    with suppress(OSError, AttributeError):
        os.sched_setaffinity(0, {core % (os.cpu_count() or 1)})


def _resident_kb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1000


def _cpu_s(pid: int) -> float:
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def report(rounds: list[dict[str, list[Measurement]]]) -> None:
    table = Table("sockets", "asked/s", "server", "got/s", "p50 ms", "p99 ms", "CPU", "kB each", "disorder")
    for index, first in enumerate(rounds[0][next(iter(rounds[0]))]):
        for name in rounds[0]:
            runs = [turn[name][index] for turn in rounds]
            table.add_row(
                f"{first.subscribers:,}",
                f"{first.asked_per_s:,}",
                name,
                *(
                    form.format(statistics.median(getattr(one, field) for one in runs))
                    for field, form in (
                        ("delivered_per_s", "{:,.0f}"),
                        ("p50_ms", "{:.1f}"),
                        ("p99_ms", "{:.1f}"),
                        ("server_cpu", "{:.0%}"),
                        ("memory_kb", "{:.0f}"),
                        ("out_of_order", "{:,.0f}"),
                    )
                ),
            )
    Console().print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--subscribers", type=int, nargs="+", default=SUBSCRIBERS)
    parser.add_argument("--deliveries", type=int, nargs="+", default=DELIVERIES, help="asked of a server a second")
    parser.add_argument("--only", choices=tuple(BROADCASTERS))
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    options = parser.parse_args()
    machine = describe(options.folder)
    print(json.dumps(machine))
    names = [options.only] if options.only else list(BROADCASTERS)
    rounds: list[dict[str, list[Measurement]]] = []
    for _ in range(options.pairs):
        turn: dict[str, list[Measurement]] = {name: [] for name in names}
        for subscribers in options.subscribers:
            for asked_per_s in options.deliveries:
                for name in names:
                    turn[name].append(_spawned(name, subscribers, asked_per_s, options))
        rounds.append(turn)
    report(rounds)
    save(machine, rounds)


def save(machine: dict[str, object], rounds: list[dict[str, list[Measurement]]]) -> None:
    RESULTS.mkdir(exist_ok=True)
    document: dict[str, Any] = {
        "machine": machine,
        "rounds": [{name: list(map(asdict, runs)) for name, runs in turn.items()} for turn in rounds],
    }
    (RESULTS / "fanout.json").write_text(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()
