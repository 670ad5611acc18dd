/**
 * Decimal numbers of up to 64 bits out of bytes, without strings and without BigInt.
 *
 * @module
 */

const ZERO = 48;
/** A double holds any number of so many digits. */
const EXACT_DIGITS = 15;
const BILLION = 1e9;

/** Where {@linkcode parseDecimal} leaves its result: the lower and the upper 32 bits. */
export const DECIMAL: Uint32Array = new Uint32Array(2);

/**
 * Parses `bytes[start, end)` into {@linkcode DECIMAL}; false when it is not decimal digits alone,
 * or 2^64 and more.
 */
export function parseDecimal(bytes: Uint8Array, start: number, end: number): boolean {
  if (start >= end) return false;
  while (start < end - 1 && bytes[start] === ZERO) start++;
  if (end - start > EXACT_DIGITS) return parseLong(bytes, start, end);
  const value = parseExact(bytes, start, end);
  if (value < 0) return false;
  DECIMAL[0] = value;
  DECIMAL[1] = value < 2 ** 32 ? 0 : Math.floor(value / 2 ** 32);
  return true;
}

/** The value of at most 15 digits, or -1. */
function parseExact(bytes: Uint8Array, start: number, end: number): number {
  let value = 0;
  for (let i = start; i < end; i++) {
    const digit = bytes[i] - ZERO;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}

/** 16 to 20 digits: the upper ones times 10^9, in halves whose products are below 2^53. */
function parseLong(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start > 20) return false;
  const upper = parseExact(bytes, start, end - 9);
  const lower = parseExact(bytes, end - 9, end);
  if (upper < 0 || lower < 0) return false;
  // Divisions by powers of two and Math.floor: the remainder of doubles is ten times as slow.
  const top = Math.floor(upper / 2 ** 17);
  const below = (upper - top * 2 ** 17) * BILLION + lower;
  const above = top * BILLION;
  // above * 2^17 + below, the first shifted into place on either side of 2^32.
  const aboveHigh = Math.floor(above / 2 ** 15);
  const belowHigh = Math.floor(below / 2 ** 32);
  const low = (above - aboveHigh * 2 ** 15) * 2 ** 17 + (below - belowHigh * 2 ** 32);
  const carry = low >= 2 ** 32 ? 1 : 0;
  const high = aboveHigh + belowHigh + carry;
  if (high >= 2 ** 32) return false;
  DECIMAL[0] = low - carry * 2 ** 32;
  DECIMAL[1] = high;
  return true;
}
