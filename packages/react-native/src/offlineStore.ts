/** Rows and a cursor kept by hand, for apps that decide themselves what is there without a network. */

import type { Row } from "@pylonsync/react";
import { AsyncStoragePersistence, type PersistenceAdapter } from "./persistence.ts";

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
    const saved = parsed(await this.#adapter.get(ENTITIES + entity));
    return Array.isArray(saved) ? saved.filter(isRow) : [];
  }

  saveCursor(seq: number): Promise<void> {
    return this.#adapter.set(CURSOR, JSON.stringify(seq));
  }

  /** 0 when none was saved. */
  async loadCursor(): Promise<number> {
    const saved = parsed(await this.#adapter.get(CURSOR));
    return typeof saved === "number" && Number.isSafeInteger(saved) ? saved : 0;
  }

  /** Forget rows and cursor; the token and whatever else shares the storage stay. */
  async clear(): Promise<void> {
    const own = (await this.#adapter.keys()).filter((key) => key.startsWith(ENTITIES) || key === CURSOR);
    await Promise.all(own.map((key) => this.#adapter.remove(key)));
  }
}

function parsed(text: string | null): unknown {
  try {
    return JSON.parse(text ?? "null");
  } catch {
    return null;
  }
}

function isRow(value: unknown): value is Row {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
