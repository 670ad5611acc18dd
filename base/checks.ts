/**
 * Checks of options, in one grammar: "Cannot VERB THING: NAME must be ...: received VALUE".
 *
 * @module
 */

/** Throws a RangeError unless `value` is an integer in [`minimum`, `maximum`]; returns it. */
export function checkInteger(
  what: string,
  name: string,
  value: number,
  minimum: number,
  maximum: number = Number.MAX_SAFE_INTEGER,
): number {
  if (!Number.isInteger(value) || value < minimum || value > maximum) {
    const upper = maximum === Number.MAX_SAFE_INTEGER ? "" : ` and at most ${maximum}`;
    throw new RangeError(
      `${what}: ${name} must be an integer of at least ${minimum}${upper}: received ${value}`,
    );
  }
  return value;
}
