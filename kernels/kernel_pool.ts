/**
 * Kernels on several threads, for batches that are large.
 *
 * @module
 */

import { checkInteger } from "../base/checks.ts";
import { UnsupportedTargetError } from "../base/errors.ts";
import { checkBatch } from "./_check_batch.ts";
import {
  ARRIVED,
  CONTROL_WORDS,
  FIRST_BAD,
  type Job,
  lengthOf,
  NONE_BAD,
  type Reply,
  type Start,
} from "./_pool_job.ts";
import { createKernel, type CreateKernelOptions, type KernelShape } from "./create_kernel.ts";
import { ROW_FORMATS } from "./formats.ts";
import type { BagBatch, KernelSpec, KernelTarget } from "./kernel.ts";
import { MAX_POOL_WORKERS } from "./limits.ts";

const WHAT = "Cannot create KernelPool";
const MAX_BATCH = 2 ** 31;

/** Options of {@linkcode createKernelPool}. */
export interface KernelPoolOptions extends CreateKernelOptions {
  /** Threads, from 1 to 256; by default as many as the machine has processors. */
  readonly workers?: number;
}

/** A kernel on several threads; {@linkcode createKernelPool} makes one. */
export interface KernelPool extends Disposable {
  /** What it computes. */
  readonly spec: KernelSpec;
  /** Where its workers run. */
  readonly target: KernelTarget;
  /** How many there are. */
  readonly workers: number;
  /**
   * Pools every bag as `Kernel.pool` does, with the same bits, the same result and the same output
   * after an error, whatever the number of workers: a bag is never split. The batch and its arrays
   * must not change before the promise settles. One batch at a time.
   *
   * Arrays in a `SharedArrayBuffer` are used where they are. The arena must be in one; the others
   * are copied where they are not, the output back.
   *
   * @param batch The bags.
   * @param output fp32, or Uint16 bit patterns where the spec says f16 or bf16.
   * @returns -1, or the position of the first bad slot, as `Kernel.pool`.
   * @throws {RangeError} (as a rejection, like all errors) when an array is too short, or the arena
   * is not shared.
   * @throws {TypeError} when weights are given to an unweighted pool or not to a weighted one, when
   * a batch is being pooled already, or when the pool was disposed of.
   */
  pool(batch: BagBatch, output: Float32Array | Uint16Array): Promise<number>;
}

/**
 * Starts workers, each with a kernel for `shape`. A batch costs 0.1 to 0.3 ms of messages beyond
 * its work, so it pays from some hundred thousand rows on; smaller ones belong to a kernel.
 * Measured with `deno task bench pool` on two processors, q8 rows of 64 over 1 GiB, against one
 * kernel: 20,480 rows half as fast, 327,680 rows 1.8 times as fast.
 *
 * @param shape As `createKernel`; the format must be one of `ROW_FORMATS`, as workers find it by
 * its name.
 * @param options As `createKernel`, and the number of workers. A memory must be shared.
 * @returns The pool, once every worker is ready; dispose of it to end them.
 * @throws {RangeError} when `shape` or the number of workers is out of range.
 * @throws {UnsupportedTargetError} when the target or workers are not to be had here.
 *
 * @example
 * ```ts
 * import { createKernelPool, f32 } from "@rowtier/rowtier/kernels";
 * import { assertEquals } from "@std/assert";
 *
 * const arena = new Uint8Array(new SharedArrayBuffer(3 * f32.rowBytes(2)));
 * new Float32Array(arena.buffer).set([1, 2, 10, 20, 100, 200]);
 *
 * using pool = await createKernelPool({ format: f32, dim: 2 }, { workers: 2, target: "scalar" });
 * const output = new Float32Array(4);
 * const result = await pool.pool({
 *   bagCount: 2,
 *   lengths: new Int32Array([2, 1]),
 *   slots: new Int32Array([0, 1, 2]),
 *   slotCount: 3,
 *   arena,
 *   rowStride: f32.rowBytes(2),
 *   rowCount: 3,
 * }, output);
 * assertEquals(result, -1);
 * assertEquals([...output], [11, 22, 100, 200]);
 * ```
 */
export async function createKernelPool(
  shape: KernelShape,
  options: KernelPoolOptions = {},
): Promise<KernelPool> {
  const { workers = navigator.hardwareConcurrency, target = "auto", memory, prefetchRows } =
    options;
  checkInteger(WHAT, "workers", workers, 1, MAX_POOL_WORKERS);
  // A kernel checks the shape, and fills in what it leaves out.
  using kernel = createKernel(shape, { target: "scalar" });
  const { spec } = kernel;
  if (!ROW_FORMATS.includes(spec.format)) {
    const known = ROW_FORMATS.map(({ name }) => name).join(", ");
    throw new RangeError(
      `${WHAT}: format must be one of ${known}: received ${spec.format.name}`,
    );
  }
  if (memory !== undefined && memory.buffer instanceof ArrayBuffer) {
    throw new RangeError(`${WHAT}: memory must be shared: received one that is not`);
  }
  if (typeof Worker === "undefined") {
    throw new UnsupportedTargetError(`${WHAT}: Web Workers are not to be had here`);
  }
  const pool = new WorkerPool(spec, workers, memory);
  await pool.start({
    target,
    ...(memory !== undefined && { memory }),
    ...(prefetchRows !== undefined && { prefetchRows }),
  });
  return pool;
}

/** The workers, and the one batch that they may have. */
class WorkerPool implements KernelPool {
  readonly spec: KernelSpec;
  readonly workers: number;
  readonly #rowBytes: number;
  readonly #memory: WebAssembly.Memory | undefined;
  readonly #threads: Worker[];
  readonly #control: Int32Array = new Int32Array(new SharedArrayBuffer(4 * CONTROL_WORDS));
  readonly #staging: Staging = new Staging();
  #target: KernelTarget = "scalar";
  #batches = 0;
  #waiting = 0;
  #failure: Error | undefined;
  #settle: ((failure: Error | undefined) => void) | undefined;

  constructor(spec: KernelSpec, workers: number, memory: WebAssembly.Memory | undefined) {
    this.spec = spec;
    this.#memory = memory;
    this.workers = workers;
    this.#rowBytes = spec.format.rowBytes(spec.dim);
    const url = new URL("./_pool_worker.ts", import.meta.url);
    this.#threads = Array.from({ length: workers }, () => this.#thread(url));
  }

  get target(): KernelTarget {
    return this.#target;
  }

  /** Has every worker make its kernel; ends them all when one cannot. */
  async start(options: Start["options"]): Promise<void> {
    const shape = { ...this.spec, format: this.spec.format.name };
    const message: Start = { kind: "start", shape, options, control: this.#control };
    try {
      await this.#ask(this.#threads.map(() => message));
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  async pool(batch: BagBatch, output: Float32Array | Uint16Array): Promise<number> {
    const { spec } = this;
    checkBatch(spec, this.#rowBytes, batch, output, spec.output);
    checkInteger("Cannot pool", "slotCount", batch.slotCount, 0, MAX_BATCH - 2);
    const inMemory = batch.arena.buffer === this.#memory?.buffer;
    if (!isShared(batch.arena) || this.#target === "wasm" && !inMemory) {
      const wanted = this.#target === "wasm" ? "the pool's memory" : "a SharedArrayBuffer";
      throw new RangeError(`Cannot pool: arena must be in ${wanted}: received one that is not`);
    }
    this.#checkFree();
    const { cuts, result } = cut(spec, batch, this.workers);
    const vectors = spec.pooling === "none" ? batch.slotCount : batch.bagCount;
    const shared = this.#staging.batch(batch);
    const pooled = this.#staging.output(output, vectors * spec.dim);
    Atomics.store(this.#control, ARRIVED, 0);
    Atomics.store(this.#control, FIRST_BAD, NONE_BAD);
    // Never the number that the workers wait on: batches are taken one by one.
    this.#batches = (this.#batches + 1) | 0;
    const parties = cuts.length;
    await this.#ask(
      cuts.map((part) => ({
        kind: "job",
        number: this.#batches,
        parties,
        batch: shared,
        output: pooled,
        inMemory,
        ...part,
      })),
    );
    const bad = Atomics.load(this.#control, FIRST_BAD);
    const done = bad === NONE_BAD ? undefined : bad;
    if (pooled !== output) output.set(pooled.subarray(0, this.#written(batch, done, cuts)));
    return done ?? result;
  }

  /** Values that workers have written: all bags that end before the first bad slot. */
  #written(batch: BagBatch, bad: number | undefined, cuts: readonly Cut[]): number {
    const { dim, pooling } = this.spec;
    const last = cuts.at(-1);
    const [endBag, endSlot] = last === undefined ? [0, 0] : [last.endBag, last.endSlot];
    if (pooling === "none") return (bad ?? endSlot) * dim;
    if (bad === undefined) return endBag * dim;
    let bag = 0, end = 0;
    while (bag < endBag && end + lengthOf(batch, bag) <= bad) end += lengthOf(batch, bag++);
    return bag * dim;
  }

  [Symbol.dispose](): void {
    for (const thread of this.#threads) thread.terminate();
    this.#failure ??= new TypeError(
      "Cannot pool: pool must be in use: received one that was disposed of",
    );
    this.#settle?.(this.#failure);
  }

  #checkFree(): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#settle === undefined) return;
    throw new TypeError("Cannot pool: pool must be idle: received a batch while one is pooled");
  }

  #thread(url: URL): Worker {
    const thread = new Worker(url, { type: "module" });
    thread.onmessage = ({ data: reply }: MessageEvent<Reply>) => this.#take(reply);
    thread.onerror = (event) => {
      event.preventDefault();
      this.#fail(new Error(`Cannot pool: a worker failed: ${event.message}`));
    };
    return thread;
  }

  #take(reply: Reply): void {
    if ("failed" in reply) {
      const { failed, unsupported } = reply;
      return this.#fail(unsupported ? new UnsupportedTargetError(failed) : new Error(failed));
    }
    this.#target = reply.target;
    this.#waiting--;
    if (this.#waiting === 0) this.#settle?.(undefined);
  }

  /** Others may wait for the worker that failed: the pool is of no use any more. */
  #fail(failure: Error): void {
    this.#failure ??= failure;
    this[Symbol.dispose]();
  }

  /** Posts a message to as many workers as there are messages; settles when all have answered. */
  #ask(messages: readonly (Start | Job)[]): Promise<void> {
    if (messages.length === 0) return Promise.resolve();
    this.#waiting = messages.length;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#settle = (failure) => {
      this.#settle = undefined;
      if (failure === undefined) resolve();
      else reject(failure);
    };
    messages.forEach((message, i) => this.#threads[i].postMessage(message));
    return promise;
  }
}

/** A part of a batch: whole bags. */
type Cut = Pick<Job, "firstBag" | "endBag" | "firstSlot" | "endSlot">;

/**
 * Cuts the batch into at most `parts` of about as many rows each, and says what a kernel would
 * return if every slot is good. Bags from an overrun on belong to no part.
 */
function cut(
  spec: KernelSpec,
  batch: BagBatch,
  parts: number,
): { cuts: Cut[]; result: number } {
  const { slotCount, bagCount } = batch;
  const cuts: Cut[] = [];
  if (spec.pooling === "none") {
    for (let i = 0; i < parts; i++) {
      const firstSlot = Math.floor(slotCount * i / parts);
      const endSlot = Math.floor(slotCount * (i + 1) / parts);
      if (endSlot > firstSlot) cuts.push({ firstBag: 0, endBag: 0, firstSlot, endSlot });
    }
    return { cuts, result: -1 };
  }
  let firstBag = 0, firstSlot = 0, endSlot = 0, bag = 0;
  for (; bag < bagCount; bag++) {
    const length = lengthOf(batch, bag);
    if (length > slotCount - endSlot) break;
    endSlot += length;
    // The part's share of what is left, so that a long bag does not leave the last ones without.
    if ((endSlot - firstSlot) * (parts - cuts.length) < slotCount - firstSlot) continue;
    if (cuts.length === parts - 1) continue;
    cuts.push({ firstBag, endBag: bag + 1, firstSlot, endSlot });
    firstBag = bag + 1;
    firstSlot = endSlot;
  }
  if (bag > firstBag) cuts.push({ firstBag, endBag: bag, firstSlot, endSlot });
  const result = bag < bagCount ? slotCount : endSlot < slotCount ? endSlot : -1;
  return { cuts, result };
}

function isShared(array: ArrayBufferView): boolean {
  return !(array.buffer instanceof ArrayBuffer);
}

/** Shared copies of arrays that are not shared; each grows to its largest batch. */
class Staging {
  readonly #offsets: Column<Uint32Array> = new Column((length) => new Uint32Array(memory(length)));
  readonly #lengths: Column<Int32Array> = new Column((length) => new Int32Array(memory(length)));
  readonly #slots: Column<Int32Array> = new Column((length) => new Int32Array(memory(length)));
  readonly #remap: Column<Int32Array> = new Column((length) => new Int32Array(memory(length)));
  readonly #weights: Column<Float32Array> = new Column((length) =>
    new Float32Array(memory(length))
  );
  readonly #f32: Column<Float32Array> = new Column((length) => new Float32Array(memory(length)));
  readonly #u16: Column<Uint16Array> = new Column((length) => new Uint16Array(memory(length)));

  /** The batch with shared arrays. */
  batch(batch: BagBatch): BagBatch {
    const { offsets, lengths, slots, weights, remap, bagCount, slotCount } = batch;
    return {
      ...batch,
      slots: this.#slots.copyOf(slots.subarray(0, slotCount)),
      ...(offsets && { offsets: this.#offsets.copyOf(offsets.subarray(0, bagCount + 1)) }),
      ...(lengths && { lengths: this.#lengths.copyOf(lengths.subarray(0, bagCount)) }),
      ...(weights && { weights: this.#weights.copyOf(weights) }),
      ...(remap && { remap: this.#remap.copyOf(remap) }),
    };
  }

  /** Where workers write: `output` itself where it is shared, else what it will be copied from. */
  output(output: Float32Array | Uint16Array, length: number): Float32Array | Uint16Array {
    if (isShared(output)) return output;
    return output instanceof Float32Array ? this.#f32.room(length) : this.#u16.room(length);
  }
}

function memory(length: number): SharedArrayBuffer {
  return new SharedArrayBuffer(4 * length);
}

/** What a column holds. */
interface Numbers<T> extends ArrayBufferView {
  readonly length: number;
  set(from: T): void;
  subarray(begin: number, end: number): T;
}

/** One shared array that grows. */
class Column<T extends Numbers<T>> {
  readonly #make: (length: number) => T;
  #array: T;

  constructor(make: (length: number) => T) {
    this.#make = make;
    this.#array = make(0);
  }

  /** `array` itself where it is shared, else a copy. */
  copyOf(array: T): T {
    if (isShared(array)) return array;
    const copy = this.room(array.length);
    copy.set(array);
    return copy;
  }

  /** Room for `length` values, whatever they are. */
  room(length: number): T {
    if (this.#array.length < length) {
      this.#array = this.#make(2 ** Math.ceil(Math.log2(Math.max(length, 1024))));
    }
    return this.#array.subarray(0, length);
  }
}
