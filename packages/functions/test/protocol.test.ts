import { expect, test } from "bun:test";
import { LineSplitter, parseHostFrame } from "../src/protocol";

test("lines come out whole wherever the chunks are cut", () => {
  const text = '{"é":"🙂"}\n\nsecond\nunfinished';
  const bytes = new TextEncoder().encode(text);

  for (let size = 1; size <= bytes.length; size++) {
    const splitter = new LineSplitter();
    const lines: string[] = [];
    for (let at = 0; at < bytes.length; at += size) lines.push(...splitter.push(bytes.subarray(at, at + size)));
    expect(lines).toEqual(['{"é":"🙂"}', "", "second"]);
  }
});

test.each(["", "not json", "null", "5", "[]", "{}", '{"type":"call"}', '{"type":"ping","call_id":"c"}', '{"type":"call","call_id":"c"}'])(
  "%p is no frame and is ignored",
  (line) => {
    expect(parseHostFrame(line)).toBeNull();
  },
);

test("a call and a result are frames", () => {
  expect(parseHostFrame('{"type":"call","call_id":"c","fn_name":"f"}')?.type).toBe("call");
  expect(parseHostFrame('{"type":"result","call_id":"c"}')?.type).toBe("result");
});

test("an abandonment is a frame", () => {
  expect(parseHostFrame('{"type":"abandon","call_id":"c"}')?.type).toBe("abandon");
});
