/**
 * What a replay comes down to: parts of the trace, and the slots of each at each size.
 *
 * @module
 */

import { checkInteger } from "../../base/checks.ts";
import { MAX_PARTITION_SLOTS } from "../limits.ts";
import { KeyNumbering } from "../traces/key_numbering.ts";
import type { Trace } from "../traces/trace.ts";
import type { Part } from "./_replay_job.ts";
import { bytesOf } from "./_replay_run.ts";
import { sizeClasses, sizeClassOf } from "./size_classes.ts";
import { type BudgetPart, splitBudget } from "./split_budget.ts";
import { lruCurve } from "./stack_distances.ts";

/** Parts of a trace, and sizes of a cache for them. */
export interface Plan {
  /** One, or one for each class of object sizes. */
  readonly parts: readonly Part[];
  /** The sizes. */
  readonly sizes: readonly PlannedSize[];
  /** Requests after the warm-up. */
  readonly requests: number;
  /** Their bytes; 0 without sizes. */
  readonly requestBytes: number;
}

/** One size of the cache. */
export interface PlannedSize {
  /** By part. */
  readonly slots: readonly number[];
  /** Of the distinct keys, or of their bytes. */
  readonly share: number;
  /** Bytes of all slots; without sizes undefined. */
  readonly budgetBytes: number | undefined;
}

const WHAT = "Cannot replay";

/**
 * A column over all keys takes the place of the hash index up to so many keys a request: beyond, a
 * cache would fill more memory than it saves.
 */
const MOST_KEYS_A_REQUEST = 8;

/**
 * Plans a replay; the parts' arrays are in shared memory if `isShared`.
 *
 * @throws {RangeError} for a size or warm-up out of range, or a key not below `keyCount`.
 */
export function planReplay(
  trace: Trace,
  sizes: readonly number[],
  warmup: number,
  isShared: boolean,
): Plan {
  const { keys } = trace;
  checkInteger(WHAT, "warmup", warmup, 0, keys.length);
  sizes.forEach((size, i) => {
    if (size > 0 && size < 1) return;
    checkInteger(WHAT, `sizes[${i}]`, size, 1, MAX_PARTITION_SLOTS);
  });
  if (trace.sizes !== undefined && trace.sizes.length !== keys.length) {
    const { length } = trace.sizes;
    throw new RangeError(
      `${WHAT}: trace.sizes must be as many as keys, ${keys.length}: received ${length}`,
    );
  }
  return trace.sizes === undefined || keys.length === 0
    ? planEqual(trace, sizes, warmup, isShared)
    : planSized({ ...trace, sizes: trace.sizes }, sizes, warmup, isShared);
}

/** All objects of one size: one part. */
function planEqual(
  trace: Trace,
  sizes: readonly number[],
  warmup: number,
  isShared: boolean,
): Plan {
  const { keys, keyCount = 0 } = trace;
  const unique = Math.max(1, countKeys(trace));
  const most = Math.min(MAX_PARTITION_SLOTS, MOST_KEYS_A_REQUEST * keys.length);
  const isDense = keyCount >= 1 && keyCount <= most;
  const part = { keys: shared(keys, isShared), warmup, ...(isDense && { keyCount }) };
  return {
    parts: [part],
    sizes: sizes.map((size) => {
      const slotCount = size < 1 ? Math.max(1, Math.floor(size * unique)) : size;
      return { slots: [slotCount], share: slotCount / unique, budgetBytes: undefined };
    }),
    requests: keys.length - warmup,
    requestBytes: 0,
  };
}

function room(length: number, isShared: boolean): Uint32Array {
  return new Uint32Array(
    isShared ? new SharedArrayBuffer(4 * length) : new ArrayBuffer(4 * length),
  );
}

/** A copy in shared memory, where that is wanted and `keys` are not there. */
function shared(keys: Uint32Array, isShared: boolean): Uint32Array {
  if (!isShared || keys.buffer instanceof SharedArrayBuffer) return keys;
  const copy = room(keys.length, true);
  copy.set(keys);
  return copy;
}

/** How many distinct keys there are. */
function countKeys({ keys, keyCount }: Trace): number {
  const isColumn = keyCount !== undefined && keyCount <= MAX_PARTITION_SLOTS;
  const numbering = new KeyNumbering();
  const seen = new Uint8Array(isColumn ? keyCount : 0);
  let count = 0;
  for (let i = 0; i < keys.length; i++) {
    if (keyCount !== undefined && keys[i] >= keyCount) {
      throw new RangeError(`${WHAT}: keys must be below ${keyCount}: received ${keys[i]}`);
    }
    if (!isColumn) numbering.add(keys[i]);
    else if (seen[keys[i]] === 0) {
      seen[keys[i]] = 1;
      count++;
    }
  }
  return isColumn ? count : numbering.size;
}

/** What is known of the distinct objects of a trace. */
interface Objects {
  /** By request, the number of its object. */
  readonly numbers: Uint32Array;
  /** By object, its bytes: those of its first request, at least 1. */
  readonly bytes: Uint32Array;
}

/**
 * A part for each class of sizes. Its requests are those for objects of the class, so an object
 * keeps its class when later requests tell another size.
 */
function planSized(
  trace: Trace & { readonly sizes: Uint32Array },
  sizes: readonly number[],
  warmup: number,
  isShared: boolean,
): Plan {
  const objects = findObjects(trace);
  const classes = sizeClasses(objects.bytes);
  const classOf = Uint8Array.from(objects.bytes, (bytes) => sizeClassOf(classes, bytes));
  const parts = cutParts(trace, warmup, classes.slotBytes.length, isShared, (i) => {
    return classOf[objects.numbers[i]];
  });
  // What LRU makes of each class, exactly: all policies are compared over one split.
  const budgetParts = parts.map(({ keys }, i) => ({
    curve: lruCurve({ name: trace.name, keys }),
    slotBytes: classes.slotBytes[i],
    maximumSlots: classes.objects[i],
  }));
  const total = bytesOf(objects.bytes, 0, objects.bytes.length);
  return {
    parts,
    sizes: sizes.map((size) => {
      const share = size < 1 ? size : size / objects.bytes.length;
      const budgetBytes = Math.max(classes.slotBytes[0], Math.floor(share * total));
      return { slots: slotsFor(budgetParts, budgetBytes), share: budgetBytes / total, budgetBytes };
    }),
    requests: trace.keys.length - warmup,
    requestBytes: bytesOf(trace.sizes, warmup, trace.sizes.length),
  };
}

/** Slots of each part: what suits LRU, then what it has no use for but others may have. */
function slotsFor(
  parts: readonly (BudgetPart & { readonly maximumSlots: number })[],
  budgetBytes: number,
): number[] {
  const { slots, bytes } = splitBudget(parts, budgetBytes);
  const spare = parts.map(({ maximumSlots }, i) => maximumSlots - slots[i]);
  const wanted = parts.reduce((sum, { slotBytes }, i) => sum + slotBytes * spare[i], 0);
  const part = Math.min(1, (budgetBytes - bytes) / Math.max(1, wanted));
  return slots.map((count, i) => count + Math.floor(part * spare[i]));
}

function findObjects({ keys, sizes }: Trace & { readonly sizes: Uint32Array }): Objects {
  const numbering = new KeyNumbering();
  const numbers = new Uint32Array(keys.length);
  const bytes = new Uint32Array(keys.length);
  for (let i = 0; i < keys.length; i++) {
    const known = numbering.size;
    numbers[i] = numbering.add(keys[i]);
    if (numbers[i] === known) bytes[known] = Math.max(1, sizes[i]);
  }
  return { numbers, bytes: bytes.slice(0, numbering.size) };
}

/** Cuts the requests into `count` parts, in order within each. */
function cutParts(
  { keys, sizes }: Trace & { readonly sizes: Uint32Array },
  warmup: number,
  count: number,
  isShared: boolean,
  partOf: (request: number) => number,
): Part[] {
  const ends = new Uint32Array(count), warmups = new Uint32Array(count);
  for (let i = 0; i < keys.length; i++) {
    ends[partOf(i)]++;
    if (i < warmup) warmups[partOf(i)]++;
  }
  const parts = Array.from(ends, (length, i) => {
    return { keys: room(length, isShared), sizes: room(length, isShared), warmup: warmups[i] };
  });
  ends.fill(0);
  for (let i = 0; i < keys.length; i++) {
    const part = partOf(i);
    const at = ends[part]++;
    parts[part].keys[at] = keys[i];
    parts[part].sizes[at] = sizes[i];
  }
  return parts;
}
