/** Whatever several registries edit at once, and in whatever order the frames reach each: they end with the same. */

import { expect, test } from "bun:test";
import { LoroDoc } from "loro-crdt";
import { CRDT_FRAME_SNAPSHOT, CRDT_FRAME_UPDATE, encodeCrdtFrame, LoroRegistry } from "../src/index.ts";

const REPLICAS = 3;
const STEPS = 120;

class Chance {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  below(bound: number): number {
    this.#state = (this.#state * 48_271) % 2_147_483_647;
    return this.#state % bound;
  }
}

function edit(doc: LoroDoc, chance: Chance, name: string): void {
  const text = doc.getText("body");
  const [list, tree] = [doc.getMovableList("steps"), doc.getTree("outline")];
  const nodes = tree.getNodes();
  const edits = [
    () => text.insert(chance.below(text.length + 1), `${name}${chance.below(100)} `),
    () => text.length > 4 && text.delete(chance.below(text.length - 4), 3),
    () => doc.getMap("row").set(`f${chance.below(3)}`, chance.below(1000)),
    () => doc.getCounter("votes").increment(chance.below(5) - 2),
    () => list.insert(chance.below(list.length + 1), chance.below(1000)),
    () => list.length > 1 && list.move(chance.below(list.length), chance.below(list.length)),
    () => doc.getList("tags").insert(0, name),
    () => tree.createNode(nodes.length === 0 ? undefined : nodes[chance.below(nodes.length)]?.id),
  ];
  edits[chance.below(edits.length)]?.();
  doc.commit();
}

test.each([1, 2, 3, 4, 5, 6, 7, 8])("seed %d", (seed) => {
  const chance = new Chance(seed * 7919);
  const registries = Array.from({ length: REPLICAS }, () => new LoroRegistry());
  const beginning = new LoroDoc();
  beginning.getMap("row").set("f0", "as the server made it");
  const start = encodeCrdtFrame(CRDT_FRAME_SNAPSHOT, "Note", "1", beginning.export({ mode: "snapshot" }));
  for (const registry of registries) registry.applyBinaryFrame(start);
  const docs = registries.map((registry) => registry.doc("Note", "1"));
  const frames: Uint8Array[][] = registries.map(() => []);
  const sent = docs.map((doc) => doc.oplogVersion());
  let counted = 0;

  for (let step = 0; step < STEPS; step++) {
    const [who, whom] = [chance.below(REPLICAS), chance.below(REPLICAS)];
    const doc = docs[who]!;
    edit(doc, chance, "abc"[who]!);
    if (chance.below(3) === 0) {
      const whole = chance.below(4) === 0;
      const payload = whole ? doc.export({ mode: "snapshot" }) : doc.export({ mode: "update", from: sent[who]! });
      if (!whole) sent[who] = doc.oplogVersion();
      frames[whom]!.push(encodeCrdtFrame(whole ? CRDT_FRAME_SNAPSHOT : CRDT_FRAME_UPDATE, "Note", "1", payload));
    }
    // Frames come late, twice, and out of order.
    const waiting = frames[who]!;
    const frame = waiting[chance.below(Math.max(1, waiting.length))];
    if (frame !== undefined && registries[who]!.applyBinaryFrame(frame)) counted += 1;
  }
  for (const from of docs) {
    const frame = encodeCrdtFrame(CRDT_FRAME_SNAPSHOT, "Note", "1", from.export({ mode: "snapshot" }));
    for (const registry of registries) expect(registry.applyBinaryFrame(frame)).toBe(true);
  }

  const [first, ...others] = docs.map((doc) => doc.toJSON() as unknown);
  for (const other of others) expect(other).toEqual(first);
  expect(docs[0]!.getText("body").length).toBeGreaterThan(0);
  expect(counted).toBeGreaterThan(0);
});
