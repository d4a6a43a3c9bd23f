/** Runs an action once after a burst of calls, and now and then during one that does not end. */

export interface Debounced {
  (): void;
  /** Forget a run that is due. */
  cancel(): void;
}

/** `action` runs `quietMs` after the last call, but not later than `waitMsMax` after the first. */
export function debounce(action: () => void, quietMs: number, waitMsMax: number): Debounced {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let firstMs: number | null = null;

  function run(): void {
    firstMs = null;
    action();
  }

  function call(): void {
    const now = Date.now();
    firstMs ??= now;
    clearTimeout(timer);
    timer = setTimeout(run, Math.max(0, Math.min(quietMs, firstMs + waitMsMax - now)));
  }

  function cancel(): void {
    clearTimeout(timer);
    firstMs = null;
  }

  return Object.assign(call, { cancel });
}
