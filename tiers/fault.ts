/**
 * The rules of the fault device: what can go wrong, and with which request.
 *
 * @module
 */

import { checkInteger } from "../base/checks.ts";
import { createRandom } from "../base/random.ts";
import type { Random } from "../base/random.ts";
import { MAX_FAULTS } from "./limits.ts";

/**
 * Which requests a rule meets: one by its number, or a share of all by chance. Exactly one of the
 * two is given.
 */
export interface FaultChoice {
  /** What it meets; "read" when left out. */
  readonly op?: "read" | "write" | "flush";
  /** The number of the request among those of its `op`, from 0 on, in the order of submission. */
  readonly at?: number;
  /** The share of them, from 0 to 1. */
  readonly share?: number;
}

/**
 * The request completes with `-errno` and the device never sees it: EIO, or EAGAIN for a full
 * device.
 */
export interface ErrorFault extends FaultChoice {
  /** Which fault. */
  readonly kind: "error";
  /** The positive error number, 1 to 4,095. */
  readonly errno: number;
}

/**
 * `short`: half of the bytes are moved and the result says so; of a write, half rounded down to
 * whole blocks. `corrupt`: one byte of a read is flipped and the result does not say so.
 * `misplaced`: a read brings other blocks of the device, and the result does not say so.
 */
export interface ContentFault extends FaultChoice {
  /** Which fault. */
  readonly kind: "short" | "corrupt" | "misplaced";
}

/** The request never completes, until it is cancelled: then with -ECANCELED. */
export interface LostFault extends FaultChoice {
  /** Which fault. */
  readonly kind: "lost";
}

/** The request is done by the device and completes later than that. */
export interface LateFault extends FaultChoice {
  /** Which fault. */
  readonly kind: "late";
  /** By how much, in ns, on the device's clock. */
  readonly delayNs: number;
}

/** One rule. */
export type Fault = ErrorFault | ContentFault | LostFault | LateFault;

const KINDS: readonly string[] = ["error", "short", "corrupt", "misplaced", "lost", "late"];

/** By the number of their operation. */
const OPS: readonly string[] = ["read", "write", "flush"];

/** Kinds that change what is read: a write's bytes are the caller's, a flush has none. */
const READ_KINDS: readonly string[] = ["corrupt", "misplaced"];

/** Throws for the first rule that is none. */
export function checkFaults(what: string, faults: readonly Fault[]): void {
  checkInteger(what, "faults.length", faults.length, 0, MAX_FAULTS);
  faults.forEach((fault, i) => checkFault(what, `faults[${i}]`, fault));
}

function checkFault(what: string, name: string, fault: Fault): void {
  const { kind, op = "read", at, share } = fault;
  if (!KINDS.includes(kind)) {
    throw new TypeError(
      `${what}: ${name}.kind must be one of ${KINDS.join(", ")}: received ${kind}`,
    );
  }
  const ops = READ_KINDS.includes(kind) ? ["read"] : OPS.slice(0, kind === "short" ? 2 : 3);
  if (!ops.includes(op)) {
    throw new TypeError(
      `${what}: ${name}.op must be one of ${ops.join(", ")} for ${kind}: received ${op}`,
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

/** Decides, request by request. */
export class FaultRules {
  /** Also says which byte is corrupted, and what is read instead. */
  readonly random: Random;
  /** The rules by operation. */
  readonly #faults: readonly (readonly Fault[])[];
  /** Requests seen by operation. */
  readonly #seen: Float64Array;

  constructor(faults: readonly Fault[], seed: number) {
    this.#faults = OPS.map((name) => faults.filter(({ op = "read" }) => op === name));
    this.#seen = new Float64Array(OPS.length);
    this.random = createRandom(seed);
  }

  /** What is to happen to the next request: the first rule that meets it, or null. */
  next(op: number): Fault | null {
    if (op >= OPS.length) return null;
    const faults = this.#faults[op];
    const number = this.#seen[op]++;
    let met: Fault | null = null;
    for (let i = 0; i < faults.length; i++) {
      const { at, share } = faults[i];
      // Each share draws for each request, so that one rule's luck does not hang on another's.
      const meets = share === undefined ? at === number : this.random.unit() < share;
      if (meets && met === null) met = faults[i];
    }
    return met;
  }
}
