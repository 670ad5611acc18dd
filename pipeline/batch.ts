/**
 * Batches of bags, as the pipeline takes them.
 *
 * @module
 */

/** The bags of one table in a batch. */
export interface BatchPart {
  /** Which of the pipeline's tables. */
  readonly table: number;
  /** The row keys of all bags, one after the other. */
  readonly keys: Uint32Array;
  /** Bags + 1 entries, from 0, never decreasing: bag b is keys [offsets[b], offsets[b + 1]). */
  readonly offsets: Uint32Array;
  /** fp32, one for each key; required exactly when the table is weighted. */
  readonly weights?: Float32Array;
}

/** One request: bags over one or more tables, answered together. */
export interface KeyBatch {
  /** In any order; a table may occur more than once. */
  readonly parts: readonly BatchPart[];
}

/** Number of bags of a part. */
export function bagCount(part: BatchPart): number {
  return part.offsets.length - 1;
}

/** Number of keys of a part. */
export function keyCount(part: BatchPart): number {
  return part.offsets[part.offsets.length - 1];
}

/** What {@linkcode checkPart} needs to know of a table. */
export interface PartBounds {
  /** Rows of the table. */
  readonly rowCount: number;
  /** Whether its bags are weighted. */
  readonly weighted: boolean;
}

/**
 * Throws a RangeError naming the first thing wrong with part number `index`, before anything of the
 * batch is touched. One pass over offsets and keys, about 1 ns each.
 */
export function checkPart(index: number, part: BatchPart, bounds: PartBounds): void {
  const what = `Cannot stage batch: part ${index}`;
  const { keys, offsets, weights } = part;
  if (offsets.length < 1 || offsets[0] !== 0) {
    throw new RangeError(`${what}: offsets must start with 0: received ${offsets[0]}`);
  }
  for (let b = 1; b < offsets.length; b++) {
    if (offsets[b] < offsets[b - 1]) {
      throw new RangeError(
        `${what}: offsets must not decrease: received ${offsets[b]} after ${offsets[b - 1]}`,
      );
    }
  }
  const count = keyCount(part);
  if (count > keys.length) {
    throw new RangeError(`${what}: offsets end at ${count}: received ${keys.length} keys`);
  }
  const bad = firstAtLeast(keys, count, bounds.rowCount);
  if (bad >= 0) {
    throw new RangeError(
      `${what}: key ${bad} must be below the table's ${bounds.rowCount} rows: received ${
        keys[bad]
      }`,
    );
  }
  if ((weights !== undefined) !== bounds.weighted) {
    const needs = bounds.weighted ? "weights, as the table is weighted" : "no weights";
    throw new RangeError(`${what} must have ${needs}`);
  }
  if (weights !== undefined && weights.length < count) {
    throw new RangeError(`${what}: weights must be at least ${count}: received ${weights.length}`);
  }
}

function firstAtLeast(keys: Uint32Array, count: number, bound: number): number {
  for (let i = 0; i < count; i++) if (keys[i] >= bound) return i;
  return -1;
}
