"""Durable workflows over a real server (contract 09 §7, §9): in TypeScript, Python, and a runner of one's own."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pylon_runtime.bun_locate import find_bun
from tests.server.rig import ADMIN_TOKEN, Server, serving, write_app
from tests.strategies.documents import app, entity, field
from tests.support.servers import free_port
from tests.support.waiting import until

ROOT = Path(__file__).parents[2]
SECRET = "between-the-two"
KEYS = {
    "id", "name", "input", "status", "steps", "output", "error", "created_at", "started_at", "completed_at",
    "wake_at", "waiting_for", "current_step", "max_retries", "parent_id", "stalled",
}  # fmt: skip
STEP_KEYS = {
    "step_id", "name", "status", "output", "error", "started_at", "completed_at", "duration_ms", "retry_count",
}  # fmt: skip

FUNCTIONS = {
    "effect": """
export default mutation({ args: { of: v.string() }, handler: async (ctx, args) => {
  await ctx.db.insert("Effect", { of: args.of });
  return args.of;
} });""",
    "effects": """
export default query({ args: { owner: v.string() }, handler: async (ctx, args) =>
  (await ctx.db.list<any>("Effect")).map(({ of }) => of).filter((of) => of.startsWith(args.owner)) });""",
    "order": """
import { workflow } from "@pylonsync/workflows";
export default workflow<{ n: number }>("order", async (ctx, { step, sleep, waitForEvent }) => {
  const a = await step("a", () => ctx.runMutation<string>("effect", { of: `${ctx.id}:a` }));
  await sleep("1s");
  const b = await step("b", async () => ctx.input.n + 1);
  const go = await waitForEvent<{ by: string }>("go");
  return step("c", async () => [a === `${ctx.id}:a`, b, go]);
}, { description: "takes an order", maxRetries: 2, stepTimeoutSecs: 30 });""",
    "fragile": """
import { workflow } from "@pylonsync/workflows";
export default workflow("fragile", async (ctx, { step }) => {
  await step("pay", async () => { throw new Error("boom"); });
}, { maxRetries: 1 });""",
    "broken": """
import { workflow } from "@pylonsync/workflows";
export default workflow("broken", async () => { throw new Error("outside of any step"); }, { maxRetries: 0 });""",
    "slow": """
import { workflow } from "@pylonsync/workflows";
export default workflow("slow", async (ctx, { step }) => {
  await step("gated", async () => {
    await Bun.write(`${ctx.input.gate}.reached`, "");
    while (!existsSync(ctx.input.gate)) await Bun.sleep(5);
  });
}, { maxRetries: 0 });""",
    "parent": """
import { workflow } from "@pylonsync/workflows";
export default workflow("parent", async (ctx, { child }) => [await child("pyorder", { n: 4 })]);""",
    "one": """
import { workflow } from "@pylonsync/workflows";
export default workflow("one", async (ctx, { step }) => step("only", async () => ctx.input));""",
    "stepper": """
import { workflow } from "@pylonsync/workflows";
export default workflow("stepper", async (ctx, { step }) =>
  step("begin", async () => {
    const id = await ctx.workflows.start("pywaits", { from: ctx.id });
    await ctx.workflows.send(id, "go", 1);
    return id;
  }));""",
    "beginByMutation": """
export default mutation({ handler: async (ctx, args: any) => {
  const id = await ctx.workflows.start(args.name, args.input);
  if (args.fails) throw ctx.error("NO", id);
  return id;
} });""",
    "tellByAction": """
export default action({ handler: async (ctx, args: any) => {
  if (args.cancels) await ctx.workflows.cancel(args.id);
  else await ctx.workflows.send(args.id, args.event, args.data);
} });""",
}
PYTHON = """
from pylon_functions import action, mutation, workflow

@workflow("pyorder", description="the same", max_retries=1, step_timeout_secs=20)
def pyorder(ctx):
    a = ctx.step("a", lambda: ctx.run_mutation("effect", {"of": f"{ctx.id}:a"}))
    ctx.sleep("1s")
    return [a == f"{ctx.id}:a", ctx.step("b", lambda: ctx.input["n"] + 1)]

@workflow("pywaits")
def pywaits(ctx):
    return ctx.wait_for_event("go", timeout="1h")

@mutation
def begin_in_python(ctx, name: str) -> str:
    workflow_id = ctx.workflows.start(name)
    ctx.workflows.send(workflow_id, "go", {"from": "python"})
    return workflow_id
"""
RUNNER = """
import { createRunner, workflow } from "%s/packages/workflows/src/index";
const abroad = workflow("abroad", async (ctx, { step, sleep, waitForEvent }) => {
  const one = await step("one", async () => ctx.input.n);
  await sleep(1);
  const two = await step("two", async () => one + 1);
  const event = await waitForEvent("go");
  return step("three", async () => [one, two, event]);
});
createRunner([abroad]).serve(Number(process.argv[2]), { secret: process.argv[3] });
"""


def write_workflows(folder: Path) -> Path:
    document = app(name="workflows", entities=[entity("Effect", fields=[field("of")], crdt=False)])
    write_app(folder, document, FUNCTIONS)
    (folder / "functions" / "more.py").write_text(PYTHON)
    return folder


@pytest.fixture(scope="module")
def runner_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, runner_port: int) -> Iterator[Server]:
    folder = write_workflows(tmp_path_factory.mktemp("app"))
    env = {
        "PYLON_ADMIN_TOKEN": ADMIN_TOKEN,
        "PYLON_WORKFLOW_RUNNER_URL": f"http://127.0.0.1:{runner_port}/run",
        "PYLON_WORKFLOW_RUNNER_SECRET": SECRET,
    }
    with serving(folder, env=env) as running:
        until(lambda: {"order", "pyorder"} <= {one["name"] for one in definitions(running)}, "its workflows")
        yield running
        assert "Traceback" not in running.log_text()


def admin(server: Server, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    return server.request(method, f"/api/workflows{path}", body, token=ADMIN_TOKEN)


def definitions(server: Server) -> list[dict[str, Any]]:
    status, answer = admin(server, "GET", "/definitions")
    assert status == 200
    return list(answer)


def start(server: Server, name: str, given: Any = None) -> str:
    body = {"name": name} if given is None else {"name": name, "input": given}
    status, answer = admin(server, "POST", "/start", body)
    assert status == 201, answer
    assert answer.keys() == {"id"}
    assert re.fullmatch(r"wf_[0-9a-f]{16}", answer["id"])
    return str(answer["id"])


def read(server: Server, workflow_id: str) -> dict[str, Any]:
    status, answer = admin(server, "GET", f"/{workflow_id}")
    assert status == 200, answer
    assert answer.keys() == KEYS
    assert all(step.keys() == STEP_KEYS for step in answer["steps"])
    return dict(answer)


def reach(server: Server, workflow_id: str, status: str) -> dict[str, Any]:
    """What a function began may not be there yet."""
    until(lambda: admin(server, "GET", f"/{workflow_id}")[1].get("status") == status, f"{workflow_id}: {status}")
    return read(server, workflow_id)


def refused(answer: tuple[int, Any]) -> tuple[int, str, str]:
    status, body = answer
    return status, body["error"]["code"], body["error"]["message"]


def test_workflows_of_both_languages_are_listed_with_what_their_authors_said(server: Server) -> None:
    found = {one["name"]: one for one in definitions(server)}

    assert found["order"] == {
        "name": "order",
        "description": "takes an order",
        "file": "order.ts",
        "max_retries": 2,
        "step_timeout_secs": 30,
        "internal": False,
    }
    assert found["pyorder"] == {
        "name": "pyorder",
        "description": "the same",
        "file": "more.py",
        "max_retries": 1,
        "step_timeout_secs": 20,
        "internal": False,
    }


def test_a_workflow_in_typescript_goes_through_step_sleep_step_event_and_step(server: Server) -> None:
    workflow_id = start(server, "order", {"n": 1})
    waiting = reach(server, workflow_id, "WaitingForEvent")

    assert (waiting["waiting_for"], waiting["current_step"], waiting["max_retries"]) == ("go", 3, 2)
    assert admin(server, "POST", f"/{workflow_id}/event", {"event": "go", "data": {"by": "me"}}) == (
        200,
        {"ok": True},
    )
    ended = reach(server, workflow_id, "Completed")
    assert ended["output"] == [True, 2, {"by": "me"}]
    assert [(step["step_id"], step["name"], step["status"]) for step in ended["steps"]] == [
        ("step_0", "a", "Completed"),
        ("step_1", "b", "Completed"),
        ("step_2", "event:go", "Completed"),
        ("step_3", "c", "Completed"),
    ]
    assert all(re.fullmatch(r"\d+Z", ended[key]) for key in ("created_at", "started_at", "completed_at"))
    assert server.call("effects", {"owner": workflow_id}) == [f"{workflow_id}:a"]
    assert admin(server, "POST", f"/{workflow_id}/advance") == (200, {"status": "Completed"})


def test_a_workflow_may_wait_for_another_in_another_language(server: Server) -> None:
    workflow_id = start(server, "parent")

    ended = reach(server, workflow_id, "Completed")

    assert ended["output"] == [[True, 5]]
    children = [one for one in admin(server, "GET", "")[1] if one["parent_id"] == workflow_id]
    assert [child["status"] for child in children] == ["Completed"]
    assert children[0]["max_retries"] == 1


def test_a_workflow_in_a_runner_of_ones_own(server: Server, runner_port: int, tmp_path: Path) -> None:
    workflow_id = start(server, "abroad", {"n": 1})
    until(lambda: read(server, workflow_id)["stalled"], "it is told that nobody is there")
    advanced = admin(server, "POST", f"/{workflow_id}/advance")
    assert refused(advanced) == (400, "WORKFLOW_ADVANCE_FAILED", "Failed to connect to workflow runner")
    (tmp_path / "runner.ts").write_text(RUNNER % ROOT.as_posix())
    bun = find_bun({})
    assert bun is not None
    with subprocess.Popen(
        [str(bun), "run", str(tmp_path / "runner.ts"), str(runner_port), SECRET], stdout=subprocess.PIPE
    ) as process:
        try:
            assert process.stdout is not None
            assert b"abroad" in process.stdout.readline()
            admin(server, "POST", f"/{workflow_id}/advance")
            waiting = reach(server, workflow_id, "WaitingForEvent")
            assert (waiting["stalled"], [step["name"] for step in waiting["steps"]]) == (None, ["one", "two"])
            admin(server, "POST", f"/{workflow_id}/event", {"event": "go", "data": [7]})
            assert reach(server, workflow_id, "Completed")["output"] == [1, 2, [7]]
            unknown = start(server, "unheard-of")
            until(lambda: read(server, unknown)["steps"], "it was tried")
            assert read(server, unknown)["steps"][0]["error"] == "Unknown workflow: unheard-of"
            admin(server, "POST", f"/{unknown}/cancel")
        finally:
            process.kill()


def test_a_step_that_throws_is_tried_again_and_then_the_workflow_fails(server: Server) -> None:
    workflow_id = start(server, "fragile")

    ended = reach(server, workflow_id, "Failed")

    assert (ended["error"], ended["output"], ended["current_step"]) == ("boom", None, 0)
    (attempt,) = ended["steps"]
    assert (attempt["name"], attempt["status"], attempt["retry_count"]) == ("pay", "Failed", 1)
    assert (attempt["error"], attempt["output"]) == ("boom", None)


def test_what_throws_outside_of_steps_fails_the_workflow(server: Server) -> None:
    ended = reach(server, start(server, "broken"), "Failed")

    assert (ended["error"], ended["steps"]) == ("outside of any step", [])


def test_a_cancellation_wins_over_a_pass_that_is_under_way(server: Server, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    workflow_id = start(server, "slow", {"gate": str(gate)})
    until(tmp_path.joinpath("gate.reached").exists, "the step")

    assert admin(server, "POST", f"/{workflow_id}/cancel") == (200, {"cancelled": True})
    gate.touch()

    assert admin(server, "POST", f"/{workflow_id}/advance") == (200, {"status": "Cancelled"})
    ended = read(server, workflow_id)
    assert (ended["status"], ended["steps"]) == ("Cancelled", [])
    assert ended["completed_at"] is not None
    assert admin(server, "POST", f"/{workflow_id}/cancel") == (200, {"cancelled": True})


def test_mutations_and_actions_begin_tell_and_cancel(server: Server) -> None:
    first = server.call("beginByMutation", {"name": "pywaits", "input": {"a": 1}})
    assert reach(server, first, "WaitingForEvent")["input"] == {"a": 1}
    server.call("tellByAction", {"id": first, "event": "go", "data": {"b": 2}})
    assert reach(server, first, "Completed")["output"] == {"b": 2}

    second = server.call("beginByMutation", {"name": "pywaits"})
    reach(server, second, "WaitingForEvent")
    server.call("tellByAction", {"id": second, "cancels": True})
    reach(server, second, "Cancelled")

    third = server.call("begin_in_python", {"name": "pywaits"})
    assert reach(server, third, "Completed")["output"] == {"from": "python"}


def test_what_a_failed_mutation_began_never_begins(server: Server) -> None:
    status, answer = server.request("POST", "/api/fn/beginByMutation", {"name": "pywaits", "fails": True})
    after = server.call("begin_in_python", {"name": "pywaits"})
    reach(server, after, "Completed")

    assert (status, answer["error"]["code"]) == (400, "NO")
    assert admin(server, "GET", f"/{answer['error']['message']}")[0] == 404


def test_a_step_begins_another_workflow(server: Server) -> None:
    other = reach(server, start(server, "stepper"), "Completed")["output"]

    assert reach(server, other, "Completed")["output"] == 1


def test_an_event_may_be_kept_for_later(server: Server) -> None:
    workflow_id = start(server, "order", {"n": 1})
    early = {"event": "go", "data": {"by": "early"}}

    assert refused(admin(server, "POST", f"/{workflow_id}/event", early))[1] == "WORKFLOW_EVENT_FAILED"
    assert admin(server, "POST", f"/{workflow_id}/event", {**early, "buffer": True}) == (200, {"ok": True})

    assert reach(server, workflow_id, "Completed")["output"] == [True, 2, {"by": "early"}]
    late = admin(server, "POST", f"/{workflow_id}/event", {**early, "buffer": True})
    assert refused(late) == (400, "WORKFLOW_EVENT_FAILED", "Workflow not found, or it has ended")


def test_wrong_events_are_refused(server: Server) -> None:
    workflow_id = start(server, "pywaits")
    reach(server, workflow_id, "WaitingForEvent")

    def event(body: Any, of: str = workflow_id) -> tuple[int, str, str]:
        return refused(admin(server, "POST", f"/{of}/event", body))

    assert event({"event": "no"}) == (400, "WORKFLOW_EVENT_FAILED", "Workflow is waiting for 'go', not 'no'")
    assert event({}) == (400, "MISSING_FIELD", '"event" is required')
    assert event([])[:2] == (400, "INVALID_JSON")
    assert event({"event": "go"}, "wf_0123456789abcdef") == (400, "WORKFLOW_EVENT_FAILED", "Workflow not found")
    assert event({"event": "child:x"})[:2] == (400, "WORKFLOW_EVENT_FAILED")
    admin(server, "POST", f"/{workflow_id}/event", {"event": "go"})
    assert reach(server, workflow_id, "Completed")["output"] == {}
    assert event({"event": "go"}) == (400, "WORKFLOW_EVENT_FAILED", "Workflow is not waiting for an event")


def test_starting_is_refused_with_a_reason(server: Server) -> None:
    assert refused(admin(server, "POST", "/start", {})) == (400, "MISSING_FIELD", '"name" is required')
    assert refused(admin(server, "POST", "/start", [1]))[:2] == (400, "INVALID_JSON")
    too_long = refused(admin(server, "POST", "/start", {"name": "x" * 201}))
    assert too_long == (400, "WORKFLOW_START_FAILED", "The name of a workflow has between 1 and 200 characters")
    large = refused(admin(server, "POST", "/start", {"name": "one", "input": "x" * (1 << 20)}))
    assert large[:2] == (413, "WORKFLOW_START_FAILED")


@pytest.mark.parametrize("workflow_id", ["wf_0123456789abcdef", "definitionsX", "nothing", "a%00b"])
def test_what_is_not_there(server: Server, workflow_id: str) -> None:
    assert refused(admin(server, "GET", f"/{workflow_id}"))[:2] == (404, "NOT_FOUND")
    assert refused(admin(server, "POST", f"/{workflow_id}/advance")) == (
        400,
        "WORKFLOW_ADVANCE_FAILED",
        "Workflow not found",
    )
    assert refused(admin(server, "POST", f"/{workflow_id}/cancel")) == (
        400,
        "WORKFLOW_CANCEL_FAILED",
        "Workflow not found",
    )
    assert refused(admin(server, "POST", f"/{workflow_id}/nothing"))[:2] == (404, "NOT_FOUND")


def test_lists_are_by_status_and_in_pages(server: Server) -> None:
    waiting = start(server, "pywaits")
    ended = [start(server, "one", {"n": number}) for number in range(3)]
    reach(server, waiting, "WaitingForEvent")
    for workflow_id in ended:
        reach(server, workflow_id, "Completed")

    def ids(query: str) -> list[str]:
        status, found = admin(server, "GET", query)
        assert status == 200
        assert all(one.keys() == KEYS for one in found)
        return [one["id"] for one in found]

    assert waiting in ids("?status=waiting")
    assert not set(ended) & set(ids("?status=waiting"))
    assert set(ended) <= set(ids("?status=completed"))
    assert {waiting, *ended} <= set(ids("?status=whatever"))
    newest = ids("?limit=3")
    assert (len(newest), newest) == (3, ids("")[:3])
    assert ids(f"?limit=2&after={newest[1]}") == ids("")[2:4]
    admin(server, "POST", f"/{waiting}/cancel")
    assert waiting in ids("?status=cancelled")


@pytest.mark.parametrize("who", ["anonymous", "guest"])
def test_only_the_administrator_may(server: Server, who: str) -> None:
    token = None if who == "anonymous" else server.guest()[0]
    workflow_id = start(server, "pywaits")
    for method, path in (
        ("GET", ""),
        ("GET", "/definitions"),
        ("POST", "/start"),
        ("GET", f"/{workflow_id}"),
        ("POST", f"/{workflow_id}/advance"),
        ("POST", f"/{workflow_id}/event"),
        ("POST", f"/{workflow_id}/cancel"),
    ):
        answer = server.request(method, f"/api/workflows{path}", {} if method == "POST" else None, token=token)
        assert refused(answer)[:2] == (403, "FORBIDDEN")
    admin(server, "POST", f"/{workflow_id}/cancel")


def test_a_hundred_at_once_each_do_their_step_once(server: Server) -> None:
    ids = [start(server, "one", {"n": number}) for number in range(100)]
    for workflow_id in ids[:50]:
        admin(server, "POST", f"/{workflow_id}/advance")

    assert len(set(ids)) == 100
    for number, workflow_id in enumerate(ids):
        ended = reach(server, workflow_id, "Completed")
        assert ([step["name"] for step in ended["steps"]], ended["output"]) == (["only"], {"n": number})


def test_a_server_that_ends_leaves_its_workflows_to_the_next(tmp_path: Path) -> None:
    folder, env = write_workflows(tmp_path), {"PYLON_ADMIN_TOKEN": ADMIN_TOKEN}
    with serving(folder, env=env) as first:
        until(lambda: {"order", "pyorder"} <= {one["name"] for one in definitions(first)}, "its workflows")
        unknown = refused(admin(first, "POST", "/start", {"name": "nope"}))
        workflow_id = start(first, "order", {"n": 1})
        reach(first, workflow_id, "Sleeping")
    with serving(folder, env=env) as second:
        reach(second, workflow_id, "WaitingForEvent")
        admin(second, "POST", f"/{workflow_id}/event", {"event": "go"})
        ended = reach(second, workflow_id, "Completed")
        effects = second.call("effects", {"owner": workflow_id})

    assert unknown == (400, "WORKFLOW_START_FAILED", "Workflow 'nope' not registered")
    assert (ended["output"], effects) == ([True, 2, {}], [f"{workflow_id}:a"])
