/**
 * Checks that the sources of this folder share.
 *
 * @module
 */

import { checkInteger } from "../../base/checks.ts";

/** Most keys of any source: all that 32 bits can name. */
export const MAX_KEYS: number = 2 ** 32;

/** Throws a RangeError unless [`start`, `end`) lies within `length` places. */
export function checkRange(start: number, end: number, length: number): void {
  const what = "Cannot fill array";
  checkInteger(what, "end", end, 0, length);
  checkInteger(what, "start", start, 0, end);
}

/** Throws a RangeError unless `value` is a finite number of at least `minimum`; returns it. */
export function checkAtLeast(what: string, name: string, value: number, minimum: number): number {
  if (!(value >= minimum && value < Infinity)) {
    throw new RangeError(
      `${what}: ${name} must be a finite number of at least ${minimum}: received ${value}`,
    );
  }
  return value;
}

/** Throws a RangeError unless `value` is a number from 0 to 1; returns it. */
export function checkShare(what: string, name: string, value: number): number {
  if (!(value >= 0 && value <= 1)) {
    throw new RangeError(`${what}: ${name} must be a number from 0 to 1: received ${value}`);
  }
  return value;
}
