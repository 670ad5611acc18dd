/**
 * The scalar kernel: plain TypeScript, here on every engine, and the specification of every other
 * kernel. It computes what the SIMD embedding-bag code of FBGEMM 1.4.0 does, bit for bit.
 *
 * @module
 */

import type { BagAdder } from "./_adder.ts";
import type { CodeCall, KernelCode } from "./_code.ts";
import { codedAdder } from "./_coded_bag.ts";
import { maxAdder, valueAdder } from "./_value_bag.ts";
import { f32ToBf16, f32ToF16 } from "./half.ts";
import type { KernelSpec, KernelTarget, OutputType } from "./kernel.ts";

/**
 * The code behind target "scalar", for a spec that was checked. It holds 8 to 12 bytes a column of
 * scratch and a view of the arena of its last call (none after it is disposed); a call on that
 * arena allocates nothing. "Fast" numerics are the exact ones.
 */
export function createScalarCode(spec: KernelSpec): KernelCode {
  return new ScalarCode(spec);
}

/** Rows of integer codes are added without being decoded. */
function adderFor({ format, dim, pooling, weighting }: KernelSpec): BagAdder {
  if (pooling === "max") return maxAdder(format, dim);
  const { layout } = format;
  return layout === undefined || layout.scaleBias === "none"
    ? valueAdder(format, dim, weighting)
    : codedAdder(layout, dim, weighting);
}

class ScalarCode implements KernelCode {
  readonly target: KernelTarget = "scalar";
  readonly #add: BagAdder;
  readonly #least: number;
  readonly #mean: boolean;
  readonly #output: OutputType;
  readonly #acc: Float64Array;
  #view: DataView = new DataView(new ArrayBuffer(0));

  constructor(spec: KernelSpec) {
    this.#add = adderFor(spec);
    this.#least = spec.pruned ? -1 : 0;
    this.#mean = spec.pooling === "mean";
    this.#output = spec.output;
    this.#acc = new Float64Array(spec.dim);
  }

  pool(call: CodeCall, output: Float32Array | Uint16Array): number {
    const acc = this.#acc, view = this.#look(call.arena), dim = acc.length;
    let first = 0;
    for (let bag = 0; bag < call.bagCount; bag++) {
      const count = bagLength(call, bag);
      const bad = firstBad(call, first, count, this.#least);
      if (bad >= 0) return bad;
      acc.fill(0);
      this.#add(call, view, first, count, acc, false);
      store(acc, 0, dim, this.#mean ? count : 0, this.#output, output, bag * dim);
      first += count;
    }
    return first === call.slotCount ? -1 : first;
  }

  accumulate(call: CodeCall, accumulators: Float32Array): number {
    const acc = this.#acc, view = this.#look(call.arena), dim = acc.length;
    let first = 0;
    for (let bag = 0; bag < call.bagCount; bag++) {
      const count = bagLength(call, bag);
      const bad = firstBad(call, first, count, this.#least);
      if (bad >= 0) return bad;
      for (let j = 0; j < dim; j++) acc[j] = accumulators[bag * dim + j];
      this.#add(call, view, first, count, acc, true);
      for (let j = 0; j < dim; j++) accumulators[bag * dim + j] = acc[j];
      first += count;
    }
    return first === call.slotCount ? -1 : first;
  }

  [Symbol.dispose](): void {
    this.#view = new DataView(new ArrayBuffer(0));
  }

  /**
   * A view costs about 100 ns to make, as much as a row: it is kept while calls come with the same
   * arena.
   */
  #look(arena: Uint8Array): DataView {
    const { buffer, byteOffset, byteLength } = arena;
    const view = this.#view;
    if (
      view.buffer !== buffer || view.byteOffset !== byteOffset || view.byteLength !== byteLength
    ) {
      this.#view = new DataView(buffer, byteOffset, byteLength);
    }
    return this.#view;
  }
}

/** Modulo 2^32, so that offsets that fall are an overrun and not a negative length. */
function bagLength({ offsets }: CodeCall, bag: number): number {
  return (offsets[bag + 1] - offsets[bag]) >>> 0;
}

/**
 * What is wrong with the bag of `count` slots from `first` on: the slot count where it runs past
 * it, else the first position whose slot is not in [least, rowCount), or -1.
 */
function firstBad(
  { slots, slotCount, rowCount }: CodeCall,
  first: number,
  count: number,
  least: number,
): number {
  if (count > slotCount - first) return slotCount;
  for (let i = first; i < first + count; i++) {
    if (slots[i] < least || slots[i] >= rowCount) return i;
  }
  return -1;
}

/**
 * Ends a bag: the `dim` values at `acc[from]`, divided by `length` unless it is 0, rounded to fp32,
 * then to `type`. The mean is a multiplication by the rounded inverse, as in the original; by 1 it
 * changes no bit. (The length is passed and not the inverse: a call with a fraction boxes it.)
 */
export function store(
  acc: Float64Array | Float32Array,
  from: number,
  dim: number,
  length: number,
  type: OutputType,
  output: Float32Array | Uint16Array,
  at: number,
): void {
  const factor = length > 0 ? Math.fround(1 / length) : 1;
  if (type === "f32") {
    for (let j = 0; j < dim; j++) output[at + j] = acc[from + j] * factor;
  } else if (type === "f16") {
    for (let j = 0; j < dim; j++) output[at + j] = f32ToF16(acc[from + j] * factor);
  } else {
    for (let j = 0; j < dim; j++) output[at + j] = f32ToBf16(acc[from + j] * factor);
  }
}
