/**
 * x64 code that turns a group of a row's columns into fp32 values, and accumulators into output.
 *
 * @module
 */

import { type Assembler, at, type MemoryOperand, type VectorModifiers } from "./_x64_assembler.ts";
import { V, type VectorInstruction } from "./_x64_instructions.ts";
import type { Plan } from "./_x64_plan.ts";

/** Opmasks: of the last group's columns, and of its bytes of packed codes. */
export const TAIL_COLUMNS = 1;
/** See {@linkcode TAIL_COLUMNS}. */
export const TAIL_BYTES = 2;

/** 32-bit words as the bytes of a constant. */
function words(values: Iterable<number>): Uint8Array {
  return new Uint8Array(Uint32Array.from(values).buffer);
}

/** fp32 values as the bytes of a constant. */
function floats(values: Iterable<number>): Uint8Array {
  return new Uint8Array(Float32Array.from(values).buffer);
}

/** `count` values of `make`. */
function each(count: number, make: (i: number) => number): number[] {
  return Array.from({ length: count }, (_, i) => make(i));
}

/**
 * The constants that decoding needs: a mask and a factor, or shift counts and a mask or table; null
 * for none.
 *
 * AVX-512 leaves packed codes at their place in the word: one AND, whose memory operand repeats the
 * group's bytes, and one conversion give the code times 2^(4k) or 2^(2k), which is exact; a factor
 * for each lane undoes that. An fp16 scale times such a factor is exact as well (2^-54 at least),
 * so unweighted rows have the factor in their scale. Four bits: 8 bytes are repeated, so lane 2k
 * holds column k and lane 2k + 1 column 8 + k, which stores undo. (A shift and a permutation of a
 * table were 15 % slower on Zen 4, where both want the same ports.)
 */
function constantsOf(plan: Plan): [Uint8Array | null, Uint8Array | null] {
  const { lanes } = plan;
  const wide = plan.isa === "avx512";
  switch (plan.layout.codes) {
    case "u4":
      return wide
        ? [words(each(16, (i) => 15 << 4 * (i >> 1))), floats(each(16, (i) => 16 ** -(i >> 1)))]
        : [words(each(8, (i) => 4 * i)), words(each(8, () => 15))];
    case "u2":
      return wide
        ? [words(each(16, (i) => 3 << 2 * i)), floats(each(16, (i) => 4 ** -i))]
        : [words(each(8, (i) => 2 * i)), floats(each(8, (i) => i & 3))];
    case "fp8":
      return [words(each(lanes, () => 0x87f00000)), floats(each(lanes, () => 2 ** 120))];
    default:
      return [null, null];
  }
}

/** Sets up constant registers and masks; uses rax. */
export function emitConstants(a: Assembler, plan: Plan): void {
  if (plan.isa !== "avx512") return;
  constantsOf(plan).forEach((bytes, i) => {
    if (bytes === null) return;
    a.vector(V.vmovups, 512, plan.registers.constants[i], 0, a.constant(bytes));
  });
  if (plan.lastColumns === plan.lanes) return;
  a.immediate32(0, 2 ** plan.lastColumns - 1);
  a.kmovw(TAIL_COLUMNS, 0);
  if (plan.codeBits >= 8) return;
  a.immediate32(0, 2 ** Math.ceil(plan.lastColumns * plan.codeBits / 8) - 1);
  a.kmovw(TAIL_BYTES, 0);
}

/** Constant `i` as an operand: its register, or its place in memory. */
function constantOperand(a: Assembler, plan: Plan, i: 0 | 1): number | MemoryOperand {
  const register = plan.registers.constants[i];
  return register >= 0 ? register : a.constant(constantsOf(plan)[i]!);
}

/** Modifiers for a load or a store of `columns` of a vector of AVX-512. */
function columnMask(plan: Plan, columns: number, zero: boolean): VectorModifiers {
  if (columns === plan.lanes || plan.isa !== "avx512") return {};
  return zero ? { mask: TAIL_COLUMNS, zero } : { mask: TAIL_COLUMNS };
}

/** The same place, `bytes` further. */
function further(memory: MemoryOperand, bytes: number): MemoryOperand {
  return { ...memory, displacement: memory.displacement + bytes };
}

/** Loads exactly `bytes` bytes, below 16, to the start of an xmm register. */
function emitLoadBytes(a: Assembler, reg: number, memory: MemoryOperand, bytes: number): void {
  let done = 0;
  if (bytes >= 8) {
    a.vector(V.vmovq, 128, reg, 0, memory);
    done = 8;
  } else if (bytes >= 4) {
    a.vector(V.vmovd, 128, reg, 0, memory);
    done = 4;
  } else a.vector(V.vxorps, 128, reg, reg, reg);
  const insert = (instruction: VectorInstruction, width: number) => {
    if (bytes - done < width) return;
    const modifiers = { immediate: done / width };
    a.vector(instruction, 128, reg, reg, further(memory, done), modifiers);
    done += width;
  };
  if (done !== 4) insert(V.vpinsrd, 4);
  insert(V.vpinsrw, 2);
  insert(V.vpinsrb, 1);
}

/** Stores exactly `bytes` bytes, even and 16 at most, of an xmm register, which it destroys. */
function emitStoreBytes(a: Assembler, memory: MemoryOperand, reg: number, bytes: number): void {
  if (bytes === 16) return a.vector(V.vmovupsStore, 128, reg, 0, memory);
  let done = 0;
  if (bytes >= 8) {
    a.vector(V.vmovqStore, 128, reg, 0, memory);
    a.vector(V.vpsrldq, 128, 3, reg, reg, { immediate: 8 });
    done = 8;
  }
  if (bytes - done >= 4) {
    a.vector(V.vmovdStore, 128, reg, 0, further(memory, done));
    a.vector(V.vpsrldq, 128, 3, reg, reg, { immediate: 4 });
    done += 4;
  }
  if (bytes > done) a.vector(V.vpextrw, 128, reg, 0, further(memory, done), { immediate: 0 });
}

/** The group's stored bytes, where they cannot be read whole by AVX2: from a register then. */
function sourceOf(
  a: Assembler,
  plan: Plan,
  reg: number,
  memory: MemoryOperand,
  columns: number,
): number | MemoryOperand {
  if (columns === plan.lanes || plan.isa === "avx512") return memory;
  emitLoadBytes(a, reg, memory, Math.ceil(columns * plan.codeBits / 8));
  return reg;
}

/** reg = the values of `columns` columns stored at `memory`, without scale and bias. */
export function emitDecode(
  a: Assembler,
  plan: Plan,
  reg: number,
  memory: MemoryOperand,
  columns: number,
): void {
  const { bits } = plan;
  const mask = columnMask(plan, columns, true);
  const codes = plan.layout.codes;
  if (codes === "f32") return emitLoadFloats(a, plan, reg, memory, columns);
  if (codes === "u4" || codes === "u2") {
    const emit = plan.isa === "avx512" ? emitUnpackInPlace : emitUnpack;
    return emit(a, plan, reg, memory, columns);
  }
  const source = sourceOf(a, plan, reg, memory, columns);
  switch (codes) {
    case "f16":
      return a.vector(V.vcvtph2ps, bits, reg, 0, source, mask);
    case "bf16":
      a.vector(V.vpmovzxwd, bits, reg, 0, source, mask);
      return a.vector(V.vpslld, bits, 6, reg, reg, { immediate: 16 });
    case "u8":
      a.vector(V.vpmovzxbd, bits, reg, 0, source, mask);
      return a.vector(V.vcvtdq2ps, bits, reg, 0, reg);
    case "fp8":
      // Sign-extended, so that one shift and one mask keep sign, exponent, and mantissa.
      a.vector(V.vpmovsxbd, bits, reg, 0, source, mask);
      a.vector(V.vpslld, bits, 6, reg, reg, { immediate: 20 });
      a.vector(V.vpand, bits, reg, reg, constantOperand(a, plan, 0));
      return a.vector(V.vmulps, bits, reg, reg, constantOperand(a, plan, 1));
  }
}

/** reg = packed codes as fp32 values, by AVX2: repeated, shifted to each lane's code, converted. */
function emitUnpack(
  a: Assembler,
  plan: Plan,
  reg: number,
  memory: MemoryOperand,
  columns: number,
): void {
  const four = plan.layout.codes === "u4";
  const source = sourceOf(a, plan, reg, memory, columns);
  a.vector(four ? V.vpbroadcastd : V.vpbroadcastw, 256, reg, 0, source);
  a.vector(V.vpsrlvd, 256, reg, reg, constantOperand(a, plan, 0));
  if (four) {
    a.vector(V.vpand, 256, reg, reg, constantOperand(a, plan, 1));
    a.vector(V.vcvtdq2ps, 256, reg, 0, reg);
    // The permutation looks at the low three bits of an index: a table of eight needs no mask.
  } else a.vector(V.vpermps, 256, reg, reg, constantOperand(a, plan, 1));
}

/** The same by AVX-512, see {@linkcode constantsOf}; a factor in the scale is not undone here. */
function emitUnpackInPlace(
  a: Assembler,
  plan: Plan,
  reg: number,
  memory: MemoryOperand,
  columns: number,
): void {
  const [mask, factor] = plan.registers.constants;
  const four = plan.layout.codes === "u4";
  if (columns < plan.lanes) {
    a.vector(V.vmovdqu8, 128, reg, 0, memory, { mask: TAIL_BYTES, zero: true });
    a.vector(four ? V.vpbroadcastq : V.vpbroadcastd, 512, reg, 0, reg);
    a.vector(V.vpand, 512, reg, mask, reg);
  } else a.vector(four ? V.vpandq : V.vpand, 512, reg, mask, memory, { broadcast: true });
  a.vector(V.vcvtudq2ps, 512, reg, 0, reg);
  if (!plan.laneScales) a.vector(V.vmulps, 512, reg, reg, factor);
}

/** The mask of vmaskmovps for the first `columns` columns, in scratch register 1. */
function emitMask(a: Assembler, plan: Plan, columns: number): number {
  const register = plan.registers.scratch[1];
  const mask = words(each(8, (i) => i < columns ? 0xffffffff : 0));
  a.vector(V.vmovups, 256, register, 0, a.constant(mask));
  return register;
}

/** reg = `columns` fp32 values at `memory`; the rest becomes 0. */
function emitLoadFloats(
  a: Assembler,
  plan: Plan,
  reg: number,
  memory: MemoryOperand,
  columns: number,
): void {
  if (columns < plan.lanes && plan.isa === "avx2") {
    return a.vector(V.vmaskmovps, 256, reg, emitMask(a, plan, columns), memory);
  }
  a.vector(V.vmovups, plan.bits, reg, 0, memory, columnMask(plan, columns, true));
}

/** Whether accumulators hold their columns in another order; see {@linkcode constantsOf}. */
function isShuffled(plan: Plan): boolean {
  return plan.isa === "avx512" && plan.layout.codes === "u4";
}

/** reg = reg permuted: lane i takes what was in lane `from(i)`. Uses scratch register 0. */
function emitPermute(a: Assembler, plan: Plan, reg: number, from: (i: number) => number): void {
  const indices = plan.registers.scratch[0];
  a.vector(V.vmovups, 512, indices, 0, a.constant(words(each(16, from))));
  a.vector(V.vpermps, 512, reg, indices, reg);
}

/** acc = `columns` accumulators that a call before left at `memory`. */
export function emitResume(
  a: Assembler,
  plan: Plan,
  acc: number,
  memory: MemoryOperand,
  columns: number,
): void {
  emitLoadFloats(a, plan, acc, memory, columns);
  if (isShuffled(plan)) emitPermute(a, plan, acc, (i) => (i >> 1) + (i & 1) * 8);
}

/** Stores `columns` accumulators as output at `memory`; destroys the register and scratch. */
export function emitStore(
  a: Assembler,
  plan: Plan,
  acc: number,
  memory: MemoryOperand,
  columns: number,
): void {
  if (isShuffled(plan)) emitPermute(a, plan, acc, (i) => i < 8 ? 2 * i : 2 * i - 15);
  const mask = columnMask(plan, columns, false);
  const partial = columns < plan.lanes && plan.isa === "avx2";
  if (plan.output === "bf16") return emitStoreBf16(a, plan, acc, memory, columns);
  if (plan.output === "f16") {
    if (!partial) {
      return a.vector(V.vcvtps2ph, plan.bits, acc, 0, memory, { ...mask, immediate: 0 });
    }
    a.vector(V.vcvtps2ph, 256, acc, 0, plan.registers.scratch[0], { immediate: 0 });
    return emitStoreBytes(a, memory, plan.registers.scratch[0], 2 * columns);
  }
  if (partial) {
    return a.vector(V.vmaskmovpsStore, 256, acc, emitMask(a, plan, columns), memory);
  }
  a.vector(V.vmovupsStore, plan.bits, acc, 0, memory, mask);
}

/** bf16: halves go away from zero, as FBGEMM has it; vcvtneps2bf16 would round to even. */
function emitStoreBf16(
  a: Assembler,
  plan: Plan,
  acc: number,
  memory: MemoryOperand,
  columns: number,
): void {
  const { bits, lanes } = plan;
  const [upper] = plan.registers.scratch;
  a.vector(V.vpaddd, bits, acc, acc, a.constant(words(each(lanes, () => 0x8000))));
  a.vector(V.vpsrld, bits, 2, acc, acc, { immediate: 16 });
  if (plan.isa === "avx512") {
    return a.vector(V.vpmovdw, bits, acc, 0, memory, columnMask(plan, columns, false));
  }
  a.vector(V.vextracti128, 256, acc, 0, upper, { immediate: 1 });
  a.vector(V.vpackusdw, 128, acc, acc, upper);
  emitStoreBytes(a, memory, acc, 2 * columns);
}

/** scale, bias = the row's, in all lanes; `row` is the register with the row's address. */
export function emitScaleBias(a: Assembler, plan: Plan, row: number): void {
  const { bits, scaleAt } = plan;
  const { scale, bias } = plan.registers;
  if (plan.layout.scaleBias === "f32 last") {
    a.vector(V.vbroadcastss, bits, scale, 0, at(row, scaleAt));
    return a.vector(V.vbroadcastss, bits, bias, 0, at(row, scaleAt + 4));
  }
  if (bits === 256) {
    // Both halves at once: scale in the even lanes, bias in the odd ones.
    a.vector(V.vpbroadcastd, 128, scale, 0, at(row, scaleAt));
    a.vector(V.vcvtph2ps, 256, scale, 0, scale);
    a.vector(V.vmovshdup, 256, bias, 0, scale);
    return a.vector(V.vmovsldup, 256, scale, 0, scale);
  }
  // Converting 512 bits takes two operations, 128 bits one.
  a.vector(V.vpbroadcastd, 128, scale, 0, at(row, scaleAt));
  a.vector(V.vcvtph2ps, 128, scale, 0, scale);
  a.vector(V.vmovshdup, 128, bias, 0, scale);
  a.vector(V.vbroadcastss, 512, scale, 0, scale);
  a.vector(V.vbroadcastss, 512, bias, 0, bias);
  if (plan.laneScales) a.vector(V.vmulps, 512, scale, scale, plan.registers.constants[1]);
}
