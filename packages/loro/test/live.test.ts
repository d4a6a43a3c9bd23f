/**
 * Against a real server, whose address is in PYLON_TEST_URL; tests/packages/test_loro.py starts one with the entity
 * Note, and runs this.
 */

import { describe, expect, test } from "bun:test";
import { createSyncEngine, HttpError } from "@pylonsync/react";
import { LoroDoc } from "loro-crdt";
import { memoryStorage } from "../../react/test/fakes.ts";
import { LoroRegistry } from "../src/index.ts";
import { toHex } from "../src/uploader.ts";

const URL_OF_SERVER = process.env["PYLON_TEST_URL"] ?? "";

interface Guest {
  token: string;
  user_id: string;
}

async function guest(): Promise<Guest> {
  const response = await fetch(`${URL_OF_SERVER}/api/auth/guest`, { method: "POST" });
  return (await response.json()) as Guest;
}

async function api<T>(token: string, method: string, path: string, body?: unknown): Promise<T> {
  const response = await fetch(URL_OF_SERVER + path, {
    method,
    headers: { Authorization: `Bearer ${token}`, ...(body === undefined ? {} : { "Content-Type": "application/json" }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  expect(response.status).toBeLessThan(300);
  return (await response.json()) as T;
}

interface Note {
  id: string;
  body: string;
  votes: number;
  steps: string[];
  title_a: string;
  title_b: string;
}

function note(token: string): Promise<Note> {
  return api(token, "POST", "/api/entities/Note", { body: "start;", title_a: "", title_b: "", votes: 0, steps: [] });
}

/** A program that edits the row, and what it saw at the end. */
async function editor(row: string, token: string, names: string[]): Promise<Record<string, unknown>> {
  const program = new URL("./editor.tsx", import.meta.url).pathname;
  const env = { ...process.env, PYLON_TEST_ROW: row, PYLON_TEST_TOKEN: token, PYLON_TEST_EDITORS: names.join(",") };
  const child = Bun.spawn([process.execPath, program], { env, stdout: "pipe", stderr: "pipe" });
  const [output, errors] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  if ((await child.exited) !== 0) throw new Error(errors);
  return JSON.parse(output) as Record<string, unknown>;
}

describe.skipIf(URL_OF_SERVER === "")("with a server", () => {
  test("two who edit the same row at once see the same in the end, and so does who reads the row", async () => {
    const [ann, bob] = await Promise.all([guest(), guest()]);
    const { id } = await note(ann.token);

    const ends = await Promise.allSettled([editor(id, ann.token, ["a", "b"]), editor(id, bob.token, ["b", "a"])]);
    const failures = ends.flatMap((end) => (end.status === "rejected" ? [String(end.reason)] : []));
    if (failures.length > 0) throw new Error(failures.join("\n"));
    const [first, second] = ends.map((end) => (end.status === "fulfilled" ? end.value : undefined));

    expect(second).toEqual(first!);
    expect(first).toMatchObject({ votes: 50, fields: { title_a: "done", title_b: "done" } });
    for (const edit of ["a0;", "b0;", "a23;", "b23;"]) expect(first!["body"]).toContain(edit);
    const { body, votes, steps } = first as unknown as Note;
    expect(await api<Note>(bob.token, "GET", `/api/entities/Note/${id}`)).toMatchObject({ body, votes, steps, title_a: "done" });
  }, 30_000);

  test("what a row says in plain JSON arrives in its document, and the other way round", async () => {
    const { token } = await guest();
    const { id } = await note(token);
    const engine = createSyncEngine(URL_OF_SERVER, {
      token, wsUrl: `${URL_OF_SERVER.replace("http", "ws")}/api/sync/ws`, storage: memoryStorage(),
    });
    const registry = new LoroRegistry();
    engine.onBinaryFrame((bytes) => void registry.applyBinaryFrame(bytes));
    engine.subscribeCrdt("Note", id);
    await engine.start();
    const doc = registry.doc("Note", id);
    await until(() => doc.getText("body").toString() === "start;");

    await api(token, "PATCH", `/api/entities/Note/${id}`, { body: "start anew", title_a: "A" });
    await until(() => doc.getText("body").toString() === "start anew" && doc.getMap("row").get("title_a") === "A");

    const before = doc.version();
    doc.getText("body").insert(0, "re");
    doc.commit();
    const update = toHex(doc.export({ mode: "update", from: before }));
    await engine.request(`/api/crdt/Note/${id}`, { body: { update } });
    expect(await api<Note>(token, "GET", `/api/entities/Note/${id}`)).toMatchObject({ body: "restart anew" });
    engine.stop();
  });

  test.each([
    ["bytes that are no document", "Note", () => "00ff", 400, "CRDT_DECODE_FAILED"],
    ["a row that is not there", "Note", edited, 404, "NOT_FOUND"],
    ["an entity without documents", "Plain", edited, 400, "NOT_SUPPORTED"],
    ["no hexadecimal", "Note", () => "abc", 400, "INVALID_HEX"],
  ])("%s: refused in the words the client knows", async (name, entity, update, status, code) => {
    const { token } = await guest();
    const stored = name.startsWith("a row") ? "nowhere" : await row(token, entity);
    const engine = createSyncEngine(URL_OF_SERVER, { token, storage: memoryStorage() });

    const refused = await engine.request(`/api/crdt/${entity}/${stored}`, { body: { update: update() } }).catch((error: unknown) => error);

    expect(refused).toBeInstanceOf(HttpError);
    expect(refused).toMatchObject({ status });
    expect([code, "ENTITY_NOT_FOUND", "ROW_NOT_FOUND"]).toContain((refused as HttpError).code!);
  });
});

async function row(token: string, entity: string): Promise<string> {
  if (entity === "Note") return (await note(token)).id;
  return (await api<{ id: string }>(token, "POST", `/api/entities/${entity}`, { title: "x" })).id;
}

function edited(): string {
  const doc = new LoroDoc();
  doc.getText("body").insert(0, "x");
  doc.commit();
  return toHex(doc.export({ mode: "update" }));
}

async function until(holds: () => boolean): Promise<void> {
  const deadline = Date.now() + 5000;
  while (!holds()) {
    if (Date.now() > deadline) throw new Error("it did not come to that in time");
    await Bun.sleep(5);
  }
}
