/**
 * What clients say to each other through the server: presence, topics and rooms. Nothing of it is kept there.
 *
 * Our own presence is kept here, because the server forgets it with the connection: it is announced on every new one,
 * but only as the user who set it.
 */

import { Listeners, ListenersByKey } from "./listeners.ts";
import type { PresenceMessage, RoomEvent, ServerMessage } from "./messages.ts";
import type { Row } from "./protocol.ts";

export type RelayedMessage = Extract<ServerMessage, { type: "presence" | "topic" | "room" }>;

export interface RelayHooks {
  /** Send if connected. Returns whether it was. */
  send(text: string): boolean;
  /** As whom we speak; null while nobody has said. */
  owner(): string | null;
}

export class Relays {
  readonly #hooks: RelayHooks;
  readonly #presenceListeners = new Listeners<[PresenceMessage]>();
  readonly #topicListeners = new ListenersByKey<[unknown, string | null]>();
  readonly #roomListeners = new Listeners<[RoomEvent]>();
  #presence: { data: Row; owner: string | null } | null = null;
  /** Whether the present connection has heard our presence. */
  #announced = false;

  constructor(hooks: RelayHooks) {
    this.#hooks = hooks;
  }

  /** Say where we are, now or as soon as there is a connection. */
  setPresence(data: Row): void {
    this.#presence = { data, owner: this.#hooks.owner() };
    this.#announced = false;
    this.#announce();
  }

  /** Dropped when not connected. */
  publish(topic: string, data: unknown): void {
    this.#hooks.send(JSON.stringify({ type: "topic", topic, data }));
  }

  /** There is a new connection, which knows nothing of us. */
  opened(): void {
    this.#announced = false;
    this.#announce();
  }

  /** It is known as whom we speak. */
  identified(): void {
    this.#announce();
  }

  onPresence(listener: (message: PresenceMessage) => void): () => void {
    return this.#presenceListeners.add(listener);
  }

  onTopic(topic: string, listener: (data: unknown, from: string | null) => void): () => void {
    return this.#topicListeners.add(topic, listener);
  }

  onRoomEvent(listener: (event: RoomEvent) => void): () => void {
    return this.#roomListeners.add(listener);
  }

  /** Tell those who listen. Returns whether it was about somebody's presence. */
  heard(message: RelayedMessage): boolean {
    switch (message.type) {
      case "presence":
        if (message.message !== null) this.#presenceListeners.call(message.message);
        return true;
      case "topic":
        this.#topicListeners.call(message.message.topic, message.message.data, message.message.from);
        return false;
      case "room":
        this.#roomListeners.call(message.event);
        return message.event.type === "presence";
      default:
        return message satisfies never;
    }
  }

  #announce(): void {
    if (this.#presence === null || this.#announced) return;
    const owner = this.#hooks.owner();
    const { data, owner: setBy } = this.#presence;
    if (setBy !== null && owner === null) return;
    if (setBy !== null && owner !== setBy) {
      this.#presence = null;
      return;
    }
    this.#presence = { data, owner };
    this.#announced = this.#hooks.send(JSON.stringify({ type: "presence", event: "update", data }));
  }
}
