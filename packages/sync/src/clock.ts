/** Time as a parameter, so that tests decide what time it is. */

export type Cancel = () => void;

export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number;
  /** Call `action` once after `delayMs`, unless cancelled before. */
  after(delayMs: number, action: () => void): Cancel;
}

/** A number in [0, 1), like `Math.random`. */
export type Random = () => number;
