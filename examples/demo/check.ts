/**
 * Holds the served vectors against the truth.
 *
 * @module
 */

import { createKernel } from "@rowtier/rowtier/kernels";
import { openPipeline, readTable, type Table } from "@rowtier/rowtier/pipeline";
import { type Bags, toBatches } from "./serve.ts";

/** What the check found. */
export interface CheckResult {
  /** Vectors compared bit for bit. */
  readonly vectors: number;
  /** Bags compared with the sum of their fp32 rows. */
  readonly sampled: number;
  /** The lowest cosine among them. */
  readonly lowestCosine: number;
}

/**
 * Pools every bag with the scalar kernel over the same rows held in memory, and demands the same bits.
 *
 * @throws {Error} naming the first bag and column that differ.
 */
export function checkBits(table: Table, { keys, offsets }: Bags, served: Float32Array): number {
  const rows = new Uint8Array(table.rowCount * table.rowBytes);
  readTable(table, rows);
  const { format, dim } = table;
  using kernel = createKernel({ format, dim, pooling: "sum", weighted: false }, {
    target: "scalar",
  });
  const truth = new Float32Array(served.length);
  const bad = kernel.pool({
    bagCount: offsets.length - 1,
    offsets,
    slots: new Int32Array(keys.buffer, keys.byteOffset, keys.length),
    slotCount: keys.length,
    arena: rows,
    rowStride: table.rowBytes,
    rowCount: table.rowCount,
  }, truth);
  if (bad !== -1) throw new Error(`Cannot check: key ${bad} has no row`);
  const wanted = new Uint32Array(truth.buffer);
  const given = new Uint32Array(served.buffer, served.byteOffset, served.length);
  const differs = given.findIndex((bits, i) => bits !== wanted[i]);
  if (differs >= 0) {
    throw new Error(
      `Bag ${Math.floor(differs / dim)}, column ${differs % dim}: served ${served[differs]}, ` +
        `truth ${truth[differs]}`,
    );
  }
  return offsets.length - 1;
}

/**
 * Compares a sample of bags, evenly spread, with the sums of their fp32 rows, which are served from the
 * fp32 table's own file.
 *
 * @throws {Error} when a cosine is below `atLeast`.
 */
export async function checkCosine(
  exact: Table,
  bags: Bags,
  served: Float32Array,
  { sample = 1000, atLeast = 0.9999 } = {},
): Promise<{ sampled: number; lowestCosine: number }> {
  const { dim, path } = exact;
  const all = toBatches(bags, 1);
  const full = all.flatMap(({ parts }, bag) => parts[0].keys.length > 0 ? [bag] : []);
  const step = Math.max(1, Math.floor(full.length / sample));
  const chosen = full.filter((_, i) => i % step === 0).slice(0, sample);
  using opened = openPipeline({ tables: [{ path }], maxBatchKeys: 4096 });
  let lowestCosine = 1;
  for (const bag of chosen) {
    const sum = await opened.pipeline.lookup(all[bag]);
    const cosine = cosineOf(sum, served.subarray(bag * dim, (bag + 1) * dim));
    if (cosine < atLeast) {
      throw new Error(`Bag ${bag}: cosine ${cosine} to the fp32 sum, at least ${atLeast} expected`);
    }
    lowestCosine = Math.min(lowestCosine, cosine);
  }
  return { sampled: chosen.length, lowestCosine };
}

/** Cosine of two vectors of one length, in doubles; 0 where one is zero. */
export function cosineOf(a: Float32Array, b: Float32Array): number {
  let dot = 0, aa = 0, bb = 0;
  for (let i = 0; i < a.length; i++) {
    dot += a[i] * b[i];
    aa += a[i] * a[i];
    bb += b[i] * b[i];
  }
  return aa === 0 || bb === 0 ? 0 : dot / Math.sqrt(aa * bb);
}
