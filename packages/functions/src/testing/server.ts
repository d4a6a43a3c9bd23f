/**
 * The server of a test: the one that `pylon test` started for this file, or one of its own, which is a `pylon start`
 * on a free port with its database in memory. It shares nothing with any other, whatever the environment or `.env` say.
 */

import { Caller, type Functions } from "./caller";
import { resetDb } from "./isolation";
import { type Job, type SettleOptions, settleJobs } from "./jobs";
import { spawnServer } from "./process";

export interface ServerOptions {
  /** The app's folder, entry file or manifest; this folder unless said otherwise. */
  readonly app?: string;
  /** More environment for the server. */
  readonly env?: { readonly [name: string]: string };
  /** The command to run in place of the `pylon` on the path. */
  readonly command?: readonly string[];
}

export class TestServer<F extends Functions = Functions> {
  readonly url: string;
  /** Policies do not bind the administrator, which makes this the one to prepare data with. */
  readonly admin: Caller<F>;
  /** Who has no session. */
  readonly anonymous: Caller<F>;
  readonly #tokens = new Map<string, Promise<string>>();
  readonly #log: () => string;
  readonly #stop: () => Promise<void>;

  constructor(url: string, adminToken: string | null, log: () => string, stop: () => Promise<void>) {
    this.url = url.replace(/\/+$/, "");
    this.admin = new Caller(this.url, async () => adminToken);
    this.anonymous = new Caller(this.url, async () => null);
    this.#log = log;
    this.#stop = stop;
  }

  /** Signed in as the user with this id, whether or not there is a row for it. */
  as(userId: string): Caller<F> {
    return new Caller(this.url, () => this.#tokenOf(userId));
  }

  /** A new guest. */
  guest(): Caller<F> {
    let token: Promise<string> | undefined;
    return new Caller(this.url, () => (token ??= this.#signIn("/api/auth/guest", {})));
  }

  /** Remove every row and every job; sessions stay. */
  async reset(): Promise<void> {
    await this.anonymous.request("POST", "/api/__test__/reset", {});
  }

  /** Wait until no job is running or due. Resolves with the newest jobs, newest first. */
  jobsSettled(options?: SettleOptions): Promise<Job[]> {
    return settleJobs(this.admin, options);
  }

  /** What it logged, what functions printed included; nothing of a server that `pylon test` started. */
  log(): string {
    return this.#log();
  }

  /** End the server, if it is this test's own. */
  stop(): Promise<void> {
    return this.#stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #tokenOf(userId: string): Promise<string> {
    const known = this.#tokens.get(userId) ?? this.#signIn("/api/auth/session", { user_id: userId });
    this.#tokens.set(userId, known);
    return known;
  }

  async #signIn(path: string, body: object): Promise<string> {
    return (await this.anonymous.request<{ readonly token: string }>("POST", path, body)).token;
  }
}

/** Start a server of one's own; `stop` it at the end. Rejects with what it said when it does not start. */
export async function startServer<F extends Functions = Functions>(
  options: ServerOptions = {},
): Promise<TestServer<F>> {
  const { url, adminToken, log, stop } = await spawnServer(
    options.command ?? ["pylon"],
    options.app ?? ".",
    options.env ?? {},
  );
  return new TestServer<F>(url, adminToken, log, stop);
}

/** The server that `pylon test` started for this file, emptied; else one of this test's own. */
export async function testServer<F extends Functions = Functions>(
  options: ServerOptions = {},
): Promise<TestServer<F>> {
  const url = process.env["PYLON_TEST_URL"];
  if (!url) return startServer<F>(options);
  await resetDb(url);
  return new TestServer<F>(
    url,
    process.env["PYLON_TEST_ADMIN_TOKEN"] ?? null,
    () => "",
    async () => {},
  );
}
