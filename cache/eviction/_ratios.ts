/**
 * Checks of shares.
 *
 * @module
 */

/** Throws a RangeError unless `value` is a number in [0, 1]; returns it. */
export function checkRatio(what: string, name: string, value: number): number {
  if (!(value >= 0 && value <= 1)) {
    throw new RangeError(`${what}: ${name} must be in [0, 1]: received ${value}`);
  }
  return value;
}
