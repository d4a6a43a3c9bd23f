/**
 * A workflow runner as a process of its own, for workflows that do not live in the app's functions folder: the
 * server calls it over HTTP (`PYLON_WORKFLOW_RUNNER_URL`). It keeps nothing; every request is a whole pass.
 */

import { timingSafeEqual } from "node:crypto";
import { runPass } from "./pass";
import type { PassRequest, PassResponse } from "./protocol";
import type { Workflow } from "./workflow";

const PORT = 4500;

export interface ServeOptions {
  /** Where to listen; this machine only, if not given. */
  readonly hostname?: string;
  /** What the server must send as bearer token; `PYLON_WORKFLOW_RUNNER_SECRET` if not given. */
  readonly secret?: string;
}

type AnyWorkflow = Pick<Workflow<never>, "name" | "fn">;

export class WorkflowRunner {
  readonly #workflows: ReadonlyMap<string, AnyWorkflow>;

  constructor(workflows: readonly AnyWorkflow[]) {
    this.#workflows = new Map(workflows.map((workflow) => [workflow.name, workflow]));
  }

  async handleRequest(request: PassRequest): Promise<PassResponse> {
    const workflow = this.#workflows.get(request.workflow_name);
    if (workflow === undefined) return { action: "fail", error: `Unknown workflow: ${request.workflow_name}` };
    return runPass(workflow.fn, request, null);
  }

  serve(port: number = PORT, options: ServeOptions = {}): ReturnType<typeof Bun.serve> {
    const secret = options.secret ?? process.env["PYLON_WORKFLOW_RUNNER_SECRET"];
    const hostname = options.hostname ?? "127.0.0.1";
    const server = Bun.serve({ port, hostname, fetch: (request) => this.#fetch(request, secret) });
    console.log(`Workflow runner on http://${server.hostname}:${server.port}: ${[...this.#workflows.keys()].join(", ")}`);
    return server;
  }

  async #fetch(request: Request, secret: string | undefined): Promise<Response> {
    if (request.method !== "POST") return Response.json({ error: "Method not allowed" }, { status: 405 });
    if (secret !== undefined && !isSame(request.headers.get("authorization") ?? "", `Bearer ${secret}`)) {
      return Response.json({ action: "fail", error: "Wrong secret" }, { status: 401 });
    }
    try {
      return Response.json(await this.handleRequest((await request.json()) as PassRequest));
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      return Response.json({ action: "fail", error: message }, { status: 500 });
    }
  }
}

/** A runner of these workflows; of two with one name the later. */
export function createRunner(workflows: readonly AnyWorkflow[]): WorkflowRunner {
  return new WorkflowRunner(workflows);
}

function isSame(shown: string, wanted: string): boolean {
  const [a, b] = [Buffer.from(shown), Buffer.from(wanted)];
  return a.length === b.length && timingSafeEqual(a, b);
}
