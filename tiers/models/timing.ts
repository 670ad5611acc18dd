/**
 * What the simulated device asks a timing model, and the randomness that all models draw from.
 *
 * @module
 */

import { log } from "../../base/math.ts";
import type { Random } from "../../base/random.ts";
import type { FlashCounters } from "./ftl.ts";
import type { StateReader, StateWriter } from "./state.ts";

/** When things are done: the state of a drive's servers, in virtual time. */
export interface Timing {
  /**
   * Takes one well-formed request at `nowNs` and returns when it completes, in whole ns; requests
   * come in the order of time.
   */
  dueNs(op: number, offsetBytes: number, bytes: number, nowNs: number): number;
  /** Appends all that changes with time, so that `load` goes on bit for bit. */
  save(to: StateWriter): void;
  /** Takes what `save` of a model with the same profile and media has written. */
  load(from: StateReader): void;
  /** What its translation layer has done, where it has one. */
  readonly flash?: FlashCounters;
}

/**
 * Random numbers from a counter: its state is one number, so that a snapshot can hold it; about 3
 * ns a draw. The counter is mixed by the finaliser of SplitMix32, so that each 2^32 draws are a
 * permutation; what stays too regular for cards is good for jitter.
 */
export class Noise implements Random {
  #key: number;
  #drawn = 0;

  /** The same seed, a safe integer, gives the same numbers on every engine. */
  constructor(seed: number) {
    this.#key = mix((mix(seed | 0) + Math.floor(seed / 2 ** 32)) | 0);
  }

  /**
   * The next signed 32-bit integer. What models draw an operation is drawn by this: a larger number
   * or a fraction that a call gives back is an object on the heap where it is not inlined.
   */
  i32(): number {
    const n = this.#drawn++;
    const block = n < 2 ** 32 ? 0 : mix(Math.floor(n / 2 ** 32));
    return mix((Math.imul(n | 0, 0x9e3779b9) + this.#key + block) | 0);
  }

  /** The next unsigned 32-bit integer. */
  u32(): number {
    return this.i32() >>> 0;
  }

  /** The next integer in [0, `bound`); `bound` from 1 to 2^32. */
  below(bound: number): number {
    return Math.floor(this.u32() / 2 ** 32 * bound);
  }

  /** The next float in [0, 1), a multiple of 2^-32. */
  unit(): number {
    return this.u32() / 2 ** 32;
  }

  /** Appends its state. */
  save(to: StateWriter): void {
    to.number(this.#key);
    to.number(this.#drawn);
  }

  /** Goes on where the saved one was. */
  load(from: StateReader): void {
    this.#key = from.number();
    this.#drawn = from.number();
  }
}

function mix(z: number): number {
  z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
  z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
  return z ^ (z >>> 15);
}

/** ln(1 + m) in the middle of 4,096 steps of m. */
const LOGARITHMS: Float64Array = Float64Array.from(
  { length: 4096 },
  (_, i) => log(1 + (i + 0.5) / 4096),
);

/**
 * Draws from an exponential distribution of mean `meanNs`, in whole ns; one number of `random`, or
 * none for 0.
 *
 * -ln(u / 2^32), u = 2^(31 - zeros) (1 + m), from the leading zeros and the 12 bits of m: within
 * 0.00013 of the true one, and no logarithm an operation. At most 23 means.
 */
export function drawExponentialNs(random: Noise, meanNs: number): number {
  if (meanNs === 0) return 0;
  const u = random.i32();
  const zeros = Math.clz32(u);
  const mantissa = (u << zeros << 1) >>> 20;
  return Math.round(meanNs * ((zeros + 1) * Math.LN2 - LOGARITHMS[mantissa]));
}
