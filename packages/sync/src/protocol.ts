/**
 * The wire: what the server sends and expects, and the only place where unknown JSON becomes a type.
 *
 * Everything that crosses the network is `unknown` until one of the parse functions here has looked at it.
 * Unknown members are ignored on purpose, so a server may add to any message.
 */

export type Row = Record<string, unknown>;

export type ChangeKind = "insert" | "update" | "delete";

/** One committed change of one row, as pull, WebSocket and event stream carry it. */
export interface ChangeEvent {
  seq: number;
  entity: string;
  row_id: string;
  kind: ChangeKind;
  data?: Row | undefined;
  timestamp: string;
}

/** How far a replica has read the server's change log. */
export interface SyncCursor {
  last_seq: number;
}

export interface PullResponse {
  changes: ChangeEvent[];
  cursor: SyncCursor;
  has_more: boolean;
}

/** One change a client asks for; `op_id` makes sending it twice harmless. */
export interface ClientChange {
  entity: string;
  row_id: string;
  kind: ChangeKind;
  data?: Row | undefined;
  op_id?: string | undefined;
}

/** What became of one pushed change, from servers that say so change by change. */
export interface PushResult {
  op_id: string;
  applied: boolean;
  /** Where the row is: an inserted one may be stored under another id than it was sent with. */
  row_id?: string | undefined;
  error?: string | undefined;
  code?: string | undefined;
}

export interface PushResponse {
  applied: number;
  errors: string[];
  cursor: SyncCursor;
  /** Absent when the server only counts; then the counts are read by position. */
  results?: PushResult[] | undefined;
}

/** Who the server takes the caller for. */
export interface ResolvedSession {
  userId: string | null;
  tenantId: string | null;
  isAdmin: boolean;
  roles: string[];
}

/** The server answered with something that is not the protocol. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
}

export function isRow(value: unknown): value is Row {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function textOrNull(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

function textOrNone(value: unknown): string | undefined {
  return textOrNull(value) ?? undefined;
}

function requireRow(value: unknown, what: string): Row {
  if (!isRow(value)) throw new ProtocolError(`${what} is not an object`);
  return value;
}

function parseSeq(value: unknown): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) {
    throw new ProtocolError("a seq is not a whole number");
  }
  return value;
}

function isChangeKind(value: unknown): value is ChangeKind {
  return value === "insert" || value === "update" || value === "delete";
}

/** The change event in `value`, or null when it is none. */
export function parseChangeEvent(value: unknown): ChangeEvent | null {
  if (!isRow(value)) return null;
  const { seq, entity, row_id, kind, data, timestamp } = value;
  if (typeof seq !== "number" || !Number.isSafeInteger(seq) || seq < 1) return null;
  if (typeof entity !== "string" || typeof row_id !== "string" || !isChangeKind(kind)) return null;
  return {
    seq,
    entity,
    row_id,
    kind,
    data: isRow(data) ? data : undefined,
    timestamp: textOrNull(timestamp) ?? "",
  };
}

function parseCursor(value: unknown): SyncCursor {
  return { last_seq: parseSeq(requireRow(value, "cursor")["last_seq"]) };
}

export function parsePullResponse(value: unknown): PullResponse {
  const body = requireRow(value, "the pull answer");
  if (!Array.isArray(body["changes"])) throw new ProtocolError("changes is not a list");
  const changes = body["changes"].map((item: unknown) => {
    const event = parseChangeEvent(item);
    if (event === null) throw new ProtocolError("a change is malformed");
    return event;
  });
  return { changes, cursor: parseCursor(body["cursor"]), has_more: body["has_more"] === true };
}

/** A deduplicated change was applied by an earlier request, so it counts as applied. */
const APPLIED_STATUSES: ReadonlySet<unknown> = new Set(["applied", "deduped"]);

function parsePushResult(value: unknown): PushResult | null {
  if (!isRow(value)) return null;
  const { op_id, row_id, error, code } = value;
  if (typeof op_id !== "string") return null;
  if (!APPLIED_STATUSES.has(value["status"])) {
    return { op_id, applied: false, error: errorText(error), code: textOrNone(code) };
  }
  return { op_id, applied: true, row_id: textOrNone(row_id) };
}

function errorText(value: unknown): string {
  if (typeof value === "string") return value;
  if (isRow(value) && typeof value["message"] === "string") return value["message"];
  return "refused";
}

export function parsePushResponse(value: unknown): PushResponse {
  const body = requireRow(value, "the push answer");
  const errors = Array.isArray(body["errors"]) ? body["errors"].map(errorText) : [];
  const results = Array.isArray(body["results"])
    ? body["results"].map(parsePushResult).filter((result) => result !== null)
    : undefined;
  return { applied: parseSeq(body["applied"]), errors, cursor: parseCursor(body["cursor"]), results };
}

export function parseSession(value: unknown): ResolvedSession {
  const { user_id, tenant_id, is_admin, roles } = requireRow(value, "the session");
  return sessionOf(user_id, tenant_id, is_admin, roles);
}

/** A session of which nothing is sure; what is of the wrong type is as if it were not there. */
export function sessionOf(userId: unknown, tenantId: unknown, isAdmin: unknown, roles: unknown): ResolvedSession {
  return {
    userId: textOrNull(userId),
    tenantId: textOrNull(tenantId),
    isAdmin: isAdmin === true,
    roles: Array.isArray(roles) ? roles.filter((role) => typeof role === "string") : [],
  };
}

export function parseRows(value: unknown): Row[] {
  if (!Array.isArray(value)) throw new ProtocolError("the answer is not a list of rows");
  return value.filter(isRow);
}
