/** The small synchronous key-value store that holds the token and the client id. */

export interface Storage {
  get(key: string): string | null;
  set(key: string, value: string): void;
  remove(key: string): void;
}

export function memoryStorage(seed: Record<string, string> = {}): Storage {
  const values = new Map(Object.entries(seed));
  return {
    get: (key) => values.get(key) ?? null,
    set: (key, value) => void values.set(key, value),
    remove: (key) => void values.delete(key),
  };
}

/** localStorage when it can be written (private windows may refuse), else memory. */
export function defaultStorage(): Storage {
  try {
    const local = globalThis.localStorage;
    const probe = "pylon:probe";
    local.setItem(probe, probe);
    local.removeItem(probe);
    return {
      get: (key) => local.getItem(key),
      set: (key, value) => local.setItem(key, value),
      remove: (key) => local.removeItem(key),
    };
  } catch {
    return memoryStorage();
  }
}

/** Reads from memory and tells `onWrite` of each write; for back ends that are asynchronous. */
export function createWriteThroughStorage(
  seed: Record<string, string> | null,
  onWrite: (key: string, value: string | null) => void,
): Storage {
  const memory = memoryStorage(seed ?? {});
  return {
    get: memory.get,
    set(key, value) {
      memory.set(key, value);
      onWrite(key, value);
    },
    remove(key) {
      memory.remove(key);
      onWrite(key, null);
    },
  };
}

/** Where an app keeps its token. */
export function tokenKey(appName: string): string {
  return appName === "default" ? "pylon_token" : `pylon:${appName}:token`;
}
