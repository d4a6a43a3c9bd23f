/**
 * What the engine and a runner say to each other (contract of the workflow runner): the engine sends what has
 * happened so far, the runner answers what happens next.
 */

export type StepStatus = "pending" | "running" | "completed" | "failed" | "skipped";

export interface StepRecord {
  readonly step_id: string;
  readonly name: string;
  readonly status: StepStatus;
  readonly output: unknown;
  readonly error: string | null;
  readonly started_at: string | null;
  readonly completed_at: string | null;
  readonly duration_ms: number | null;
  readonly retry_count: number;
}

/** One pass of a workflow: from its beginning to the first thing that has not happened yet. */
export interface PassRequest {
  readonly workflow_id: string;
  readonly workflow_name: string;
  readonly input: unknown;
  /** How many durable operations the workflow has behind it. */
  readonly current_step: number;
  /** Steps that ran and events that came, in order; failed attempts may be among them. */
  readonly completed_steps: readonly StepRecord[];
}

export type PassResponse =
  | {
      readonly action: "step_complete";
      readonly step_name: string;
      readonly output: unknown;
      readonly duration_ms: number;
    }
  | { readonly action: "sleep"; readonly duration: string }
  | { readonly action: "wait_event"; readonly event: string; readonly timeout?: string }
  /** Start another workflow and wait for its end. Only pylon's own engine knows it. */
  | { readonly action: "child"; readonly workflow: string; readonly input: unknown }
  | { readonly action: "complete"; readonly output: unknown }
  | { readonly action: "fail"; readonly error: string; readonly step_name?: string };
