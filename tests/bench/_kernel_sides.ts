/**
 * What the kernels' benchmark times on our side: kernels over one stream of slots cut into batches.
 *
 * @module
 */

import {
  type BagBatch,
  createKernel,
  type Kernel,
  type KernelTarget,
  type Numerics,
  type RowFormat,
  UnsupportedTargetError,
} from "../../kernels/mod.ts";

/** Rows of every bag. */
export const POOLING = 20;

/** What a kernel is made for. */
export interface Side {
  /** Where it runs. */
  readonly target: KernelTarget;
  /** How it rounds. */
  readonly numerics: Numerics;
  /** Rows that are fetched ahead; the kernel's own choice when left out. */
  readonly prefetchRows?: number;
}

/** The table that kernels read. */
export interface TableView {
  /** Its rows' format. */
  readonly format: RowFormat;
  /** Values of a row. */
  readonly dim: number;
  /** Its bytes, a view of `memory`. */
  readonly arena: Uint8Array;
  /** The memory that the arena lies in. */
  readonly memory: WebAssembly.Memory;
  /** Its rows. */
  readonly rowCount: number;
}

/** The kernel of `side` over `table`, or the reason why there is none here. */
export function kernelOf(side: Side, { format, dim, memory }: TableView): Kernel | string {
  const { target, numerics, prefetchRows } = side;
  const spec = { format, dim, pooling: "sum", weighting: "none", output: "f32" } as const;
  try {
    return createKernel({ ...spec, pruned: false, numerics }, {
      target,
      memory,
      ...(prefetchRows !== undefined && { prefetchRows }),
    });
  } catch (error) {
    if (error instanceof UnsupportedTargetError) return error.message;
    throw error;
  }
}

/** The stream as batches of `bags` bags, in order; what is left over is left out. */
export function cutBatches(table: TableView, slots: Int32Array, bags: number): BagBatch[] {
  const { format, dim, arena, rowCount } = table;
  const slotCount = bags * POOLING;
  const offsets = Uint32Array.from({ length: bags + 1 }, (_, bag) => bag * POOLING);
  const rowStride = format.rowBytes(dim);
  return Array.from({ length: Math.floor(slots.length / slotCount) }, (_, i) => ({
    bagCount: bags,
    offsets,
    slots: slots.subarray(i * slotCount, (i + 1) * slotCount),
    slotCount,
    arena,
    rowStride,
    rowCount,
  }));
}

/** Nanoseconds a row of `kernel` over the batches, in turn, for at least `seconds`. */
export function timeKernel(
  kernel: Kernel,
  batches: readonly BagBatch[],
  output: Float32Array,
  seconds: number,
): number {
  // The clock is read every few calls: a call can be shorter than its resolution.
  const step = Math.max(1, Math.ceil(2000 / batches[0].bagCount));
  for (let i = 0; i < 3; i++) poolBatch(kernel, batches[i % batches.length], output);
  let at = 0, calls = 0;
  const began = performance.now();
  let now = began;
  while (now < began + seconds * 1000) {
    for (let i = 0; i < step; i++) {
      poolBatch(kernel, batches[at], output);
      at = at + 1 === batches.length ? 0 : at + 1;
    }
    calls += step;
    now = performance.now();
  }
  return (now - began) * 1e6 / (calls * batches[0].slotCount);
}

function poolBatch(kernel: Kernel, batch: BagBatch, output: Float32Array): void {
  const bad = kernel.pool(batch, output);
  if (bad !== -1) throw new Error(`slot ${batch.slots[bad]} at ${bad} was refused`);
}

/**
 * Holds two results against each other: the same bits for exact numerics, else within 2^-16 of the
 * largest value of all.
 */
export function checkVectors(
  what: string,
  wanted: Float32Array,
  given: Float32Array,
  numerics: Numerics,
): void {
  const most = wanted.reduce((max, x) => Math.max(max, Math.abs(x)), 0);
  const bound = numerics === "exact" ? 0 : most * 2 ** -16;
  for (let i = 0; i < wanted.length; i++) {
    if (wanted[i] === given[i] || Math.abs(wanted[i] - given[i]) <= bound) continue;
    throw new Error(`${what}: value ${i} is ${given[i]}, not ${wanted[i]}`);
  }
}
