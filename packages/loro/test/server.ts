/** A stand-in for a server with collaborative rows: it holds their documents, merges what is posted and sends it on. */

import { LoroDoc } from "loro-crdt";
import { StandIn } from "../../react/test/standIn.ts";
import { CRDT_FRAME_SNAPSHOT, encodeCrdtFrame } from "../src/index.ts";

export class CrdtServer extends StandIn {
  readonly docs = new Map<string, LoroDoc>();
  /** Answers the next posts instead of the server, in order. */
  readonly refusals: Response[] = [];

  constructor() {
    super();
    this.routes.set("GET /api/auth/me", () => ({ user_id: "ann", is_admin: false, roles: [] }));
    this.routes.set("GET /api/sync/pull", () => ({ changes: [], cursor: { last_seq: 0 }, has_more: false }));
    this.message = (value, socket) => {
      const { type, rowId } = value as { type: string; rowId: string };
      if (type === "crdt-subscribe") socket.sendBinary(this.frame(rowId));
    };
  }

  doc(rowId: string): LoroDoc {
    const doc = this.docs.get(rowId) ?? new LoroDoc();
    this.docs.set(rowId, doc);
    this.routes.set(`POST /api/crdt/Note/${encodeURIComponent(rowId)}`, (body) => this.#post(rowId, body as { update: string }));
    return doc;
  }

  frame(rowId: string): Uint8Array {
    return encodeCrdtFrame(CRDT_FRAME_SNAPSHOT, "Note", rowId, this.doc(rowId).export({ mode: "snapshot" }));
  }

  text(rowId: string): string {
    return this.doc(rowId).getText("body").toString();
  }

  /** Somebody else edits. */
  edit(rowId: string, at: number, text: string): void {
    this.doc(rowId).getText("body").insert(at, text);
    this.doc(rowId).commit();
    this.sendAll(rowId);
  }

  sendAll(rowId: string): void {
    for (const socket of this.sockets) socket.sendBinary(this.frame(rowId));
  }

  #post(rowId: string, body: { update: string }): unknown {
    const refusal = this.refusals.shift();
    if (refusal !== undefined) return refusal;
    this.doc(rowId).import(Uint8Array.from(Buffer.from(body.update, "hex")));
    this.sendAll(rowId);
    return { ok: true };
  }
}
