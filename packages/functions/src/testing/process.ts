/** The process of a test's server: started, waited for, stopped by its id; killed when the tests end without that. */

import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const STOP_MS = 10_000;
const LOG_CHARACTERS_MAX = 1 << 20;

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
  });
  const log = keepLog(child);
  const kill = () => child.kill("SIGKILL");
  process.once("exit", kill);
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  void ended.then(() => {
    process.removeListener("exit", kill);
    rmSync(folder, { recursive: true, force: true });
  });
  const port = await portOf(child, log);
  return { url: `http://127.0.0.1:${port}`, adminToken, log, stop: () => stop(child, ended) };
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
