/**
 * Rows gathered into chunks, for a storage that writes whole values under keys: which values to write when rows change.
 *
 * A chunk holds rows of one entity, up to a number and a size that every device takes, and one that grows beyond is
 * split. Pure: reads and writes nothing itself.
 */

import type { Row } from "@pylonsync/react";

const CHUNK_ROWS_MAX = 64;
/** Android reads at most 2 MB of one value; in UTF-8 a character may take three bytes. */
const CHUNK_LENGTH_MAX = 256 * 1024;

interface Chunk {
  readonly entity: string;
  readonly number: number;
  readonly rows: Map<string, Row>;
}

/** What is to be stored for one chunk; without `text` nothing. */
export interface ChunkWrite {
  entity: string;
  number: number;
  text: string | null;
}

export class RowChunks {
  readonly #chunks = new Map<string, Map<string, Chunk>>();
  /** Where an entity's next new row goes. */
  readonly #open = new Map<string, Chunk>();
  readonly #changed = new Set<Chunk>();
  #next = 0;

  /** Take over a stored chunk, lower numbers first. Of a row that a crash left in two chunks, the one in the later chunk counts. */
  load(entity: string, number: number, rows: readonly Row[]): void {
    const chunk = { entity, number, rows: new Map<string, Row>() };
    this.#next = Math.max(this.#next, number + 1);
    for (const row of rows) {
      const id = String(row["id"]);
      const before = this.#chunkOf(entity, id);
      if (before !== undefined) this.#take(before, id);
      this.#put(chunk, id, row);
    }
    if (chunk.rows.size < CHUNK_ROWS_MAX) this.#open.set(entity, chunk);
  }

  entities(): Record<string, Row[]> {
    const entries = [...this.#chunks].map(([entity, chunks]): [string, Row[]] => [
      entity,
      [...chunks].flatMap(([id, { rows }]): Row[] => {
        const row = rows.get(id);
        return row === undefined ? [] : [row];
      }),
    ]);
    return Object.fromEntries(entries);
  }

  put(entity: string, id: string, row: Row): void {
    const chunk = this.#chunkOf(entity, id) ?? this.#openChunk(entity);
    this.#put(chunk, id, row);
    this.#changed.add(chunk);
  }

  remove(entity: string, id: string): void {
    const chunk = this.#chunkOf(entity, id);
    if (chunk !== undefined) this.#take(chunk, id);
  }

  /** What to write, in this order: a row that moves to another chunk is in that before it leaves its own. */
  takeWrites(): ChunkWrite[] {
    const writes = [...this.#changed].flatMap((chunk) => this.#writes(chunk));
    this.#changed.clear();
    return writes.sort((a, b) => b.number - a.number);
  }

  #writes(chunk: Chunk): ChunkWrite[] {
    const { entity, number, rows } = chunk;
    const text = rows.size === 0 ? null : JSON.stringify([...rows.values()]);
    if (text === null || text.length <= CHUNK_LENGTH_MAX || rows.size === 1) return [{ entity, number, text }];
    const upper = this.#newChunk(entity);
    for (const [id, row] of [...rows].slice(rows.size >> 1)) {
      rows.delete(id);
      this.#put(upper, id, row);
    }
    return [...this.#writes(upper), ...this.#writes(chunk)];
  }

  #openChunk(entity: string): Chunk {
    const open = this.#open.get(entity);
    return open !== undefined && open.rows.size < CHUNK_ROWS_MAX ? open : this.#newChunk(entity);
  }

  #newChunk(entity: string): Chunk {
    const chunk = { entity, number: this.#next++, rows: new Map<string, Row>() };
    this.#open.set(entity, chunk);
    return chunk;
  }

  #chunkOf(entity: string, id: string): Chunk | undefined {
    return this.#chunks.get(entity)?.get(id);
  }

  #put(chunk: Chunk, id: string, row: Row): void {
    let chunks = this.#chunks.get(chunk.entity);
    if (chunks === undefined) this.#chunks.set(chunk.entity, (chunks = new Map()));
    chunks.set(id, chunk);
    chunk.rows.set(id, row["id"] === id ? row : { ...row, id });
  }

  #take(chunk: Chunk, id: string): void {
    chunk.rows.delete(id);
    this.#chunks.get(chunk.entity)?.delete(id);
    this.#changed.add(chunk);
  }
}
