/**
 * What arrives on the live connection as text: change events, and what else the server passes on.
 *
 * Unknown messages, and text that is no JSON, are ignored by contract: a server may begin to send more.
 */

import { type ChangeEvent, isRow, parseChangeEvent, type Row, textOrNull } from "./protocol.ts";

/** Somebody said where they are, or a connection ended. */
export type PresenceMessage =
  | { event: "update"; from: string | null; data: Row }
  /** One of a user's connections; they may have others. Not every server says whose. */
  | { event: "disconnect"; clientId: number; from: string | null };

export interface TopicMessage {
  topic: string;
  data: unknown;
  /** The sender's user id, as the server knows it. */
  from: string | null;
}

/** What happened in a room, as the server says it. */
export type RoomEvent =
  | { type: "join"; room: string; user_id: string; data?: unknown }
  | { type: "leave"; room: string; user_id: string }
  | { type: "presence"; room: string; user_id: string; data: unknown }
  | { type: "broadcast"; room: string; sender?: string; topic: string; data: unknown };

export type ServerMessage =
  | { type: "change"; event: ChangeEvent }
  /** Null for one that says what we do not know. */
  | { type: "presence"; message: PresenceMessage | null }
  | { type: "topic"; message: TopicMessage }
  | { type: "room"; event: RoomEvent }
  | { type: "ignored" };

const IGNORED: ServerMessage = { type: "ignored" };

/** The object in a text frame; null when it holds none. */
export function parseFrame(text: string): Row | null {
  try {
    const value: unknown = JSON.parse(text);
    return isRow(value) ? value : null;
  } catch {
    return null;
  }
}

export function parseServerMessage(text: string): ServerMessage {
  const frame = parseFrame(text);
  if (frame === null) return IGNORED;
  // Whatever its type: a frame with the members of a change event is one.
  const event = parseChangeEvent(frame);
  if (event !== null) return { type: "change", event };
  if (typeof frame["room"] === "string") return roomMessage(frame["room"], frame);
  if (frame["type"] === "presence") return { type: "presence", message: presenceMessage(frame) };
  if (frame["type"] === "topic") return topicMessage(frame);
  return IGNORED;
}

function presenceMessage({ event, from, data, clientId }: Row): PresenceMessage | null {
  if (event === "disconnect") return typeof clientId === "number" ? { event, clientId, from: textOrNull(from) } : null;
  return event === "update" && isRow(data) ? { event, from: textOrNull(from), data } : null;
}

function topicMessage({ topic, data, from }: Row): ServerMessage {
  if (typeof topic !== "string") return IGNORED;
  return { type: "topic", message: { topic, data, from: textOrNull(from) } };
}

function roomMessage(room: string, frame: Row): ServerMessage {
  const event = roomEvent(room, frame);
  return event === null ? IGNORED : { type: "room", event };
}

function roomEvent(room: string, { type, user_id, sender, topic, data }: Row): RoomEvent | null {
  if (type === "broadcast") {
    if (typeof topic !== "string") return null;
    return typeof sender === "string" ? { type, room, sender, topic, data } : { type, room, topic, data };
  }
  if (typeof user_id !== "string") return null;
  switch (type) {
    case "join":
      return data === undefined ? { type, room, user_id } : { type, room, user_id, data };
    case "leave":
      return { type, room, user_id };
    case "presence":
      return { type, room, user_id, data };
    default:
      return null;
  }
}
