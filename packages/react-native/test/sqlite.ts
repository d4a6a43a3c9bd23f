/** A real SQLite behind the interface of expo-sqlite: statements that take a turn each, as they do on a device. */

import { Database, type SQLQueryBindings } from "bun:sqlite";
import type { SQLiteDatabase } from "../src/index.ts";

export class DeviceDatabase implements SQLiteDatabase {
  readonly #database: Database;
  /** Makes the statement that contains it fail. */
  broken: string | null = null;

  constructor(path: string) {
    this.#database = new Database(path);
  }

  async execAsync(source: string): Promise<void> {
    this.#database.exec(source);
  }

  async runAsync(source: string, params: SQLQueryBindings[]): Promise<unknown> {
    await Promise.resolve();
    if (this.broken !== null && source.includes(this.broken)) throw new Error("the disk is full");
    return this.#database.query(source).run(...params);
  }

  async getAllAsync<T>(source: string, params: SQLQueryBindings[]): Promise<T[]> {
    await Promise.resolve();
    return this.#database.query(source).all(...params) as T[];
  }

  async withTransactionAsync(task: () => Promise<void>): Promise<void> {
    this.#database.exec("BEGIN");
    try {
      await task();
      this.#database.exec("COMMIT");
    } catch (error) {
      this.#database.exec("ROLLBACK");
      throw error;
    }
  }

  close(): void {
    this.#database.close();
  }
}
