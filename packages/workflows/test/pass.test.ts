import { describe, expect, test } from "bun:test";
import { runPass } from "../src/pass";
import type { PassResponse, StepRecord } from "../src/protocol";
import type { ServerTools, WorkflowFunction } from "../src/types";

function record(name: string, output: unknown, status: StepRecord["status"] = "completed"): StepRecord {
  const times = { started_at: "1767225600Z", completed_at: "1767225600Z", duration_ms: 1 };
  return { step_id: "step_0", name, status, output, error: null, retry_count: 0, ...times };
}

function pass<Input = unknown>(
  fn: WorkflowFunction<Input, unknown>,
  current_step = 0,
  completed_steps: readonly StepRecord[] = [],
  tools: ServerTools | null = null,
): Promise<PassResponse> {
  const request = { workflow_id: "wf_1", workflow_name: "w", input: { n: 1 }, current_step, completed_steps };
  return runPass(fn, request, tools);
}

/** Drives passes as an engine does, until the workflow ends; every answer, in order. */
async function drive(fn: WorkflowFunction<unknown, unknown>, events: Record<string, unknown> = {}): Promise<PassResponse[]> {
  const records: StepRecord[] = [];
  const answers: PassResponse[] = [];
  for (let current = 0; ; ) {
    const answer = await pass(fn, current, records);
    answers.push(answer);
    if (answer.action === "step_complete") records.push(record(answer.step_name, answer.output));
    else if (answer.action === "wait_event") records.push(record(`event:${answer.event}`, events[answer.event]));
    else if (answer.action !== "sleep") return answers;
    current += 1;
  }
}

describe("a pass", () => {
  test("runs step, sleep, step, wait, step once each and returns the output", async () => {
    const ran: string[] = [];
    const answers = await drive(
      async (_ctx, { step, sleep, waitForEvent }) => {
        const a = await step("a", () => (ran.push("a"), 1));
        await sleep("1s");
        const b = await step("b", async () => (ran.push("b"), a + 1));
        const event = await waitForEvent<{ by: number }>("go");
        return step("c", () => (ran.push("c"), b + event.by));
      },
      { go: { by: 40 } },
    );

    expect(ran).toEqual(["a", "b", "c"]);
    expect(answers.map(({ action }) => action)).toEqual([
      "step_complete",
      "sleep",
      "step_complete",
      "wait_event",
      "step_complete",
      "complete",
    ]);
    expect(answers.at(-1)).toEqual({ action: "complete", output: 42 });
  });

  test("ends where its present step ends, whatever the author catches", async () => {
    let went = false;
    const answer = await pass(async (_ctx, { step, sleep }) => {
      try {
        await step("a", () => "done");
        await sleep("1h");
      } catch {
        went = true;
      } finally {
        went = true;
      }
    });

    expect(answer).toMatchObject({ action: "step_complete", step_name: "a", output: "done" });
    await Bun.sleep(0);
    expect(went).toBe(false);
  });

  test("reports a step that throws with its name", async () => {
    const answer = await pass(async (_ctx, { step }) => {
      try {
        return await step("a", () => {
          throw new Error("boom");
        });
      } catch {
        return "swallowed";
      }
    });

    expect(answer).toEqual({ action: "fail", error: "boom", step_name: "a" });
  });

  test("fails without a step name for what is thrown outside of steps", async () => {
    const answer = await pass(() => {
      throw new Error("boom");
    });

    expect(answer).toEqual({ action: "fail", error: "boom" });
  });

  test("ignores failed attempts among the records", async () => {
    const records = [record("a", null, "failed"), record("a", 7)];

    expect(await pass((_ctx, { step }) => step("a", () => 0), 1, records)).toEqual({ action: "complete", output: 7 });
  });

  test("tells two steps of one name apart by their order", async () => {
    const records = [record("a", 1), record("a", 2)];
    const answer = await pass(async (_ctx, { step }) => [await step("a", () => 0), await step("a", () => 0)], 2, records);

    expect(answer).toEqual({ action: "complete", output: [1, 2] });
  });

  test("runs steps that stand side by side one after the other, each once", async () => {
    const ran: string[] = [];
    const run = (name: string) => () => (ran.push(name), name);
    const answers = await drive(async (_ctx, { step }) =>
      Promise.all([step("a", run("a")).then(() => step("c", run("c"))), step("b", run("b"))]),
    );

    expect(ran).toEqual(["a", "b", "c"]);
    expect(answers.at(-1)).toEqual({ action: "complete", output: ["c", "b"] });
  });

  test("does not end before a step that nobody awaits", async () => {
    const answers = await drive((_ctx, { step }) => {
      void step("a", () => 1);
      return "end";
    });

    expect(answers.map(({ action }) => action)).toEqual(["step_complete", "complete"]);
  });

  test("notices that the workflow was changed under a running instance", async () => {
    const answer = await pass((_ctx, { step }) => step("new", () => 1).catch(() => "swallowed"), 1, [record("old", 1)]);

    expect(answer).toMatchObject({ action: "fail", error: expect.stringContaining('"old"') });
    expect(answer).not.toHaveProperty("step_name");
  });

  test("answers null for an event that did not come in time", async () => {
    const wait: WorkflowFunction<unknown, unknown> = (_ctx, { waitForEvent }) => waitForEvent("go", { timeout: "5m" });

    expect(await pass(wait)).toEqual({ action: "wait_event", event: "go", timeout: "300s" });
    expect(await pass(wait, 1, [record("event:go", null, "skipped")])).toEqual({ action: "complete", output: null });
  });

  test("asks for a child and goes on with its output, or its failure", async () => {
    const parent: WorkflowFunction<unknown, unknown> = async (_ctx, { child }) => {
      try {
        return await child("ship", { to: "x" });
      } catch (error) {
        return (error as Error).message;
      }
    };
    const ended = (status: string, output: unknown, error: string | null) =>
      pass(parent, 1, [record("child:ship", { status, output, error })]);

    expect(await pass(parent)).toEqual({ action: "child", workflow: "ship", input: { to: "x" } });
    expect(await ended("Completed", 9, null)).toEqual({ action: "complete", output: 9 });
    expect(await ended("Failed", null, "lost")).toMatchObject({ output: expect.stringContaining("lost") });
  });

  test("lets only steps speak to the server", async () => {
    const tools = { runQuery: async () => 1, runMutation: async () => 2, env: {} } as unknown as ServerTools;
    const inside: WorkflowFunction<unknown, unknown> = (ctx, { step }) => step("a", () => ctx.runMutation("m"));
    const outside: WorkflowFunction<unknown, unknown> = (ctx) => ctx.runMutation("m");

    expect(await pass(inside, 0, [], tools)).toMatchObject({ action: "step_complete", output: 2 });
    expect(await pass(outside, 0, [], tools)).toMatchObject({ action: "fail", error: expect.stringContaining("inside") });
    expect(await pass(inside)).toMatchObject({ action: "fail", step_name: "a" });
  });

  test("begins the same workflow each time a step is tried, and another for each start", async () => {
    const begun: string[] = [];
    const workflows = {
      start: async (_name: string, _input: unknown, { id = "" } = {}) => {
        begun.push(id);
        return id;
      },
    };
    const tools = { workflows, env: {} } as unknown as ServerTools;
    const fn: WorkflowFunction<unknown, unknown> = (ctx, { step }) =>
      step("a", async () => [await ctx.workflows.start("x"), await ctx.workflows.start("x"), await ctx.workflows.start("y")]);

    await pass(fn, 0, [], tools);
    await pass(fn, 0, [], tools);

    expect(begun.slice(0, 3)).toEqual(begun.slice(3));
    expect(new Set(begun).size).toBe(3);
    expect(begun.every((id) => /^wf_[0-9a-f]{16}$/.test(id))).toBe(true);
    expect(await pass((ctx) => ctx.workflows.cancel("wf_1"), 0, [], tools)).toMatchObject({ action: "fail" });
  });

  test("blames the step for a value that is no JSON", async () => {
    expect(await pass((_, { step }) => step("a", async () => 1n))).toMatchObject({ action: "fail", step_name: "a" });
  });

  test("shows the author the request in camel case", async () => {
    const answer = await pass((ctx) => [ctx.id, ctx.name, ctx.input, ctx.currentStep, ctx.completedSteps], 0);

    expect(answer).toEqual({ action: "complete", output: ["wf_1", "w", { n: 1 }, 0, []] });
  });
});
