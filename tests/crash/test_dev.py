"""kill -9 of a whole ``pylon dev``, its Bun and Python processes included, in the middle of jobs and workflows on
SQLite: the next life of it does what is left, and everything took effect once.

The first life loses only its server, so that its functions processes must notice by themselves; the second loses
all at once; the third does the rest.
"""

import http.client
import json
import os
import signal
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.crash.lives import SqliteDatabase
from tests.crash.test_workflows import FUNCTIONS, MANIFEST
from tests.server.rig import ADMIN_TOKEN, Server
from tests.support.waiting import until

JOBS = 120
"""Of each client."""
JOBS_PER_WORKFLOW = 10
EFFECTS = 40
"""Of each life, before it ends."""
FLOWS = ("ordered", "billed")
KINDS = ("effect", "effect_in_python", "act", "act_in_python")
ACTIONS = {
    "act.ts": """
import { action, v } from "@pylonsync/functions";
export default action({ args: { of: v.string() }, handler: (ctx, args) =>
  ctx.runMutation("effect_in_python", { of: args.of }) });""",
    "act.py": """
from pylon_functions import action

@action
def act_in_python(ctx, of: str) -> None:
    ctx.run_mutation("effect", {"of": of})
""",
}


class World:
    """An app, and what it was asked for with what answer."""

    def __init__(self, app: Path) -> None:
        (app / "pylon.manifest.json").write_text(MANIFEST)
        (app / "functions").mkdir()
        for name, body in (FUNCTIONS | ACTIONS).items():
            (app / "functions" / name).write_text(body)
        env = {"PYLON_ADMIN_TOKEN": ADMIN_TOKEN, "PYLON_JOB_WORKERS": "6"}
        self.server = Server(app, env=env)
        self.database = app / ".pylon" / "dev.db"
        self.workflows: set[str] = set()
        self.jobs: set[str] = set()

    def ask(self, path: str, body: Any) -> Any:
        status, answer = self.server.request("POST", path, body, token=ADMIN_TOKEN)
        assert status in (200, 201), answer
        return answer

    def ask_until_it_dies(self, first: int) -> None:
        """What was asked last may be done, or not."""
        with suppress(OSError, http.client.HTTPException):
            for number in range(first, first + JOBS):
                name = KINDS[number % len(KINDS)]
                body = {"name": name, "payload": {"of": f"{name}:{number}"}, "max_retries": 20}
                self.jobs.add(self.ask("/api/jobs", body)["id"])
                if number % JOBS_PER_WORKFLOW == 0:
                    flow = FLOWS[number // JOBS_PER_WORKFLOW % len(FLOWS)]
                    self.workflows.add(self.ask("/api/workflows/start", {"name": flow})["id"])

    @contextmanager
    def asked(self, *firsts: int) -> Iterator[None]:
        """By as many clients at once, until the server dies."""
        clients = [threading.Thread(target=self.ask_until_it_dies, args=(first,)) for first in firsts]
        for client in clients:
            client.start()
        yield
        for client in clients:
            client.join(20)
        assert not any(client.is_alive() for client in clients)

    def send_events(self) -> None:
        """To all there are; what one has already is kept and of no use."""
        for (workflow_id,) in self.rows("SELECT id FROM _pylon_workflows WHERE completed_ms IS NULL"):
            body = {"event": "go", "data": {"n": 1}, "buffer": True}
            self.server.request("POST", f"/api/workflows/{workflow_id}/event", body, token=ADMIN_TOKEN)

    def rows(self, text: str) -> list[Any]:
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=10)) as connection:
            return connection.execute(text).fetchall()

    def count(self, text: str) -> int:
        ((number,),) = self.rows(text)
        return int(number)

    def await_both_languages(self) -> None:
        """Before that there would be nothing to be in the middle of."""
        wanted = {*KINDS, *FLOWS}

        def are_there() -> bool:
            _, listed = self.server.request("GET", "/api/fn", token=ADMIN_TOKEN)
            _, flows = self.server.request("GET", "/api/workflows/definitions", token=ADMIN_TOKEN)
            return wanted <= {one["name"] for one in (*listed, *flows)}

        until(are_there, "the functions of both languages")

    def effects(self) -> int:
        return self.count('SELECT count(*) FROM "Effect"')

    def running(self) -> int:
        return self.count("SELECT count(*) FROM _pylon_jobs WHERE status = 'running'")

    def unfinished(self) -> tuple[int, int]:
        """Jobs and workflows."""
        jobs = self.count("SELECT count(*) FROM _pylon_jobs WHERE completed_ms IS NULL")
        return jobs, self.count("SELECT count(*) FROM _pylon_workflows WHERE completed_ms IS NULL")

    def await_middle(self) -> None:
        before = self.effects()
        until(lambda: self.effects() >= before + EFFECTS and self.running() >= 2, "the middle of its work")

    def check_something_is_left(self) -> None:
        print(
            f"killed with {self.effects()} effects, {self.running()} jobs running, {self.unfinished()} unfinished"
        )
        assert min(self.unfinished()) > 0, "it was killed too late"

    def kill_server(self) -> None:
        self.server.kill()
        until(lambda: not self.server.processes(), "its functions processes to notice")

    def kill_all(self) -> None:
        for pid in self.server.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.server.kill()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.kill_all()


def check(world: World) -> None:
    SqliteDatabase(world.database).check_integrity()
    instances = dict(world.rows("SELECT id, status FROM _pylon_workflows"))
    assert world.workflows <= instances.keys()
    assert Counter(instances.values()) == {"Completed": len(instances)}
    jobs = world.rows("SELECT 'job_' || n, name, status, payload FROM _pylon_jobs WHERE name NOT LIKE 'pylon.%'")
    assert world.jobs <= {job_id for job_id, *_ in jobs}
    assert Counter(status for *_, status, _ in jobs) == {"completed": len(jobs)}
    found = Counter(of for (of,) in world.rows('SELECT "of" FROM "Effect"'))
    of_steps = {f"{workflow_id}:{step}" for workflow_id in instances for step in ("first", "last")}
    of_jobs = {json.loads(payload)["of"] for *_, payload in jobs}
    assert found.keys() == of_steps | of_jobs
    assert {of: times for of, times in found.items() if times > 1 and not of.startswith("act")} == {}


@pytest.mark.timeout(90)
def test_a_whole_server_killed_in_the_middle_leaves_everything_to_its_next_life(world: World) -> None:
    world.server.start()
    world.await_both_languages()
    with world.asked(0, 1_000):
        world.await_middle()
        world.kill_server()
    world.check_something_is_left()

    world.server.start()
    world.send_events()
    with world.asked(2_000, 3_000):
        world.await_middle()
        world.kill_all()
    world.check_something_is_left()

    world.server.start()
    world.send_events()
    until(lambda: world.unfinished() == (0, 0), "the end of all work", seconds=40)
    assert world.server.stop() == 0
    check(world)
