/**
 * The rules of the fault device: what can go wrong, and with which read.
 *
 * @module
 */

import { checkInteger } from "../base/checks.ts";
import { createRandom } from "../base/random.ts";
import type { Random } from "../base/random.ts";
import { IO_OP } from "./io.ts";
import { MAX_FAULTS } from "./limits.ts";

/**
 * Which reads a rule meets: one by its number, or a share of all by chance. Exactly one of the two
 * is given.
 */
export interface FaultChoice {
  /** The number of the read, from 0 on, in the order of submission. */
  readonly at?: number;
  /** The share of reads, from 0 to 1. */
  readonly share?: number;
}

/**
 * The read completes with `-errno` and the device never sees it: EIO, or EAGAIN for a full device.
 */
export interface ErrorFault extends FaultChoice {
  /** Which fault. */
  readonly kind: "error";
  /** The positive error number, 1 to 4,095. */
  readonly errno: number;
}

/**
 * Half of the bytes are read and the result says so; or one byte is flipped and the result does not
 * say so.
 */
export interface ContentFault extends FaultChoice {
  /** Which fault. */
  readonly kind: "short" | "corrupt";
}

/** The read never completes, until it is cancelled: then with -ECANCELED. */
export interface LostFault extends FaultChoice {
  /** Which fault. */
  readonly kind: "lost";
}

/** The read is done by the device and completes later than that. */
export interface LateFault extends FaultChoice {
  /** Which fault. */
  readonly kind: "late";
  /** By how much, in ns, on the device's clock. */
  readonly delayNs: number;
}

/** One rule. */
export type Fault = ErrorFault | ContentFault | LostFault | LateFault;

const KINDS: readonly string[] = ["error", "short", "corrupt", "lost", "late"];

/** Throws for the first rule that is none. */
export function checkFaults(what: string, faults: readonly Fault[]): void {
  checkInteger(what, "faults.length", faults.length, 0, MAX_FAULTS);
  faults.forEach((fault, i) => checkFault(what, `faults[${i}]`, fault));
}

function checkFault(what: string, name: string, fault: Fault): void {
  const { kind, at, share } = fault;
  if (!KINDS.includes(kind)) {
    throw new TypeError(
      `${what}: ${name}.kind must be one of ${KINDS.join(", ")}: received ${kind}`,
    );
  }
  if ((at === undefined) === (share === undefined)) {
    const received = at === undefined ? "neither" : "both";
    throw new TypeError(`${what}: ${name} must have one of at and share: received ${received}`);
  }
  if (at !== undefined) checkInteger(what, `${name}.at`, at, 0);
  if (share !== undefined && !(share >= 0 && share <= 1)) {
    throw new RangeError(`${what}: ${name}.share must be from 0 to 1: received ${share}`);
  }
  if (fault.kind === "error") checkInteger(what, `${name}.errno`, fault.errno, 1, 4095);
  if (fault.kind === "late") checkInteger(what, `${name}.delayNs`, fault.delayNs, 0, 2 ** 52);
}

/** Decides, read by read. */
export class FaultRules {
  /** Also says which byte is corrupted. */
  readonly random: Random;
  readonly #faults: readonly Fault[];
  #reads = 0;

  constructor(faults: readonly Fault[], seed: number) {
    this.#faults = [...faults];
    this.random = createRandom(seed);
  }

  /** What is to happen to the next request: the first rule that meets it, or null. */
  next(op: number): Fault | null {
    if (op !== IO_OP.READ) return null;
    const read = this.#reads++;
    let met: Fault | null = null;
    for (const fault of this.#faults) {
      // Each share draws for each read, so that one rule's luck does not hang on another's.
      const meets = fault.share === undefined
        ? fault.at === read
        : this.random.unit() < fault.share;
      if (meets && met === null) met = fault;
    }
    return met;
  }
}
