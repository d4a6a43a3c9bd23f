/** Durable workflows: functions that survive restarts and wait for days. */

export { parseDuration } from "./duration";
export type { PassRequest, PassResponse, StepRecord, StepStatus } from "./protocol";
export { createRunner, WorkflowRunner } from "./runner";
export type { ServeOptions } from "./runner";
export type {
  Durable,
  ServerTools,
  WaitOptions,
  WorkflowContext,
  WorkflowFunction,
  WorkflowOptions,
  Workflows,
} from "./types";
export { workflow } from "./workflow";
export type { Workflow } from "./workflow";
