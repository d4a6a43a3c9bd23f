/** `@pylonsync/loro`: rows as documents that several people edit at once. */

export { getLoroMap, getLoroText } from "./containers.ts";
export { detachLoro } from "./following.ts";
export { globalRegistry, LoroRegistry } from "./registry.ts";
export { useCollabText } from "./useCollabText.ts";
export { useLoroDoc } from "./useLoroDoc.ts";
export type { CrdtFrame, CrdtFrameType } from "./wire.ts";
export { CRDT_FRAME_SNAPSHOT, CRDT_FRAME_UPDATE, decodeCrdtFrame, encodeCrdtFrame } from "./wire.ts";
