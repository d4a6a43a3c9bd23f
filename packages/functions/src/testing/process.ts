/** The process of a test's server: started, waited for, stopped by its id; killed when the tests end without that. */

import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const STOP_MS = 10_000;
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
const LOG_CHARACTERS_MAX = 1 << 20;

/** The servers that run: how to stop each. */
const running = new Set<() => Promise<void>>();
let isEnding = false;

export interface RunningServer {
  readonly url: string;
  readonly adminToken: string;
  log(): string;
  stop(): Promise<void>;
}

export async function spawnServer(
  command: readonly string[],
  app: string,
  env: { readonly [name: string]: string },
): Promise<RunningServer> {
  const [program, ...words] = command;
  if (program === undefined) throw new Error("The command to run is empty.");
  const folder = mkdtempSync(join(tmpdir(), "pylon-test-"));
  const adminToken = randomUUID();
  const child = spawn(program, [...words, "start", app, "--json"], {
    env: { ...process.env, ...environment(folder, adminToken), ...env },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true, // a Ctrl-C in the terminal is for the tests, which stop it
  });
  const log = keepLog(child);
  const kill = () => child.kill("SIGKILL");
  process.once("exit", kill);
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve())).then(() => {
    process.removeListener("exit", kill);
    running.delete(end);
    rmSync(folder, { recursive: true, force: true });
  });
  let stopping: Promise<void> | undefined;
  const end = () => (stopping ??= stop(child, ended));
  if (running.size === 0) for (const signal of SIGNALS) process.once(signal, () => endAll(signal));
  running.add(end);
  const port = await portOf(child, log);
  return { url: `http://127.0.0.1:${port}`, adminToken, log, stop: end };
}

/** The tests are told to end: so are their servers, in order, and then the tests do. */
async function endAll(signal: NodeJS.Signals): Promise<void> {
  if (isEnding) return;
  isEnding = true;
  await Promise.all(Array.from(running, (end) => end()));
  process.kill(process.pid, signal);
}

function environment(folder: string, adminToken: string): { readonly [name: string]: string } {
  return {
    PYLON_DEV_MODE: "1",
    PYLON_DB_PATH: ":memory:",
    DATABASE_URL: "", // set, so that no .env of the app's sends tests to a real database
    PYLON_HOST: "127.0.0.1",
    PYLON_PORT: "0",
    PYLON_EXTRA_PORTS: "0",
    PYLON_ADMIN_TOKEN: adminToken,
    PYLON_FILES_PROVIDER: "local",
    PYLON_FILES_DIR: join(folder, "uploads"),
    PYLON_DRAIN_SECS: "2",
  };
}

/** What it says on stderr, and on stdout before it serves; the newest of it. */
function keepLog(child: ChildProcess): () => string {
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (chunk: string) => {
      text = (text + chunk).slice(-LOG_CHARACTERS_MAX);
    });
  }
  return () => text;
}

function portOf(child: ChildProcess, log: () => string): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once("error", (error) => {
      const hint = "Is pylon installed here (pip install pylonsync)? `command` says how to run it.";
      reject(new Error(`The server could not be started: ${error.message}. ${hint}`));
    });
    child.once("close", (code) => reject(new Error(`The server ended with status ${code}:\n${log()}`)));
    if (child.stdout === null) return;
    createInterface({ input: child.stdout }).on("line", (line) => {
      const port = startedAt(line);
      if (port !== null) resolve(port);
    });
  });
}

function startedAt(line: string): number | null {
  try {
    const { code, port } = JSON.parse(line) as { readonly code?: unknown; readonly port?: unknown };
    return code === "START_OK" && typeof port === "number" ? port : null;
  } catch {
    return null;
  }
}

async function stop(child: ChildProcess, ended: Promise<void>): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return ended;
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
  await ended;
  clearTimeout(timer);
}
