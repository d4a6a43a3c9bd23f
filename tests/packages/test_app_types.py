"""What an app's author sees of the packages' types: a whole app under the strictest flags of the compiler."""

import json
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TSC = ROOT / "node_modules" / ".bin" / "tsc"

SCHEMA = """
import { buildManifest, entity, field, type Infer, type InferInsert, policy } from "@pylonsync/sdk";

export const Todo = entity("Todo", { title: field.string(), due: field.datetime().optional() });
export type Todo = Infer<typeof Todo>;
export type NewTodo = InferInsert<typeof Todo>;

console.log(JSON.stringify(buildManifest({
  name: "todo",
  version: "1",
  entities: [Todo],
  routes: [],
  policies: [policy({ name: "todos", entity: "Todo", allow: "true" })],
})));
"""
PROOF = """
type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
export function same<A, B>(_proof: Equal<A, B>): void {}
"""
FUNCTIONS = """
import { action, type Infer, mutation, query, v } from "@pylonsync/functions";
import { same } from "./proof";
import { type NewTodo, Todo } from "./schema";

const place = v.object({ x: v.int(), y: v.optional(v.union(v.literal("a"), v.null())) });
const note = v.optional(v.string());
same<Infer<typeof place>, { x: number; y?: "a" | null }>(true);
same<Infer<typeof note>, string>(true);

export const add = mutation({
  args: { title: v.string(), place: v.optional(place), tags: v.array(v.string()), any: v.any() },
  handler: async (ctx, args) => {
    same<
      typeof args,
      { title: string; place?: { x: number; y?: "a" | null } | null; tags: string[]; any: unknown }
    >(true);
    const seen = await ctx.asUser().db.get<Todo>(Todo.name, "1");
    same<typeof seen, Todo | null>(true);
    const { page } = await ctx.db.paginate<Todo>("Todo", { numItems: 2 });
    same<typeof page, Todo[]>(true);
    const row: NewTodo = { title: args.title };
    const id = await ctx.db.insert("Todo", row);
    await ctx.asUser().db.update("Todo", id, { due: null });
    const workflow = await ctx.workflows.start("order", { id });
    await ctx.scheduler.runAfter(1000, "remind", { id }, { as: "caller" });
    if (ctx.signal.aborted) throw ctx.error("GONE", "Nobody waits.");
    return { id, workflow };
  },
});
same<Awaited<ReturnType<typeof add.handler>>, { id: string; workflow: string }>(true);

export const titles = query({
  handler: async (ctx) => {
    // @ts-expect-error the rights of the caller do not make a query write
    ctx.asUser().db.insert;
    // @ts-expect-error what a query begins would be begun whenever it is run again
    ctx.workflows;
    return (await ctx.db.query("Todo")).map((todo) => todo["title"]);
  },
});
same<Awaited<ReturnType<typeof titles.handler>>, unknown[]>(true);

export const notify = action({
  args: { url: v.string() },
  handler: async (ctx, { url }) => {
    const response = await fetch(url, { signal: ctx.signal });
    const bytes = ctx.request?.rawBytes;
    same<typeof bytes, Uint8Array | undefined>(true);
    await ctx.workflows.send("wf_1", "paid", { status: response.status });
    return ctx.runQuery<number>("count");
  },
});
same<Awaited<ReturnType<typeof notify.handler>>, number>(true);
"""
WORKFLOW = """
import { workflow } from "@pylonsync/workflows";
import { same } from "./proof";

export default workflow<{ id: string }, number>("order", async (ctx, { step, sleep, child, waitForEvent }) => {
  same<typeof ctx.input, { id: string }>(true);
  const count = await step("count", () => ctx.runQuery<number>("count"));
  const paid = await waitForEvent<{ status: number }>("paid", { timeout: "1h" });
  same<typeof paid, { status: number } | null>(true);
  const sure = await waitForEvent<{ status: number }>("paid");
  same<typeof sure, { status: number }>(true);
  await sleep("3d");
  await child("shipping", ctx.input);
  // @ts-expect-error a workflow has no database: its steps run mutations
  ctx.db;
  return count;
}, { maxRetries: 3, stepTimeoutSecs: 60 });
"""

OPTIONS = {
    "strict": True,
    "noUncheckedIndexedAccess": True,
    "noImplicitOverride": True,
    "noImplicitReturns": True,
    "noFallthroughCasesInSwitch": True,
    "noPropertyAccessFromIndexSignature": True,
    "noUnusedLocals": True,
    "noUnusedParameters": True,
    "noUncheckedSideEffectImports": True,
    "verbatimModuleSyntax": True,
    "isolatedModules": True,
    "erasableSyntaxOnly": True,
    "noEmit": True,
    "allowUnreachableCode": False,
    "allowUnusedLabels": False,
    "target": "ES2022",
    "lib": ["ES2023", "DOM"],
    "module": "Preserve",
    "moduleResolution": "bundler",
    "types": ["bun"],
    "typeRoots": [f"{ROOT}/node_modules/@types"],
    "paths": {
        "@pylonsync/functions": [f"{ROOT}/packages/functions/src/index.ts"],
        "@pylonsync/functions/testing": [f"{ROOT}/packages/functions/src/testing/index.ts"],
        "@pylonsync/workflows": [f"{ROOT}/packages/workflows/src/index.ts"],
        "@pylonsync/sdk": [f"{ROOT}/packages/sdk/src/index.ts"],
    },
}
TESTING = """
import { expect, test } from "bun:test";
import { testServer } from "@pylonsync/functions/testing";
import type { add } from "./functions";

const server = await testServer<{ add: typeof add }>();
test("adds", async () => {
  const { id } = await server.as("ann").call("add", { title: "milk", tags: [], any: null });
  expect(id).toBeString();
});
"""
FILES = {"schema": SCHEMA, "proof": PROOF, "functions": FUNCTIONS, "order": WORKFLOW, "add.test": TESTING}


@pytest.mark.skipif(not TSC.exists(), reason="the TypeScript compiler is not installed")
@pytest.mark.parametrize("exact", [True, False], ids=["exact optional properties", "lenient ones"])
def test_the_strictest_compiler_takes_an_app_that_uses_everything(tmp_path: Path, exact: bool) -> None:
    for name, source in FILES.items():
        (tmp_path / f"{name}.ts").write_text(source)
    options = {**OPTIONS, "exactOptionalPropertyTypes": exact}
    (tmp_path / "tsconfig.json").write_text(json.dumps({"compilerOptions": options, "include": ["*.ts"]}))

    complaints = subprocess.run([TSC, "-p", tmp_path], capture_output=True, text=True, check=False).stdout

    assert complaints == ""
