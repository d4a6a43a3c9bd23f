/**
 * One pass through a workflow. The function runs from its beginning; what has happened already answers at once,
 * and the first thing that has not is done and reported. From there on nothing more happens: its promise, and
 * those of everything reached after it, never settle, so no `catch` or `finally` of the author's gets in between.
 */

import { createHash } from "node:crypto";
import { parseDuration } from "./duration";
import type { PassRequest, PassResponse, StepRecord } from "./protocol";
import type { Durable, ServerTools, WaitOptions, WorkflowContext, WorkflowFunction, Workflows } from "./types";

/** Run the pass; what to tell the engine. Never rejects. */
export function runPass<Input, Output>(
  fn: WorkflowFunction<Input, Output>,
  request: PassRequest,
  tools: ServerTools | null,
): Promise<PassResponse> {
  return new Promise((answer) => new Pass(request, tools, answer).run(fn));
}

type Place = { readonly at: "past"; readonly record: StepRecord } | { readonly at: "present" } | { readonly at: "future" };

const NEVER = new Promise<never>(() => {});

class Pass {
  readonly #request: PassRequest;
  readonly #tools: ServerTools | null;
  readonly #answer: (response: PassResponse) => void;
  /** Steps and events that are over, oldest first; sleeps leave no record. */
  readonly #records: readonly StepRecord[];
  #operations = 0;
  #recordsTaken = 0;
  #isInStep = false;
  readonly #started = new Map<string, number>();
  /** The present was reached: what becomes of it is the answer. */
  #isPresent = false;

  constructor(request: PassRequest, tools: ServerTools | null, answer: (response: PassResponse) => void) {
    this.#request = request;
    this.#tools = tools;
    this.#answer = answer;
    this.#records = request.completed_steps.filter(({ status }) => status === "completed" || status === "skipped");
  }

  async run<Input, Output>(fn: WorkflowFunction<Input, Output>): Promise<void> {
    try {
      const output = await fn(this.#context<Input>(), this.#durable());
      if (!this.#isPresent) this.#answer({ action: "complete", output: output ?? null });
    } catch (error) {
      if (!this.#isPresent) this.#answer({ action: "fail", error: messageOf(error) });
    }
  }

  #durable(): Durable {
    return {
      step: (name, run) => this.#step(name, run),
      sleep: (duration) => this.#sleep(duration),
      waitForEvent: <T>(event: string, options: WaitOptions = {}) => this.#waitForEvent<T>(event, options) as Promise<T>,
      child: (workflow, input) => this.#child(workflow, input),
    };
  }

  async #step<T>(name: string, run: () => T | Promise<T>): Promise<T> {
    const place = this.#reach(name);
    if (place.at === "past") return place.record.output as T;
    if (place.at === "present") await this.#runStep(name, run);
    return NEVER;
  }

  async #runStep(name: string, run: () => unknown): Promise<void> {
    const begun = performance.now();
    this.#isInStep = true;
    try {
      const output = (await run()) ?? null;
      JSON.stringify(output); // what is no JSON is the step's fault
      const duration_ms = Math.round(performance.now() - begun);
      this.#answer({ action: "step_complete", step_name: name, output, duration_ms });
    } catch (error) {
      this.#answer({ action: "fail", error: messageOf(error), step_name: name });
    } finally {
      this.#isInStep = false;
    }
  }

  async #sleep(duration: string | number): Promise<void> {
    const seconds = parseDuration(duration);
    const index = this.#operations++;
    if (index < this.#request.current_step) return;
    if (index === this.#request.current_step) this.#report({ action: "sleep", duration: `${seconds}s` });
    return NEVER;
  }

  async #waitForEvent<T>(event: string, { timeout }: WaitOptions): Promise<T | null> {
    const limit = timeout === undefined ? {} : { timeout: `${parseDuration(timeout)}s` };
    const place = this.#reach(`event:${event}`);
    if (place.at === "past") return place.record.status === "skipped" ? null : (place.record.output as T);
    if (place.at === "present") this.#report({ action: "wait_event", event, ...limit });
    return NEVER;
  }

  async #child<T>(workflow: string, input: unknown): Promise<T> {
    const place = this.#reach(`child:${workflow}`);
    if (place.at === "past") return outcomeOf(workflow, place.record.output) as T;
    if (place.at === "present") this.#report({ action: "child", workflow, input: input ?? {} });
    return NEVER;
  }

  /** Take the next operation's number, and its record when it is over. */
  #reach(name: string): Place {
    const index = this.#operations++;
    const now = this.#request.current_step;
    if (index > now) return { at: "future" };
    if (index === now) {
      this.#isPresent = true;
      return { at: "present" };
    }
    const record = this.#records[this.#recordsTaken++];
    if (record === undefined || record.name !== name) {
      const was = record === undefined ? "a sleep" : `"${record.name}"`;
      const error = `The workflow was changed while it ran: where it had ${was}, it now has "${name}"`;
      this.#report({ action: "fail", error });
      return { at: "future" };
    }
    return { at: "past", record };
  }

  #report(response: PassResponse): void {
    this.#isPresent = true;
    this.#answer(response);
  }

  #context<Input>(): WorkflowContext<Input> {
    const { workflow_id: id, workflow_name: name, input, current_step, completed_steps } = this.#request;
    return {
      id,
      name,
      input: input as Input,
      currentStep: current_step,
      completedSteps: completed_steps,
      runQuery: (fn, args) => this.#inStep("runQuery").runQuery(fn, args),
      runMutation: (fn, args) => this.#inStep("runMutation").runMutation(fn, args),
      workflows: this.#workflows(),
      env: this.#tools?.env ?? process.env,
    };
  }

  #workflows(): Workflows {
    return {
      start: async (name, input, options) => {
        const { workflows } = this.#inStep("workflows");
        return workflows.start(name, input, { id: this.#nextIdOf(name), ...options });
      },
      send: async (id, event, data) => this.#inStep("workflows").workflows.send(id, event, data),
      cancel: async (id) => this.#inStep("workflows").workflows.cancel(id),
    };
  }

  /** Of the n-th workflow of a name that a step begins, the same each time the step is tried. */
  #nextIdOf(name: string): string {
    const number = (this.#started.get(name) ?? 0) + 1;
    this.#started.set(name, number);
    const { workflow_id, current_step } = this.#request;
    const place = `${workflow_id}:${current_step}:start:${name}:${number}`;
    return `wf_${createHash("sha256").update(place).digest("hex").slice(0, 16)}`;
  }

  #inStep(call: string): ServerTools {
    if (this.#tools === null) throw new Error(`ctx.${call} works where the server runs the workflow, not in a runner`);
    if (!this.#isInStep) throw new Error(`ctx.${call} belongs inside of a step: outside it would run on each pass`);
    return this.#tools;
  }
}

/** How a child ended, as the engine recorded it. */
function outcomeOf(workflow: string, record: unknown): unknown {
  const { status, output, error } = record as { status: string; output: unknown; error: string | null };
  if (status !== "Completed") throw new Error(`The workflow "${workflow}" ended as ${status}: ${error ?? "no reason given"}`);
  return output;
}

function messageOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message === "" ? "Unknown error" : message;
}
