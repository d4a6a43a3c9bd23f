/**
 * Keeps one handler from harming the process all of them share: its console and stdout writes go to stderr
 * (stdout belongs to the protocol), errors nobody awaited are reported and survived, and what functions may not
 * see is not in the environment, not even where Bun has just read it from a `.env` file: the server's own
 * secrets, and when the server says what functions may see, everything else.
 */

import { Console } from "node:console";

const SERVER_SECRET =
  /^(PYLON_ADMIN_TOKEN|DATABASE_URL|PG(PASSWORD|PASSFILE|SERVICE|SERVICEFILE|SSLCERT|SSLKEY)|PYLON_\w*(SECRET|PEPPER|PRIVATE_KEY|ENCRYPTION_KEY)\w*)$/;
const PREFIXED = ["warn", "error", "debug"] as const;

export function guardProcess(): void {
  redirectConsole();
  process.stdout.write = process.stderr.write.bind(process.stderr);
  process.on("unhandledRejection", (reason) => console.error("Unhandled rejection:", reason));
  process.on("uncaughtException", (error) => console.error("Uncaught exception:", error));
  const mayStay = visible(process.env["PYLON_FN_ENV"]);
  for (const name of Object.keys(process.env)) {
    if (SERVER_SECRET.test(name) || !mayStay(name)) delete process.env[name];
  }
}

/** Which names functions may see. The server's list has names and, ending in `*`, beginnings of names. */
function visible(list: string | undefined): (name: string) => boolean {
  if (!list) return () => true;
  const entries = list.split(",");
  const names = new Set(entries);
  const beginnings = entries.filter((entry) => entry.endsWith("*")).map((entry) => entry.slice(0, -1));
  return (name) => names.has(name) || beginnings.some((beginning) => name.startsWith(beginning));
}

function redirectConsole(): void {
  const toStderr = new Console({ stdout: process.stderr, stderr: process.stderr });
  Object.assign(console, toStderr);
  for (const level of PREFIXED) {
    console[level] = (first?: unknown, ...rest: unknown[]) => {
      // One string, not two arguments: the first argument may be a format.
      if (typeof first === "string") toStderr.error(`[${level}] ${first}`, ...rest);
      else toStderr.error(`[${level}]`, first, ...rest);
    };
  }
}
