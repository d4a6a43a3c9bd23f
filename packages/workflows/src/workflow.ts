/** A workflow as its file exports it: the server finds it by `type` and runs passes through `handler`. */

import { runPass } from "./pass";
import type { PassRequest, PassResponse } from "./protocol";
import type { ServerTools, WorkflowFunction, WorkflowOptions } from "./types";

export interface Workflow<Input = unknown, Output = unknown> {
  readonly type: "workflow";
  readonly name: string;
  readonly fn: WorkflowFunction<Input, Output>;
  readonly options: WorkflowOptions;
  readonly handler: (tools: ServerTools, request: PassRequest) => Promise<PassResponse>;
}

/**
 * A function that outlives restarts.
 *
 *     export default workflow("order", async (ctx, { step, sleep }) => {
 *       const receipt = await step("charge", () => ctx.runMutation("charge", { order: ctx.input.id }));
 *       await sleep("3d");
 *       await step("askForReview", () => ctx.runMutation("sendMail", { to: receipt.email }));
 *     });
 */
export function workflow<Input = any, Output = unknown>(
  name: string,
  fn: WorkflowFunction<Input, Output>,
  options: WorkflowOptions = {},
): Workflow<Input, Output> {
  return { type: "workflow", name, fn, options, handler: (tools, request) => runPass(fn, request, tools) };
}
