import { afterEach, beforeEach, expect, spyOn, test } from "bun:test";
import {
  callFn, configureClient, createSession, fetchById, fetchList, getAppName, getAuthContext, getBaseUrl,
  getReactStorage, HttpError, insert, listFns, refreshSession, remove, storageKey, streamFn, update, uploadFile,
  uploadFileMultipart,
} from "../src/index.ts";
import { FakeFetch, freshClient } from "./fakes.ts";
import { visit } from "./window.ts";

let network: FakeFetch;

beforeEach(() => {
  freshClient({ pylon_token: "stored" });
  network = new FakeFetch();
});

afterEach(() => network.restore());

test.each([
  ["default", "pylon_token"],
  ["shop", "pylon:shop:token"],
])("the app %p keeps its token under %p", (appName, key) => {
  configureClient({ appName });

  expect([getAppName(), storageKey("token")]).toEqual([appName, key]);
});

test("configuring one thing leaves the other", () => {
  configureClient({ appName: "shop" });
  configureClient({ baseUrl: "https://app.example" });

  expect([getBaseUrl(), getAppName()]).toEqual(["https://app.example", "shop"]);
});

test.each<[string, () => Promise<unknown>, string, unknown, unknown]>([
  ["fetchList", () => fetchList("A b"), "GET /api/entities/A%20b", undefined, []],
  ["fetchById", () => fetchById("Todo", "1/2"), "GET /api/entities/Todo/1%2F2", undefined, { id: "1/2" }],
  ["insert", () => insert("Todo", { n: 1 }), "POST /api/entities/Todo", { n: 1 }, { id: "1" }],
  ["update", () => update("Todo", "1", { n: 2 }), "PATCH /api/entities/Todo/1", { n: 2 }, { updated: true }],
  ["remove", () => remove("Todo", "1"), "DELETE /api/entities/Todo/1", undefined, { deleted: true }],
  ["createSession", () => createSession("ann"), "POST /api/auth/session", { user_id: "ann" }, { token: "t", user_id: "ann" }],
  ["callFn", () => callFn("add", { a: 1 }), "POST /api/fn/add", { a: 1 }, 3],
  ["callFn without arguments", () => callFn("now"), "POST /api/fn/now", {}, null],
  ["listFns", () => listFns(), "GET /api/fn", undefined, []],
])("%s", async (_name, act, route, body, answer) => {
  const result = act();
  expect(network.paths()).toEqual([route]);
  expect(network.last.body).toEqual(body);
  expect(network.last.headers.get("Authorization")).toBe("Bearer stored");
  expect(network.last.headers.get("Content-Type")).toBe(body === undefined ? null : "application/json");

  network.last.answer(answer);

  expect(await result).toEqual(answer);
});

test("without a stored token none is sent; a given one wins; asking who one is never sends the stored one", () => {
  void callFn("f", {}, { token: "given" });
  void getAuthContext();
  void getAuthContext("given");
  getReactStorage().remove("pylon_token");
  void callFn("f");

  expect(network.seen.map(({ headers }) => headers.get("Authorization"))).toEqual([
    "Bearer given", null, "Bearer given", null,
  ]);
});

test("a refusal rejects with the server's message, its status and code", async () => {
  const result = callFn("f");
  network.last.answer({ error: { code: "TOO_LOW", message: "The bid is too low." } }, 400);

  expect(await result.catch((error: unknown) => error)).toMatchObject({
    name: "HttpError", message: "The bid is too low.", status: 400, code: "TOO_LOW",
  });
});

test("a refusal that explains nothing rejects with its status", async () => {
  const result = callFn("f");
  network.last.answer("gone", 502);

  expect(await result.catch((error: unknown) => error)).toEqual(new HttpError(502, "HTTP 502", undefined, 0));
});

test("a row that cannot be had is null, whatever the reason", async () => {
  const [refused, lost] = [fetchById("Todo", "1"), fetchById("Todo", "1")];
  network.seen[0]?.answer({}, 403);
  network.seen[1]?.fail();

  expect(await Promise.all([refused, lost])).toEqual([null, null]);
});

test("refreshing gives null for a refusal and rejects when nobody answers", async () => {
  const [refused, lost] = [refreshSession("old"), refreshSession("old")];
  network.seen[0]?.answer({}, 401);
  network.seen[1]?.fail();

  expect(network.seen[0]?.headers.get("Authorization")).toBe("Bearer old");
  expect(await refused).toBeNull();
  expect(lost).rejects.toThrow("nobody answers");
});

test("an upload carries the stored token, the type and the name, in whatever script", async () => {
  const result = uploadFile(new File(["x"], "grüße.txt", { type: "text/plain" }));

  expect(network.paths()).toEqual(["POST /api/files/upload"]);
  expect(Object.fromEntries(network.last.headers)).toMatchObject({
    authorization: "Bearer stored", "content-type": "text/plain;charset=utf-8", "x-filename": "gr%C3%BC%C3%9Fe.txt",
  });
  network.last.answer({ id: "1", url: "/u", size: 1 }, 201);
  expect(await result).toEqual({ id: "1", url: "/u", size: 1 });
});

test("bytes are uploaded without a name, as of no known type", () => {
  void uploadFile(Uint8Array.of(1));

  expect(network.last.headers.get("Content-Type")).toBe("application/octet-stream");
  expect(network.last.headers.get("X-Filename")).toBeNull();
});

test("a form has the fields, then the file", () => {
  void uploadFileMultipart(new Blob(["x"]), { folder: "a" });

  const form = network.last.body as FormData;
  expect([...form.keys()]).toEqual(["folder", "file"]);
  expect(network.last.headers.get("Content-Type")).toBeNull();
});

/** The text as a stream, cut into two at a byte. */
function streamed(text: string, at = 0): ReadableStream<Uint8Array> {
  const bytes = new TextEncoder().encode(text);
  return new ReadableStream({
    start(controller) {
      for (const chunk of [bytes.slice(0, at), bytes.slice(at)]) controller.enqueue(chunk);
      controller.close();
    },
  });
}

async function drain(stream: AsyncGenerator<string, unknown>): Promise<{ yielded: string[]; returned: unknown }> {
  const yielded: string[] = [];
  for (;;) {
    const step = await stream.next();
    if (step.done === true) return { yielded, returned: step.value };
    yielded.push(step.value);
  }
}

const EVENTS = { "Content-Type": "text/event-stream" };

test("a stream yields its events and returns its result, wherever it is cut", async () => {
  const text = ": hi\n\ndata: eins\n\ndata: zw\ndata: ei\r\n\r\ndata:🙂\n\nevent: result\ndata: {\"n\":1}\n\n";
  for (let at = 0; at <= text.length; at++) {
    const result = drain(streamFn("talk"));
    expect(network.last.headers.get("Accept")).toBe("text/event-stream");
    expect(network.last.headers.get("Authorization")).toBe("Bearer stored");
    network.last.answer(streamed(text, at), 200, EVENTS);
    expect(await result).toEqual({ yielded: ["eins", "zw\nei", "🙂"], returned: { n: 1 } });
  }
});

test("a stream's event is yielded whatever its name", async () => {
  const result = drain(streamFn("talk"));
  network.last.answer(streamed("event: half\ndata: 50\n\nevent: message\ndata: b\n\nevent: result\ndata: 1\n\n"), 200, EVENTS);

  expect(await result).toEqual({ yielded: ["50", "b"], returned: 1 });
});

test("a stream's error is thrown with its message", async () => {
  const result = drain(streamFn("talk"));
  network.last.answer(streamed('data: a\n\nevent: error\ndata: {"code":"X","message":"no more"}\n\n'), 200, EVENTS);

  expect(result).rejects.toThrow("no more");
});

test("a function that streams nothing may answer like any other", async () => {
  const result = drain(streamFn("talk"));
  network.last.answer({ n: 1 });

  expect(await result).toEqual({ yielded: [], returned: { n: 1 } });
});

test("whoever stops reading a stream ends it", async () => {
  let ended = false;
  const endless = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(new TextEncoder().encode("data: x\n\n")),
    cancel: () => void (ended = true),
  });
  const stream = streamFn("talk");
  const first = stream.next();
  network.last.answer(endless, 200, EVENTS);
  await first;

  await stream.return(undefined);

  expect(ended).toBe(true);
});

test("a page that is served from somewhere must say where its server is", async () => {
  // A copy of the module that nobody has configured.
  const copy = "../src/config.ts?unconfigured";
  const { requireBaseUrl }: typeof import("../src/config.ts") = await import(copy);

  visit("http://app.example/");
  expect(requireBaseUrl).toThrow("configureClient");

  visit("http://localhost/");
  expect(requireBaseUrl()).toBe("http://localhost:4321");
});

test("a plain http server under an https page is warned of, once", () => {
  const warn = spyOn(console, "warn").mockImplementation(() => undefined);
  visit("https://app.example/");

  configureClient({ baseUrl: "http://app.example" });
  configureClient({ baseUrl: "http://app.example" });

  expect(warn).toHaveBeenCalledTimes(1);
  warn.mockRestore();
  visit("http://localhost/");
});
