import { expect, test } from "bun:test";
import { CRDT_FRAME_SNAPSHOT, CRDT_FRAME_UPDATE, decodeCrdtFrame, encodeCrdtFrame } from "../src/index.ts";

const hex = (text: string): Uint8Array => Uint8Array.from(text.split(" ").map((byte) => Number.parseInt(byte, 16)));
const none = new Uint8Array();

test.each([
  [
    "the worked example",
    { type: CRDT_FRAME_SNAPSHOT, entity: "Message", rowId: "msg_123", payload: hex("AB CD EF") },
    "10 00 07 4D 65 73 73 61 67 65 00 07 6D 73 67 5F 31 32 33 AB CD EF",
  ],
  ["an empty update", { type: CRDT_FRAME_UPDATE, entity: "X", rowId: "y", payload: none }, "11 00 01 58 00 01 79"],
  ["names of several bytes a character", { type: CRDT_FRAME_UPDATE, entity: "é", rowId: "🙂", payload: none }, "11 00 02 C3 A9 00 04 F0 9F 99 82"],
  ["the shortest frame", { type: CRDT_FRAME_SNAPSHOT, entity: "", rowId: "", payload: none }, "10 00 00 00 00"],
] as const)("%s is these bytes, both ways", (_name, frame, text) => {
  expect(encodeCrdtFrame(frame.type, frame.entity, frame.rowId, frame.payload)).toEqual(hex(text));
  expect(decodeCrdtFrame(hex(text))).toEqual({ ...frame });
});

test.each([
  ["an unknown type", "12 00 01 58 00 01 79"],
  ["a name that is no UTF-8", "10 00 01 FF 00 01 79"],
  ["a row id that overruns", "10 00 01 58 00 02 79"],
  ["an entity that overruns", "10 FF FF 58 00 01 79"],
])("%s is no frame", (_name, text) => {
  expect(decodeCrdtFrame(hex(text))).toBeNull();
});

test("what is cut off before its payload is no frame", () => {
  const whole = encodeCrdtFrame(CRDT_FRAME_SNAPSHOT, "Message", "é1", none);

  for (let length = 0; length < whole.length; length++) expect(decodeCrdtFrame(whole.subarray(0, length))).toBeNull();
  expect(decodeCrdtFrame(whole)).not.toBeNull();
});

test("a frame inside a larger buffer is read from its own beginning", () => {
  const frame = encodeCrdtFrame(CRDT_FRAME_UPDATE, "X", "y", hex("01 02"));
  const buffer = new Uint8Array(frame.length + 8);
  buffer.set(frame, 4);

  expect(decodeCrdtFrame(buffer.subarray(4, 4 + frame.length))?.payload).toEqual(hex("01 02"));
});

test("names have up to 65,535 bytes, and bytes are not characters", () => {
  const longest = `${"é".repeat(32_767)}a`;

  expect(decodeCrdtFrame(encodeCrdtFrame(CRDT_FRAME_UPDATE, longest, longest, none))).toMatchObject({
    entity: longest,
    rowId: longest,
  });
  expect(() => encodeCrdtFrame(CRDT_FRAME_UPDATE, "é".repeat(32_768), "y", none)).toThrow("exceeds u16");
  expect(() => encodeCrdtFrame(CRDT_FRAME_UPDATE, "X", `${longest}b`, none)).toThrow("exceeds u16");
});
