/**
 * Logarithm and exponential with the same bits on every engine. `Math.log` and `Math.exp` may
 * differ in the last bit from one engine to the next (ECMA-262 leaves their precision open), and a
 * simulation would then run differently. Only + - * / on doubles here, which IEEE 754 fixes, each
 * in one written order.
 *
 * @module
 */

/** ln 2 in two parts: the first has 32 bits, so that its product with an exponent is exact. */
const LN2_HIGH = 2977044471 / 2 ** 32;
const LN2_LOW = 1.9082149292705877e-10;
const INVERSE_LN2 = 1.4426950408889634;

/** exp is Infinity above this, and 0 below the other: beyond half of the smallest double. */
const EXP_MAXIMUM = 709.782712893384;
const EXP_MINIMUM = -745.1332191019412;

/** 1/14!, ..., 1/2!: the series of e^r to where it is below 2^-57 for |r| <= ln 2 / 2. */
const EXP_SERIES: Float64Array = Float64Array.from({ length: 13 }, (_, i) => 1 / factorial(14 - i));

/** 2/23, ..., 2/3: the series of 2 atanh(s) / s - 2 in s^2, to where it is below 2^-57. */
const LOG_SERIES: Float64Array = Float64Array.from({ length: 11 }, (_, i) => 2 / (23 - 2 * i));

const DOUBLE = new Float64Array(1);
const WORDS = new Uint32Array(DOUBLE.buffer);
/** Where the sign and the exponent stand: found out, as engines run on either byte order. */
const HIGH = findHighWord();

/**
 * The natural logarithm of `x`, within 1 ulp of the true one in all that was tried. -Infinity for
 * 0, NaN below.
 *
 * With x = 2^k m and m in [sqrt 1/2, sqrt 2), s = f / (2 + f) and f = m - 1: log m = 2 atanh s, and
 * since 2 s = f - s f, the part that f gives is exact and only a small correction is rounded.
 */
export function log(x: number): number {
  if (!(x > 0) || x === Infinity) return x === 0 ? -Infinity : x > 0 ? Infinity : NaN;
  let k = 0;
  if (x < 2 ** -1022) { // without its leading one: make it a normal number
    x *= 2 ** 54;
    k = -54;
  }
  DOUBLE[0] = x;
  const high = WORDS[HIGH];
  k += (high >>> 20) - 1023;
  WORDS[HIGH] = (high & 0xfffff) | 0x3ff00000;
  let m = DOUBLE[0];
  if (m > Math.SQRT2) {
    m *= 0.5;
    k++;
  }
  const f = m - 1;
  const s = f / (2 + f);
  const z = s * s;
  let series = 0;
  for (let i = 0; i < LOG_SERIES.length; i++) series = series * z + LOG_SERIES[i];
  const low = k * LN2_LOW - s * (f - z * series);
  return k * LN2_HIGH + (f + low);
}

/**
 * e to the power `x`, within 1 ulp of the true one in all that was tried where the result is a
 * normal number.
 *
 * With k = round(x / ln 2) and r = x - k ln 2: the Taylor series of e^r, times 2^k.
 */
export function exp(x: number): number {
  if (!(x <= EXP_MAXIMUM)) return x > 0 ? Infinity : NaN;
  if (x < EXP_MINIMUM) return 0;
  const k = Math.floor(x * INVERSE_LN2 + 0.5);
  const high = x - k * LN2_HIGH;
  const r = high - k * LN2_LOW;
  // What the subtraction rounded away, put back where the series is still small.
  const lost = (high - r) - k * LN2_LOW;
  let series = 0;
  for (let i = 0; i < EXP_SERIES.length; i++) series = series * r + EXP_SERIES[i];
  const power = 1 + (r + (series * r * r + lost));
  // In two steps, as 2^k alone need not be a normal number.
  const half = k >> 1;
  return power * powerOfTwo(half) * powerOfTwo(k - half);
}

function powerOfTwo(k: number): number {
  WORDS[HIGH] = (k + 1023) << 20;
  WORDS[1 - HIGH] = 0;
  return DOUBLE[0];
}

function factorial(n: number): number {
  return n < 2 ? 1 : n * factorial(n - 1);
}

function findHighWord(): number {
  DOUBLE[0] = 1;
  return WORDS[1] !== 0 ? 1 : 0;
}
