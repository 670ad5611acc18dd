/**
 * Code for roundings that WebAssembly has no instruction for: the fused multiply-add of fp32, and
 * fp32 to fp16 and bf16.
 *
 * @module
 */

import type { CodeWriter } from "./_wasm_assembler.ts";
import type { OutputType } from "./kernel.ts";

/** The v128 locals that {@linkcode writeFma} needs. */
export const FMA_LOCALS = ["a", "b", "c", "p", "addend", "y", "e"] as const;

const ONES64 = [1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0];
const UPPER_HALF = Array.from({ length: 16 }, (_, i) => i + 8);
const JOIN_HALVES = Array.from({ length: 16 }, (_, i) => i < 8 ? i : i + 8);
/** 0.5 as fp32. */
const HALF = 0x3f000000;

/**
 * Pops a, b and c and pushes a * b + c with one rounding, out of fp64: the sum rounded to odd
 * (Boldo, Melquiond 2008), then to fp32. The fp64 sum is made odd by one step towards the exact sum
 * where it is even and inexact; its error is what TwoSum gives. Written in place, as for the call
 * of a function every accumulator is stored and loaded again (134 ns a row instead of 104).
 */
export function writeFma(
  code: CodeWriter,
  local: Record<(typeof FMA_LOCALS)[number], number>,
): void {
  const { a, b, c, p, addend, y, e } = local;
  code.set(c).set(b).set(a);
  for (const half of [0, 1]) {
    for (const operand of [a, b, c]) {
      code.get(operand);
      if (half === 1) code.get(operand).shuffle(UPPER_HALF);
      code.op("f64x2.promote_low_f32x4");
      if (operand === b) code.op("f64x2.mul").set(p);
    }
    code.tee(addend).get(p).op("f64x2.add").set(y);
    // e = (p - (y - z)) + (addend - z), z = y - p.
    code.get(y, p).op("f64x2.sub").set(e);
    code.get(p, y, e).op("f64x2.sub", "f64x2.sub");
    code.get(addend, e).op("f64x2.sub", "f64x2.add").set(e);
    // One up in the bits is away from zero: right where the error has the sum's sign.
    code.get(e, y).op("v128.xor").i32(63).op("i64x2.shr_s").constant(ONES64).op("v128.or");
    // Both comparisons are false for NaN: sums that are infinite or NaN stay.
    code.get(e).constant32(0).op("f64x2.lt").get(e).constant32(0).op("f64x2.gt", "v128.or");
    code.op("v128.and").get(y).constant(ONES64).op("v128.and").constant(ONES64);
    code.op("i64x2.sub", "v128.and").get(y).op("i64x2.add", "f32x4.demote_f64x2_zero");
  }
  code.shuffle(JOIN_HALVES);
}

/**
 * Turns the four fp32 values of local `values` into four halves, in its lower half. `abs` and `x`
 * are v128 scratch.
 */
export function writeNarrow(
  code: CodeWriter,
  output: Exclude<OutputType, "f32">,
  values: number,
  abs: number,
  x: number,
): void {
  if (output === "f16") writeF16(code, values, abs, x);
  // Halves away from zero, as the original's code does.
  else code.get(values).i32x4(0x8000).op("i32x4.add").i32(16).op("i32x4.shr_u");
  code.tee(values).get(values).op("i16x8.narrow_i32x4_u").set(values);
}

/** Pushes the fp16 patterns, rounded to nearest even, one in each 32-bit lane. */
function writeF16(code: CodeWriter, values: number, abs: number, x: number): void {
  code.get(values).i32x4(0x7fffffff).op("v128.and").set(abs);
  // Below 2^-14: 0.5 has the ulp of an fp16 subnormal, so that the addition rounds as due.
  code.get(abs).i32x4(HALF).op("f32x4.add").i32x4(HALF).op("i32x4.sub");
  // Else: half an ulp less one, one more if odd, and the other bias. Too large is infinity.
  code.get(abs).i32(13).op("i32x4.shr_u").i32x4(1).op("v128.and").get(abs).op("i32x4.add");
  code.i32x4(0xfff - (112 << 23)).op("i32x4.add").i32(13).op("i32x4.shr_u");
  code.i32x4(0x7c00).op("i32x4.min_u");
  code.get(abs).i32x4(0x38800000).op("i32x4.lt_u", "v128.bitselect").set(x);
  // NaN: quiet, and a part of the payload.
  code.get(abs).i32(13).op("i32x4.shr_u").i32x4(0x3ff).op("v128.and").i32x4(0x7e00).op("v128.or");
  code.get(x, abs).i32x4(0x7f800000).op("i32x4.gt_u", "v128.bitselect");
  code.get(values).i32(16).op("i32x4.shr_u").i32x4(0x8000).op("v128.and", "v128.or");
}
