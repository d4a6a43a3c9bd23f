"""Clients write, edit, read and watch through faults of every kind; afterwards the checker reads the history of
it all.

The seed is printed; PYLON_HISTORY_SEED replays its faults and what everybody tries to do, PYLON_HISTORY_SECONDS
makes it longer. How threads and processes interleave is up to the machine, so a failure may need a few replays.
"""

import os
import secrets
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.history.checker import check
from tests.history.editors import Typist
from tests.history.history import (
    Accepted,
    Called,
    FinalState,
    Heard,
    History,
    Invoked,
    Pulled,
    Record,
    Refused,
    Settled,
    Typed,
    Viewed,
    Watched,
)
from tests.history.nemesis import Fault, Nemesis, schedule
from tests.history.site import Site, postgres_site, sqlite_site
from tests.history.workload import Caller, Writer
from tests.history.world import World

SECONDS = 8.0
SOAK_SECONDS = 60.0
NEMESIS_JOIN_SECONDS = 60
LOOKS = 15
"""How often each client is looked at in a run; views hold all rows, so a longer run has them less often."""
ACTS_PER_SECOND = 8

MakeSite = Callable[[], AbstractContextManager[Callable[[Path], Site]]]
ENGINES = pytest.mark.parametrize("engine", [sqlite_site, postgres_site], ids=["sqlite", "postgres"])


@pytest.mark.timeout(240)
@ENGINES
def test_a_history_full_of_faults_is_one_order_of_writes(tmp_path: Path, engine: MakeSite) -> None:
    run(tmp_path, engine, SECONDS)


@pytest.mark.soak
@pytest.mark.timeout(7200)
@ENGINES
def test_a_long_history_full_of_faults_is_one_order_of_writes(tmp_path: Path, engine: MakeSite) -> None:
    run(tmp_path, engine, SOAK_SECONDS)


def run(folder: Path, engine: MakeSite, seconds: float) -> None:
    seed = int(os.environ.get("PYLON_HISTORY_SEED") or secrets.randbelow(1 << 32))
    seconds = float(os.environ.get("PYLON_HISTORY_SECONDS") or seconds)
    replay = f"PYLON_HISTORY_SEED={seed} PYLON_HISTORY_SECONDS={seconds:g}"
    print(replay)
    with engine() as make_site, World(folder, make_site, seed) as world:
        faults = schedule(seed, world.targets, seconds)
        write_through(world, faults, seed, seconds)
        world.heal()
        final = world.settle()
    for watcher in world.watchers.values():
        watcher.check()
    world.history.save(folder / "history.jsonl")
    (folder / "faults.txt").write_text("\n".join(map(str, faults)))
    print(summary(world.history, final, faults))
    violations = check(world.history, final)
    assert not violations, "\n".join([f"replay with {replay}, see {folder}", *map(str, violations[:20])])
    for server in world.servers.values():
        assert "Traceback" not in server.log_text()


def write_through(world: World, faults: list[Fault], seed: int, seconds: float) -> None:
    """Everybody writes while everything breaks, for as long as the schedule lasts."""
    stop = threading.Event()
    looks = LOOKS / (seconds * ACTS_PER_SECOND)
    actors = [
        *(Writer(client, world.users, seed, stop, world.history, looks) for client in world.clients.values()),
        *(
            Caller(name, world.port_of(name), caller.token, world.counters, seed, stop, world.history)
            for name, caller in world.callers.items()
        ),
        *(Typist(editor, seed, stop) for editor in world.editors.values()),
    ]
    nemesis = Nemesis(faults, world)
    nemesis.start()
    for actor in actors:
        actor.start()
    try:
        nemesis.join(seconds + NEMESIS_JOIN_SECONDS)
    finally:
        stop.set()
        nemesis.stop()
        for actor in actors:
            actor.join()


def summary(history: History, final: FinalState, faults: list[Fault]) -> str:
    """What was tried, so that a run that tests nothing does not look like one that found nothing."""

    def count(kind: type[Record]) -> int:
        return sum(1 for _ in history.of(kind))

    pulled = sum(len(record.events) for record in history.of(Pulled))
    outcomes = {record.op_id: record.outcome for record in history.of(Settled)}
    repeated = sum(record.deduped for record in history.of(Settled))
    calls = Counter(record.outcome for record in history.of(Called))
    refused = Counter(f"{record.status} {record.code}" for record in history.of(Refused))
    return "\n".join(
        [
            f"faults   {dict(Counter(fault.kind.value for fault in faults))}",
            f"writes   {count(Invoked)}, settled {dict(Counter(outcomes.values()))}, {repeated} by another try",
            f"calls    {dict(calls)}",
            f"seen     {pulled} events in {count(Pulled)} pulls, {count(Heard)} on sockets, {count(Viewed)} views",
            f"typed    {count(Typed)}, accepted {sum(len(record.tags) for record in history.of(Accepted))}",
            f"watched  {count(Watched)} lists; taken {sum(map(len, final.tapes.values()))} events on tapes",
            f"refused  {dict(refused)} requests",
            f"the end  {len(final.log)} log entries, {len(final.rows)} rows",
        ]
    )
