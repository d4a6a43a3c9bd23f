/** `@pylonsync/loro`: rows as documents that several people edit at once. */

export {
  getLoroCounter, getLoroList, getLoroMap, getLoroMovableList, getLoroText, getLoroTree, ROW_MAP,
} from "./containers.ts";
export { detachLoro, startLoro } from "./following.ts";
export { globalRegistry, LoroRegistry } from "./registry.ts";
export type { TextChange } from "./text.ts";
export { applyTextChange, applyTextDelta, textChange } from "./text.ts";
export { useCollabCounter } from "./useCollabCounter.ts";
export type { CollabList, CollabMovableList } from "./useCollabList.ts";
export { useCollabList, useCollabMovableList } from "./useCollabList.ts";
export { useCollabRow } from "./useCollabRow.ts";
export type { CollabStatus } from "./useCollabStatus.ts";
export { useCollabStatus } from "./useCollabStatus.ts";
export { useCollabText } from "./useCollabText.ts";
export type { CollabTextarea } from "./useCollabTextarea.ts";
export { useCollabTextarea } from "./useCollabTextarea.ts";
export type { CollabNode, CollabTree } from "./useCollabTree.ts";
export { useCollabTree } from "./useCollabTree.ts";
export { useLoroDoc } from "./useLoroDoc.ts";
export type { CrdtFrame, CrdtFrameType } from "./wire.ts";
export { CRDT_FRAME_SNAPSHOT, CRDT_FRAME_UPDATE, decodeCrdtFrame, encodeCrdtFrame } from "./wire.ts";
