/** One call, from its `call` frame to its `return` or `error` frame: every call ends with exactly one. */

import { actionContext, Call, mutationContext, queryContext } from "./context";
import type { LoadedFunction, Registry } from "./discovery";
import { publicFailure, report } from "./failures";
import { lossIn } from "./losses";
import type { CallFrame } from "./protocol";
import { codedError, type HostRequests } from "./rpc";
import type { Env } from "./types";
import { argumentProblems } from "./validators";
import type { FrameWriter } from "./writer";

export class Invoker {
  readonly #registry: Registry;
  readonly #requests: HostRequests;
  readonly #writer: FrameWriter;
  readonly #env: Env;
  readonly #running = new Map<string, Call>();

  constructor(registry: Registry, requests: HostRequests, writer: FrameWriter, env: Env) {
    this.#registry = registry;
    this.#requests = requests;
    this.#writer = writer;
    this.#env = env;
  }

  run(frame: CallFrame): void {
    this.#run(frame).catch((crash: unknown) => {
      report(`Calling "${frame.fn_name}" failed:`, crash);
      this.#fail(frame, "HANDLER_CRASH", "The call failed outside its handler");
    });
  }

  /** The server gave a call up: whatever its handler waits for or still asks is refused, so that it ends. */
  abandon(callId: string): void {
    this.#running.get(callId)?.abandon();
  }

  async #run(frame: CallFrame): Promise<void> {
    const fn = this.#registry.get(frame.fn_name);
    if (fn === undefined) {
      this.#fail(frame, "FN_NOT_FOUND", `Function "${frame.fn_name}" not registered`);
      return;
    }
    if (frame.fn_type !== undefined && frame.fn_type !== fn.kind) {
      const message = `Function "${frame.fn_name}" is registered as ${fn.kind}, not ${frame.fn_type}`;
      this.#fail(frame, "FN_TYPE_MISMATCH", message);
      return;
    }
    const args = frame.args === undefined ? {} : frame.args;
    const problems = fn.args === null ? [] : argumentProblems(fn.args, args);
    if (problems.length > 0) {
      this.#fail(frame, "INVALID_ARGS", problems.join("; "));
      return;
    }
    await this.#handle(fn, frame, args);
  }

  async #handle(fn: LoadedFunction, frame: CallFrame, args: unknown): Promise<void> {
    const call = new Call(frame, this.#requests, this.#writer);
    this.#running.set(call.id, call);
    try {
      const value = await fn.handler(this.#context(fn, call, frame), args);
      if (fn.kind === "mutation" && !call.open.isClear) await call.settle();
      call.end();
      checkReturned(value);
      this.#writer.send({ type: "return", call_id: call.id, value: value === undefined ? null : value });
    } catch (error) {
      call.end();
      const failure = publicFailure(error);
      if (failure !== null) {
        this.#fail(frame, failure.code, failure.message);
        return;
      }
      report(`"${frame.fn_name}" threw:`, error);
      this.#fail(frame, "HANDLER_ERROR", "Internal handler error");
    } finally {
      this.#running.delete(call.id);
    }
  }

  #context(fn: LoadedFunction, call: Call, frame: CallFrame): unknown {
    switch (fn.kind) {
      case "query":
        return queryContext(call, frame, this.#env);
      case "mutation":
        return mutationContext(call, frame, this.#env);
      case "action":
      case "workflow":
        return actionContext(call, frame, this.#env);
      default:
        return fn.kind satisfies never;
    }
  }

  #fail(frame: CallFrame, code: string, message: string): void {
    this.#writer.send({ type: "error", call_id: frame.call_id, code, message });
  }
}

/** Throws for a value that would arrive as another. */
function checkReturned(value: unknown): void {
  const loss = lossIn(value);
  if (loss !== null) throw codedError("HANDLER_ERROR", `The function returned ${loss}, which JSON cannot say.`);
}
