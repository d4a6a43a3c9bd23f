/**
 * What handlers asked of the server and wait for. Any number may be under way, each under its own id, so
 * `Promise.all` works over every operation.
 */

import type { OpenRequests } from "./open-requests";
import type { RequestFrame, ResultFrame } from "./protocol";
import type { FrameWriter } from "./writer";

const ANSWER_TIMEOUT_MS = 60_000;
const SWEEP_MS = 5_000;

/** Who asks, and hears of every answer. */
export interface Asker {
  readonly id: string;
  readonly open: OpenRequests;
}

interface Waiting {
  readonly asker: Asker;
  readonly request: Request;
  readonly resolve: (data: unknown) => void;
  readonly reject: (error: unknown) => void;
  readonly since: number;
}

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

/** A request before it has its ids. */
export type Request = DistributiveOmit<RequestFrame, "call_id" | "op_id">;

export class HostRequests {
  readonly #writer: FrameWriter;
  readonly #waiting = new Map<string, Waiting>();
  #count = 0;

  constructor(writer: FrameWriter) {
    this.#writer = writer;
    setInterval(() => this.#sweep(), SWEEP_MS).unref();
  }

  ask(asker: Asker, request: Request): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const opId = `${asker.id}#${this.#count++}`;
      const waiting = { asker, request, resolve, reject, since: performance.now() };
      asker.open.begin();
      try {
        // The ids come first: a server that cannot read the rest can still say to whom.
        const { type, ...rest } = request;
        this.#writer.send({ type, call_id: asker.id, op_id: opId, ...rest } as RequestFrame);
      } catch (error) {
        refuse(waiting, error);
        return;
      }
      this.#waiting.set(opId, waiting);
    });
  }

  /** An answer to something not asked, or given up on, is ignored. */
  settle(frame: ResultFrame): void {
    const opId = frame.op_id ?? frame.call_id;
    const waiting = this.#waiting.get(opId);
    if (waiting === undefined) return;
    this.#waiting.delete(opId);
    if (frame.error !== undefined) {
      refuse(waiting, codedError(frame.error.code ?? "UNKNOWN", frame.error.message ?? ""));
      return;
    }
    waiting.asker.open.end();
    waiting.resolve(frame.data);
  }

  /** What this call waits for will not come. */
  rejectCall(callId: string, reason: Error): void {
    for (const [opId, waiting] of this.#waiting) {
      if (waiting.asker.id !== callId) continue;
      this.#waiting.delete(opId);
      refuse(waiting, reason);
    }
  }

  /** The server is gone: nobody will be answered any more. */
  rejectAll(reason: string): void {
    for (const waiting of this.#waiting.values()) refuse(waiting, new Error(reason));
    this.#waiting.clear();
  }

  #sweep(): void {
    const oldest = performance.now() - ANSWER_TIMEOUT_MS;
    for (const [opId, waiting] of this.#waiting) {
      if (waiting.since > oldest) return;
      this.#waiting.delete(opId);
      refuse(waiting, new Error(`The server did not answer within ${ANSWER_TIMEOUT_MS / 1000} s`));
    }
  }
}

function refuse({ asker, request, reject }: Waiting, error: unknown): void {
  asker.open.refuse(request, error);
  reject(error);
}

/** An error whose code and message are meant for the caller. */
export function codedError(code: string, message: string): Error & { readonly code: string } {
  return Object.assign(new Error(message), { code });
}
