/** Changes that the server refused: they are taken back, and this says which and why. */

import type { LocalStore, PendingMutation } from "@pylonsync/react";
import { CloseIcon } from "./icons.tsx";
import { db } from "./schema.ts";

const DONE_TO_IT = { insert: "added", update: "changed", delete: "deleted" };

export function Problems() {
  const { store } = db.useSync();
  const { failed, dismiss } = db.useFailedWrites();
  if (failed.length === 0) return null;
  return (
    <ul className="notices" aria-label="Problems">
      {failed.map((mutation) => (
        <li key={mutation.id} className="notice problem" role="alert">
          <span>
            <strong>{nameOf(mutation, store)}</strong> could not be {DONE_TO_IT[mutation.change.kind]}, so that was taken back.{" "}
            {mutation.error}
          </span>
          <button type="button" className="icon-button" aria-label="Dismiss" onClick={() => dismiss(mutation.id)}>
            <CloseIcon />
          </button>
        </li>
      ))}
    </ul>
  );
}

function nameOf({ change }: PendingMutation, store: LocalStore): string {
  const title = change.data?.["title"] ?? store.get(change.entity, change.row_id)?.["title"];
  return typeof title === "string" ? `“${title}”` : `A ${change.entity.toLowerCase()}`;
}
