/**
 * The page's one sync engine, for `db`.
 *
 * Made by `init`, or at the first use with what `configureClient` said. It starts when it is first used in a page or an
 * app; on a server, which renders pages for many, it never starts by itself.
 */

import { createSyncEngine, type SyncEngine, type SyncEngineConfig } from "@pylonsync/sync";
import { useEffect, useSyncExternalStore } from "react";
import { configureClient, getAppName, getBaseUrl, getReactStorage } from "./config.ts";

let engine: SyncEngine | null = null;
const started = new WeakSet<SyncEngine>();
const listeners = new Set<() => void>();
const startListeners = new Set<(engine: SyncEngine) => void>();

/** Make the page's engine, in place of the one before, which is stopped. It starts when it is first used. */
export function init(config: Partial<SyncEngineConfig> = {}): void {
  configureClient(config);
  engine?.stop();
  engine = makeEngine(config);
  for (const listener of [...listeners]) listener();
}

/** The page's engine, as it is. */
export function currentEngine(): SyncEngine {
  return (engine ??= makeEngine({}));
}

/** The page's engine, started where there is a page or an app. */
export function startedEngine(): SyncEngine {
  const current = currentEngine();
  if (typeof window !== "undefined" && !started.has(current)) {
    started.add(current);
    void current.start();
    for (const listener of [...startListeners]) listener(current);
  }
  return current;
}

/** Call `listener` with the page's engine if it has started, and with each that does; returns the way to stop. */
export function onEngineStarted(listener: (engine: SyncEngine) => void): () => void {
  startListeners.add(listener);
  if (engine !== null && started.has(engine)) listener(engine);
  return () => void startListeners.delete(listener);
}

/** Disconnect the page's engine, if it runs; what is written meanwhile waits. */
export function pauseSync(): void {
  if (engine !== null && started.has(engine)) engine.stop();
}

/** Go on after `pauseSync`: connect and catch up. An engine that nobody has used yet stays as it is. */
export function resumeSync(): void {
  if (engine !== null && started.has(engine)) void engine.start();
}

/** Say that there is a network again; pages notice by themselves. */
export function wakeSync(): void {
  if (engine !== null && started.has(engine)) engine.wake();
}

/** The page's engine in a component, as it is. */
export function usePageEngine(): SyncEngine {
  return useSyncExternalStore(subscribe, currentEngine, currentEngine);
}

/** The page's engine in a component: rendered as it is, started once the component is on the page. */
export function useEngine(): SyncEngine {
  const current = usePageEngine();
  useEffect(() => void startedEngine(), [current]);
  return current;
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

function makeEngine(config: Partial<SyncEngineConfig>): SyncEngine {
  const storage = config.storage ?? getReactStorage();
  return createSyncEngine(getBaseUrl(), { ...config, appName: getAppName(), storage });
}
