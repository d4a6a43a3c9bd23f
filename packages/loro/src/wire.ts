/**
 * The binary frame that carries a row's document:
 *
 *     type (1) | entity bytes (2) | entity | row id bytes (2) | row id | Loro bytes, to the end
 *
 * Lengths are big-endian and count bytes of UTF-8. Pure.
 */

/** The whole document. */
export const CRDT_FRAME_SNAPSHOT = 0x10;
/** What was added to it. */
export const CRDT_FRAME_UPDATE = 0x11;

export type CrdtFrameType = typeof CRDT_FRAME_SNAPSHOT | typeof CRDT_FRAME_UPDATE;

export interface CrdtFrame {
  type: CrdtFrameType;
  entity: string;
  rowId: string;
  payload: Uint8Array;
}

const NAME_BYTES_MAX = 0xffff;

/** Null for anything that is no frame. The payload is a view of `bytes`. */
export function decodeCrdtFrame(bytes: Uint8Array): CrdtFrame | null {
  const type = bytes[0];
  if (type !== CRDT_FRAME_SNAPSHOT && type !== CRDT_FRAME_UPDATE) return null;
  const entity = nameAt(bytes, 1);
  if (entity === null) return null;
  const rowId = nameAt(bytes, entity.end);
  if (rowId === null) return null;
  return { type, entity: entity.text, rowId: rowId.text, payload: bytes.subarray(rowId.end) };
}

/** Throws when a name is longer than its length field can say. */
export function encodeCrdtFrame(type: CrdtFrameType, entity: string, rowId: string, payload: Uint8Array): Uint8Array {
  const entityBytes = nameBytes("entity", entity);
  const rowIdBytes = nameBytes("row id", rowId);
  const frame = new Uint8Array(1 + 2 + entityBytes.length + 2 + rowIdBytes.length + payload.length);
  const view = new DataView(frame.buffer);
  view.setUint8(0, type);
  view.setUint16(1, entityBytes.length);
  frame.set(entityBytes, 3);
  view.setUint16(3 + entityBytes.length, rowIdBytes.length);
  frame.set(rowIdBytes, 5 + entityBytes.length);
  frame.set(payload, 5 + entityBytes.length + rowIdBytes.length);
  return frame;
}

function nameBytes(what: string, name: string): Uint8Array {
  const bytes = new TextEncoder().encode(name);
  if (bytes.length > NAME_BYTES_MAX) throw new Error(`the ${what} exceeds u16: it has ${bytes.length} bytes`);
  return bytes;
}

function nameAt(bytes: Uint8Array, at: number): { text: string; end: number } | null {
  const [high, low] = [bytes[at], bytes[at + 1]];
  if (high === undefined || low === undefined) return null;
  const end = at + 2 + high * 256 + low;
  if (end > bytes.length) return null;
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  try {
    return { text: decoder.decode(bytes.subarray(at + 2, end)), end };
  } catch {
    return null;
  }
}
