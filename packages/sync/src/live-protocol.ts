/**
 * The wire of live queries: what a client asks on the socket, and what the server answers there.
 *
 * Messages that are unknown or do not have the members they must have are ignored: a server may begin to send more.
 */

import { parseFrame } from "./messages.ts";
import type { Order } from "./pages.ts";
import { isRow, type Row } from "./protocol.ts";

/** What is asked, as in `POST /api/query/<entity>`. */
export interface LiveQuerySpec {
  entity: string;
  where?: Row | undefined;
  order?: Order | undefined;
  /** 1 to 1000, which is what it is when not given. */
  limit?: number | undefined;
}

/** The whole answer, in place of what was there before. */
export interface LiveRows {
  type: "live-rows";
  id: string;
  /** The server's number of the query, by which changes of its answer name it. */
  query: number;
  seq: number;
  rows: Row[];
  complete: boolean;
}

/** How the answer changed: `removed` and the placed rows go, then the placed ones are put at their places in order. */
export interface LiveDiff {
  type: "live-diff";
  query: number;
  seq: number;
  removed: string[];
  placed: [index: number, row: Row][];
  complete: boolean;
}

/** The server refused the query, or ended it. */
export interface LiveRefusal {
  type: "live-error";
  id: string;
  code: string;
  message: string;
}

export type LiveMessage = LiveRows | LiveDiff | LiveRefusal;

export function subscribeMessage(id: string, { entity, where, order, limit }: LiveQuerySpec): string {
  return JSON.stringify({ type: "live-subscribe", id, entity, where, order, limit });
}

export function unsubscribeMessage(id: string): string {
  return JSON.stringify({ type: "live-unsubscribe", id });
}

export function parseLiveMessage(text: string): LiveMessage | null {
  const frame = parseFrame(text);
  switch (frame?.["type"]) {
    case "live-rows":
      return parseRows(frame);
    case "live-diff":
      return parseDiff(frame);
    case "live-error":
      return parseRefusal(frame);
    default:
      return null;
  }
}

function parseRows({ id, query, seq, rows, complete }: Row): LiveRows | null {
  if (typeof id !== "string" || typeof query !== "number" || typeof seq !== "number") return null;
  if (!Array.isArray(rows) || !rows.every(isIdentified)) return null;
  return { type: "live-rows", id, query, seq, rows, complete: complete === true };
}

function parseDiff({ query, seq, removed, placed, complete }: Row): LiveDiff | null {
  if (typeof query !== "number" || typeof seq !== "number") return null;
  if (!Array.isArray(removed) || !removed.every((id) => typeof id === "string")) return null;
  if (!Array.isArray(placed) || !placed.every(isPlaced)) return null;
  return { type: "live-diff", query, seq, removed, placed, complete: complete === true };
}

function parseRefusal({ id, code, message }: Row): LiveRefusal | null {
  if (typeof id !== "string" || typeof code !== "string") return null;
  return { type: "live-error", id, code, message: typeof message === "string" ? message : code };
}

function isIdentified(value: unknown): value is Row {
  return isRow(value) && typeof value["id"] === "string";
}

function isPlaced(value: unknown): value is [number, Row] {
  return Array.isArray(value) && Number.isSafeInteger(value[0]) && value[0] >= 0 && isIdentified(value[1]);
}
