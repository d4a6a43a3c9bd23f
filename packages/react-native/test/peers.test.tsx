import { act, cleanup, renderHook, waitFor } from "../../react/test/dom.ts";
import { afterEach, expect, mock, spyOn, test } from "bun:test";
import * as react from "@pylonsync/react";
import { createWriteThroughStorage } from "@pylonsync/sync";
import { StandIn } from "../../react/test/standIn.ts";
import * as native from "../src/index.ts";
import type { NetInfo } from "../src/useNetworkStatus.ts";
import { Device } from "./device.ts";

afterEach(cleanup);

test("without the peers the import works, storage says what to install, and the network counts as there", async () => {
  const warn = spyOn(console, "warn").mockImplementation(() => undefined);

  expect(native.init()).rejects.toThrow("Install @react-native-async-storage/async-storage");
  const { result } = renderHook(() => native.useNetworkStatus());
  await waitFor(() => expect(warn).toHaveBeenCalledTimes(1));

  expect(result.current).toEqual({ isOnline: true, connectionType: "unknown" });
  warn.mockRestore();
});

test("all of the React client is here, with another init", () => {
  const { init, ...rest } = react;

  expect(native).toMatchObject(rest);
  expect(native.init).not.toBe(init as unknown as typeof native.init);
});

test("init takes the session from the device", async () => {
  const device = new Device({ "pylon:shop:token": "t" });
  mock.module("@react-native-async-storage/async-storage", () => ({ default: device }));

  await native.init({ baseUrl: "http://127.0.0.1:1", appName: "shop", transport: "poll" });

  expect(native.getReactStorage().get(native.storageKey("token"))).toBe("t");
  await waitFor(() => expect(device.values.has("pylon:client_id")).toBe(true));
  await act(() => native.db.insert("Todo", { title: "offline" }));
  await waitFor(() => expect([...device.values.keys()].some((key) => key.startsWith("pylon-replica:shop/queue/"))).toBe(true));
  native.db.sync.stop();
  native.configureClient({ appName: "default" });
});

test("in the background the client is disconnected, and in the foreground it catches up", async () => {
  const server = new StandIn();
  server.routes.set("GET /api/auth/me", () => ({ user_id: "ann", is_admin: false, roles: [] }));
  server.routes.set("GET /api/sync/pull", () => ({ changes: [], cursor: { last_seq: 0 }, has_more: false }));
  let tell: (state: string) => void = () => undefined;
  let removed = 0;
  const appState: native.AppState = {
    addEventListener(_type, listener) {
      tell = listener;
      return { remove: () => void (removed += 1) };
    },
  };
  const storage = createWriteThroughStorage(null, () => undefined);
  const config = { baseUrl: server.url, wsUrl: server.url.replace("http", "ws"), storage, appState };
  await native.init(config);
  tell("background");
  tell("active");
  expect(server.asked).toEqual([]);

  const { sync } = native.db;
  await waitFor(() => expect(sync.connected).toBe(true));
  tell("inactive");
  expect(sync.connected).toBe(true);
  tell("background");
  expect(sync.connected).toBe(false);
  const asked = server.asked.length;
  tell("active");
  await waitFor(() => expect(sync.connected).toBe(true));
  expect(server.asked.length).toBeGreaterThan(asked);

  await native.init({ ...config, appState: null });
  expect(removed).toBe(1);
  await server.stop();
});

test("when there is a network again the client does not wait for its next attempt", async () => {
  const server = new StandIn();
  server.routes.set("GET /api/auth/me", () => ({ user_id: "ann", is_admin: false, roles: [] }));
  server.routes.set("GET /api/sync/pull", () => ({ changes: [], cursor: { last_seq: 0 }, has_more: false }));
  let tell: Parameters<NetInfo["addEventListener"]>[0] = () => undefined;
  const network: NetInfo = { addEventListener: (listener) => ((tell = listener), () => (tell = () => undefined)) };
  const storage = createWriteThroughStorage(null, () => undefined);
  const config = { baseUrl: server.url, wsUrl: "ws://127.0.0.1:1", storage, persist: false, reconnectDelay: 1e9 };
  await native.init({ ...config, transport: "poll", pollInterval: 1e8, appState: null, network });
  const { sync } = native.db;
  await waitFor(() => expect(sync.connection.kind).toBe("open"));
  const asked = server.asked.length;

  tell({ isConnected: true, type: "wifi" });
  tell({ isConnected: false, type: "none" });
  await Bun.sleep(20);
  expect(server.asked.length).toBe(asked);
  tell({ isConnected: true, type: "wifi" });

  await waitFor(() => expect(server.asked.length).toBeGreaterThan(asked));
  sync.stop();
  await native.init({ ...config, appState: null, network: null });
  await server.stop();
});

test("the network is followed, and no longer once the component has gone", async () => {
  const listeners = new Set<Parameters<NetInfo["addEventListener"]>[0]>();
  const netInfo: NetInfo = {
    addEventListener(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
  mock.module("@react-native-community/netinfo", () => ({ default: netInfo }));
  const { result, unmount } = renderHook(() => native.useNetworkStatus());
  const tell = (isConnected: boolean | null, type: string): void =>
    act(() => {
      for (const listener of listeners) listener({ isConnected, type });
    });
  await waitFor(() => expect(listeners.size).toBe(1));

  tell(true, "wifi");
  expect(result.current).toEqual({ isOnline: true, connectionType: "wifi" });
  const before = result.current;
  tell(true, "wifi");
  expect(result.current).toBe(before);
  tell(null, "unknown");
  expect(result.current).toEqual({ isOnline: false, connectionType: "unknown" });

  unmount();
  expect(listeners.size).toBe(0);
});
