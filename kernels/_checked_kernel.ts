/**
 * A kernel: checks and conversions that are the same for every target, in front of its code.
 *
 * @module
 */

import { checkInteger } from "../base/checks.ts";
import { checkBatch, checkOutput } from "./_check_batch.ts";
import type { CodeCall, KernelCode } from "./_code.ts";
import type { BagBatch, Kernel, KernelSpec, KernelTarget } from "./kernel.ts";
import { store } from "./scalar.ts";

/** What a slot outside `remap` becomes: not -1, which would be a pruned row. */
const OUTSIDE = -2;
const NO_BYTES: Uint8Array = new Uint8Array(0);

/**
 * Checks a batch and hands it to code. Scratch for offsets and remapped slots grows to the largest
 * batch so far; other calls allocate nothing.
 */
export class CheckedKernel implements Kernel {
  readonly spec: KernelSpec;
  readonly target: KernelTarget;
  readonly #rowBytes: number;
  readonly #call: CodeCall;
  #code: KernelCode | undefined;
  #offsets: Uint32Array = new Uint32Array(0);
  #ones: Uint32Array = new Uint32Array(0);
  #slots: Int32Array = new Int32Array(0);

  constructor(spec: KernelSpec, code: KernelCode) {
    this.spec = spec;
    this.target = code.target;
    this.#code = code;
    this.#rowBytes = spec.format.rowBytes(spec.dim);
    this.#call = {
      bagCount: 0,
      offsets: this.#offsets,
      slots: this.#slots,
      slotCount: 0,
      weights: undefined,
      arena: NO_BYTES,
      rowStride: 0,
      rowCount: 0,
    };
  }

  pool(batch: BagBatch, output: Float32Array | Uint16Array): number {
    const code = this.#alive();
    checkBatch(this.spec, this.#rowBytes, batch, output, this.spec.output);
    return code.pool(this.#prepared(batch), output);
  }

  accumulate(batch: BagBatch, accumulators: Float32Array): number {
    const { pooling, weighting } = this.spec;
    const code = this.#alive();
    if (pooling !== "sum" && pooling !== "mean" || weighting === "position") {
      throw new RangeError(
        "Cannot accumulate: kernel must be of sums or means, not weighted by position: received " +
          `pooling ${pooling}, weighting ${weighting}`,
      );
    }
    checkBatch(this.spec, this.#rowBytes, batch, accumulators, "f32");
    return code.accumulate(this.#prepared(batch), accumulators);
  }

  finish(
    accumulators: Float32Array,
    bagCount: number,
    lengths: Int32Array,
    output: Float32Array | Uint16Array,
  ): void {
    const { dim, pooling, output: type } = this.spec;
    checkInteger("Cannot pool", "bagCount", bagCount, 0);
    checkInteger("Cannot pool", "lengths.length", lengths.length, bagCount);
    checkOutput(accumulators, "f32", "accumulators", bagCount * dim);
    checkOutput(output, type, "output", bagCount * dim);
    for (let bag = 0; bag < bagCount; bag++) {
      const length = pooling === "mean" ? lengths[bag] : 0;
      store(accumulators, bag * dim, dim, length, type, output, bag * dim);
    }
  }

  [Symbol.dispose](): void {
    this.#code?.[Symbol.dispose]();
    this.#code = undefined;
    // The last batch's arrays are its owner's.
    this.#call.arena = NO_BYTES;
    this.#call.slots = this.#slots = new Int32Array(0);
    this.#call.offsets = this.#offsets = this.#ones = new Uint32Array(0);
    this.#call.weights = undefined;
  }

  #alive(): KernelCode {
    if (this.#code === undefined) {
      throw new TypeError("Cannot pool: kernel must be in use: received one that was disposed of");
    }
    return this.#code;
  }

  /** The batch as code takes it, in an object that is used again by the next call. */
  #prepared(batch: BagBatch): CodeCall {
    const call = this.#call;
    const { slotCount, remap } = batch;
    const none = this.spec.pooling === "none";
    call.bagCount = none ? slotCount : batch.bagCount;
    call.offsets = none ? this.#countTo(slotCount) : batch.offsets ?? this.#added(batch);
    call.slots = remap === undefined ? batch.slots : this.#remapped(batch.slots, slotCount, remap);
    call.slotCount = slotCount;
    call.weights = batch.weights;
    call.arena = batch.arena;
    call.rowStride = batch.rowStride;
    call.rowCount = batch.rowCount;
    return call;
  }

  /** Offsets of bags of one row each: 0, 1, 2 and so on. */
  #countTo(count: number): Uint32Array {
    if (this.#ones.length <= count) {
      this.#ones = new Uint32Array(grown(count + 1));
      for (let i = 0; i < this.#ones.length; i++) this.#ones[i] = i;
    }
    return this.#ones;
  }

  /** Lengths as offsets, modulo 2^32: a negative length is one of 2^31 or more, an overrun. */
  #added({ lengths, bagCount }: BagBatch): Uint32Array {
    if (this.#offsets.length <= bagCount) this.#offsets = new Uint32Array(grown(bagCount + 1));
    const offsets = this.#offsets;
    let end = 0;
    offsets[0] = 0;
    for (let bag = 0; bag < bagCount; bag++) offsets[bag + 1] = end = (end + lengths![bag]) | 0;
    return offsets;
  }

  #remapped(slots: Int32Array, count: number, remap: Int32Array): Int32Array {
    if (this.#slots.length < count) this.#slots = new Int32Array(grown(count));
    const remapped = this.#slots;
    for (let i = 0; i < count; i++) {
      const slot = slots[i];
      remapped[i] = slot >= 0 && slot < remap.length ? remap[slot] : OUTSIDE;
    }
    return remapped;
  }
}

/** The power of two that holds `count`, so that growing batches do not allocate at every call. */
function grown(count: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(count, 16)));
}
