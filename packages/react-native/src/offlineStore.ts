/** Rows and a cursor kept by hand, for apps that decide themselves what is there without a network. */

import type { Row } from "@pylonsync/react";
import { AsyncStoragePersistence, type PersistenceAdapter } from "./persistence.ts";
import { cursorOf, parsed, rowsOf } from "./savedJson.ts";

const ENTITIES = "entities:";
const CURSOR = "sync:cursor";

export class OfflineStore {
  readonly #adapter: PersistenceAdapter;

  constructor(adapter: PersistenceAdapter = new AsyncStoragePersistence()) {
    this.#adapter = adapter;
  }

  /** In place of the rows that were saved for this entity before. */
  saveEntities(entity: string, rows: Row[]): Promise<void> {
    return this.#adapter.set(ENTITIES + entity, JSON.stringify(rows));
  }

  /** None when none were saved, or what was saved cannot be read. */
  async loadEntities(entity: string): Promise<Row[]> {
    return rowsOf(parsed(await this.#adapter.get(ENTITIES + entity)));
  }

  saveCursor(seq: number): Promise<void> {
    return this.#adapter.set(CURSOR, JSON.stringify(seq));
  }

  /** 0 when none was saved. */
  async loadCursor(): Promise<number> {
    return cursorOf(parsed(await this.#adapter.get(CURSOR)));
  }

  /** Forget rows and cursor; the token and whatever else shares the storage stay. */
  async clear(): Promise<void> {
    const own = (await this.#adapter.keys()).filter((key) => key.startsWith(ENTITIES) || key === CURSOR);
    await Promise.all(own.map((key) => this.#adapter.remove(key)));
  }
}
