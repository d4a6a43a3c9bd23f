/** A device in memory. */

import type { AsyncStorage } from "../src/index.ts";

export class Device implements AsyncStorage {
  readonly values: Map<string, string>;
  readonly written: string[] = [];
  full = false;
  /** Keys that contain it cannot be written. */
  broken: string | null = null;
  /** What the next write waits for. */
  busy: Promise<void> = Promise.resolve();

  constructor(values: Record<string, string> = {}) {
    this.values = new Map(Object.entries(values));
  }

  async getItem(key: string): Promise<string | null> {
    return this.values.get(key) ?? null;
  }

  async setItem(key: string, value: string): Promise<void> {
    const { busy } = this;
    this.busy = Promise.resolve();
    await busy;
    if (this.full || (this.broken !== null && key.includes(this.broken))) throw new Error("the device is full");
    this.values.set(key, value);
    this.written.push(`${key}=${value}`);
  }

  async removeItem(key: string): Promise<void> {
    this.values.delete(key);
    this.written.push(`${key} removed`);
  }

  async getAllKeys(): Promise<string[]> {
    return [...this.values.keys()];
  }

  async multiGet(keys: readonly string[]): Promise<[string, string | null][]> {
    return keys.map((key) => [key, this.values.get(key) ?? null]);
  }

  async multiRemove(keys: readonly string[]): Promise<void> {
    for (const key of keys) this.values.delete(key);
  }
}
