/**
 * Pruned tables, the other way: bags rewritten once, instead of rows skipped at every pooling.
 *
 * @module
 */

import { checkInteger } from "../base/checks.ts";
import type { BagBatch } from "./kernel.ts";

/** Where {@linkcode remapBags} writes. */
export interface RemappedBags {
  /** `bagCount` + 1 entries. */
  readonly offsets: Uint32Array;
  /** As long as the batch's slots. */
  readonly slots: Int32Array;
  /** As long as the batch's slots; needed where the batch has weights. */
  readonly weights?: Float32Array;
}

/**
 * Writes the batch's bags with `batch.remap` applied and pruned rows left out, and their weights
 * with them. A mean over the new bags divides by the rows that are left, where a kernel with
 * `pruned` divides by all of them: FBGEMM has both (`remap_indices` and the sparse kernels), and
 * they differ. Offsets begin where the batch's do.
 *
 * @param batch Bags by offsets, weights by sample if any, and a remap; nothing else is read.
 * @param output Takes the new bags; its arrays may be the batch's own.
 * @returns How many slots are left, or `~i` where slot i is outside the remap, or -1 - `slotCount`
 * where the bags run past the slots.
 * @throws {RangeError} when an array is too short.
 * @throws {TypeError} when the batch has no offsets or no remap.
 *
 * @example
 * ```ts
 * import { remapBags } from "@rowtier/rowtier/kernels";
 * import { assertEquals } from "@std/assert";
 *
 * const offsets = new Uint32Array(3), slots = new Int32Array(4);
 * const left = remapBags({
 *   bagCount: 2,
 *   offsets: Uint32Array.of(0, 2, 4),
 *   slots: Int32Array.of(0, 1, 2, 2),
 *   slotCount: 4,
 *   remap: Int32Array.of(0, -1, 1), // row 1 was pruned
 * }, { offsets, slots });
 * assertEquals([left, [...offsets], [...slots.subarray(0, left)]], [3, [0, 1, 3], [0, 1, 1]]);
 * ```
 */
export function remapBags(
  batch: Pick<BagBatch, "bagCount" | "offsets" | "slots" | "slotCount" | "weights" | "remap">,
  output: RemappedBags,
): number {
  const { bagCount, offsets, slots, slotCount, weights, remap } = checked(batch, output);
  let from = 0, left = 0, start = offsets[0];
  const shift = start;
  output.offsets[0] = shift;
  for (let bag = 0; bag < bagCount; bag++) {
    const end = offsets[bag + 1];
    const count = (end - start) >>> 0;
    if (count > slotCount - from) return ~slotCount;
    for (let i = from; i < from + count; i++) {
      const slot = slots[i];
      if (slot < 0 || slot >= remap.length) return ~i;
      if (remap[slot] === -1) continue;
      output.slots[left] = remap[slot];
      if (weights !== undefined) output.weights![left] = weights[i];
      left++;
    }
    output.offsets[bag + 1] = shift + left;
    from += count;
    start = end;
  }
  return left;
}

type Needed = Required<Pick<BagBatch, "bagCount" | "offsets" | "slots" | "slotCount" | "remap">>;

function checked(
  batch: Parameters<typeof remapBags>[0],
  output: RemappedBags,
): Needed & Pick<BagBatch, "weights"> {
  const what = "Cannot remap bags";
  const { bagCount, offsets, slots, slotCount, weights, remap } = batch;
  if (offsets === undefined || remap === undefined) {
    throw new TypeError(`${what}: batch must have offsets and a remap: received one without`);
  }
  checkInteger(what, "bagCount", bagCount, 0);
  checkInteger(what, "slotCount", slotCount, 0);
  checkInteger(what, "offsets.length", offsets.length, bagCount + 1);
  checkInteger(what, "slots.length", slots.length, slotCount);
  checkInteger(what, "output.offsets.length", output.offsets.length, bagCount + 1);
  checkInteger(what, "output.slots.length", output.slots.length, slotCount);
  if (weights !== undefined) {
    checkInteger(what, "weights.length", weights.length, slotCount);
    checkInteger(what, "output.weights.length", output.weights?.length ?? 0, slotCount);
  }
  return { bagCount, offsets, slots, slotCount, remap, ...(weights && { weights }) };
}
