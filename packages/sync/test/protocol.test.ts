import { describe, expect, test } from "bun:test";

import { parseServerMessage } from "../src/messages.ts";
import {
  parseChangeEvent,
  parsePullResponse,
  parsePushResponse,
  parseSession,
  ProtocolError,
} from "../src/protocol.ts";

const event = { seq: 3, entity: "Note", row_id: "n1", kind: "insert", data: { a: 1 }, timestamp: "t" } as const;

describe("a text frame", () => {
  test("with a change event is a change, whatever else it carries", () => {
    const text = JSON.stringify({ ...event, type: "topic", extra: true });

    expect(parseServerMessage(text)).toEqual({ type: "change", event });
  });

  test("may lack the timestamp", () => {
    const { timestamp: _, ...rest } = event;

    expect(parseChangeEvent(rest)).toEqual({ ...event, timestamp: "" });
  });

  test.each([
    ["presence", { type: "presence", from: "bob" }],
    ["presence", { type: "presence", event: "disconnect", clientId: 4 }],
    ["topic", { type: "topic", topic: "t", data: 1 }],
    ["ignored", { type: "topic", data: 1 }],
    ["room", { type: "join", room: "r", user_id: "u" }],
    ["room", { type: "presence", room: "r", user_id: "u", data: {} }],
    ["ignored", { type: "join", room: "r" }],
    ["ignored", { type: "dance", room: "r", user_id: "u" }],
    ["ignored", { ...event, seq: 0 }],
    ["ignored", { ...event, kind: "upsert" }],
    ["ignored", []],
    ["ignored", null],
  ] as const)("is %s for %j", (type, message) => {
    expect(parseServerMessage(JSON.stringify(message)).type).toBe(type);
  });

  test.each(["", "{", "\u0000"])("that is no JSON is ignored: %j", (text) => {
    expect(parseServerMessage(text)).toEqual({ type: "ignored" });
  });
});

describe("a pull answer", () => {
  test("is read whole", () => {
    const page = { changes: [event], cursor: { last_seq: 9 }, has_more: true };

    expect(parsePullResponse({ ...page, extra: 1 })).toEqual(page);
  });

  test.each([
    ["nothing", null],
    ["no changes", { cursor: { last_seq: 1 }, has_more: false }],
    ["no cursor", { changes: [], has_more: false }],
    ["a cursor below zero", { changes: [], cursor: { last_seq: -1 }, has_more: false }],
    ["a malformed change", { changes: [{ seq: 1 }], cursor: { last_seq: 1 }, has_more: false }],
  ])("with %s is refused, so that the cursor never passes what was not understood", (_, body) => {
    expect(() => parsePullResponse(body)).toThrow(ProtocolError);
  });
});

test("a push answer's results say applied for deduplicated changes too", () => {
  const body = {
    applied: 2,
    errors: ["update Note/n1: no"],
    cursor: { last_seq: 7 },
    results: [
      { op_id: "a", status: "applied", row_id: "n0" },
      { op_id: "b", status: "deduped", row_id: "n0" },
      { op_id: "c", status: "failed", row_id: "n1", error: "no", code: "POLICY_DENIED" },
      { op_id: "d", status: "failed", row_id: "n1" },
    ],
  };

  expect(parsePushResponse(body)).toEqual({
    applied: 2,
    errors: ["update Note/n1: no"],
    cursor: { last_seq: 7 },
    results: [
      { op_id: "a", applied: true, row_id: "n0" },
      { op_id: "b", applied: true, row_id: "n0" },
      { op_id: "c", applied: false, error: "no", code: "POLICY_DENIED" },
      { op_id: "d", applied: false, error: "refused" },
    ],
  });
});

test("a session without a tenant has none", () => {
  const body = { user_id: "u", is_admin: false, roles: ["editor", 4] };

  expect(parseSession(body)).toEqual({ userId: "u", tenantId: null, isAdmin: false, roles: ["editor"] });
});
