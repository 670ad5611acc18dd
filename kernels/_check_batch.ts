/**
 * Checks that every kernel makes of a batch before it touches the output.
 *
 * @module
 */

import { checkInteger } from "../base/checks.ts";
import type { BagBatch, KernelSpec, OutputType } from "./kernel.ts";

const WHAT = "Cannot pool";

/**
 * Throws unless the arrays of `batch` and `output` are long enough for each other and for `spec`;
 * `type` is what `output` must hold.
 */
export function checkBatch(
  spec: KernelSpec,
  rowBytes: number,
  batch: BagBatch,
  output: Float32Array | Uint16Array,
  type: OutputType,
): void {
  const { slotCount, rowCount, rowStride } = batch;
  checkInteger(WHAT, "slotCount", slotCount, 0);
  checkInteger(WHAT, "rowCount", rowCount, 0, 2 ** 31);
  checkInteger(WHAT, "rowStride", rowStride, rowBytes);
  checkInteger(WHAT, "slots.length", batch.slots.length, slotCount);
  const vectors = spec.pooling === "none" ? slotCount : checkBags(batch);
  checkOutput(output, type, "output", vectors * spec.dim);
  // The last row may end where the arena does: its padding is never read.
  const arenaBytes = rowCount === 0 ? 0 : (rowCount - 1) * rowStride + rowBytes;
  checkInteger(WHAT, "arena.length", batch.arena.length, arenaBytes);
  checkWeights(spec, batch);
}

/** Exactly one of offsets and lengths, as long as it must be; returns the number of bags. */
function checkBags({ bagCount, offsets, lengths }: BagBatch): number {
  checkInteger(WHAT, "bagCount", bagCount, 0);
  if (offsets !== undefined && lengths === undefined) {
    checkInteger(WHAT, "offsets.length", offsets.length, bagCount + 1);
  } else if (lengths !== undefined && offsets === undefined) {
    checkInteger(WHAT, "lengths.length", lengths.length, bagCount);
  } else {
    const received = offsets === undefined ? "neither" : "both";
    throw new TypeError(
      `${WHAT}: batch must have either offsets or lengths: received ${received}`,
    );
  }
  return bagCount;
}

/** Throws unless `values` is an array for vectors of `type`, of `length` entries at least. */
export function checkOutput(
  values: Float32Array | Uint16Array,
  type: OutputType,
  name: string,
  length: number,
): void {
  if (!(type === "f32" ? values instanceof Float32Array : values instanceof Uint16Array)) {
    const wanted = type === "f32" ? "a Float32Array" : "a Uint16Array";
    const received = Object.prototype.toString.call(values).slice(8, -1);
    throw new TypeError(`${WHAT}: ${name} must be ${wanted} for ${type}: received ${received}`);
  }
  checkInteger(WHAT, `${name}.length`, values.length, length);
}

function checkWeights({ weighting }: KernelSpec, batch: BagBatch): void {
  const { weights, slotCount } = batch;
  const weighted = weighting !== "none";
  if (weighted !== (weights !== undefined)) {
    const [wanted, received] = weighted ? ["given", "undefined"] : ["undefined", "a Float32Array"];
    const kind = weighted ? "a weighted" : "an unweighted";
    throw new TypeError(
      `${WHAT}: weights must be ${wanted} for ${kind} kernel: received ${received}`,
    );
  }
  if (weights === undefined) return;
  const length = weighting === "sample" ? slotCount : longestBag(batch);
  checkInteger(WHAT, "weights.length", weights.length, length);
}

/** The longest of the bags that are pooled: those before one that runs past the slots. */
function longestBag({ bagCount, offsets, lengths, slotCount }: BagBatch): number {
  let longest = 0, left = slotCount;
  for (let bag = 0; bag < bagCount; bag++) {
    const length = (offsets === undefined ? lengths![bag] : offsets[bag + 1] - offsets[bag]) >>> 0;
    if (length > left) break;
    if (length > longest) longest = length;
    left -= length;
  }
  return longest;
}
