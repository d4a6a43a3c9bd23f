/** A tree that several people rearrange at once: it stays a tree, whatever they move where. */

import type { LoroDoc, TreeID, Value } from "loro-crdt";
import { useMemo } from "react";
import { getLoroTree } from "./containers.ts";
import { globalRegistry } from "./registry.ts";
import { useDocument } from "./useLoroDoc.ts";

export interface CollabNode<T> {
  id: TreeID;
  data: T;
  children: CollabNode<T>[];
}

export interface CollabTree<T> {
  /** The nodes at the root, with all below them. */
  nodes: CollabNode<T>[];
  /** Without a parent at the root, without a position last. Returns the node's id. */
  create: (data?: Partial<T>, parent?: TreeID, at?: number) => TreeID;
  /** Set members of the node's data; undefined takes one away. */
  update: (id: TreeID, data: Partial<T>) => void;
  /** A move below the node itself throws. */
  move: (id: TreeID, parent?: TreeID, at?: number) => void;
  /** With all below it. */
  remove: (id: TreeID) => void;
}

/** For fields of kind `tree`. Data are JSON; their type is the app's word. */
export function useCollabTree<T extends Record<string, Value> = Record<string, Value>>(
  entity: string,
  id: string,
  field: string,
): CollabTree<T> {
  const { doc, version } = useDocument(entity, id);
  const edits = useMemo(() => treeEdits<T>(entity, id, field), [entity, id, field]);
  return useMemo(() => ({ nodes: nodesOf<T>(doc, field), ...edits }), [doc, version, field, edits]);
}

function treeEdits<T>(entity: string, id: string, field: string): Omit<CollabTree<T>, "nodes"> {
  function edit<R>(change: (doc: LoroDoc) => R): R {
    const doc = globalRegistry.doc(entity, id);
    const result = change(doc);
    doc.commit();
    return result;
  }

  function write(doc: LoroDoc, node: TreeID, data: Partial<T>): void {
    const map = getLoroTree(doc, field).getNodeByID(node)?.data;
    for (const [name, value] of Object.entries(data)) {
      if (value === undefined) map?.delete(name);
      else map?.set(name, value);
    }
  }

  return {
    create: (data = {}, parent, at) =>
      edit((doc) => {
        const node = getLoroTree(doc, field).createNode(parent, at);
        write(doc, node.id, data);
        return node.id;
      }),
    update: (node, data) => edit((doc) => write(doc, node, data)),
    move: (node, parent, at) => edit((doc) => getLoroTree(doc, field).move(node, parent, at)),
    remove: (node) => edit((doc) => getLoroTree(doc, field).delete(node)),
  };
}

interface NodeJson {
  id: TreeID;
  meta: unknown;
  children: NodeJson[];
}

function nodesOf<T>(doc: LoroDoc, field: string): CollabNode<T>[] {
  const named = ({ id, meta, children }: NodeJson): CollabNode<T> => ({ id, data: meta as T, children: children.map(named) });
  return (getLoroTree(doc, field).toJSON() as NodeJson[]).map(named);
}
