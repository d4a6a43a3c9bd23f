"""One handler that computes without end among many callers: it gets 504 and leaves nothing, and nobody else
notices (contract 07 §13)."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.server.rig import Server, serving, write_app
from tests.support.waiting import until

CALLERS = 32
CALL_TIMEOUT_S = 6.0
"""Enough for all callers together on a machine that is busy."""

TYPESCRIPT = {
    "spin": """export default mutation({ handler: async (ctx, args) => {
      await ctx.db.insert("Post", { title: "spun" });
      await Bun.write(args.marker, "");
      while (true) {}
    } });""",
    "post": 'export default mutation({ handler: (ctx, args) => ctx.db.insert("Post", { title: args.title }) });',
    "posts": """export default query({
      handler: async (ctx) => (await ctx.db.list("Post")).map((row) => row.title) });""",
    "spin_beside": """export default mutation({ handler: async (ctx, args) => {
      await ctx.db.insert("Post", { title: "spun" });
      await Bun.write(args.gate, "");
      while (true) {}
    } });""",
    "work": """export default mutation({ handler: async (ctx, args) => {
      await ctx.db.list("Post");
      const id = await ctx.db.insert("Post", { title: args.title });
      await Bun.write(args.started, "");
      while (!existsSync(args.gate)) await Bun.sleep(5);
      await ctx.db.update("Post", id, { title: args.title + "!" });
      return (await ctx.db.get("Post", id)).title;
    } });""",
}
PYTHON = """
from pylon_functions import mutation, query

@mutation
def spin_in_python(ctx, marker: str):
    ctx.db.insert("Post", {"title": "spun"})
    open(marker, "w").close()
    while True:
        pass

@mutation
def post_in_python(ctx, title: str):
    return ctx.db.insert("Post", {"title": title})

@query
def posts_in_python(ctx):
    return [row["title"] for row in ctx.db.list("Post")]
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = write_app(tmp_path_factory.mktemp("app"), functions=TYPESCRIPT)
    (folder / "functions" / "posts_in_python.py").write_text(PYTHON)
    with serving(folder, env={"PYLON_FN_CALL_TIMEOUT": f"{CALL_TIMEOUT_S}"}) as running:
        running.await_functions("posts")
        running.await_functions("posts_in_python")
        yield running
        assert "Traceback" not in running.log_text()


@pytest.mark.parametrize("suffix", ["", "_in_python"], ids=["TypeScript", "Python"])
def test_one_handler_without_end_costs_nobody_a_call_who_comes_later(
    server: Server, suffix: str, tmp_path: Path
) -> None:
    marker = tmp_path / "spinning"
    is_stuck_answered = threading.Event()

    def get_stuck() -> tuple[int, Any]:
        try:
            return server.request("POST", f"/api/fn/spin{suffix}", {"marker": str(marker)})
        finally:
            is_stuck_answered.set()

    def go_on_calling(caller: int) -> list[Any]:
        """Until the stuck call was answered, and once after; what went wrong."""
        answers: list[Any] = []
        is_last = False
        while not is_last:
            is_last = is_stuck_answered.is_set()
            status, answer = server.request("POST", f"/api/fn/post{suffix}", {"title": f"{caller}"})
            if status != 200:
                answers.append((status, answer))
        return answers

    with ThreadPoolExecutor(CALLERS) as threads:
        stuck = threads.submit(get_stuck)
        until(marker.exists, "the handler to spin")
        others = [threads.submit(go_on_calling, caller) for caller in range(CALLERS - 1)]
        status, answer = stuck.result()
        failures = [failure for other in others for failure in other.result()]

    assert (status, answer["code"]) == (504, "FN_TIMEOUT")
    assert failures == []
    assert "spun" not in server.call(f"posts{suffix}")


def test_a_handler_without_end_costs_none_of_the_calls_that_run_beside_it(server: Server, tmp_path: Path) -> None:
    gate = tmp_path / "spinning"

    def work(caller: int) -> tuple[int, Any]:
        args = {"title": f"beside {caller}", "started": str(tmp_path / f"{caller}"), "gate": str(gate)}
        return server.request("POST", "/api/fn/work", args)

    earlier, later = range(CALLERS // 2), range(CALLERS // 2, CALLERS - 1)
    with ThreadPoolExecutor(CALLERS) as threads:
        others = [threads.submit(work, caller) for caller in earlier]
        until(lambda: all((tmp_path / f"{caller}").exists() for caller in earlier), "the earlier calls to run")
        stuck = threads.submit(server.request, "POST", "/api/fn/spin_beside", {"gate": str(gate)})
        until(gate.exists, "the handler to spin")
        others += [threads.submit(work, caller) for caller in later]
        status, answer = stuck.result()
        answers = [other.result() for other in others]

    assert answers == [(200, f"beside {caller}!") for caller in (*earlier, *later)]
    assert (status, answer["code"]) == (504, "FN_TIMEOUT")
    titles = [title for title in server.call("posts") if title.startswith("beside") or title == "spun"]
    assert sorted(titles) == sorted(f"beside {caller}!" for caller in (*earlier, *later))
