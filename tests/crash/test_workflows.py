"""Workflows and jobs on two servers over one Postgres, while servers, processes of functions, connections and
Postgres itself are killed: in the end each workflow is completed, each step of it took effect once, jobs too.

The disturbances come from one seed, which is printed; set PYLON_CRASH_SEED to replay it.
"""

import json
import os
import random
import secrets
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPException
from pathlib import Path
from typing import Any, ClassVar

import psycopg
import pytest

from tests.server.rig import Server
from tests.support.postgres import PostgresServer, fresh_database, postgres_server
from tests.support.waiting import until

ADMIN = "the-administrator"
CLIENTS = 4
MANIFEST = """{"manifest_version": 1, "name": "crash", "version": "1", "routes": [], "entities": [
  {"name": "Effect", "crdt": false, "indexes": [], "fields": [
    {"name": "of", "type": "string", "optional": false, "unique": false}]}]}"""
FUNCTIONS = {
    "effect.ts": """
import { mutation, v } from "@pylonsync/functions";
export default mutation({ args: { of: v.string() }, handler: async (ctx, args) => {
  await ctx.db.insert("Effect", { of: args.of });
  return args.of;
} });""",
    "ordered.ts": """
import { workflow } from "@pylonsync/workflows";
export default workflow("ordered", async (ctx, { step, sleep, waitForEvent }) => {
  const first = await step("first", () => ctx.runMutation("effect", { of: `${ctx.id}:first` }));
  await sleep("1s");
  const event = await waitForEvent("go");
  const last = await step("last", () => ctx.runMutation("effect", { of: `${ctx.id}:last` }));
  return [first, event, last];
});""",
    "billed.py": """
from pylon_functions import mutation, workflow

@mutation
def effect_in_python(ctx, of: str) -> str:
    ctx.db.insert("Effect", {"of": of})
    return of

@workflow("billed")
def billed(ctx):
    first = ctx.step("first", lambda: ctx.run_mutation("effect", {"of": f"{ctx.id}:first"}))
    ctx.sleep("1s")
    event = ctx.wait_for_event("go")
    last = ctx.step("last", lambda: ctx.run_mutation("effect_in_python", {"of": f"{ctx.id}:last"}))
    return [first, event, last]
""",
}


class WatchfulServer(Server):
    program: ClassVar[str] = "tests.crash.watchful_server"

    def kill(self) -> None:
        """All that belongs to it, at once: its children notice by themselves, but not sooner than a new server."""
        super().kill()
        for pid in self.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


class World:
    """Two servers on a database, and what was asked of them."""

    def __init__(self, app: Path, chance: random.Random, postgres: PostgresServer) -> None:
        self.postgres = postgres
        self.url = fresh_database(postgres)
        env = {"DATABASE_URL": self.url, "PYLON_ADMIN_TOKEN": ADMIN, "PYTHONPATH": os.getcwd()}
        self.servers = [WatchfulServer(app, env=env) for _ in range(2)]
        self.chance = chance
        self.started: list[str] = []
        self.enqueued: list[str] = []
        self.refusals: Counter[str] = Counter()
        """What clients were told when it did not work; they ask again."""

    @contextmanager
    def running(self) -> Iterator[None]:
        try:
            for server in self.servers:
                server.start()
            until(lambda: len(self.ask("GET", "/api/workflows/definitions")) == 2, "both languages")
            yield
        finally:
            for server in self.servers:
                server.kill()

    def ask(self, method: str, path: str, body: Any = None, *, is_done: Callable[[], bool] = lambda: False) -> Any:
        """Of any server, again and again, until there is an answer, or a refusal says that it was done before."""
        answers: list[Any] = []

        def is_answered() -> bool:
            server = self.chance.choice(self.servers)
            with suppress(OSError, HTTPException, ValueError):
                status, answer = server.request(method, path, body, token=ADMIN, timeout=10)
                if status < 300 or (status == 400 and is_done()):
                    answers.append(answer)
                else:
                    self.refusals[f"{status} {answer}"] += 1
            return bool(answers)

        until(is_answered, f"an answer to {method} {path}", seconds=60)
        return answers[0]

    def start_workflow(self, number: int) -> None:
        name = "ordered" if number % 2 else "billed"
        answer = self.ask("POST", "/api/workflows/start", {"name": name, "input": {"n": number}})
        self.started.append(answer["id"])

    def send_event(self, number: int) -> None:
        self.send_go(self.started[number])

    def send_go(self, workflow_id: str) -> None:
        event = {"event": "go", "data": {"n": 1}, "buffer": True}
        path = f"/api/workflows/{workflow_id}/event"
        self.ask("POST", path, event, is_done=lambda: self.is_completed(workflow_id))

    def is_completed(self, workflow_id: str) -> bool:
        """It has had its event: the answer that said so was lost."""
        with suppress(psycopg.OperationalError):
            return (workflow_id, "Completed") in self.rows("SELECT id, status FROM _pylon_workflows")
        return False

    def send_to_the_unheard(self) -> None:
        """Some were begun without the answer that says so."""
        for (workflow_id,) in self.rows("SELECT id FROM _pylon_workflows WHERE completed_ms IS NULL"):
            if workflow_id not in self.started:
                self.send_go(workflow_id)

    def enqueue(self, number: int) -> None:
        job = {"name": "effect", "payload": {"of": f"job:{number}"}, "max_retries": 20}
        self.enqueued.append(self.ask("POST", "/api/jobs", job)["id"])

    def rows(self, text: str) -> list[Any]:
        with psycopg.connect(self.url) as connection:
            return connection.execute(text.encode()).fetchall()

    def unfinished(self) -> int:
        jobs = "SELECT count(*) FROM _pylon_jobs WHERE completed_ms IS NULL"
        ((waiting,),) = self.rows(jobs)
        ((running,),) = self.rows("SELECT count(*) FROM _pylon_workflows WHERE completed_ms IS NULL")
        return int(waiting + running)

    # What happens to it

    def kill_a_server(self) -> None:
        server = self.chance.choice(self.servers)
        server.kill()
        server.start()

    def kill_a_child(self) -> None:
        children = self.chance.choice(self.servers).children()
        if children:
            with suppress(ProcessLookupError):
                os.kill(self.chance.choice(children), signal.SIGKILL)

    def kill_postgres(self) -> None:
        self.postgres.kill()
        self.postgres.start()

    def cut_connections(self) -> None:
        self.rows(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def in_parallel(act: Callable[[int], None], count: int) -> list[threading.Thread]:
    numbers = iter(range(count))
    lock = threading.Lock()

    def work() -> None:
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            act(number)

    threads = [threading.Thread(target=work) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    return threads


def disturb(world: World, rounds: int) -> Counter[str]:
    """Each kind in turn at least, and then whatever comes."""
    kinds = [world.kill_a_server, world.kill_a_child, world.cut_connections, world.kill_postgres]
    done: Counter[str] = Counter()
    for number in range(rounds):
        kind = kinds[number] if number < len(kinds) else world.chance.choice(kinds)
        time.sleep(world.chance.uniform(0.1, 0.6))  # for nothing: the moment is to be any
        kind()
        done[kind.__name__] += 1
    return done


def is_foreseen(refusal: str) -> bool:
    """It did not happen, or nobody can tell yet whether it did."""
    return refusal.startswith(("409", "503")) or (refusal.startswith("500") and "COMMIT_FAILED" in refusal)


def check(world: World) -> None:
    instances = dict(world.rows("SELECT id, status FROM _pylon_workflows"))
    assert set(world.started) <= instances.keys()
    assert Counter(instances.values()) == {"Completed": len(instances)}
    effects = Counter(of for (of,) in world.rows('SELECT "of" FROM "Effect"'))
    of_steps = {f"{workflow_id}:{step}" for workflow_id in instances for step in ("first", "last")}
    assert {of: count for of, count in effects.items() if not of.startswith("job:")} == dict.fromkeys(of_steps, 1)
    jobs = world.rows("SELECT 'job_' || n, status, payload FROM _pylon_jobs WHERE name = 'effect'")
    assert set(world.enqueued) <= {job_id for job_id, *_ in jobs}
    assert Counter(status for _, status, _ in jobs) == {"completed": len(jobs)}
    asked = Counter(json.loads(payload)["of"] for *_, payload in jobs)
    assert {of: count for of, count in effects.items() if of.startswith("job:")} == dict(asked)


def live_through(app: Path, workflows: int, jobs: int, rounds: int, patience_s: float) -> None:
    seed = int(os.environ.get("PYLON_CRASH_SEED") or secrets.randbelow(1 << 32))
    print(f"PYLON_CRASH_SEED={seed}")
    (app / "pylon.manifest.json").write_text(MANIFEST)
    (app / "functions").mkdir()
    for name, body in FUNCTIONS.items():
        (app / "functions" / name).write_text(body)
    with postgres_server() as postgres:
        outlive(World(app, random.Random(seed), postgres), workflows, jobs, rounds, patience_s)


def outlive(world: World, workflows: int, jobs: int, rounds: int, patience_s: float) -> None:
    with world.running():
        begun = time.monotonic()
        starting = in_parallel(world.start_workflow, workflows)
        enqueueing = in_parallel(world.enqueue, jobs)
        done = disturb(world, rounds)
        for thread in starting:
            thread.join(120)
        sending = in_parallel(world.send_event, workflows)
        done += disturb(world, rounds)
        for thread in (*enqueueing, *sending):
            thread.join(300)
        world.send_to_the_unheard()
        until(lambda: world.unfinished() == 0, "the end of all work", seconds=patience_s)
        print("\n".join(f"{times} x {what}" for what, times in world.refusals.items()))
        print(f"{dict(done)} in {time.monotonic() - begun:.1f} s")
        assert [what for what in world.refusals if not is_foreseen(what)] == []
        assert len(world.started) == workflows
        assert len(world.enqueued) == jobs
    failed = world.rows("SELECT count(*) FROM _pylon_workflow_steps WHERE status = 'Failed'")
    print(f"{world.rows('SELECT count(*) FROM _pylon_workflows')} workflows, {failed} failed tries of steps")
    check(world)


@pytest.mark.timeout(180)
def test_workflows_and_jobs_outlive_whatever_is_killed(tmp_path: Path) -> None:
    live_through(tmp_path, workflows=24, jobs=120, rounds=4, patience_s=60)


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_many_workflows_and_jobs_outlive_whatever_is_killed(tmp_path: Path) -> None:
    live_through(tmp_path, workflows=200, jobs=2_000, rounds=12, patience_s=600)
