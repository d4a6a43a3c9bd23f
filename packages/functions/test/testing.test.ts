import { afterAll, afterEach, beforeEach, describe, expect, spyOn, test } from "bun:test";
import { CallError, installTestIsolation, resetDb, startServer } from "../src/testing";
import { readStream } from "../src/testing/streams";

let status = 200;
const asked: string[] = [];
const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  fetch: (request) => {
    const { pathname } = new URL(request.url);
    asked.push(`${request.method} ${pathname} ${request.headers.get("content-type")}`);
    return Response.json({}, { status });
  },
});
afterAll(() => server.stop(true));

describe("resetDb", () => {
  const warn = spyOn(console, "warn").mockImplementation(() => {});
  beforeEach(() => {
    asked.length = 0;
    warn.mockClear();
  });
  afterAll(() => warn.mockRestore());

  test.each([
    [200, 0],
    [404, 0],
    [403, 1],
    [500, 1],
  ])("an answer of %d is warned of %d times", async (answer, warnings) => {
    status = answer;

    await resetDb(server.url.href);

    expect(asked).toEqual(["POST /api/__test__/reset application/json"]);
    expect(warn).toHaveBeenCalledTimes(warnings);
  });

  test("a server that is not there is warned of and nothing else", async () => {
    await resetDb("http://127.0.0.1:1");

    expect(warn.mock.calls[0]?.[0]).toStartWith("[pylon-test]");
  });
});

describe("installTestIsolation", () => {
  let before = 0;
  beforeEach(() => {
    status = 200;
    before = asked.length;
  });
  installTestIsolation(server.url.href);

  test.each([1, 2])("resets before test %d", () => {
    expect(asked.length).toBe(before + 1);
  });

  afterEach(() => expect(asked.length).toBe(before + 1));
});

describe("what a function streamed", () => {
  test("is kept with its lines and names", () => {
    const text = ': ping\n\ndata: a\ndata: b\n\nevent: half\ndata:  c\n\nevent: result\ndata: {"n":1}\n\n';

    expect(readStream<{ n: number }>(text)).toEqual({
      chunks: [{ text: "a\nb" }, { text: " c", event: "half" }],
      value: { n: 1 },
    });
  });

  test("may end with an error", () => {
    expect(() => readStream('event: error\ndata: {"code":"A","message":"b"}\n\n')).toThrow(new CallError("A", "b", null));
  });

  test("may break off", () => {
    expect(() => readStream("data: a\n\n")).toThrow("broke off");
  });
});

test("a command that cannot be run is told of", async () => {
  expect(startServer({ command: ["/nowhere/pylon"] })).rejects.toThrow("pip install");
});

test("a server that ends at once is told of with what it said", async () => {
  const command = [process.execPath, "-e", "console.error('no manifest'); process.exit(3)", "--"];

  expect(startServer({ command })).rejects.toThrow(/status 3:[^]*no manifest/);
});
