/**
 * The sum of one bag of rows of 8-bit, 4-bit or 2-bit codes. Each row takes, in every column,
 *
 *     acc = fma32(s, code, fround(acc + c))
 *
 * where s = fround(scale * weight) and c = fround(bias * weight).
 *
 * The multiply-add needs care only where its fp64 sum is inexact. An fp16 scale without a weight
 * has 11 bits, and 19 with a code: the product is an fp32 value, and a sum of two of these rounds
 * once through fp64 too (53 >= 2 * 24 + 2 bits). For the others, most bags can prove that no sum is
 * inexact:
 *
 * - Each s and c so far, and each accumulator to begin with, is a multiple of its ulp, which is
 *   more than 2^-24 of its size (any fp32 value). So all are multiples of G, the smallest of these
 *   ulps, a power of two above `least` / 2^24, `least` being the smallest of their sizes, zeros
 *   left out. Codes are integers, and rounding to fp32 keeps a multiple of G one (below 2^24 G
 *   nothing is rounded, above it an ulp is at least G). So every intermediate value is a multiple
 *   of G.
 * - Each is at most `bound`, the largest accumulator plus the sum of 255 |s| + |c|, grown by
 *   {@linkcode GROWTH} a row: two roundings to fp32 add less.
 * - Multiples of G up to 2^53 G are fp64 values. So while bound <= 2^29 * least, the fp64 sum is
 *   exact, and `Math.fround` rounds once. (An accumulator that overflowed stays infinite or NaN:
 *   nothing to round.)
 *
 * The test costs a few operations a row. It fails for bags that mix scales or biases 2^20 apart,
 * and they take the loop that looks at each sum.
 *
 * Measured for dim 100 in cache, ns an element, AMD EPYC (Zen 4), Deno 2.9.6: 1.02 as below, two
 * rows a pass; 1.21 with one row a pass; 1.26 with four; 1.34 with the code converted rather than
 * looked up (the conversions are the bottleneck); 1.42 accumulating in the Float32Array; 1.32 with
 * four columns unrolled: not worth its lines. Testing each sum: 2.1 with both differences, 2.26
 * with the tie read from the low word, 4.0 with the mirror image of settleFma32.
 *
 * @module
 */

import type { BagAdder } from "./_adder.ts";
import type { CodeCall } from "./_code.ts";
import { type CodeBits, codeBytes, unpackCodes } from "./_code_bytes.ts";
import { settleFma32 } from "./fma.ts";
import { f16ToF32 } from "./half.ts";
import type { Weighting } from "./kernel.ts";
import type { RowLayout } from "./row_format.ts";

/** The codes as fp64 values: a load takes less time than a conversion. */
const CODES: Float64Array = new Float64Array(256).map((_, code) => code);
/** Above (1 + 2^-24)^2, with room for the roundings of the bound itself. */
const GROWTH: number = 1 + 2 ** -22;
/** 2^53 * 2^-24: see above. */
const EXACT_SPAN: number = 2 ** 29;
/**
 * Entries of the scratch array: [s, c] of both rows of a pass, then `bound` and `least` to begin
 * with.
 */
const TERMS = 6;

/** Where the parts of such a row are. */
export interface CodedPlaces {
  /** Bits of a code. */
  readonly bits: CodeBits;
  /** First byte of the codes. */
  readonly codesAt: number;
  /** First byte of the scale; the bias follows. */
  readonly scaleAt: number;
  /** True for fp32 scales and biases, false for fp16. */
  readonly wide: boolean;
}

/** The places in a row of `dim` codes. */
export function codedPlaces({ codes, scaleBias }: RowLayout, dim: number): CodedPlaces {
  const bits: CodeBits = codes === "u8" ? 8 : codes === "u4" ? 4 : 2;
  const first = scaleBias === "f16 first";
  return {
    bits,
    codesAt: first ? 4 : 0,
    scaleAt: first ? 0 : codeBytes(dim, bits),
    wide: scaleBias === "f32 last",
  };
}

/** Adds up rows of codes; holds 2 bytes a column where codes are packed. */
export function codedAdder(layout: RowLayout, dim: number, weighting: Weighting): BagAdder {
  const places = codedPlaces(layout, dim);
  const unpacked = new Uint8Array(places.bits === 8 ? 0 : 2 * dim);
  const terms = new Float64Array(TERMS);
  const position = weighting === "position";
  return (call, view, first, count, acc, begun) =>
    addRows(places, call, view, first, count, position ? first : 0, acc, begun, unpacked, terms);
}

/** The bag's rows that are not pruned, two a pass. Weights count from `weightsFrom`. */
function addRows(
  places: CodedPlaces,
  call: CodeCall,
  view: DataView,
  first: number,
  count: number,
  weightsFrom: number,
  acc: Float64Array,
  begun: boolean,
  unpacked: Uint8Array,
  terms: Float64Array,
): void {
  const { arena, slots, rowStride, weights } = call;
  const { bits, wide, codesAt, scaleAt } = places;
  const dim = acc.length;
  const always = !wide && weights === undefined;
  // Codes of one a byte are read where they lie, others from where they were unpacked. (A first
  // byte is a product, taken where it is used: passed on, one above 2^31 would be boxed.)
  const inPlace = bits === 8;
  const bytes = inPlace ? arena : unpacked, stride = inPlace ? rowStride : dim;
  const from = inPlace ? codesAt : 0;
  measure(acc, begun && !always ? dim : 0, terms);
  let bound = terms[4];
  let least = terms[5];
  const end = first + count;
  for (let i = first; i < end;) {
    let rows = 0, a = 0, b = 0;
    for (; i < end && rows < 2; i++) {
      const slot = slots[i];
      if (slot === -1) continue;
      const at = slot * rowStride;
      const weight = weights === undefined ? 1 : weights[i - weightsFrom];
      const s = Math.fround(termAt(view, at + scaleAt, wide) * weight);
      const c = Math.fround(termAt(view, at + scaleAt + (wide ? 4 : 2), wide) * weight);
      terms[2 * rows] = s;
      terms[2 * rows + 1] = c;
      if (!inPlace) unpackCodes(arena, at + codesAt, dim, bits, unpacked, rows * dim);
      bound = (bound + 255 * Math.abs(s) + Math.abs(c)) * GROWTH;
      if (s !== 0) least = Math.min(least, Math.abs(s));
      if (c !== 0) least = Math.min(least, Math.abs(c));
      a = b;
      b = inPlace ? slot : rows;
      rows++;
    }
    // False for NaN too. Both sides only move apart, so the second row's test covers the first row.
    const exact = always || bound <= EXACT_SPAN * least;
    if (exact && rows === 2) addTwoExact(bytes, a, b, stride, from, dim, acc, terms);
    else if (exact && rows === 1) addOneExact(bytes, b, stride, from, dim, acc, terms);
    else {
      if (rows === 2) addOne(bytes, a, stride, from, dim, acc, terms, 0);
      if (rows > 0) addOne(bytes, b, stride, from, dim, acc, terms, rows - 1);
    }
  }
}

function termAt(view: DataView, at: number, wide: boolean): number {
  return wide ? view.getFloat32(at, true) : f16ToF32(view.getUint16(at, true));
}

/** The size of the largest of the first `dim` accumulators, and of the smallest but for zeros. */
function measure(acc: Float64Array, dim: number, terms: Float64Array): void {
  let largest = 0, smallest = Infinity;
  for (let j = 0; j < dim; j++) {
    const size = Math.abs(acc[j]);
    // NaN is passed on: it fails the test.
    largest = Math.max(largest, size);
    if (size !== 0) smallest = Math.min(smallest, size);
  }
  terms[4] = largest;
  terms[5] = smallest;
}

function addTwoExact(
  bytes: Uint8Array,
  slotA: number,
  slotB: number,
  stride: number,
  from: number,
  dim: number,
  acc: Float64Array,
  terms: Float64Array,
): void {
  const a = slotA * stride + from, b = slotB * stride + from;
  const s0 = terms[0], c0 = terms[1], s1 = terms[2], c1 = terms[3];
  for (let j = 0; j < dim; j++) {
    const one = Math.fround(s0 * CODES[bytes[a + j]] + Math.fround(acc[j] + c0));
    acc[j] = Math.fround(s1 * CODES[bytes[b + j]] + Math.fround(one + c1));
  }
}

function addOneExact(
  bytes: Uint8Array,
  slot: number,
  stride: number,
  from: number,
  dim: number,
  acc: Float64Array,
  terms: Float64Array,
): void {
  const at = slot * stride + from;
  const s = terms[0], c = terms[1];
  for (let j = 0; j < dim; j++) {
    acc[j] = Math.fround(s * CODES[bytes[at + j]] + Math.fround(acc[j] + c));
  }
}

/** Row `k` of the pass with the test of {@linkcode fma32} written out. */
function addOne(
  bytes: Uint8Array,
  slot: number,
  stride: number,
  from: number,
  dim: number,
  acc: Float64Array,
  terms: Float64Array,
  k: number,
): void {
  const at = slot * stride + from;
  const s = terms[2 * k], c = terms[2 * k + 1];
  for (let j = 0; j < dim; j++) {
    const p = s * CODES[bytes[at + j]];
    const t = Math.fround(acc[j] + c);
    const y = p + t;
    acc[j] = Math.fround(y);
    if (y - p !== t || y - t !== p) acc[j] = settleFma32(p, t, y);
  }
}
