/** The write queue, and how a push answer is read. */

import { describe, expect, mock, test } from "bun:test";

import { FAILED_MAX, MutationQueue, type PendingMutation, pushOutcomes, type QueueDelta } from "../src/mutations.ts";
import type { ClientChange } from "../src/protocol.ts";
import { settled } from "./world.ts";

const change: ClientChange = { entity: "Note", row_id: "n1", kind: "update", data: { a: 1 } };

function saved(...initial: PendingMutation[]) {
  const disk = { mutations: initial };
  return {
    disk,
    saveAll: async (mutations: PendingMutation[]) => void (disk.mutations = mutations),
    loadAll: async () => disk.mutations,
  };
}

describe("the queue", () => {
  test("names each operation after its own id", () => {
    const queue = new MutationQueue();

    const id = queue.add(change);

    expect(id).toMatch(/^mut_\d+_[0-9a-z]+$/);
    expect(queue.pending()).toEqual([{ id, change: { ...change, op_id: id }, status: "pending" }]);
  });

  test("clears what was applied and keeps what failed, with its error", () => {
    const queue = new MutationQueue();
    const [applied, failed] = [queue.add(change), queue.add(change)];

    queue.markApplied(applied);
    queue.markFailed(failed, "no");
    queue.clear();

    expect(queue.pending()).toEqual([]);
    expect(queue.failed().map(({ id, error }) => [id, error])).toEqual([[failed, "no"]]);
  });

  test("forgets a failure that was seen", () => {
    const queue = new MutationQueue();
    const id = queue.add(change);
    queue.markFailed(id, "no");

    queue.remove(id);

    expect(queue.failed()).toEqual([]);
  });

  test("keeps a bounded number of failures, the newest", () => {
    const queue = new MutationQueue();
    const ids = Array.from({ length: FAILED_MAX + 1 }, () => queue.add(change));

    for (const id of ids) queue.markFailed(id, "no");

    expect(queue.failed().map(({ id }) => id)).toEqual(ids.slice(1));
  });

  test("tells its listeners", () => {
    const queue = new MutationQueue();
    const listener = mock(() => undefined);
    const stop = queue.subscribe(listener);

    const id = queue.add(change);
    stop();
    queue.remove(id);

    expect(listener).toHaveBeenCalledTimes(1);
  });

  test("tells its listeners when another owner sees other entries", () => {
    const queue = new MutationQueue();
    queue.changeOwner("user:ada");
    queue.add(change);
    const listener = mock(() => undefined);
    queue.subscribe(listener);

    queue.changeOwner("user:bob");

    expect(queue.pending()).toEqual([]);
    expect(listener).toHaveBeenCalledTimes(1);
  });

  test("hydrates to the union, saved ones behind, none twice", async () => {
    const old: PendingMutation = { id: "mut_old", change, status: "pending" };
    const persistence = saved(old);
    const queue = new MutationQueue();
    const fresh = queue.add(change);
    queue.attachPersistence(persistence);

    await queue.hydrate();
    await queue.hydrate();

    expect(queue.pending().map(({ id }) => id)).toEqual([fresh, "mut_old"]);
    expect(persistence.disk.mutations.map(({ id }) => id)).toEqual([fresh, "mut_old"]);
  });
});

describe("a queue that tabs share", () => {
  function shared() {
    const disk: PendingMutation[] = [];
    const gates: (() => void)[] = [];
    return {
      disk,
      /** Let the read that waits go on. */
      release: () => gates.shift()?.(),
      saveAll: async () => undefined,
      loadAll: async () => {
        const found = [...disk];
        await new Promise<void>((resolve) => gates.push(resolve));
        return found;
      },
      shared: {
        loadAliases: async () => [],
        saveDelta: async ({ put, remove }: QueueDelta) => {
          const kept = disk.filter(({ id }) => !remove.includes(id) && !put.some((entry) => entry.id === id));
          disk.splice(0, disk.length, ...kept, ...put);
        },
      },
    };
  }

  test("does not take for gone what is queued while it looks", async () => {
    const persistence = shared();
    const queue = new MutationQueue(persistence);
    const first = queue.add(change);
    const refreshing = queue.refresh();
    await settled();

    const second = queue.add(change);
    persistence.release();
    const news = await refreshing;

    expect(news.gone).toEqual([]);
    expect(queue.pending().map(({ id }) => id)).toEqual([first, second]);
    await queue.saved();
    expect(persistence.disk.map(({ id }) => id)).toEqual([first, second]);
  });

  test("tells what others added, sent and had refused", async () => {
    const persistence = shared();
    const queue = new MutationQueue(persistence);
    const [sent, refused] = [queue.add(change), queue.add(change)];
    await queue.saved();
    const theirs: PendingMutation = { id: "theirs", change, status: "pending" };
    persistence.disk.splice(0, 2, { id: refused, change, status: "failed", error: "no" }, theirs);

    const refreshing = queue.refresh();
    await settled();
    persistence.release();
    const { added, gone, withdrawn } = await refreshing;

    expect([added, gone, withdrawn].map((entries) => entries.map(({ id }) => id))).toEqual([["theirs"], [sent], [refused]]);
    expect(queue.failed().map(({ error }) => error)).toEqual(["no"]);
  });
});

describe("a push answer", () => {
  const sent = ["a", "b", "c"].map((id): PendingMutation => ({ id, change, status: "pending" }));
  const cursor = { last_seq: 1 };

  test.each([
    ["all applied", 3, [], ["applied", "applied", "applied"]],
    ["the second refused", 1, ["x"], ["applied", "failed", "pending"]],
    ["the first refused", 0, ["x"], ["failed", "pending", "pending"]],
    ["nothing said", 0, [], ["pending", "pending", "pending"]],
  ])("is read by position without results: %s", (_, applied, errors, kinds) => {
    expect(pushOutcomes(sent, { applied, errors, cursor }).map(({ kind }) => kind)).toEqual(kinds as never);
  });

  test("is read change by change with results, whatever the counts say", () => {
    const results = [
      { op_id: "c", applied: true },
      { op_id: "a", applied: false, error: "no", code: "POLICY_DENIED" },
    ];

    const outcomes = pushOutcomes(sent, { applied: 3, errors: [], cursor, results });

    expect(outcomes.map(({ kind }) => kind)).toEqual(["failed", "pending", "applied"]);
    expect(outcomes[0]).toMatchObject({ refusal: { error: "no", code: "POLICY_DENIED" } });
  });
});
