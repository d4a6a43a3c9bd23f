/** Waiting for background jobs of a test's server, by asking for them as its administrator. */

import type { Caller, Functions } from "./caller";

export interface Job {
  readonly id: string;
  readonly name: string;
  readonly payload: unknown;
  readonly status: "pending" | "running" | "retrying" | "completed" | "dead" | "cancelled";
  /** In milliseconds since the Unix epoch. */
  readonly run_at: number;
  readonly error: string | null;
}

export interface SettleOptions {
  /** Wait also for jobs that are due so soon from now, in milliseconds (1000); those due later stay. */
  readonly within?: number;
  /** Reject after so many milliseconds (20 000). */
  readonly timeout?: number;
}

const UNFINISHED = ["pending", "retrying", "running"] as const;
const PAGE = 200;
const LOOK_MS = 10;

/** Wait until no job is running or due. Resolves with the newest jobs, newest first. */
export async function settleJobs<F extends Functions>(admin: Caller<F>, options: SettleOptions = {}): Promise<Job[]> {
  const { within = 1000, timeout = 20_000 } = options;
  const due = Date.now() + within;
  const deadline = Date.now() + timeout;
  for (;;) {
    const left = (await unfinished(admin)).filter((job) => job.run_at <= due).map((job) => job.name);
    if (left.length === 0) return jobs(admin, "");
    if (Date.now() > deadline) throw new Error(`After ${timeout} ms there still are the jobs ${left.join(", ")}.`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

/** First those of one moment, so that none escapes by becoming another; then what did not fit on that page. */
async function unfinished<F extends Functions>(admin: Caller<F>): Promise<Job[]> {
  const found: Job[] = [];
  for (const status of ["", ...UNFINISHED]) found.push(...(await jobs(admin, status)));
  return found.filter((job) => UNFINISHED.some((status) => status === job.status));
}

function jobs<F extends Functions>(admin: Caller<F>, status: string): Promise<Job[]> {
  return admin.request<Job[]>("GET", `/api/jobs?limit=${PAGE}&status=${status}`);
}
