/** A stand-in for a server: a change log for each user, whose token is their name. */

import type { ChangeEvent, ClientChange, Row } from "@pylonsync/sync";
import { StandIn } from "../../react/test/standIn.ts";

export class ReplicaServer extends StandIn {
  readonly #logs = new Map<string, ChangeEvent[]>();
  readonly pushed: ClientChange[] = [];
  /** Pushes are answered with an error that is worth trying again. */
  refusing = false;
  #seq = 0;
  /** Cursors below are of no use. */
  #floor = 0;

  constructor() {
    super();
    this.routes.set("GET /api/auth/me", (_body, request) => ({ user_id: userOf(request), is_admin: false, roles: [] }));
    this.routes.set("GET /api/sync/pull", (_body, request) => this.#pull(request));
    this.routes.set("POST /api/sync/push", (body, request) => this.#push(body as { changes: ClientChange[] }, request));
  }

  insert(user: string, entity: string, id: string, data: Row): void {
    this.#log(user, { entity, row_id: id, kind: "insert", data });
  }

  remove(user: string, entity: string, id: string): void {
    this.#log(user, { entity, row_id: id, kind: "delete" });
  }

  rows(user: string, entity: string): Row[] {
    const rows = new Map<string, Row>();
    for (const { entity: name, row_id: id, kind, data } of this.#logs.get(user) ?? []) {
      if (name !== entity) continue;
      if (kind === "delete") rows.delete(id);
      else rows.set(id, { ...rows.get(id), ...data, id });
    }
    return [...rows.values()];
  }

  forgetLog(): void {
    this.#logs.clear();
    this.#floor = this.#seq;
  }

  #pull(request: Request): unknown {
    const since = Number(new URL(request.url).searchParams.get("since"));
    if (since > 0 && since <= this.#floor) return Response.json({ error: { code: "RESYNC_REQUIRED" } }, { status: 410 });
    const changes = (this.#logs.get(userOf(request)) ?? []).filter(({ seq }) => seq > since);
    return { changes, cursor: { last_seq: Math.max(since, this.#seq) }, has_more: false };
  }

  #push({ changes }: { changes: ClientChange[] }, request: Request): unknown {
    if (this.refusing) return Response.json({ error: { code: "NOT_AVAILABLE", message: "later" } }, { status: 503 });
    for (const change of changes) {
      this.pushed.push(change);
      this.#log(userOf(request), change);
    }
    return { applied: changes.length, errors: [], cursor: { last_seq: this.#seq } };
  }

  #log(user: string, { entity, row_id, kind, data }: ClientChange): void {
    const log = this.#logs.get(user) ?? [];
    this.#logs.set(user, log);
    log.push({ seq: ++this.#seq, entity, row_id, kind, data, timestamp: "" });
  }
}

function userOf(request: Request): string {
  return request.headers.get("Authorization")?.replace("Bearer ", "") ?? "";
}
