import { afterEach, beforeEach, expect, jest, test } from "bun:test";
import { startSessionAutoRefresh } from "../src/index.ts";
import { FakeFetch, freshClient } from "./fakes.ts";

const NOW_S = 1_000_000;
let network: FakeFetch;
let heard: string[];

beforeEach(() => {
  freshClient();
  network = new FakeFetch();
  heard = [];
  jest.useFakeTimers();
  jest.setSystemTime(NOW_S * 1000);
});

afterEach(() => {
  jest.useRealTimers();
  network.restore();
});

async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}

function start(expiresInS: number): () => void {
  return startSessionAutoRefresh(
    { token: "one", expires_at: expiresInS === 0 ? 0 : NOW_S + expiresInS },
    { onRefresh: ({ token }) => heard.push(token), onExpired: () => heard.push("expired"), marginSecs: 100 },
  );
}

test("a session is renewed in time, and the new one after it", async () => {
  const stop = start(1000);
  jest.advanceTimersByTime(899_000);
  expect(network.seen).toHaveLength(0);
  jest.advanceTimersByTime(1_000);
  network.last.answer({ token: "two", user_id: "ann", expires_at: NOW_S + 2000 });
  await settle();
  expect(heard).toEqual(["two"]);

  jest.advanceTimersByTime(1_000_000);

  expect(network.seen.map(({ headers }) => headers.get("Authorization"))).toEqual(["Bearer one", "Bearer two"]);
  stop();
});

test("a refusal is the end", async () => {
  start(1000);
  jest.advanceTimersByTime(900_000);
  network.last.answer({}, 401);
  await settle();

  jest.advanceTimersByTime(10_000_000);

  expect(heard).toEqual(["expired"]);
  expect(network.seen).toHaveLength(1);
});

test("without an answer it is tried again until the session has expired", async () => {
  start(1000);
  jest.advanceTimersByTime(900_000);
  for (let attempt = 0; attempt < 4; attempt++) {
    network.last.fail();
    await settle();
    expect(heard).toEqual([]);
    jest.advanceTimersByTime(30_000);
  }
  network.last.fail();
  await settle();

  expect(heard).toEqual(["expired"]);
});

test("stopping stops also what follows the first renewal, and an answer under way", async () => {
  const stop = start(1000);
  jest.advanceTimersByTime(900_000);
  network.last.answer({ token: "two", user_id: "ann", expires_at: NOW_S + 2000 });
  await settle();
  jest.advanceTimersByTime(1_000_000);
  network.last.answer({ token: "three", user_id: "ann", expires_at: NOW_S + 3000 });
  stop();
  await settle();
  jest.advanceTimersByTime(10_000_000);

  expect(heard).toEqual(["two"]);
  expect(network.seen).toHaveLength(2);
});

test.each([["never", 0], ["in a hundred years", 3_155_760_000]])("a session that expires %s is left alone", (_name, expiresInS) => {
  const stop = start(expiresInS);

  jest.advanceTimersByTime(2 ** 31);

  expect(network.seen).toHaveLength(0);
  stop();
});
