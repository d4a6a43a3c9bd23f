/** Ids a client mints: of rows it creates, of operations it sends, and of itself. */

import type { Clock, Random } from "./clock.ts";
import type { Storage } from "./storage.ts";

const CLIENT_ID_KEY = "pylon:client_id";
const TEMPORARY_PREFIX = "_pending_";

/** Whether a client minted the id: then no other row, and no word of a text, is the same. */
export function isTemporaryId(id: string): boolean {
  return id.startsWith(TEMPORARY_PREFIX);
}

export class Ids {
  readonly #clock: Clock;
  readonly #random: Random;
  #count = 0;

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  /** The id a new row has until, and on servers that accept it also after, the server stores it. */
  row(): string {
    return `${TEMPORARY_PREFIX}${this.#clock.now()}_${this.#unique()}`;
  }

  operation(): string {
    return `mut_${this.#clock.now()}_${this.#unique()}`;
  }

  /** This installation's id, made at the first call and kept in `storage`. */
  client(storage: Storage): string {
    const known = storage.get(CLIENT_ID_KEY);
    if (known !== null) return known;
    const fresh = this.#uuid();
    storage.set(CLIENT_ID_KEY, fresh);
    return fresh;
  }

  /** Version 4, which is 122 bits of chance. */
  #uuid(): string {
    const pattern = "xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx";
    return pattern.replace(/[xy]/g, (place) => {
      const digit = Math.floor(this.#random() * 16);
      return (place === "x" ? digit : 8 + (digit % 4)).toString(16);
    });
  }

  /** Eight random digits set clients apart, a count the ids of one. */
  #unique(): string {
    this.#count += 1;
    const digits = Math.floor(this.#random() * 36 ** 8).toString(36).padStart(8, "0");
    return digits + this.#count.toString(36);
  }
}
