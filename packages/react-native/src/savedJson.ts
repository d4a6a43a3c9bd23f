/** Reading back what was saved as JSON: what cannot be read is as if it had not been saved. */

import type { Row } from "@pylonsync/react";
import type { Alias, PendingMutation, ReplicaOwner } from "@pylonsync/sync";

/** Null for what is no JSON. */
export function parsed(text: string | null | undefined): unknown {
  try {
    return JSON.parse(text ?? "null");
  } catch {
    return null;
  }
}

export function isRow(value: unknown): value is Row {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function rowsOf(value: unknown): Row[] {
  return Array.isArray(value) ? value.filter(isRow) : [];
}

/** 0 for what is no cursor. */
export function cursorOf(value: unknown): number {
  return typeof value === "number" && Number.isSafeInteger(value) && value > 0 ? value : 0;
}

export function ownerOf(value: unknown): ReplicaOwner | null {
  if (!isRow(value) || !isRow(value["session"]) || !Array.isArray(value["session"]["roles"])) return null;
  return value as unknown as ReplicaOwner;
}

export function isPendingMutation(value: unknown): value is PendingMutation {
  return isRow(value) && typeof value["id"] === "string" && isRow(value["change"]) && "status" in value;
}

export function aliasesOf(value: unknown): Alias[] {
  if (!Array.isArray(value)) return [];
  return value.filter(
    (alias): alias is Alias =>
      isRow(alias) && ["entity", "temporary", "row_id"].every((member) => typeof alias[member] === "string"),
  );
}
