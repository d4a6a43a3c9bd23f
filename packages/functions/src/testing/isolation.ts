/** Empties the database between tests, whatever runs them (contract 07 §12). */

/** Where `pylon test` says the server of this file is, else where `pylon dev` is. */
export function defaultUrl(): string {
  return process.env["PYLON_TEST_URL"] || "http://localhost:4321";
}

/**
 * Ask the server to remove every row and job; it does so only in memory, in development mode and from this machine.
 * Never rejects: a server that refuses, or is not there, is warned of.
 */
export async function resetDb(baseUrl: string = defaultUrl()): Promise<void> {
  const url = `${baseUrl.replace(/\/+$/, "")}/api/__test__/reset`;
  try {
    const response = await fetch(url, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: "{}",
    });
    if (response.ok || response.status === 404) return;
    console.warn(`[pylon-test] The reset was answered with ${response.status}: ${await response.text()}`);
  } catch (error) {
    console.warn(`[pylon-test] The server at ${baseUrl} cannot be reached:`, error);
  }
}

/** Have `resetDb` run before each test, where the runner has a global `beforeEach`. */
export function installTestIsolation(baseUrl?: string): void {
  const isInstalled = beforeEachTest(() => resetDb(baseUrl));
  if (!isInstalled) console.warn("[pylon-test] There is no global beforeEach here; call resetDb yourself before each test.");
}

type BeforeEach = (hook: () => Promise<void>) => void;

/** Whether there was where to register it. */
function beforeEachTest(hook: () => Promise<void>): boolean {
  const { beforeEach } = globalThis as { readonly beforeEach?: unknown };
  if (typeof beforeEach === "function") {
    (beforeEach as BeforeEach)(hook);
    return true;
  }
  if (process.versions.bun === undefined) return false;
  try {
    // Bun's is global in test files only; for others there is a module, which refuses outside of `bun test`.
    (import.meta.require("bun:test") as { readonly beforeEach: BeforeEach }).beforeEach(hook);
    return true;
  } catch {
    return false;
  }
}
