"""Internal functions over a real server, in TypeScript and Python: the app itself reaches them by every way it
has, and for everybody else, the administrator included, the answer is that for a name that nobody has.
"""

import http.client
from collections.abc import Iterator
from typing import Any

import pytest

from tests.server.rig import ADMIN_TOKEN, Server, notes_app, serving, write_app
from tests.support.waiting import until

TYPESCRIPT = {
    "hiddenQuery": """export default query({ internal: true, args: { n: v.int() },
      handler: async (ctx, { n }) => [n, (await ctx.db.list("Post")).length >= 0] });""",
    "hiddenMutation": """export default mutation({ internal: true, args: { title: v.string() },
      handler: (ctx, { title }) => ctx.db.insert("Post", { title }) });""",
    "hiddenAction": """export default action({ internal: true,
      handler: (ctx) => ctx.runMutation("hiddenMutation", { title: "by an action" }) });""",
    "hiddenFlow": """import { workflow } from "@pylonsync/workflows";
      export default workflow("hiddenFlow", async (ctx, { step }) => {
        await step("write", () => ctx.runMutation("hiddenMutation", { title: ctx.input.title }));
      }, { internal: true });""",
    "openFlow": """import { workflow } from "@pylonsync/workflows";
      export default workflow("openFlow", async (ctx, { child }) => {
        await child("hiddenFlow", { title: "by a child" });
        await child("hidden_flow", { title: "by a child in Python" });
      });""",
    "nested": """export default action({ handler: async (ctx) => {
        await ctx.runMutation("hiddenMutation", { title: "nested" });
        await ctx.runMutation("hidden_mutation", { title: "nested in Python" });
        return ctx.runQuery("hiddenQuery", { n: 1 });
      } });""",
    "schedules": """export default mutation({ handler: async (ctx) => {
        await ctx.scheduler.runAfter(0, "hiddenMutation", { title: "scheduled" });
        await ctx.scheduler.runAfter(0, "hidden_mutation", { title: "scheduled in Python" });
        await ctx.workflows.start("hiddenFlow", { title: "by a workflow" });
        await ctx.workflows.start("hidden_flow", { title: "by a workflow in Python" });
      } });""",
    "unsure": """export default mutation({ internal: "yes" as unknown as boolean, handler: () => "open" });""",
}
PYTHON = """
from pylon_functions import action, mutation, query, workflow

@query(internal=True)
def hidden_query(ctx, n: int):
    return n

@mutation(internal=True)
def hidden_mutation(ctx, title: str):
    return ctx.db.insert("Post", {"title": title})

@action(internal=True)
def hidden_action(ctx):
    return ctx.run_mutation("hidden_mutation", {"title": "by an action in Python"})

@workflow("hidden_flow", internal=True)
def hidden_flow(ctx):
    ctx.step("write", lambda: ctx.run_mutation("hidden_mutation", {"title": ctx.input["title"]}))

@action
def nested_in_python(ctx):
    ctx.run_mutation("hiddenMutation", {"title": "from Python"})
    return ctx.run_query("hidden_query", {"n": 2})
"""
UNSURE_PYTHON = """
from pylon_functions import mutation

@mutation(internal="yes")
def unsure_in_python(ctx):
    return "open"
"""
HIDDEN = ["hiddenQuery", "hiddenMutation", "hiddenAction", "hidden_query", "hidden_mutation", "hidden_action"]
FLOWS = ["hiddenFlow", "hidden_flow"]
BODIES = [b"", b'{"n":1,"title":"x"}', b'{"n":"no number","title":0}', b"[]", b"no JSON", b"\xff"]
NIGHTLY = {"name": "nightly", "cron": "0 0 1 1 *", "function": "hiddenMutation", "args": {"title": "by the clock"}}

Answer = tuple[int, str | None, bytes]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = write_app(tmp_path_factory.mktemp("app"), notes_app(schedules=[NIGHTLY]), TYPESCRIPT)
    (folder / "functions" / "more.py").write_text(PYTHON)
    (folder / "functions" / "unsure.py").write_text(UNSURE_PYTHON)
    with serving(folder, env={"PYLON_ADMIN_TOKEN": ADMIN_TOKEN}) as running:
        until(lambda: {*HIDDEN, "nested"} <= listed(running).keys(), "the functions")
        yield running
        assert "FN_NOT_FOUND" not in running.log_text()


def listed(server: Server) -> dict[str, dict[str, Any]]:
    status, functions = server.request("GET", "/api/fn", token=ADMIN_TOKEN)
    assert status == 200
    return {function["name"]: function for function in functions}


def send(server: Server, method: str, path: str, body: bytes, headers: dict[str, str]) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return response.status, response.headers.get("content-type"), response.read()
    finally:
        connection.close()


def posts(server: Server) -> set[str]:
    status, rows = server.request("POST", "/api/query/Post", {}, token=ADMIN_TOKEN)
    assert status == 200
    return {row["title"] for row in rows}


@pytest.mark.parametrize("who", ["nobody", "administrator"])
@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
@pytest.mark.parametrize("name", [*HIDDEN, *FLOWS])
def test_a_call_from_outside_is_answered_as_one_of_a_name_that_nobody_has(
    server: Server, name: str, accept: str, who: str
) -> None:
    unknown = "z" * len(name)
    headers = {"Accept": accept} | ({"Authorization": f"Bearer {ADMIN_TOKEN}"} if who == "administrator" else {})
    before = posts(server)

    for body in BODIES:
        status, kind, text = send(server, "POST", f"/api/fn/{name}", body, headers)
        reference = send(server, "POST", f"/api/fn/{unknown}", body, headers)

        assert status == 404
        assert (status, kind, text.replace(name.encode(), unknown.encode())) == reference
    assert posts(server) == before


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
@pytest.mark.parametrize("name", HIDDEN)
def test_a_webhook_does_not_reach_it_either(server: Server, name: str, method: str) -> None:
    unknown = "z" * len(name)

    status, kind, text = send(server, method, f"/api/webhooks/{name}", b"{}", {})

    assert status == 404
    reference = send(server, method, f"/api/webhooks/{unknown}", b"{}", {})
    assert (status, kind, text.replace(name.encode(), unknown.encode())) == reference


@pytest.mark.parametrize("name", FLOWS)
def test_a_workflow_that_is_internal_is_not_begun_over_http(server: Server, name: str) -> None:
    def begin(wanted: str) -> tuple[int, dict[str, Any]]:
        return server.request("POST", "/api/workflows/start", {"name": wanted}, token=ADMIN_TOKEN)

    status, answer = begin(name)

    assert (status, answer["code"]) == (400, "WORKFLOW_START_FAILED")
    assert (status, str(answer).replace(name, "unknown")) == (400, str(begin("unknown")[1]))


def test_only_the_administrator_is_told_that_there_are_such(server: Server) -> None:
    assert {name for name, function in listed(server).items() if function.get("internal")} == set(HIDDEN)
    assert "internal" not in listed(server)["nested"]
    status, flows = server.request("GET", "/api/workflows/definitions", token=ADMIN_TOKEN)
    assert status == 200
    assert {flow["name"] for flow in flows if flow["internal"]} == set(FLOWS)
    token, _ = server.guest()
    for path in ("/api/fn", "/api/fn/traces", "/api/workflows/definitions"):
        assert server.request("GET", path, token=token)[0] == 403


def test_the_description_of_the_api_does_not_name_them(server: Server) -> None:
    _, _, text = send(server, "GET", "/api/openapi.json", b"", {})

    assert b'"/api/fn/' in text
    assert not [name for name in (*HIDDEN, *FLOWS) if name.encode() in text]


def test_what_is_neither_internal_nor_not_is_left_out(server: Server) -> None:
    assert {"unsure", "unsure_in_python"}.isdisjoint(listed(server))


def test_other_functions_run_it(server: Server) -> None:
    assert server.request("POST", "/api/fn/nested", {}) == (200, [1, True])
    assert server.request("POST", "/api/fn/nested_in_python", {}) == (200, 2)
    assert {"nested", "nested in Python", "from Python"} <= posts(server)


def test_what_functions_schedule_and_begin_reaches_it(server: Server) -> None:
    assert server.request("POST", "/api/fn/schedules", {})[0] == 200

    wanted = {"scheduled", "scheduled in Python", "by a workflow", "by a workflow in Python"}
    until(lambda: wanted <= posts(server), "what was scheduled")


def test_a_child_of_a_workflow_may_be_internal(server: Server) -> None:
    status, _ = server.request("POST", "/api/workflows/start", {"name": "openFlow"}, token=ADMIN_TOKEN)

    assert status == 201
    until(lambda: {"by a child", "by a child in Python"} <= posts(server), "its children")


@pytest.mark.parametrize(
    ("name", "title"), [("hiddenAction", "by an action"), ("hidden_action", "by an action in Python")]
)
def test_a_job_of_the_administrators_may_name_it(server: Server, name: str, title: str) -> None:
    status, _ = server.request("POST", "/api/jobs", {"name": name}, token=ADMIN_TOKEN)

    assert status == 201
    until(lambda: title in posts(server), "the job")


def test_a_schedule_of_the_manifest_may_name_it(server: Server) -> None:
    status, answer = server.request("POST", "/api/scheduler/trigger/nightly", token=ADMIN_TOKEN)

    assert status == 200, answer
    until(lambda: "by the clock" in posts(server), "what the schedule runs")
