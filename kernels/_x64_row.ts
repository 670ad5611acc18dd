/**
 * x64 code for one row of a bag: its address, and its columns on top of the accumulators; and what
 * general registers hold meanwhile.
 *
 * @module
 */

import { type Assembler, at, CONDITION, GENERAL, type MemoryOperand } from "./_x64_assembler.ts";
import { emitDecode, emitScaleBias } from "./_x64_decode.ts";
import { V } from "./_x64_instructions.ts";
import type { Plan } from "./_x64_plan.ts";

const { rax, rcx, rdx, rbx, rbp, rsi, r8, r9, r10, r11, r12, r13, r14, r15 } = GENERAL;

// What general registers hold during the walk; rax and rdi are free.
export const OFFSETS = rcx;
export const SLOT = rsi;
export const BAG_END = rdx;
export const SLOTS_END = rbx;
export const BAGS_LEFT = rbp;
export const ARENA = r8;
export const STRIDE = r9;
export const ROWS = r10;
export const OUTPUT = r11;
/** What a slot's address is from its weight's. */
export const WEIGHTS = r12;
export const AHEAD = r13;
export const BAG = r14;
/** Bytes from the row's first code to the panel's. */
export const PANEL = r15;

/** One walk over the rows of a bag. */
export interface Panel {
  /** Groups of columns: accumulators. */
  readonly groups: number;
  /** Columns of its last group. */
  readonly lastColumns: number;
  /** Its first group; in a loop of panels, of the loop's first panel. */
  readonly first: number;
  /** It is the body of a loop, register PANEL says which. */
  readonly looped: boolean;
}

/** reg = zeros; the short form zeros all of the wide register. */
export function emitZero(a: Assembler, reg: number): void {
  if (reg < 16) a.vector(V.vxorps, 128, reg, reg, reg);
  else a.vector(V.vpxord, 512, reg, reg, reg);
}

/** row = the address of the row whose slot is at `slot`; jumps to `odd` where that is no row. */
export function emitRowAddress(a: Assembler, odd: number, row: number, slot: number): void {
  a.move32(row, at(slot));
  a.alu32("compare", row, ROWS);
  a.jumpIf(CONDITION.notBelow, odd);
  a.multiply(row, STRIDE);
  a.alu("add", row, ARENA);
}

/** Columns of group `i` of a panel. */
export function columnsOf(plan: Plan, panel: Panel, i: number): number {
  return i === panel.groups - 1 ? panel.lastColumns : plan.lanes;
}

/** Which row, and where it goes. */
export interface RowPlace {
  /** Registers with the addresses of the row and of its slot. */
  readonly row: number;
  readonly slot: number;
  /** The first accumulator. */
  readonly acc: number;
  /** Pooling "max" alone: accumulators are set, whatever they hold. */
  readonly first: boolean;
  /**
   * Whether the row may come late from memory: then its scale and bias are loaded once, as dozens
   * of instructions that wait for one line are tried again and again. Dim 256, uniform over 2 GiB:
   * 64 ns a row so, 79 reading them in place.
   */
  readonly far: boolean;
}

/** A bag's next row, the usual way. */
export const NEXT_ROW: RowPlace = { row: rax, slot: SLOT, acc: 0, first: false, far: false };

/** Adds a row to the accumulators, or takes the maxima. */
export function emitRow(a: Assembler, plan: Plan, panel: Panel, place: RowPlace): void {
  const { row, slot, acc, first } = place;
  const { bits, registers } = plan;
  const coded = plan.layout.scaleBias !== "none";
  const broadcast = readsInPlace(plan) && !place.far;
  if (coded && !broadcast) emitScaleBias(a, plan, row);
  if (plan.weighting !== "none") {
    const { weight } = registers;
    a.vector(V.vbroadcastss, bits, weight, 0, at(slot, 0, WEIGHTS));
    for (const factor of coded ? [registers.scale, registers.bias] : []) {
      a.vector(V.vmulps, bits, factor, factor, weight);
    }
  }
  const scale = broadcast ? at(row, plan.scaleAt) : registers.scale;
  const bias = broadcast ? at(row, plan.scaleAt + 4) : registers.bias;
  if (plan.fast) {
    a.vector(V.vaddps, bits, registers.biasSum, registers.biasSum, bias, { broadcast });
  }
  for (let i = 0; i < panel.groups; i++) {
    const bytes = plan.codesAt + (panel.first + i) * plan.lanes * plan.codeBits / 8;
    const codes = panel.looped ? at(row, bytes, PANEL) : at(row, bytes);
    const columns = columnsOf(plan, panel, i);
    if (plan.max) emitMax(a, plan, acc + i, first, { codes, columns });
    else emitAdd(a, plan, acc + i, { codes, columns, scale, bias });
  }
}

/** A group of a row's columns. */
interface Group {
  readonly codes: MemoryOperand;
  readonly columns: number;
}

/** The same with the row's scale and bias: registers, or fp32 values in memory. */
interface ScaledGroup extends Group {
  readonly scale: number | MemoryOperand;
  readonly bias: number | MemoryOperand;
}

/**
 * Whether scale and bias are read where they lie, by the instructions that use them: dim 64 takes
 * 8 % less time so than with a broadcast load of each (Zen 4, whose loads of 512 bits are one a
 * cycle).
 */
function readsInPlace(plan: Plan): boolean {
  const { isa, layout, weighting, max } = plan;
  return isa === "avx512" && layout.scaleBias === "f32 last" && weighting === "none" && !max;
}

/** acc = fma(scale, code, acc + bias) for coded rows; acc + value or fma(weight, value, acc). */
function emitAdd(
  a: Assembler,
  plan: Plan,
  acc: number,
  { codes, columns, scale, bias }: ScaledGroup,
): void {
  const { bits, registers, layout } = plan;
  const scratch = registers.scratch[acc & 1];
  const direct = layout.codes === "f32" && columns === plan.lanes;
  const value = direct ? codes : scratch;
  if (!direct) emitDecode(a, plan, scratch, codes, columns);
  if (layout.scaleBias !== "none") {
    const broadcast = typeof scale !== "number";
    if (!plan.fast) a.vector(V.vaddps, bits, acc, acc, bias, { broadcast });
    a.vector(V.vfmadd231ps, bits, acc, scratch, scale, { broadcast });
  } else if (plan.weighting === "none") a.vector(V.vaddps, bits, acc, acc, value);
  else a.vector(V.vfmadd231ps, bits, acc, registers.weight, value);
}

/** acc = acc > value ? acc : value, which is vmaxps down to NaN and zeros. */
function emitMax(
  a: Assembler,
  plan: Plan,
  acc: number,
  first: boolean,
  { codes, columns }: Group,
): void {
  const { bits, registers, layout } = plan;
  const value = first ? acc : registers.scratch[acc & 1];
  emitDecode(a, plan, value, codes, columns);
  if (layout.scaleBias !== "none") {
    a.vector(V.vfmadd213ps, bits, value, registers.scale, registers.bias);
  }
  if (!first) a.vector(V.vmaxps, bits, acc, acc, value);
}

/**
 * Multiplies `groups` accumulators by the rounded inverse of a bag's length, rax being four times
 * that; an empty bag stays as it is.
 */
export function emitMean(a: Assembler, plan: Plan, acc: number, groups: number): void {
  const empty = a.label();
  const [count, factor] = plan.registers.scratch;
  a.shiftRight(rax, 2);
  a.jumpIf(CONDITION.equal, empty);
  // In fp64, where the count is exact; the quotient rounded twice is the rounded one.
  emitZero(a, count);
  a.vector(V.vcvtsi2sd, 128, count, count, rax);
  a.vector(V.vmovsd, 128, factor, 0, a.constant(new Uint8Array(new Float64Array([1]).buffer)));
  a.vector(V.vdivsd, 128, factor, factor, count);
  a.vector(V.vcvtsd2ss, 128, factor, factor, factor);
  a.vector(V.vbroadcastss, plan.bits, factor, 0, factor);
  for (let i = acc; i < acc + groups; i++) a.vector(V.vmulps, plan.bits, i, i, factor);
  a.place(empty);
}
