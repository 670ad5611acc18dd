/**
 * Clocks: the only place, with the outermost drivers, where time comes from.
 *
 * @module
 */

/** A source of time: whole ns below 2^53. */
export interface Clock {
  /** The time in ns since an arbitrary start; never decreases. */
  now(): number;
}

/**
 * Time that moves only when told: what simulations run on.
 *
 * @example
 * ```ts
 * import { VirtualClock } from "@rowtier/rowtier/tiers";
 *
 * const clock = new VirtualClock();
 * clock.advanceTo(8_900);
 * clock.advanceTo(100); // time never goes back
 * if (clock.now() !== 8_900) throw new Error("unreachable");
 * ```
 */
export class VirtualClock implements Clock {
  #nowNs = 0;

  /** The virtual time in ns; starts at 0. */
  now(): number {
    return this.#nowNs;
  }

  /**
   * Moves time forward to `ns`, rounded up to a whole ns; an earlier time changes nothing.
   *
   * @throws {RangeError} when `ns` is not below 2^53 (104 days).
   */
  advanceTo(ns: number): void {
    if (!(ns < 2 ** 53)) {
      throw new RangeError(`Cannot advance VirtualClock: ns must be below 2^53: received ${ns}`);
    }
    if (ns > this.#nowNs) this.#nowNs = Math.ceil(ns);
  }
}

/** The machine's monotonic clock; starts near 0 when the process does. */
export class RealClock implements Clock {
  /** Monotonic time in whole ns since the process started. */
  now(): number {
    return Math.round(performance.now() * 1e6);
  }
}
