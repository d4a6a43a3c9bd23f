/** A stand-in for a server with collaborative rows: it holds their documents, merges what is posted and sends it on. */

import { LoroDoc } from "loro-crdt";
import { StandIn } from "../../react/test/standIn.ts";
import { CRDT_FRAME_SNAPSHOT, encodeCrdtFrame } from "../src/index.ts";

export class CrdtServer extends StandIn {
  readonly docs = new Map<string, LoroDoc>();
  /** Answers the next posts instead of the server, in order. */
  readonly refusals: Response[] = [];
  /** The status of every post, while it is set. */
  refuse: number | null = null;
  /** Subscriptions are not answered. */
  silent = false;
  /** Whether rows can be pushed. */
  pushing = true;
  /** Whose posts were taken; a token is its user's name. */
  readonly authors: string[] = [];
  readonly #subscriptions = new WeakMap<object, Set<string>>();

  constructor() {
    super();
    this.routes.set("GET /api/auth/me", (_body, request) => ({ user_id: userOf(request), is_admin: false, roles: [] }));
    this.routes.set("GET /api/sync/pull", () => ({ changes: [], cursor: { last_seq: 0 }, has_more: false }));
    this.routes.set("POST /api/sync/push", (body) => this.#push(body as { changes: { row_id: string }[] }));
    this.message = (value, socket) => {
      const { type, rowId } = value as { type: string; rowId: string };
      if (type === "crdt-unsubscribe") this.#followed(socket).delete(rowId);
      if (type !== "crdt-subscribe" || !this.docs.has(rowId) || this.silent) return;
      this.#followed(socket).add(rowId);
      socket.sendBinary(this.frame(rowId));
    };
  }

  doc(rowId: string): LoroDoc {
    const doc = this.docs.get(rowId) ?? new LoroDoc();
    this.docs.set(rowId, doc);
    const route = `POST /api/crdt/Note/${encodeURIComponent(rowId)}`;
    this.routes.set(route, (body, request) => this.#post(rowId, body as { update: string }, userOf(request)));
    return doc;
  }

  frame(rowId: string): Uint8Array {
    return encodeCrdtFrame(CRDT_FRAME_SNAPSHOT, "Note", rowId, this.doc(rowId).export({ mode: "snapshot" }));
  }

  text(rowId: string): string {
    return this.doc(rowId).getText("body").toString();
  }

  posts(): number {
    return this.asked.filter((name) => name.startsWith("POST /api/crdt/")).length;
  }

  /** Somebody else edits. */
  edit(rowId: string, at: number, text: string): void {
    this.doc(rowId).getText("body").insert(at, text);
    this.doc(rowId).commit();
    this.sendAll(rowId);
  }

  /** The document goes, as after a restore from before it was made. */
  lose(rowId: string): void {
    this.docs.set(rowId, new LoroDoc());
  }

  /** The row is made again: with a document of its own, that has a name. */
  remake(rowId: string, text: string): void {
    this.docs.set(rowId, namedDocument(text));
    this.sendAll(rowId);
  }

  /** Tell everybody that a row is gone, deleted or hidden. */
  tellGone(rowId: string, seq: number): void {
    const event = { seq, entity: "Note", row_id: rowId, kind: "delete", timestamp: "" };
    for (const socket of this.sockets) socket.send(JSON.stringify(event));
  }

  sendAll(rowId: string): void {
    for (const socket of this.sockets) if (this.#followed(socket).has(rowId)) socket.sendBinary(this.frame(rowId));
  }

  /** Every connection is lost. */
  cut(): void {
    for (const socket of this.sockets.splice(0)) socket.terminate();
  }

  #followed(socket: object): Set<string> {
    const rows = this.#subscriptions.get(socket) ?? new Set();
    this.#subscriptions.set(socket, rows);
    return rows;
  }

  #post(rowId: string, body: { update: string }, author: string): unknown {
    const refusal = this.refusals.shift();
    if (refusal !== undefined) return refusal;
    if (this.refuse !== null) return Response.json({ error: { code: "NO", message: "no" } }, { status: this.refuse });
    const update = Uint8Array.from(Buffer.from(body.update, "hex"));
    if (!fits(this.doc(rowId), update)) {
      return Response.json({ error: { code: "CRDT_DECODE_FAILED", message: "what?" } }, { status: 400 });
    }
    this.authors.push(author);
    this.doc(rowId).import(update);
    this.sendAll(rowId);
    return { ok: true };
  }

  #push({ changes }: { changes: { row_id: string }[] }): unknown {
    if (!this.pushing) return Response.json({}, { status: 503 });
    for (const { row_id } of changes) this.doc(row_id);
    return { applied: changes.length, errors: [], cursor: { last_seq: 0 } };
  }
}

/** A document as servers begin them. */
export function namedDocument(text: string): LoroDoc {
  const doc = new LoroDoc();
  doc.getMap("_pylon").set("document", doc.peerIdStr);
  doc.getText("body").insert(0, text);
  doc.commit();
  return doc;
}

/** Whether an update builds on what is there, and is not of another document. */
function fits(doc: LoroDoc, update: Uint8Array): boolean {
  const merged = doc.fork();
  const { pending } = merged.import(update);
  const { changes } = merged.exportJsonUpdates(doc.oplogVersion(), merged.oplogVersion());
  const named = changes.some(({ ops }) => ops.some(({ container }) => container === "cid:root-_pylon:Map"));
  return pending === null && !named;
}

function userOf(request: Request): string {
  return request.headers.get("Authorization")?.replace("Bearer ", "") ?? "ann";
}
