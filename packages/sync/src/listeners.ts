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
