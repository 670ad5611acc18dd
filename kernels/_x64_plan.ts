/**
 * What generated x64 code looks like for a spec: how its columns are split over registers, and
 * which register holds what.
 *
 * @module
 */

import type { VectorBits } from "./_x64_assembler.ts";
import type { KernelSpec } from "./kernel.ts";
import type { RowLayout } from "./row_format.ts";

/** The instruction sets there is code for: AVX2 with FMA and F16C; AVX-512 F, BW, DQ, VL. */
export type Isa = "avx2" | "avx512";

/** Bits of a stored value. */
const CODE_BITS: Readonly<Record<RowLayout["codes"], number>> = {
  f32: 32,
  f16: 16,
  bf16: 16,
  fp8: 8,
  u8: 8,
  u4: 4,
  u2: 2,
};

/** Vector registers by what they hold. */
export interface VectorRegisters {
  /** Accumulators begin at 0; how many a panel may have. */
  readonly accumulators: number;
  /** Two for a group's values on their way. */
  readonly scratch: readonly [number, number];
  /** The row's scale, times its weight. */
  readonly scale: number;
  /** The row's bias, times its weight. */
  readonly bias: number;
  /** The row's weight. */
  readonly weight: number;
  /** Fast numerics: the sum of the biases. */
  readonly biasSum: number;
  /** Constants of the decoding, AVX-512 alone: -1 where they are read from memory. */
  readonly constants: readonly [number, number];
}

/** The split of a spec over registers and walks. */
export interface Plan {
  readonly layout: RowLayout;
  readonly dim: number;
  readonly max: boolean;
  readonly mean: boolean;
  readonly weighting: KernelSpec["weighting"];
  readonly output: KernelSpec["output"];
  readonly pruned: boolean;
  /** Biases are summed apart. */
  readonly fast: boolean;
  /** True: accumulators start from what the output holds. */
  readonly resume: boolean;
  readonly isa: Isa;
  readonly bits: VectorBits;
  /** Columns of a vector, a group. */
  readonly lanes: number;
  /** Groups of the whole panels, which come first. */
  readonly panelGroups: number;
  /** Whole panels; each is a walk over the bag's rows. */
  readonly panels: number;
  /** Groups of the last panel. */
  readonly lastGroups: number;
  /** Columns of the very last group. */
  readonly lastColumns: number;
  /** Narrow sums of coded rows: two bags at a time, where rows are near. */
  readonly pairs: boolean;
  /** Bits of a stored value. */
  readonly codeBits: number;
  /**
   * The scale register has another power of two in each lane, to go with codes left where they are.
   */
  readonly laneScales: boolean;
  /** Bytes from the row's start to its codes, and to its scale. */
  readonly codesAt: number;
  readonly scaleAt: number;
  readonly rowBytes: number;
  readonly registers: VectorRegisters;
}

const AVX512: VectorRegisters = {
  accumulators: 24,
  scratch: [24, 25],
  scale: 26,
  bias: 27,
  weight: 28,
  biasSum: 31,
  constants: [29, 30],
};

const AVX2: VectorRegisters = {
  accumulators: 10,
  scratch: [10, 11],
  scale: 12,
  bias: 13,
  weight: 14,
  biasSum: 15,
  constants: [-1, -1],
};

/**
 * Most groups of a bag that shares its walk with another. Each row adds to every accumulator twice,
 * one addition waiting for the other: with few accumulators the processor waits as well, and a
 * second bag's rows fill the gaps.
 */
const PAIR_GROUPS = 4;

/** Bytes of a layout's scale and bias. */
function scaleBiasBytes({ scaleBias }: RowLayout): number {
  return scaleBias === "none" ? 0 : scaleBias === "f32 last" ? 8 : 4;
}

/** The plan for a spec whose format has the layout `layout`. */
export function planFor(spec: KernelSpec, layout: RowLayout, isa: Isa, resume: boolean): Plan {
  const { dim, pooling, weighting, pruned } = spec;
  const registers = isa === "avx512" ? AVX512 : AVX2;
  const lanes = isa === "avx512" ? 16 : 8;
  const groups = Math.ceil(dim / lanes);
  const walks = Math.ceil(groups / registers.accumulators);
  const panelGroups = Math.ceil(groups / walks);
  const panels = Math.ceil(groups / panelGroups) - 1;
  const codeBits = CODE_BITS[layout.codes];
  const codeBytes = Math.ceil(dim * codeBits / 8);
  const first = layout.scaleBias === "f16 first";
  const packed = codeBits < 8 && isa === "avx512";
  // Going on with a bag is always exact: it must not matter where the bag was split.
  const fast = spec.numerics === "fast" && !resume && pooling !== "max" &&
    layout.scaleBias !== "none";
  return {
    layout,
    dim,
    max: pooling === "max",
    mean: pooling === "mean" && !resume,
    weighting,
    output: resume ? "f32" : spec.output,
    pruned,
    fast,
    resume,
    isa,
    bits: isa === "avx512" ? 512 : 256,
    lanes,
    panelGroups,
    panels,
    lastGroups: groups - panels * panelGroups,
    lastColumns: dim - (groups - 1) * lanes,
    pairs: layout.scaleBias !== "none" && !fast && !resume && !pruned && pooling !== "max" &&
      weighting !== "position" &&
      groups <= PAIR_GROUPS,
    codeBits,
    laneScales: packed && weighting === "none",
    codesAt: first ? 4 : 0,
    scaleAt: first ? 0 : codeBytes,
    rowBytes: codeBytes + scaleBiasBytes(layout),
    registers,
  };
}
