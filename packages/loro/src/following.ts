/**
 * Ties documents to the page's engine: frames in, local edits out.
 *
 * One handler on the engine for all rows, made at the first use; another engine (`init` called again) gets its own.
 */

import { db, request } from "@pylonsync/react";
import type { LoroDoc } from "loro-crdt";
import { globalRegistry } from "./registry.ts";
import { toHex, Uploader } from "./uploader.ts";

type Engine = typeof db.sync;

let attached: { sync: Engine; stop: () => void } | null = null;
const uploaders = new WeakMap<LoroDoc, Uploader>();

/** Keep a row's document up to date and send what is edited in it; returns the way to stop. */
export function follow(entity: string, rowId: string, doc: LoroDoc): () => void {
  const { sync } = db;
  attach(sync);
  sendEdits(entity, rowId, doc);
  sync.subscribeCrdt(entity, rowId);
  return () => sync.unsubscribeCrdt(entity, rowId);
}

/** Take no frames any more, until the next row is followed. */
export function detachLoro(): void {
  attached?.stop();
  attached = null;
}

/** From now on, and what was edited before. What is not sent yet goes on being sent when nobody follows the row. */
export function sendEdits(entity: string, rowId: string, doc: LoroDoc): void {
  if (uploaders.has(doc)) return;
  const uploader = makeUploader(entity, rowId, doc);
  uploaders.set(doc, uploader);
  doc.subscribeLocalUpdates(() => void uploader.send());
  void uploader.send();
}

function attach(sync: Engine): void {
  if (attached?.sync === sync) return;
  detachLoro();
  attached = { sync, stop: sync.onBinaryFrame((bytes) => void globalRegistry.applyBinaryFrame(bytes)) };
}

function makeUploader(entity: string, rowId: string, doc: LoroDoc): Uploader {
  const path = `/api/crdt/${encodeURIComponent(entity)}/${encodeURIComponent(rowId)}`;
  let release: (() => void) | null = null;
  return new Uploader(doc, {
    post: async (update) => void (await request(path, { method: "POST", json: { update: toHex(update) } })),
    refused: (error) => console.warn(`pylon: edits of ${entity}/${rowId} were refused`, error),
    busy(sending) {
      release?.();
      // A listener keeps the document from being dropped as idle.
      release = sending ? globalRegistry.subscribe(entity, rowId, () => undefined) : null;
    },
  });
}
