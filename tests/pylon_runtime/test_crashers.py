"""A function that ends or blocks its process, called again and again, beside others that must not notice (real
Python and Bun)."""

import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from pylon_auth.context import ANONYMOUS
from pylon_core.errors import PylonError
from pylon_functions.host import FunctionHost
from pylon_functions.invocation import Invocation
from tests.pylon_functions.bun_app import PID, BunApp
from tests.pylon_functions.lots import MANIFEST
from tests.support.waiting import until

EVERY_S = 0.1
FOR_S = 2.0

PYTHON = """
import os, re, threading
from pylon_functions import action, mutation, query

@query
def crash(ctx): os._exit(0)

@query
def read(ctx): return len(ctx.db.query("Lot", {"title": "nobody's"}))

@mutation
def write(ctx, title: str): return ctx.db.insert("Lot", {"title": title})

@action
def act(ctx): return 1

@action
def crash_in_action(ctx): os._exit(0)

@action
def crash_afterwards(ctx): threading.Timer(0.02, lambda: os._exit(0)).start()

@query
def spin(ctx): return re.match("(a+)+$", "a" * 60 + "b")  # years, in which no other thread moves

@query
def pid(ctx): return os.getpid()
"""
TYPESCRIPT = {
    "crash": "export default query({ handler: () => { process.exit(0); } });",
    "read": """export default query({ handler: async (ctx) =>
        (await ctx.db.query("Lot", { title: "nobody's" })).length });""",
    "write": """export default mutation({ handler: (ctx, args) =>
        ctx.db.insert("Lot", { title: args.title as string }) });""",
    "act": "export default action({ handler: () => 1 });",
    "crash_in_action": "export default action({ handler: () => { process.exit(0); } });",
    "crash_afterwards": "export default action({ handler: () => { setTimeout(() => process.exit(0), 20); } });",
    "spin": "export default query({ handler: () => { while (true) {} } });",
    "pid": PID,
}
APPS = {"python": {"ours.py": PYTHON}, "typescript": TYPESCRIPT}
NEIGHBOURS = ("read", "read", "write", "act")


class Neighbourhood:
    """Callers that go on until the time is over, each with what it was answered and how long the slowest took."""

    def __init__(self, app: BunApp) -> None:
        self._app = app
        self._until = time.monotonic() + FOR_S
        self.answers: dict[str, Counter[str]] = {}
        self.took: list[float] = []

    def keep_calling(self, name: str, caller: int, every_s: float) -> None:
        answers = self.answers.setdefault(name, Counter())
        count = 0
        while time.monotonic() < self._until:
            begun = time.monotonic()
            answers[self._ask(name, f"{caller} {count}")] += 1
            took = time.monotonic() - begun
            if name in ("read", "write"):
                self.took.append(took)
            count += 1
            threading.Event().wait(max(0.0, every_s - took))

    def _ask(self, name: str, title: str) -> str:
        try:
            self._app.host.run(Invocation(name, {"title": title} if name == "write" else {}, ANONYMOUS))
        except PylonError as error:
            return error.code
        return "ok"


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(12, "callers") as made:
        yield made


@pytest.fixture(params=sorted(APPS))
def app(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BunApp]:
    made = BunApp(tmp_path, APPS[request.param])
    until(lambda: "pid" in made.runtime.registry(), "the functions are loaded")
    yield made
    made.close()
    assert [thread.name for thread in threading.enumerate() if "functions" in thread.name] == []


def live_together(app: BunApp, pool: ThreadPoolExecutor, crasher: str) -> Neighbourhood:
    lives = Neighbourhood(app)
    calling: list[Future[None]] = [
        pool.submit(lives.keep_calling, name, caller, 0.02) for caller, name in enumerate(NEIGHBOURS)
    ]
    calling += [pool.submit(lives.keep_calling, crasher, 9, EVERY_S)]
    for each in calling:
        each.result(60)
    return lives


@pytest.mark.parametrize("crasher", ["crash", "crash_in_action"])
def test_a_crasher_in_a_loop_alone_hears_of_it(app: BunApp, pool: ThreadPoolExecutor, crasher: str) -> None:
    lives = live_together(app, pool, crasher)

    assert set(lives.answers[crasher]) == {"RUNNER_EXITED"}
    assert lives.answers[crasher].total() > 3
    assert set(lives.answers["read"]) == set(lives.answers["write"]) == {"ok"}
    assert lives.answers["act"]["RUNNER_EXITED"] <= 2
    assert set(lives.answers["act"]) <= {"ok", "RUNNER_EXITED"}
    assert len(app.titles()) == lives.answers["write"].total()
    slowest = sorted(lives.took)
    assert slowest[int(0.99 * len(slowest))] < 1.0
    assert os.getpid() != app.serving_pid()


def test_one_that_ends_its_process_after_it_returned_stops_nobody(app: BunApp, pool: ThreadPoolExecutor) -> None:
    lives = live_together(app, pool, "crash_afterwards")

    assert "FUNCTIONS_NOT_AVAILABLE" not in {code for answers in lives.answers.values() for code in answers}
    assert app.serving_pid()


def test_one_that_got_stuck_twice_gets_stuck_apart_from_then_on(app: BunApp, pool: ThreadPoolExecutor) -> None:
    hasty = FunctionHost(MANIFEST, app.store, app.runtime, app.clock, 1.5)
    before = app.serving_pid()

    def code() -> str:
        with pytest.raises(PylonError) as late:
            hasty.run(Invocation("spin", {}, ANONYMOUS))
        return late.value.code

    assert code() == "FN_TIMEOUT"
    replaced = app.serving_pid()
    assert replaced != before
    assert [code() for _ in range(2)] == ["FN_TIMEOUT"] * 2
    spinning = pool.submit(code)
    assert app.serving_pid() == replaced
    assert spinning.result(20) == "FN_TIMEOUT"
    assert app.serving_pid() == replaced
