"""The processes of both languages are replaced while calls, streams and calls from one to the other are under way:
no call is lost, and none hangs."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from pylon_auth.context import ANONYMOUS
from pylon_core import jsontext
from pylon_functions.invocation import Invocation
from tests.pylon_functions.bun_app import BunApp
from tests.support.waiting import until

RELOADS = 6
PYTHON = """
import os, time
from pylon_functions import action, mutation, query

@mutation
def add_in_python(ctx, title: str):
    ctx.db.insert("Lot", {"title": title})
    return title

@action
def through_typescript(ctx, title: str):
    ctx.stream.write("before")
    value = ctx.run_mutation("add", {"title": title})
    ctx.stream.write("after")
    return value
"""
TYPESCRIPT = {
    "add": """export default mutation({ handler: async (ctx, args) => {
      await ctx.db.insert("Lot", { title: args.title as string }); return args.title; } });""",
    "throughPython": """export default action({ handler: async (ctx, args) => {
      ctx.stream.write("before");
      const value = await ctx.runMutation("add_in_python", args);
      ctx.stream.write("after");
      return value; } });""",
    "linger": """import { existsSync, writeFileSync } from "node:fs";
    export default action({ handler: async (ctx, args) => {
      ctx.stream.write("before");
      writeFileSync(args.gate + ".reached", "");
      while (!existsSync(args.gate as string)) await Bun.sleep(2);
      const value = await ctx.runMutation("add_in_python", { title: "lingered" });
      ctx.stream.write("after");
      return value; } });""",
}
CALLED = ("add", "add_in_python", "throughPython", "through_typescript")


@pytest.fixture
def app(tmp_path: Path) -> Iterator[BunApp]:
    made = BunApp(tmp_path, {**TYPESCRIPT, "ours.py": PYTHON})
    until(lambda: {*CALLED} <= {*made.runtime.registry()}, "both languages")
    yield made
    made.close()
    assert [thread.name for thread in threading.enumerate() if "functions" in thread.name] == []


def heard(app: BunApp, name: str, args: Any) -> tuple[Any, list[str]]:
    """What a call returns, and what it streamed."""
    texts: list[str] = []

    def listen(text: str, _event: str | None) -> None:
        texts.append(text)

    return jsontext.decode(bytes(app.host.run(Invocation(name, args, ANONYMOUS, listener=listen)))), texts


def await_more(app: BunApp, rows: int) -> None:
    enough = len(app.lots()) + rows
    until(lambda: len(app.lots()) >= enough, "calls to go on")


def test_replacing_the_processes_of_both_languages_loses_no_call(app: BunApp, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    is_over = threading.Event()

    def go_on_calling(name: str, caller: int) -> int:
        count = 0
        while not is_over.is_set():
            title = f"{name} {caller} {count}"
            value, texts = heard(app, name, {"title": title})
            assert value == title
            assert texts == (["before", "after"] if "hrough" in name else [])
            count += 1
        return count

    with ThreadPoolExecutor(2 * len(CALLED) + 1, "callers") as pool:
        lingering = pool.submit(heard, app, "linger", {"gate": str(gate)})
        until(Path(f"{gate}.reached").exists, "a call to be under way")
        callers = {name: [pool.submit(go_on_calling, name, caller) for caller in range(2)] for name in CALLED}
        try:
            for _ in range(RELOADS):
                app.reload()
                await_more(app, 20)
            gate.touch()
            assert lingering.result(20) == ("lingered", ["before", "after"])
        finally:
            gate.touch()
            is_over.set()
        counts = {name: [caller.result(20) for caller in callers[name]] for name in CALLED}

    titles = app.titles()
    assert len(titles) == 1 + sum(sum(each) for each in counts.values())
    assert all(min(each) > 0 for each in counts.values())
