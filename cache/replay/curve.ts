/**
 * Miss-ratio curves: what part of the requests misses, by cache size.
 *
 * @module
 */

/** Where a {@linkcode MissRatioCurve} comes from, and what it is made of. */
export interface MissRatioCurveOptions {
  /**
   * How it was got: "exact" counts every request, "sampled" some of the keys, "simulated" runs a
   * small cache in place of a large one, "modelled" computes it from probabilities.
   */
  readonly method: "exact" | "sampled" | "simulated" | "modelled";
  /** What sizes count; "entries" by default. */
  readonly unit?: "entries" | "bytes";
  /** What lies between two points: "linear" by default, or the ratio of the lower: "step". */
  readonly between?: "linear" | "step";
  /** Requests that the ratios are of: bytes requested for a byte miss ratio. */
  readonly requests: number;
  /** The sizes of the points, above 0, each above the one before. */
  readonly sizes: Float64Array;
  /** The miss ratio at each size, 0 to 1. */
  readonly missRatios: Float64Array;
  /** One standard error of each miss ratio, where known; 0 for exact ones. */
  readonly standardErrors?: Float64Array;
  /** Requests that it was got from, one by one: what it cost. */
  readonly observed: number;
  /** Bytes that it took to get it, at the end. */
  readonly memoryBytes: number;
}

/**
 * Miss ratios by cache size. It keeps the arrays that it is given: 16 to 24 bytes a point.
 *
 * @example
 * ```ts
 * import { MissRatioCurve } from "@rowtier/rowtier/cache";
 *
 * const sizes = Float64Array.of(100, 200);
 * const missRatios = Float64Array.of(0.5, 0.3);
 * const cost = { observed: 0, memoryBytes: 0 };
 * const curve = new MissRatioCurve({
 *   method: "modelled",
 *   requests: 1000,
 *   sizes,
 *   missRatios,
 *   ...cost,
 * });
 * if (curve.at(150) !== 0.4 || curve.missesAt(0) !== 1000) throw new Error("unreachable");
 * ```
 */
export class MissRatioCurve {
  /** How it was got. */
  readonly method: "exact" | "sampled" | "simulated" | "modelled";
  /** What sizes count. */
  readonly unit: "entries" | "bytes";
  /** What lies between two points. */
  readonly between: "linear" | "step";
  /** Requests (or bytes requested) that the ratios are of. */
  readonly requests: number;
  /** The sizes of the points, ascending. */
  readonly sizes: Float64Array;
  /** The miss ratio at each of `sizes`. */
  readonly missRatios: Float64Array;
  /** One standard error of each of `missRatios`; undefined where it is not known. */
  readonly standardErrors: Float64Array | undefined;
  /** Requests looked at one by one to get it. */
  readonly observed: number;
  /** Bytes that it took to get it. */
  readonly memoryBytes: number;

  /**
   * A curve of the given points.
   *
   * @throws {RangeError} when the arrays differ in length, a size is not above the one before it,
   * or a ratio is not between 0 and 1.
   */
  constructor(options: MissRatioCurveOptions) {
    const { sizes, missRatios, standardErrors } = options;
    checkPoints(sizes, missRatios, standardErrors);
    this.method = options.method;
    this.unit = options.unit ?? "entries";
    this.between = options.between ?? "linear";
    this.requests = options.requests;
    this.sizes = sizes;
    this.missRatios = missRatios;
    this.standardErrors = standardErrors;
    this.observed = options.observed;
    this.memoryBytes = options.memoryBytes;
  }

  /**
   * The miss ratio of a cache of `size`: 1 at 0, the last point's beyond the last. O(log points).
   */
  at(size: number): number {
    const next = firstAbove(this.sizes, size);
    if (next === this.sizes.length) return next === 0 ? 1 : this.missRatios[next - 1];
    const low = next === 0 ? 1 : this.missRatios[next - 1];
    if (this.between === "step") return low;
    const start = next === 0 ? 0 : this.sizes[next - 1];
    const part = Math.max(0, size - start) / (this.sizes[next] - start);
    return low + part * (this.missRatios[next] - low);
  }

  /** Misses of a cache of `size`: a whole number for an exact curve. */
  missesAt(size: number): number {
    const misses = this.at(size) * this.requests;
    // A ratio of two integers below 2^53 is within half of the integer that it was made from.
    return this.between === "step" ? Math.round(misses) : misses;
  }

  /** One standard error of `at(size)`: the larger one of the points beside it; NaN if unknown. */
  standardErrorAt(size: number): number {
    const errors = this.standardErrors;
    if (errors === undefined) return NaN;
    const next = firstAbove(this.sizes, size);
    const below = next === 0 ? 0 : errors[next - 1];
    return next === errors.length ? below : Math.max(below, errors[next]);
  }

  /** The smallest size among the points whose miss ratio is at most `ratio`; Infinity if none. */
  sizeFor(ratio: number): number {
    const point = this.missRatios.findIndex((found) => found <= ratio);
    return point === -1 ? Infinity : this.sizes[point];
  }
}

/** The first of ascending `sizes` above `size`; their count when none is. */
function firstAbove(sizes: Float64Array, size: number): number {
  let low = 0, high = sizes.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sizes[middle] > size) high = middle;
    else low = middle + 1;
  }
  return low;
}

function checkPoints(
  sizes: Float64Array,
  missRatios: Float64Array,
  standardErrors: Float64Array | undefined,
): void {
  const what = "Cannot create MissRatioCurve";
  for (const [name, column] of Object.entries({ missRatios, standardErrors })) {
    if (column === undefined || column.length === sizes.length) continue;
    throw new RangeError(
      `${what}: ${name} must be as many as sizes, ${sizes.length}: received ${column.length}`,
    );
  }
  for (let i = 0; i < sizes.length; i++) {
    if (!(sizes[i] > (i === 0 ? 0 : sizes[i - 1]))) {
      throw new RangeError(`${what}: sizes must ascend from above 0: received ${sizes[i]}`);
    }
    if (!(missRatios[i] >= 0 && missRatios[i] <= 1)) {
      throw new RangeError(`${what}: missRatios must be 0 to 1: received ${missRatios[i]}`);
    }
  }
}
