import { expect, test } from "bun:test";
import * as react from "../src/index.ts";

test("the package has these names, and says so when one goes or comes", () => {
  expect(Object.keys(react).sort()).toEqual([
    "HttpError", "LocalStore", "MutationQueue", "SyncEngine", "callFn", "configureClient", "connectShard",
    "createSession", "createSyncEngine", "createTypedDb", "db", "fetchById", "fetchList", "getAppName",
    "getAuthContext", "getBaseUrl", "getReactStorage", "getServerData", "init", "insert", "listFns", "refreshSession",
    "remove", "request", "setReactStorage", "startSessionAutoRefresh", "storageKey", "streamFn", "update",
    "uploadFile", "uploadFileMultipart", "useAction", "useAggregate", "useDelete", "useEntityMutation", "useFn",
    "useInfiniteQuery", "useInsert", "useLiveList", "useLiveRow", "useMutation", "usePaginatedQuery", "useQuery",
    "useQueryOne", "useQueryOneRaw", "useQueryRaw", "useRoom", "useSearch", "useSession", "useShard", "useUpdate",
  ]);
});

test("db has these members", () => {
  expect(Object.keys(react.db).sort()).toEqual([
    "delete", "fn", "insert", "publishTopic", "setPresence", "streamFn", "sync", "update", "uploadFile",
    "uploadFileMultipart", "useAggregate", "useEntity", "useInfiniteQuery", "useMutation", "useQuery", "useQueryOne",
    "useSearch",
  ]);
});

test("importing it does nothing: no page is needed, and nothing keeps the process alive", async () => {
  const source = new URL("../src/index.ts", import.meta.url).pathname;
  const child = Bun.spawn([process.execPath, "-e", `await import(${JSON.stringify(source)})`], { stderr: "pipe" });

  expect([await child.exited, await new Response(child.stderr).text()]).toEqual([0, ""]);
});
