/** Rows over HTTP, beside the replica: what is written here reaches it as an event, like anybody's write. */

import type { Row } from "@pylonsync/sync";
import { requestJson, segment } from "./request.ts";

/** The rows of an entity, as many as the server gives at once. */
export function fetchList(entity: string): Promise<Row[]> {
  return requestJson(collection(entity));
}

/** The row, or null when there is none, it may not be read, or nobody answered. */
export async function fetchById(entity: string, id: string): Promise<Row | null> {
  try {
    return await requestJson<Row>(item(entity, id));
  } catch {
    return null;
  }
}

export function insert(entity: string, data: Row): Promise<{ id: string }> {
  return requestJson(collection(entity), { method: "POST", json: data });
}

export function update(entity: string, id: string, data: Row): Promise<{ updated: boolean }> {
  return requestJson(item(entity, id), { method: "PATCH", json: data });
}

export function remove(entity: string, id: string): Promise<{ deleted: boolean }> {
  return requestJson(item(entity, id), { method: "DELETE" });
}

function collection(entity: string): string {
  return `/api/entities/${segment(entity)}`;
}

function item(entity: string, id: string): string {
  return `${collection(entity)}/${segment(id)}`;
}
