import { expect, test } from "bun:test";
import * as react from "../src/index.ts";

test("the package has these names, and says so when one goes or comes", () => {
  expect(Object.keys(react).sort()).toEqual([
    "HttpError", "LiveClient", "LiveQueryError", "LocalStore", "MutationQueue", "SyncEngine", "callFn",
    "configureClient", "connectShard", "createLiveClient", "createSession", "createSyncEngine", "createTypedDb", "db",
    "defineRoute",
    "fetchById", "fetchList", "getAppName", "getAuthContext", "getBaseUrl", "getReactStorage", "getServerData", "init",
    "insert", "listFns", "onEngineStarted", "pauseSync", "refreshSession", "remove", "request", "resumeSync", "setReactStorage", "startSessionAutoRefresh", "storageKey", "streamFn", "update",
    "uploadFile", "uploadFileMultipart", "useAction", "useAggregate", "useConnection", "useDelete", "useEntityMutation",
    "useFailedWrites", "useFn",
    "useInfiniteQuery", "useInsert", "useLiveList", "useLiveQuery", "useLiveRow", "useMutation", "usePaginatedQuery",
    "usePresence", "useQuery", "useQueryOne", "useQueryOneRaw", "useQueryRaw", "useRoom", "useRoomEvents", "useSearch",
    "useSession", "useShard", "useSyncStatus", "useTopic", "useUnsent", "useUpdate", "wakeSync",
  ]);
});

test("db has these members", () => {
  expect(Object.keys(react.db).sort()).toEqual([
    "create", "delete", "fn", "insert", "publishTopic", "setPresence", "streamFn", "sync", "update", "uploadFile",
    "uploadFileMultipart", "useAggregate", "useConnection", "useEntity", "useFailedWrites", "useInfiniteQuery",
    "useLiveQuery", "useMutation", "usePresence", "useQuery", "useQueryOne", "useSearch", "useSession", "useSync",
    "useSyncStatus", "useTopic", "useUnsent",
  ]);
});

test("importing it does nothing: no page is needed, and nothing keeps the process alive", async () => {
  const source = new URL("../src/index.ts", import.meta.url).pathname;
  const child = Bun.spawn([process.execPath, "-e", `await import(${JSON.stringify(source)})`], { stderr: "pipe" });

  expect([await child.exited, await new Response(child.stderr).text()]).toEqual([0, ""]);
});
