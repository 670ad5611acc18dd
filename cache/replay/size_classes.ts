/**
 * Classes of object sizes: a partition for each serves objects of different sizes with slots of one
 * size.
 *
 * @module
 */

import { checkInteger } from "../../base/checks.ts";
import { bucketOf, largestOf } from "./_size_buckets.ts";

/** Most classes; a cache has a partition for each. */
const MAX_CLASSES = 64;

/** Distinct sizes up to which each may end a class; more are rounded up by 1/64 at most. */
const MAX_DISTINCT = 512;

/** Options of {@linkcode sizeClasses}. */
export interface SizeClassesOptions {
  /** Most classes, 1 to 64; 8 by default. */
  readonly classCount?: number;
}

/** What {@linkcode sizeClasses} found. */
export interface SizeClasses {
  /** Bytes of a slot of each class, ascending: its largest object. */
  readonly slotBytes: Uint32Array;
  /** Objects in each class. */
  readonly objects: Float64Array;
  /** Bytes by which slots are longer than their objects, over all objects. */
  readonly wastedBytes: number;
}

/**
 * The classes that waste least when each object lies in a slot of its class: by dynamic programming
 * over the distinct sizes, so the optimum, not a fixed ratio of neighbours. Tables of a few row
 * sizes get a class for each and waste nothing. O(classes x distinct sizes squared): below 100 ms,
 * as distinct sizes beyond 512 are rounded up to 64 a doubling first.
 *
 * @param sizes Bytes of each object, at least 1: once an object, or once a request to weigh by use.
 * @throws {RangeError} when `sizes` is empty or one of it is 0, or `classCount` is out of range.
 *
 * @example
 * ```ts
 * import { sizeClasses, sizeClassOf } from "@rowtier/rowtier/cache";
 *
 * const classes = sizeClasses(Uint32Array.of(64, 68, 64, 256, 512, 500), { classCount: 3 });
 * if (classes.slotBytes.join() !== "68,256,512") throw new Error("unreachable");
 * if (sizeClassOf(classes, 100) !== 1) throw new Error("unreachable");
 * ```
 */
export function sizeClasses(sizes: Uint32Array, options: SizeClassesOptions = {}): SizeClasses {
  const what = "Cannot make size classes";
  const { classCount = 8 } = options;
  checkInteger(what, "classCount", classCount, 1, MAX_CLASSES);
  checkInteger(what, "sizes.length", sizes.length, 1);
  const counts = new Map<number, number>();
  for (const size of sizes) counts.set(size, (counts.get(size) ?? 0) + 1);
  const ascending = [...counts.keys()].sort((a, b) => a - b);
  checkInteger(what, "size", ascending[0], 1);
  const ends = ascending.length <= MAX_DISTINCT ? ascending : roundUp(ascending);
  const { objects, bytes } = sumUp(ascending, counts, ends);
  const last = cheapestEnds(ends, objects, bytes, Math.min(classCount, ends.length));
  const slotBytes = Uint32Array.from(last, (end) => ends[end]);
  const inClass = Float64Array.from(last, (end, i) => {
    return objects[end + 1] - (i === 0 ? 0 : objects[last[i - 1] + 1]);
  });
  const slots = inClass.reduce((sum, count, i) => sum + count * slotBytes[i], 0);
  return { slotBytes, objects: inClass, wastedBytes: slots - bytes[ends.length] };
}

/**
 * The class of an object of `size` bytes: the first whose slots are long enough; -1 when none is.
 */
export function sizeClassOf(classes: SizeClasses, size: number): number {
  const { slotBytes } = classes;
  for (let i = 0; i < slotBytes.length; i++) if (size <= slotBytes[i]) return i;
  return -1;
}

/** The ends of the buckets that `ascending` sizes fall in; the last end is the largest size. */
function roundUp(ascending: readonly number[]): number[] {
  const largest = ascending[ascending.length - 1];
  return [...new Set(ascending.map((size) => Math.min(largest, largestOf(bucketOf(size)))))];
}

/** By end: objects, and bytes of objects, in all the sizes before it; one entry more than ends. */
function sumUp(
  ascending: readonly number[],
  counts: ReadonlyMap<number, number>,
  ends: readonly number[],
): { objects: Float64Array; bytes: Float64Array } {
  const objects = new Float64Array(ends.length + 1);
  const bytes = new Float64Array(ends.length + 1);
  let next = 0;
  ends.forEach((end, i) => {
    objects[i + 1] = objects[i];
    bytes[i + 1] = bytes[i];
    for (; next < ascending.length && ascending[next] <= end; next++) {
      const count = counts.get(ascending[next])!;
      objects[i + 1] += count;
      bytes[i + 1] += count * ascending[next];
    }
  });
  return { objects, bytes };
}

/** The indices of the ends that `classCount` classes take, so that their slots sum up to least. */
function cheapestEnds(
  ends: readonly number[],
  objects: Float64Array,
  bytes: Float64Array,
  classCount: number,
): number[] {
  const count = ends.length;
  // Bytes wasted by the sizes up to each, in so many classes as rounds were made.
  let waste = Float64Array.from(ends, (end, i) => end * objects[i + 1] - bytes[i + 1]);
  const previous: Int32Array[] = [new Int32Array(count).fill(-1)];
  for (let classes = 1; classes < classCount; classes++) {
    const better = new Float64Array(count);
    const from = new Int32Array(count);
    for (let end = 0; end < count; end++) {
      better[end] = waste[end];
      from[end] = previous[classes - 1][end];
      // With no better cut the class count stays: `from` then leads on as one class fewer would.
      for (let cut = 0; cut < end; cut++) {
        const added = ends[end] * (objects[end + 1] - objects[cut + 1]) - bytes[end + 1] +
          bytes[cut + 1];
        if (waste[cut] + added < better[end]) {
          better[end] = waste[cut] + added;
          from[end] = cut;
        }
      }
    }
    waste = better;
    previous.push(from);
  }
  const chosen: number[] = [];
  for (let end = count - 1, round = classCount - 1; end >= 0; round--) {
    chosen.unshift(end);
    end = previous[Math.max(0, round)][end];
  }
  return chosen;
}
