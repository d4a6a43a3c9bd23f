import { act, cleanup, renderHook, waitFor } from "../../react/test/dom.ts";
import { afterEach, expect, mock, spyOn, test } from "bun:test";
import * as react from "@pylonsync/react";
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
  native.configureClient({ appName: "default" });
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
