"""What handlers do for, and hear of, those who call them: under real Bun, with the access rules of an app."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from pylon_auth.context import ANONYMOUS, AuthContext
from pylon_core import jsontext
from pylon_core.clock import SystemClock
from pylon_core.errors import PylonError
from pylon_functions.endings import CallerGone
from pylon_functions.host import FunctionHost
from pylon_functions.identity import decode_identity
from pylon_functions.invocation import Invocation, WebhookRequest
from pylon_functions.registry import FunctionDefinition, FunctionKind, WorkflowOptions
from pylon_http.jobs import JobStatus
from pylon_router import UserGuard
from pylon_runtime.function_launch import FunctionOptions
from pylon_runtime.function_runtime import FunctionRuntime
from pylon_storage.jobs import SqlJobStore
from tests.support.data_api import DataApi
from tests.support.waiting import until

HEADER = 'import { action, mutation, query, v } from "@pylonsync/functions";\n'
FUNCTIONS = {
    "mine": """export default query({ handler: async (ctx) => {
        const titles = (rows) => rows.map((row) => row.title);
        const all = titles(await ctx.db.list("Note"));
        const { db } = ctx.asUser();
        return { all, mine: titles(await db.list("Note")), user: await db.get("User", "u1") };
      } });""",
    "writeAsUser": """export default mutation({ handler: async (ctx) => {
        const { db } = ctx.asUser();
        const codes = [];
        for (const ownerId of ["bob", "alice"]) {
          try { await db.insert("Note", { title: `for ${ownerId}`, ownerId }); codes.push("ok"); }
          catch (error) { codes.push(error.code); }
        }
        await ctx.db.insert("Note", { title: "trusted", ownerId: "bob" });
        return codes;
      } });""",
    "talks": """export default action({ handler: async (ctx) => {
        ctx.stream.write("a");
        const inner = ctx.runQuery("slow");
        ctx.stream.writeEvent("e", "b");
        await inner;
        return 7;
      } });""",
    "slow": "export default query({ handler: async () => { await Bun.sleep(20); } });",
    "waits": """import { writeFileSync } from "node:fs";
      export default action({ handler: (ctx, args) => new Promise(() => {
        ctx.signal.addEventListener("abort", () => writeFileSync(args.note, ctx.signal.reason.code));
      }) });""",
    "abandonedEarly": """import { writeFileSync } from "node:fs";
      export default action({ handler: async (ctx, args) => {
        await Bun.sleep(600);
        writeFileSync(args.note, String(ctx.signal.aborted));
      } });""",
    "unharmed": "export default query({ handler: (ctx) => ctx.signal.aborted });",
    "schedules": """export default mutation({ handler: async (ctx) => {
        const kept = await ctx.scheduler.runAfter(60_000, "mine", { n: 1 }, { as: "caller" });
        const gone = await ctx.scheduler.runAt(Date.now() + 60_000, "mine");
        return { kept, gone, first: await ctx.scheduler.cancel(gone), second: await ctx.scheduler.cancel(gone) };
      } });""",
    "hook": "export default action({ handler: (ctx, args) => ({ args, request: ctx.request }) });",
    "orders": """export default {
        type: "workflow", name: "order", fn: () => {},
        options: { description: "Ships things", maxRetries: 5, stepTimeoutSecs: 1.5 },
        handler: async (ctx, request) => ({
          request,
          keys: Object.keys(ctx).sort(),
          query: await ctx.runQuery("unharmed"),
        }),
      };""",
    "taken": 'export default { type: "workflow", name: "mine", handler: () => "not reached" };',
    "nameless": 'export default { type: "workflow", handler: () => "not reached" };',
    "runsWorkflow": """export default action({ handler: async (ctx) => {
        try { return await ctx.runQuery("order"); } catch (error) { return error.code; }
      } });""",
}


class Rig:
    def __init__(self, folder: Path) -> None:
        (folder / "functions").mkdir()
        for name, body in FUNCTIONS.items():
            (folder / "functions" / f"{name}.ts").write_text(HEADER + body)
        self.api = DataApi()
        self.clock = SystemClock()
        self.jobs = SqlJobStore(self.api.store.tables, self.clock)
        self.runtime = FunctionRuntime(FunctionOptions(Path("functions"), folder, os.environ, 1), self.clock)
        guard = UserGuard(self.api.ctx)
        self.host = FunctionHost(self.api.manifest, self.api.store, self.runtime, self.clock, 10.0, guard=guard)
        self.runtime.start()

    def call(self, name: str, args: Mapping[str, Any] | None = None, **members: Any) -> Any:
        auth = members.pop("auth", ANONYMOUS)
        return jsontext.decode(bytes(self.host.run(Invocation(name, args or {}, auth, **members))))

    def close(self) -> None:
        self.runtime.stop(self.clock.monotonic() + 2.0)
        self.api.store.close()


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    made = Rig(tmp_path_factory.mktemp("app"))
    made.api.add("Note", "hers", ownerId="alice", title="hers")
    made.api.add("Note", "his", ownerId="bob", title="his")
    made.api.add("User", "u1", email="a@b.c", passwordHash="h4sh")
    yield made
    made.close()


def test_a_query_reads_with_its_callers_eyes(rig: Rig) -> None:
    seen = rig.call("mine", auth=AuthContext("alice"))

    assert {"hers", "his"} <= set(seen["all"])
    assert "his" not in seen["mine"]
    assert seen["user"] == {"id": "u1", "email": "a@b.c"}


def test_a_mutation_writes_what_its_caller_may_and_goes_on(rig: Rig) -> None:
    head = rig.api.store.head()

    assert rig.call("writeAsUser", auth=AuthContext("alice")) == ["POLICY_DENIED", "ok"]

    events = rig.api.store.changes(head, 10).events
    assert [event.row["title"] for event in events if event.row] == ["for alice", "trusted"]


def test_an_action_is_heard_while_it_waits_for_a_query(rig: Rig) -> None:
    heard: list[tuple[str, str | None]] = []

    assert rig.call("talks", listener=lambda *chunk: heard.append(chunk)) == 7
    assert heard == [("a", None), ("b", "e")]


@pytest.mark.parametrize(
    ("members", "error"),
    [({"is_gone": lambda: True}, CallerGone), ({"timeout_s": 0.5}, PylonError)],
    ids=["gone", "timed out"],
)
def test_a_handler_is_told_that_nobody_waits_for_it(
    rig: Rig, tmp_path: Path, members: dict[str, Any], error: type[Exception]
) -> None:
    note = tmp_path / "note"

    with pytest.raises(error):
        rig.call("waits", {"note": str(note)}, **members)

    until(lambda: note.exists() and note.read_text(), "the signal was given")
    assert note.read_text() == "NOT_AVAILABLE"


def test_a_signal_asked_for_too_late_has_been_given(rig: Rig, tmp_path: Path) -> None:
    note = tmp_path / "note"

    with pytest.raises(CallerGone):
        rig.call("abandonedEarly", {"note": str(note)}, is_gone=lambda: True)

    until(lambda: note.exists() and note.read_text(), "the handler went on")
    assert note.read_text() == "true"


def test_a_call_that_is_wanted_gets_no_signal(rig: Rig) -> None:
    assert rig.call("unharmed") is False


def test_a_mutation_schedules_and_cancels(rig: Rig) -> None:
    result = rig.call("schedules", auth=AuthContext("alice", tenant_id="acme"))

    assert (result["first"], result["second"]) == (True, False)
    kept, gone = rig.jobs.find(result["kept"]), rig.jobs.find(result["gone"])
    assert kept is not None
    assert gone is not None
    assert (kept.name, bytes(kept.payload), gone.status) == ("mine", b'{"n":1}', JobStatus.CANCELLED)
    assert decode_identity(kept.identity) == AuthContext("alice", tenant_id="acme")


def test_a_webhooks_action_sees_the_request(rig: Rig) -> None:
    request = WebhookRequest("POST", "/api/webhooks/hook?a=1", {"x-sig": "s"}, '{"é": 1}')

    seen = rig.call("hook", {"rawBody": request.raw_body}, request=request)

    assert seen["args"] == {"rawBody": '{"é": 1}'}
    wire = {"method": "POST", "path": "/api/webhooks/hook?a=1", "headers": {"x-sig": "s"}, "rawBody": '{"é": 1}'}
    assert seen["request"].items() >= wire.items()
    assert "request" not in rig.call("hook", {})


def test_a_workflow_is_announced_with_its_options(rig: Rig) -> None:
    rig.call("unharmed")

    options = WorkflowOptions("Ships things", 5, None, "orders.ts")
    assert rig.host.workflows() == [FunctionDefinition("order", FunctionKind.WORKFLOW, None, options)]
    assert "order" not in [function.name for function in rig.host.definitions()]


def test_a_workflow_runs_one_pass_like_an_action(rig: Rig) -> None:
    request = {"workflow_id": "wf_1", "workflow_name": "order", "input": {}, "current_step": 0}

    answer = rig.call("order", request, kind=FunctionKind.WORKFLOW)

    assert answer["request"] == request
    assert answer["query"] is False
    assert {"runQuery", "runMutation", "scheduler", "env", "error"} <= set(answer["keys"])


def test_nobody_but_the_engine_runs_a_workflow(rig: Rig) -> None:
    with pytest.raises(PylonError) as refused:
        rig.call("order")

    assert refused.value.code == "FN_NOT_FOUND"
    assert rig.call("runsWorkflow") == "FN_TYPE_MISMATCH"


def test_a_workflow_takes_no_functions_name(rig: Rig) -> None:
    rig.call("unharmed")

    assert rig.host.find("mine").fn_type is FunctionKind.QUERY
