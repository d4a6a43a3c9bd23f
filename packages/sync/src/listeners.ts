/** A set of callbacks. One that throws is reported as uncaught and keeps nobody else from being called. */

export class Listeners<Args extends unknown[] = []> {
  readonly #listeners = new Set<(...args: Args) => void>();

  /** Returns the way to stop listening. */
  add(listener: (...args: Args) => void): () => void {
    // Wrapped, so that one function added twice is two listeners and each removal ends its own.
    const entry = (...args: Args): void => listener(...args);
    this.#listeners.add(entry);
    return () => void this.#listeners.delete(entry);
  }

  get empty(): boolean {
    return this.#listeners.size === 0;
  }

  call(...args: Args): void {
    for (const listener of [...this.#listeners]) {
      try {
        listener(...args);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}

/** Listeners of many things, each under its key; one that nobody listens to takes no room. */
export class ListenersByKey<Args extends unknown[] = []> {
  readonly #byKey = new Map<string, Listeners<Args>>();

  /** Returns the way to stop listening. */
  add(key: string, listener: (...args: Args) => void): () => void {
    const listeners = this.#byKey.get(key) ?? new Listeners<Args>();
    this.#byKey.set(key, listeners);
    const remove = listeners.add(listener);
    return () => {
      remove();
      if (listeners.empty && this.#byKey.get(key) === listeners) this.#byKey.delete(key);
    };
  }

  call(key: string, ...args: Args): void {
    this.#byKey.get(key)?.call(...args);
  }

  callAll(...args: Args): void {
    for (const listeners of [...this.#byKey.values()]) listeners.call(...args);
  }
}
