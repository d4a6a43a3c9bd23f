"""Calls that shared a process with one that keeps it from moving: who is to blame hears so, and the others are
done soon (real Bun, a limit of the test's size)."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from pylon_auth.context import ANONYMOUS
from pylon_core import jsontext
from pylon_core.errors import PylonError
from pylon_functions.invocation import Invocation
from tests.pylon_functions.bun_app import PID, BunApp
from tests.support.waiting import until

LIMIT_S = 2.0
CALLERS = 32

IMPORTS = 'import { existsSync, appendFileSync } from "node:fs";\n'
SPIN = (
    IMPORTS
    + """export default %s({ handler: async (ctx, args) => {
    appendFileSync(args.started as string, "x");
    while (!existsSync(args.go as string)) await Bun.sleep(2);
    while (true) {} } });"""
)
WORK = (
    IMPORTS
    + """export default mutation({ handler: async (ctx, args) => {
    await ctx.db.insert("Lot", { title: args.title as string });
    appendFileSync(args.started as string, "x");
    while (!existsSync(args.go as string)) await Bun.sleep(2);
    return args.title; } });"""
)
SLEEP = (
    IMPORTS
    + """export default query({ handler: async (ctx, args) => {
    appendFileSync(args.started as string, "x");
    while (!existsSync(args.go as string)) await Bun.sleep(2);
    await new Promise(() => {}); } });"""
)


class Rig:
    def __init__(self, folder: Path, submit: Callable[..., Future[Any]]) -> None:
        self.app = BunApp(
            folder,
            {"spin": SPIN % "mutation", "act": SPIN % "action", "sleep": SLEEP, "work": WORK, "pid": PID},
            timeout_s=LIMIT_S,
        )
        self._submit = submit
        self._started, self._go = folder / "started", folder / "go"
        self._files = {"started": str(self._started), "go": str(self._go)}
        self._asked = 0
        self.app.serving_pid()

    def ask(self, name: str, limit_s: float = LIMIT_S, **args: Any) -> "Future[tuple[Any, float]]":
        """What is answered, a value or a code, and how long that took; it has begun."""
        self._asked += 1
        answer = self._submit(
            self._timed, name, limit_s, {**args, "started": str(self._started), "go": str(self._go)}
        )
        until(lambda: self._started.exists() and len(self._started.read_text()) >= self._asked, f"{name} began")
        return answer

    def go(self) -> None:
        self._go.touch()

    def _timed(self, name: str, limit_s: float, args: Any) -> tuple[Any, float]:
        begun = time.monotonic()
        try:
            answer = jsontext.decode(
                bytes(self.app.host.run(Invocation(name, args, ANONYMOUS, timeout_s=limit_s)))
            )
        except PylonError as error:
            answer = error.code
        return answer, time.monotonic() - begun


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with ThreadPoolExecutor(CALLERS, "callers") as pool:
        made = Rig(tmp_path, pool.submit)
        yield made
        made.app.close()
    assert [thread.name for thread in threading.enumerate() if "functions" in thread.name] == []


@pytest.mark.parametrize(("guilty", "limits"), [(1, 2.5), (4, 3.0)])
def test_the_innocent_are_done_soon_however_many_are_to_blame(rig: Rig, guilty: int, limits: float) -> None:
    spinning = [rig.ask("spin") for _ in range(guilty)]
    working = [rig.ask("work", title=f"{caller}") for caller in range(CALLERS - guilty)]
    rig.go()

    answers = [call.result(60) for call in working]
    blamed = [call.result(60) for call in spinning]

    assert [answer for answer, _ in answers] == [f"{caller}" for caller in range(CALLERS - guilty)]
    assert sorted(rig.app.titles(), key=int) == [f"{caller}" for caller in range(CALLERS - guilty)]
    assert [answer for answer, _ in blamed] == ["FN_TIMEOUT"] * guilty
    assert max(took for _, took in answers) < limits * LIMIT_S
    assert max(took for _, took in blamed) < 5.2 * LIMIT_S


def test_an_action_without_end_hears_that_it_was_late_though_another_was_late_first(rig: Rig) -> None:
    bystander = rig.ask("sleep")
    stuck = rig.ask("act", limit_s=2 * LIMIT_S)
    rig.go()

    assert stuck.result(60)[0] == "FN_TIMEOUT"
    assert bystander.result(60)[0] == "FN_TIMEOUT"  # it never returns, wherever it is run
