/**
 * Holds the served vectors against the truth.
 *
 * @module
 */

import { createKernel } from "@rowtier/rowtier/kernels";
import { openPipeline, readTable, type Table } from "@rowtier/rowtier/pipeline";
import { type Bags, toBatches } from "./serve.ts";

/** Pools every bag with the scalar kernel over the same rows held in memory. */
export function truthOf(table: Table, { keys, offsets }: Bags): Float32Array {
  const { format, dim, rowBytes, rowCount } = table;
  const arena = new Uint8Array(rowCount * rowBytes);
  readTable(table, arena);
  using kernel = createKernel({ format, dim }, { target: "scalar" });
  const truth = new Float32Array((offsets.length - 1) * dim);
  const slots = new Int32Array(keys.buffer, keys.byteOffset, keys.length);
  const bagCount = offsets.length - 1, slotCount = keys.length, rowStride = rowBytes;
  const bags = { bagCount, offsets, slots, slotCount, arena, rowStride, rowCount };
  const bad = kernel.pool(bags, truth);
  if (bad !== -1) throw new Error(`Cannot check: key ${keys[bad]} at ${bad} has no row`);
  return truth;
}

/**
 * Demands the same bits.
 *
 * @throws {Error} naming the first bag and column that differ.
 */
export function checkBits(truth: Float32Array, served: Float32Array, dim: number): void {
  const wanted = new Uint32Array(truth.buffer, truth.byteOffset, truth.length);
  const given = new Uint32Array(served.buffer, served.byteOffset, served.length);
  const differs = given.findIndex((bits, i) => bits !== wanted[i]);
  if (differs < 0) return;
  throw new Error(
    `Bag ${Math.floor(differs / dim)}, column ${differs % dim}: served ${served[differs]}, ` +
      `truth ${truth[differs]}`,
  );
}

/**
 * Compares a sample of bags, evenly spread, with the sums of their fp32 rows, which are served from
 * the fp32 table's own file.
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
