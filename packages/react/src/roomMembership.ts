/**
 * Being in a room: one membership for all components that show the same room for the same user.
 *
 *     idle ──acquire──▶ joining ──▶ joined ──the last release, or leave──▶ idle
 *      ▲                  │  ▲         │
 *      └─────refused──────┘  └─missing─┘
 *
 * The server knows one member per user and room, so the first component joins and the last one leaves; leaving waits a
 * moment, because a component that is only moved or mounted twice comes back at once. Requests go one after another,
 * so a leave never overtakes a join. Polling is also the sign of life that keeps a quiet member in the room.
 */

import { requestJson, segment, toError } from "./request.ts";

export interface Peer {
  user_id: string;
  data: unknown;
  joined_at: string;
}

export interface RoomAddress {
  roomId: string;
  userId: string;
  baseUrl: string | undefined;
  token: string | undefined;
  heartbeatInterval: number;
}

export interface RoomState {
  /** Everybody in the room but the user. */
  peers: Peer[];
  isConnected: boolean;
  error: Error | null;
}

export const NOT_IN_ROOM: RoomState = { peers: [], isConnected: false, error: null };

export class RoomMembership {
  readonly #address: RoomAddress;
  readonly #ended: () => void;
  readonly #listeners = new Set<() => void>();
  #state = NOT_IN_ROOM;
  #presence: unknown = {};
  #holders = 0;
  #phase: "idle" | "joining" | "joined" = "idle";
  /** Whether a poll has shown the user as a member: only then does a poll without the user mean that they are gone. */
  #seen = false;
  #polling: AbortController | null = null;
  #heartbeat: ReturnType<typeof setInterval> | undefined;
  #farewell: ReturnType<typeof setTimeout> | undefined;
  #requests: Promise<void> = Promise.resolve();

  /** `ended` is called when nobody holds the membership any more and it was left. */
  constructor(address: RoomAddress, ended: () => void) {
    this.#address = address;
    this.#ended = ended;
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  };

  readonly getSnapshot = (): RoomState => this.#state;

  /** Join, or stay joined for one holder more. Returns the way to let go, which does nothing the second time. */
  acquire(presence: unknown): () => void {
    clearTimeout(this.#farewell);
    this.#holders += 1;
    if (this.#phase === "idle") {
      this.#presence = presence;
      this.#begin();
    }
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.#holders -= 1;
      if (this.#holders === 0) this.#farewell = setTimeout(() => void this.#goAway(), 0);
    };
  }

  /** Resolves when the server has it; rejects when it refuses. */
  readonly setPresence = (data: unknown): Promise<void> => {
    this.#presence = data;
    return this.#post("presence", { data });
  };

  /** Resolves when the server has it; rejects when it refuses. */
  readonly broadcast = (topic: string, data: unknown): Promise<void> => this.#post("broadcast", { topic, data });

  /** Leave for every component. Never rejects. */
  readonly leave = async (): Promise<void> => {
    this.#stopPolling();
    this.#show(NOT_IN_ROOM);
    await this.#enqueue(async () => {
      if (this.#phase !== "joined") return;
      this.#phase = "idle";
      await this.#request("leave", {});
    }).catch(() => undefined);
  };

  async #goAway(): Promise<void> {
    await this.leave();
    if (this.#holders === 0) this.#ended();
    // Somebody came while the room was being left.
    else if (this.#phase === "idle") this.#begin();
  }

  #begin(): void {
    this.#heartbeat ??= setInterval(() => void this.#poll(), this.#address.heartbeatInterval);
    void this.#join();
  }

  async #join(): Promise<void> {
    this.#phase = "joining";
    this.#seen = false;
    try {
      await this.#enqueue(async () => {
        const answer = await this.#request<{ snapshot?: { peers?: Peer[] } }>("join", { data: this.#presence });
        this.#phase = "joined";
        if (this.#holders === 0) return;
        this.#show({ peers: this.#others(answer.snapshot?.peers ?? []), isConnected: true, error: null });
      });
    } catch (thrown) {
      this.#phase = "idle";
      this.#show({ peers: [], isConnected: false, error: toError(thrown) });
    }
  }

  /** A poll without an answer changes nothing. */
  async #poll(): Promise<void> {
    if (this.#polling !== null) return;
    const controller = new AbortController();
    this.#polling = controller;
    try {
      const { baseUrl, token, roomId } = this.#address;
      const path = `/api/rooms/${segment(roomId)}`;
      const { members } = await requestJson<{ members: Peer[] }>(path, { baseUrl, token, signal: controller.signal });
      if (!controller.signal.aborted) this.#observe(members);
    } catch {
      // The next beat asks again.
    } finally {
      if (this.#polling === controller) this.#polling = null;
    }
  }

  #observe(members: Peer[]): void {
    this.#show({ ...this.#state, peers: this.#others(members) });
    if (this.#phase !== "joined") return;
    const present = members.some((member) => member.user_id === this.#address.userId);
    // The server was restarted, or took a sleeping device for gone.
    if (!present && this.#seen) void this.#join();
    else this.#seen = present;
  }

  #others(members: Peer[]): Peer[] {
    return members.filter((member) => member.user_id !== this.#address.userId);
  }

  #stopPolling(): void {
    clearInterval(this.#heartbeat);
    this.#heartbeat = undefined;
    this.#polling?.abort();
  }

  #show(state: RoomState): void {
    this.#state = state;
    for (const listener of [...this.#listeners]) listener();
  }

  #post(route: string, body: Record<string, unknown>): Promise<void> {
    return this.#enqueue(async () => void (await this.#request(route, body)));
  }

  #request<T>(route: string, body: Record<string, unknown>): Promise<T> {
    const { baseUrl, token, roomId, userId } = this.#address;
    const json = { room: roomId, user_id: userId, ...body };
    const keepalive = route === "leave";
    return requestJson<T>(`/api/rooms/${route}`, { method: "POST", json, baseUrl, token, keepalive });
  }

  #enqueue(send: () => Promise<void>): Promise<void> {
    const sent = this.#requests.then(send);
    this.#requests = sent.catch(() => undefined);
    return sent;
  }
}

const memberships = new Map<string, RoomMembership>();

/** The membership for an address: the same one as long as anybody holds it. */
export function roomMembership(address: RoomAddress): RoomMembership {
  const key = JSON.stringify(address);
  let membership = memberships.get(key);
  if (membership === undefined) {
    membership = new RoomMembership(address, () => void memberships.delete(key));
    memberships.set(key, membership);
  }
  return membership;
}
