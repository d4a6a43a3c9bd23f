"""One handler that computes without end among many callers: it gets 504 and leaves nothing, and nobody else notices
(contract 07 §13)."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.server.rig import ADMIN_TOKEN, Server, serving, write_app
from tests.support.waiting import until

CALLERS = 32
CALL_TIMEOUT_S = 3.0

TYPESCRIPT = {
    "spin": """export default mutation({ handler: async (ctx) => {
      await ctx.db.insert("Post", { title: "spun" });
      while (true) {}
    } });""",
    "post": 'export default mutation({ handler: (ctx, args) => ctx.db.insert("Post", { title: args.title }) });',
    "posts": """export default query({
      handler: async (ctx) => (await ctx.db.list("Post")).map((row) => row.title) });""",
}
PYTHON = '''
from pylon_functions import mutation, query

@mutation
def spin_in_python(ctx):
    ctx.db.insert("Post", {"title": "spun"})
    while True:
        pass

@mutation
def post_in_python(ctx, title: str):
    return ctx.db.insert("Post", {"title": title})

@query
def posts_in_python(ctx):
    return [row["title"] for row in ctx.db.list("Post")]
'''


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
def test_one_handler_without_end_costs_nobody_else_a_call(server: Server, suffix: str) -> None:
    is_stuck_answered = threading.Event()

    def get_stuck() -> tuple[int, Any]:
        try:
            return server.request("POST", f"/api/fn/spin{suffix}", {})
        finally:
            is_stuck_answered.set()

    def go_on_calling(caller: int) -> list[Any]:
        """Until the stuck call was answered, and once after."""
        answers = []
        is_last = False
        while not is_last:
            is_last = is_stuck_answered.is_set()
            began = time.monotonic()
            status, answer = server.request("POST", f"/api/fn/post{suffix}", {"title": f"{caller}"})
            if status != 200:
                answers.append((status, answer, round(time.monotonic() - began, 2)))
        return answers

    with ThreadPoolExecutor(CALLERS) as threads:
        others = [threads.submit(go_on_calling, caller) for caller in range(CALLERS - 1)]
        status, answer = get_stuck()
        failures = [failure for other in others for failure in other.result()]

    assert (status, answer["code"]) == (504, "FN_TIMEOUT")
    assert failures == []
    assert "spun" not in server.call(f"posts{suffix}")
