/** Values on the device under a prefix of their own, asynchronously. */

import { type AsyncStorage, deviceStorage } from "./asyncStorage.ts";

/** Where `OfflineStore` keeps things. */
export interface PersistenceAdapter {
  get(key: string): Promise<string | null>;
  set(key: string, value: string): Promise<void>;
  remove(key: string): Promise<void>;
  /** All keys there are, without the prefix. */
  keys(): Promise<string[]>;
}

export class AsyncStoragePersistence implements PersistenceAdapter {
  readonly #prefix: string;
  readonly #device: () => Promise<AsyncStorage>;

  /** Keys are stored as `<prefix>:<key>`. */
  constructor(prefix = "pylon", device: () => Promise<AsyncStorage> = deviceStorage) {
    this.#prefix = `${prefix}:`;
    this.#device = device;
  }

  async get(key: string): Promise<string | null> {
    return (await this.#device()).getItem(this.#prefix + key);
  }

  async set(key: string, value: string): Promise<void> {
    await (await this.#device()).setItem(this.#prefix + key, value);
  }

  async remove(key: string): Promise<void> {
    await (await this.#device()).removeItem(this.#prefix + key);
  }

  async keys(): Promise<string[]> {
    const keys = await (await this.#device()).getAllKeys();
    return keys.filter((key) => key.startsWith(this.#prefix)).map((key) => key.slice(this.#prefix.length));
  }
}
