/**
 * Pushing to a server that refuses whole requests, single changes, and the user, between all the ways in which a
 * network fails.
 *
 * Whatever happens: what can be applied is applied once, what cannot is in the queue with a reason and off the screen,
 * nothing else is given up, and the changes of a row arrive in the order in which they were made.
 */

import { expect, test } from "bun:test";

import type { ClientChange, Row } from "../src/protocol.ts";
import { LocalStore } from "../src/store.ts";
import { chanceFrom, pick } from "./chance.ts";
import { type Reply, World } from "./world.ts";

const HISTORIES = Number(process.env["HISTORIES"] ?? 150);
const ROWS = ["a", "b", "c", "d"];

type Kind = "fine" | "refused" | "poison" | "huge";

/** Takes every change but those that say what is wrong with them. */
class ModelServer {
  readonly world = new World();
  readonly applied: number[] = [];
  readonly #seen = new Set<string>();
  trouble = true;

  constructor(readonly chance: () => number) {
    for (const id of ROWS) this.world.commit("insert", id, { n: 0 });
    this.world.routes.set("/api/sync/push", (body) => this.#push(body["changes"] as ClientChange[]));
  }

  #push(changes: ClientChange[]): Reply {
    const fate = this.trouble ? this.chance() : 1;
    if (fate < 0.1) throw new TypeError("offline");
    if (fate < 0.15) return { status: 503 };
    if (fate < 0.2) return { status: 429, headers: { "Retry-After": "2" } };
    if (fate < 0.25) return { status: 401, body: { error: { code: "AUTH_REQUIRED", message: "who are you" } } };
    if (fate < 0.3) return { status: 403, body: "a network's login page" };
    const kinds = changes.map(({ data }) => data?.["kind"] as Kind);
    if (kinds.includes("huge")) return { status: 413, body: "too large, says the proxy" };
    if (kinds.includes("poison")) return { status: 400, body: { error: { code: "INVALID_JSON", message: "poison" } } };
    const results: Row[] = [];
    for (const change of changes) {
      results.push(this.#apply(change));
      if (results.at(-1)?.["status"] === "failed") break;
    }
    if (fate < 0.4) throw new TypeError("the answer was lost");
    const applied = results.filter(({ status }) => status !== "failed").length;
    const errors = results.flatMap(({ error }) => (error === undefined ? [] : [error]));
    return { body: { applied, errors, results, cursor: { last_seq: this.world.changes.at(-1)?.seq ?? 0 } } };
  }

  #apply({ entity, row_id, data, op_id }: ClientChange): Row {
    if (data?.["kind"] === "refused") return { op_id, status: "failed", error: "refused" };
    const known = this.#seen.has(String(op_id));
    if (known) return { op_id, status: "deduped", row_id };
    this.#seen.add(String(op_id));
    this.applied.push(Number(data?.["n"]));
    this.world.commit("update", row_id, data, entity);
    return { op_id, status: "applied", row_id };
  }
}

test.each(Array.from({ length: HISTORIES }, (_, seed) => seed))("each change ends as it must, seed %d", async (seed) => {
  const chance = chanceFrom(seed);
  const server = new ModelServer(chance);
  const { world } = server;
  const engine = await world.live();
  const made: { n: number; row: string; kind: Kind }[] = [];

  for (let n = 1; n <= 25; n++) {
    const kind = pick(chance, ["fine", "fine", "fine", "fine", "refused", "poison", "huge"] as const);
    const row = pick(chance, ROWS);
    made.push({ n, row, kind });
    void engine.update("Note", row, { n, kind, [`seen${n}`]: true });
    if (chance() < 0.3) await world.clock.advance(Math.floor(chance() * 3000));
  }
  server.trouble = false;
  for (let round = 0; round < 5; round++) {
    await world.clock.advance(40_000);
    await engine.push();
    await engine.pull();
  }

  const fine = made.filter(({ kind }) => kind === "fine");
  expect(engine.mutations.pending()).toEqual([]);
  expect([...server.applied].sort((x, y) => x - y)).toEqual(fine.map(({ n }) => n));
  for (const row of ROWS) {
    const sent = server.applied.filter((n) => made[n - 1]?.row === row);
    expect(sent).toEqual(fine.filter((change) => change.row === row).map(({ n }) => n));
  }
  const failed = engine.mutations.failed().map(({ change }) => Number(change.data?.["n"]));
  expect(failed).toEqual(made.filter(({ kind }) => kind !== "fine").map(({ n }) => n));
  const expected = new LocalStore();
  expected.applyChanges(world.changes);
  expect(engine.store.list<Row>("Note")).toEqual(expected.list<Row>("Note"));
  engine.stop();
});
