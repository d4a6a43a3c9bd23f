/** What a workflow is given. */

import type { StepRecord } from "./protocol";

/** What steps may do in the app they belong to; only when the server itself runs the workflow. */
export interface ServerTools {
  runQuery<T = unknown>(fn: string, args?: unknown): Promise<T>;
  /** Takes effect once for this step, however often the step is tried. */
  runMutation<T = unknown>(fn: string, args?: unknown): Promise<T>;
  /** Other workflows, that this one does not wait for. */
  readonly workflows: Workflows;
  readonly env: { readonly [name: string]: string | undefined };
}

/** A step that is tried again begins no second workflow: its n-th of one name has the same id each time. */
export interface Workflows {
  /** Begin a workflow; its id. */
  start(name: string, input?: unknown, options?: { readonly id?: string }): Promise<string>;
  /** Send an event, which is kept until the workflow waits for it. */
  send(workflowId: string, event: string, data?: unknown): Promise<void>;
  cancel(workflowId: string): Promise<void>;
}

export interface WorkflowContext<Input = unknown> {
  readonly id: string;
  readonly name: string;
  readonly input: Input;
  /** How many durable operations are behind it. */
  readonly currentStep: number;
  readonly completedSteps: readonly StepRecord[];
  /** Call it inside of steps. */
  runQuery: ServerTools["runQuery"];
  /** Call it inside of steps. */
  runMutation: ServerTools["runMutation"];
  /** Use it inside of steps. */
  readonly workflows: Workflows;
  readonly env: ServerTools["env"];
}

export interface WaitOptions {
  /** How long to wait, such as `"24h"`; then the answer is null. Without it, for ever. */
  readonly timeout?: string | number;
}

/**
 * The durable operations. Code between them runs again on each pass, so it must do the same each time: what is
 * random, slow or has effects belongs in a step.
 */
export interface Durable {
  /** Runs once and is remembered; tried again when it throws. Its value must be JSON. */
  step<T>(name: string, run: () => T | Promise<T>): Promise<T>;
  /** Go on after `"30s"`, `"5m"`, `"24h"`, `"7d"`, whatever happens to the server meanwhile. */
  sleep(duration: string | number): Promise<void>;
  /** What was sent with the event. One that was sent before, and kept, counts too. */
  waitForEvent<T = unknown>(event: string): Promise<T>;
  waitForEvent<T = unknown>(event: string, options: WaitOptions): Promise<T | null>;
  /** Run another workflow to its end; its output. Throws when it fails or is cancelled. */
  child<T = unknown>(workflow: string, input?: unknown): Promise<T>;
}

export type WorkflowFunction<Input, Output> = (
  ctx: WorkflowContext<Input>,
  durable: Durable,
) => Output | Promise<Output>;

export interface WorkflowOptions {
  readonly description?: string;
  /** How often a step that throws is tried again; 3 if not given. */
  readonly maxRetries?: number;
  /** How long one try of a step may take; 60 if not given. */
  readonly stepTimeoutSecs?: number;
  /** Only the app's own functions begin it: from outside it is not there. */
  readonly internal?: boolean;
}
