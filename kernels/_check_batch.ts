/**
 * Checks that every kernel makes of a batch before it touches the output.
 *
 * @module
 */

import { checkInteger } from "../base/checks.ts";
import type { BagBatch, KernelSpec } from "./kernel.ts";

const WHAT = "Cannot pool";

/**
 * Throws unless the arrays of `batch` and `output` are long enough for each other and for `spec`.
 */
export function checkBatch(
  spec: KernelSpec,
  rowBytes: number,
  batch: BagBatch,
  output: Float32Array,
): void {
  const { bagCount, slotCount, rowCount, rowStride } = batch;
  checkInteger(WHAT, "bagCount", bagCount, 0);
  checkInteger(WHAT, "slotCount", slotCount, 0);
  checkInteger(WHAT, "rowCount", rowCount, 0);
  checkInteger(WHAT, "rowStride", rowStride, rowBytes);
  checkInteger(WHAT, "offsets.length", batch.offsets.length, bagCount + 1);
  checkInteger(WHAT, "slots.length", batch.slots.length, slotCount);
  checkInteger(WHAT, "output.length", output.length, bagCount * spec.dim);
  // The last row may end where the arena does: its padding is never read.
  const arenaBytes = rowCount === 0 ? 0 : (rowCount - 1) * rowStride + rowBytes;
  checkInteger(WHAT, "arena.length", batch.arena.length, arenaBytes);
  checkWeights(spec.weighted, batch.weights, slotCount);
}

function checkWeights(
  weighted: boolean,
  weights: Float32Array | undefined,
  slotCount: number,
): void {
  if (weighted !== (weights !== undefined)) {
    const [wanted, received] = weighted ? ["given", "undefined"] : ["undefined", "a Float32Array"];
    const kind = weighted ? "a weighted" : "an unweighted";
    throw new TypeError(
      `${WHAT}: weights must be ${wanted} for ${kind} kernel: received ${received}`,
    );
  }
  if (weights !== undefined) checkInteger(WHAT, "weights.length", weights.length, slotCount);
}
