/**
 * One worker of a `KernelPool`: a kernel of its own over arrays that all workers share.
 *
 * A batch takes two steps. First every worker looks for bad slots in its part; when all have, the
 * first bad position of the whole batch is known, and each pools its bags that end before it. So
 * the output after an error is that of a single kernel, whatever the number of workers.
 *
 * @module
 */

/// <reference no-default-lib="true" />
/// <reference lib="deno.worker" />

import { UnsupportedTargetError } from "../base/errors.ts";
import {
  ARRIVED,
  DONE_BATCH,
  FIRST_BAD,
  type Job,
  lengthOf,
  NONE_BAD,
  type Reply,
  type Start,
} from "./_pool_job.ts";
import { createKernel } from "./create_kernel.ts";
import { rowFormat } from "./formats.ts";
import type { BagBatch, Kernel, KernelTarget } from "./kernel.ts";

let kernel: Kernel | undefined;
let control: Int32Array | undefined;
let memory: WebAssembly.Memory | undefined;

self.onmessage = ({ data: message }: MessageEvent<Start | Job>): void => {
  try {
    self.postMessage(message.kind === "start" ? start(message) : run(message));
  } catch (error) {
    const unsupported = error instanceof UnsupportedTargetError;
    const reply: Reply = {
      failed: error instanceof Error ? error.message : `${error}`,
      unsupported,
    };
    self.postMessage(reply);
  }
};

function start(message: Start): Reply {
  const { format, ...shape } = message.shape;
  kernel = createKernel({ ...shape, format: rowFormat(format) }, message.options);
  control = message.control;
  memory = message.options.memory;
  return { target: kernel.target };
}

function run(job: Job): Reply {
  if (kernel === undefined || control === undefined) throw new Error("the worker has no kernel");
  const { firstSlot, endSlot } = job;
  const batch = here(job);
  lower(control, firstBad(batch, firstSlot, endSlot, kernel.spec.pruned));
  meet(control, job.parties, job.number);
  const end = Math.min(endSlot, Atomics.load(control, FIRST_BAD));
  const target: KernelTarget = kernel.target;
  if (end < firstSlot) return { target };
  const bad = kernel.spec.pooling === "none"
    ? poolRows(kernel, batch, job, end)
    : poolBags(kernel, batch, job, end);
  // Slots may have been changed by others since they were checked.
  if (bad !== -1) throw new Error(`a slot at ${firstSlot + bad} was changed during the call`);
  return { target };
}

/** The batch, its arena seen through this worker's own object for the memory. */
function here({ batch, inMemory }: Job): BagBatch {
  if (!inMemory || memory === undefined) return batch;
  const { byteOffset, byteLength } = batch.arena;
  return { ...batch, arena: new Uint8Array(memory.buffer, byteOffset, byteLength) };
}

/** The first bad position in [first, end), or one past every batch. */
function firstBad(batch: BagBatch, first: number, end: number, pruned: boolean): number {
  const { slots, rowCount, remap } = batch;
  const least = pruned ? -1 : 0;
  for (let i = first; i < end; i++) {
    let slot = slots[i];
    if (remap !== undefined) {
      if (slot < 0 || slot >= remap.length) return i;
      slot = remap[slot];
    }
    if (slot < least || slot >= rowCount) return i;
  }
  return NONE_BAD;
}

/** Lowers the common first bad position to `position`. */
function lower(control: Int32Array, position: number): void {
  let known = Atomics.load(control, FIRST_BAD);
  while (position < known) {
    const found = Atomics.compareExchange(control, FIRST_BAD, known, position);
    if (found === known) return;
    known = found;
  }
}

/** Returns when all `parties` have called it: the last one wakes the others. */
function meet(control: Int32Array, parties: number, number: number): void {
  if (Atomics.add(control, ARRIVED, 1) + 1 === parties) {
    Atomics.store(control, DONE_BATCH, number);
    Atomics.notify(control, DONE_BATCH);
    return;
  }
  let done = Atomics.load(control, DONE_BATCH);
  while (done !== number) {
    Atomics.wait(control, DONE_BATCH, done);
    done = Atomics.load(control, DONE_BATCH);
  }
}

function poolRows(
  kernel: Kernel,
  batch: BagBatch,
  { output, firstSlot }: Job,
  end: number,
): number {
  const { dim, weighting } = kernel.spec;
  const slots = batch.slots.subarray(firstSlot, end);
  const weights = weighting === "sample" ? batch.weights!.subarray(firstSlot, end) : undefined;
  const part = { ...batch, slots, slotCount: slots.length, ...(weights && { weights }) };
  return kernel.pool(part, output.subarray(firstSlot * dim, end * dim));
}

/** The bags of the job that end at `end` or before: all, unless the batch has a bad slot. */
function poolBags(kernel: Kernel, batch: BagBatch, job: Job, end: number): number {
  const { output, firstBag, firstSlot } = job;
  const { dim, weighting } = kernel.spec;
  let endBag = firstBag, endSlot = firstSlot;
  while (endBag < job.endBag) {
    const length = lengthOf(batch, endBag);
    if (length > end - endSlot) break;
    endSlot += length;
    endBag++;
  }
  const { offsets, lengths } = batch;
  const slots = batch.slots.subarray(firstSlot, endSlot);
  return kernel.pool({
    bagCount: endBag - firstBag,
    ...(offsets && { offsets: offsets.subarray(firstBag, endBag + 1) }),
    ...(lengths && { lengths: lengths.subarray(firstBag, endBag) }),
    slots,
    slotCount: slots.length,
    ...(batch.weights && {
      weights: weighting === "sample" ? batch.weights.subarray(firstSlot, endSlot) : batch.weights,
    }),
    ...(batch.remap && { remap: batch.remap }),
    arena: batch.arena,
    rowStride: batch.rowStride,
    rowCount: batch.rowCount,
  }, output.subarray(firstBag * dim, endBag * dim));
}
