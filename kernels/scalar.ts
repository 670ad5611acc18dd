/**
 * The scalar kernel: plain TypeScript, here on every engine, and the specification of every other
 * kernel. It computes what the SIMD embedding-bag code of FBGEMM 1.4.0 does, bit for bit.
 *
 * @module
 */

import { checkBatch } from "./_check_batch.ts";
import { addF32Rows } from "./_f32_bag.ts";
import { addQ8Rows, TERMS } from "./_q8_bag.ts";
import { f32 } from "./f32.ts";
import type { BagBatch, Kernel, KernelSpec, KernelTarget } from "./kernel.ts";

/**
 * The kernel behind target "scalar". It holds 8 bytes a column of scratch and a view of the arena
 * of its last call (none after it is disposed); a call on that arena allocates nothing. `spec` must
 * have been checked.
 */
export class ScalarKernel implements Kernel {
  readonly spec: KernelSpec;
  readonly target: KernelTarget = "scalar";
  readonly #rowBytes: number;
  readonly #acc: Float64Array;
  readonly #terms: Float64Array = new Float64Array(TERMS);
  #view: DataView = new DataView(new ArrayBuffer(0));

  constructor(spec: KernelSpec) {
    this.spec = spec;
    this.#rowBytes = spec.format.rowBytes(spec.dim);
    this.#acc = new Float64Array(spec.dim);
  }

  pool(batch: BagBatch, output: Float32Array): number {
    checkBatch(this.spec, this.#rowBytes, batch, output);
    this.#look(batch.arena);
    return poolBags(this.spec, batch, this.#view, this.#acc, this.#terms, output);
  }

  [Symbol.dispose](): void {
    this.#view = new DataView(new ArrayBuffer(0));
  }

  /**
   * A view costs about 100 ns to make, as much as a row: it is kept while calls come with the same
   * arena.
   */
  #look(arena: Uint8Array): void {
    const { buffer, byteOffset, byteLength } = arena;
    const view = this.#view;
    if (
      view.buffer !== buffer || view.byteOffset !== byteOffset || view.byteLength !== byteLength
    ) {
      this.#view = new DataView(buffer, byteOffset, byteLength);
    }
  }
}

/** The walk over the bags. A bag is checked as a whole before its first row is added. */
function poolBags(
  spec: KernelSpec,
  batch: BagBatch,
  view: DataView,
  acc: Float64Array,
  terms: Float64Array,
  output: Float32Array,
): number {
  const { offsets, bagCount, slotCount } = batch;
  const { dim } = spec;
  const plain = spec.format === f32;
  const mean = spec.pooling === "mean";
  let first = 0;
  for (let bag = 0; bag < bagCount; bag++) {
    // Modulo 2^32, so that offsets that fall are an overrun and not a negative length.
    const count = (offsets[bag + 1] - offsets[bag]) >>> 0;
    if (count > slotCount - first) return slotCount;
    const bad = firstBad(batch.slots, first, first + count, batch.rowCount);
    if (bad >= 0) return bad;
    acc.fill(0);
    if (plain) addF32Rows(batch, view, first, count, dim, acc);
    else addQ8Rows(batch, view, first, count, dim, acc, terms);
    store(acc, mean && count > 0 ? Math.fround(1 / count) : 1, dim, output, bag * dim);
    first += count;
  }
  return first === slotCount ? -1 : first;
}

/** The first position in [first, end) whose slot is not in [0, rowCount), or -1. */
function firstBad(slots: Int32Array, first: number, end: number, rowCount: number): number {
  for (let i = first; i < end; i++) {
    if (slots[i] < 0 || slots[i] >= rowCount) return i;
  }
  return -1;
}

/**
 * The mean is a multiplication by the rounded inverse, as in the original; by 1 it changes no bit.
 */
function store(
  acc: Float64Array,
  factor: number,
  dim: number,
  output: Float32Array,
  at: number,
): void {
  for (let j = 0; j < dim; j++) output[at + j] = acc[j] * factor;
}
