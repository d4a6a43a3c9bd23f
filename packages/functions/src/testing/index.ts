/**
 * What an app's tests are written with: a server of their own in memory, and somebody who uses it.
 *
 *     const server = await testServer();
 *     beforeEach(() => server.reset());
 *     afterAll(() => server.stop());
 *
 *     test("a signed-in user adds a todo", async () => {
 *       const todo = await server.as("ann").call("addTodo", { title: "Milk" });
 *       expect(await server.as("ann").rows("Todo")).toHaveLength(1);
 *     });
 *
 * It works under `pylon test`, `bun test` and other runners of Node's.
 */

export { CallError, type Caller, type Chunk, type Functions, type Streamed } from "./caller";
export { installTestIsolation, resetDb } from "./isolation";
export type { Job, SettleOptions } from "./jobs";
export { startServer, type ServerOptions, type TestServer, testServer } from "./server";
