/** What a shard says: a tick and the state of the world at it, in one of two spellings. */

export interface ShardFrame<S> {
  tick: number;
  snapshot: S;
}

const TICK_BYTES = 8;

/** 8 bytes of tick, big-endian, then JSON in UTF-8. Throws when it is not that. The type is the app's word. */
export function decodeBinaryFrame<S>(buffer: ArrayBuffer): ShardFrame<S> {
  if (buffer.byteLength < TICK_BYTES) throw new Error("a shard frame is too short to hold a tick");
  const view = new DataView(buffer);
  const tick = view.getUint32(0) * 2 ** 32 + view.getUint32(4);
  return { tick, snapshot: JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, TICK_BYTES))) as S };
}

/** `{"tick": <number>, "snapshot": <anything>}`; null for any other JSON. Throws when it is no JSON. */
export function decodeTextFrame<S>(text: string): ShardFrame<S> | null {
  const value: unknown = JSON.parse(text);
  if (typeof value !== "object" || value === null || !("tick" in value) || !("snapshot" in value)) return null;
  const { tick, snapshot } = value;
  return typeof tick === "number" ? { tick, snapshot: snapshot as S } : null;
}
