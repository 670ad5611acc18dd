/**
 * Lookups like those of Meta's recommendation models.
 *
 * @module
 */

import { checkInteger } from "../../base/checks.ts";
import { createRandom, type Random } from "../../base/random.ts";
import { META_REUSE } from "./meta_reuse.ts";
import { checkShare } from "./_ranges.ts";
import { planReuse } from "./_reuse_plan.ts";
import { spreadRows } from "./_row_spread.ts";
import type { Trace } from "./trace.ts";

/** Options of {@linkcode metaLike}. */
export interface MetaLikeOptions {
  /** The data set to be like, of 2021 (6.9 lookups a row) or 2022 (12.7). */
  readonly year: 2021 | 2022;
  /** Embedding tables, 1 to 65,536; 4 by default. */
  readonly tableCount?: number;
  /** Samples of the batch, at least 64; by default as published, 65,536 and 131,072. */
  readonly sampleCount?: number;
  /**
   * The share of a row's later lookups that come soon after another one, 0 to 1; 0.3 by default,
   * which lifts the hit ratio of LRU about as much as order does in a real embedding table.
   */
  readonly locality?: number;
  /** Any safe integer. */
  readonly seed: number;
}

/** What one embedding table is asked for. */
export interface MetaLikeTable {
  /** The side of the model that it belongs to. */
  readonly side: "user" | "item";
  /** Its lookups in order; keys are dense, and all of its rows are looked up. */
  readonly trace: Trace;
  /** The bag of sample i is the lookups from `offsets[i]` to `offsets[i + 1]`. */
  readonly offsets: Uint32Array;
}

/** Two in three tables are on the user's side, as in the models M1 to M3 of arXiv 2110.11489. */
const USER_TABLES_A_TABLE = 2 / 3;

/** Rows that repeat more often than the mean prefer item tables so much. */
const ITEM_HEAT = 2;

/**
 * With slots for a tenth of the rows it gives LRU 28 % of the hits that random order costs it; in a
 * real table, of MICRO 2024 (Jain et al.), order gives 31 % of them.
 */
const LOCALITY = 0.3;

/** Lookups soon after another lie within this share of the table's lookups. */
const NEAR_SHARE = 0.01;

/** Most lookups of a set: positions are u32. */
const MAX_LOOKUPS = 2 ** 32 - 1;

/**
 * Embedding lookups of one batch whose reuse is that of a published data set of Meta, as a whole:
 * the rows of each doubling bin of reuse have the published share of all rows, and of all lookups,
 * within rounding. About 20 bytes a lookup and 230 ns.
 *
 * What was published says no more than that, and the means of lookups a row and a bag. The rest is
 * assumed: that two tables in three belong to the user's side; that tables differ in lookups a bag
 * by up to three times, and bags of a table from none to twice its mean; that hot rows are twice as
 * likely to be an item table's as a user table's; that no row has more lookups than there are
 * samples; that a row's lookups are spread over the batch at random but for `locality`; and that
 * hot rows are no neighbours.
 *
 * To make it smaller, lower `tableCount` first: rows of the highest bins need as many samples as
 * they have lookups, and 2 million lookups in all. What a smaller set has no room for goes to the
 * bins below.
 *
 * @returns A table each; {@linkcode interleave} makes one trace of them.
 * @throws {RangeError} for an option out of range.
 *
 * @example
 * ```ts
 * import { metaLike } from "@rowtier/rowtier/cache";
 *
 * const tables = metaLike({ year: 2021, tableCount: 3, sampleCount: 1000, seed: 1 });
 * const [{ trace, offsets }] = tables;
 * if (offsets[1000] !== trace.keys.length) throw new Error("unreachable");
 * ```
 */
export function metaLike(options: MetaLikeOptions): MetaLikeTable[] {
  const { year, tableCount = 4, locality = LOCALITY, seed } = options;
  const what = "Cannot create MetaLike";
  const statistics = META_REUSE[year];
  if (statistics === undefined) {
    throw new RangeError(`${what}: year must be 2021 or 2022: received ${year}`);
  }
  const { sampleCount = statistics.sampleCount } = options;
  checkInteger(what, "tableCount", tableCount, 1, 2 ** 16);
  checkInteger(what, "sampleCount", sampleCount, 64, 2 ** 31);
  checkShare(what, "locality", locality);
  const pooling = statistics.lookups / (statistics.tableCount * statistics.sampleCount);
  const lookups = Math.round(tableCount * sampleCount * pooling);
  checkInteger(what, "tableCount * sampleCount * lookups a bag", lookups, 1, MAX_LOOKUPS);
  const random = createRandom(seed);
  const counts = planReuse(statistics, lookups, sampleCount);
  const userCount = Math.round(tableCount * USER_TABLES_A_TABLE);
  const heats = Array.from({ length: tableCount }, (_, i) => i < userCount ? 1 : ITEM_HEAT);
  const shares = tableLookups(lookups, tableCount, sampleCount, random);
  const hot = statistics.lookups / statistics.rows;
  const rowsOf = spreadRows(counts, shares, heats, hot, random);
  return rowsOf.map((rowCounts, i) => {
    const side = i < userCount ? "user" : "item";
    const name = `${year} ${side} table ${i}`;
    const keys = orderLookups(rowCounts, shares[i], locality, random);
    const offsets = cutBags(shares[i], sampleCount, random);
    return { side, trace: { name, keys, keyCount: rowCounts.length }, offsets };
  });
}

/** How many lookups each table gets: at least one a sample, some three times others. */
function tableLookups(
  lookups: number,
  tableCount: number,
  sampleCount: number,
  random: Random,
): Uint32Array {
  const weights = Float64Array.from({ length: tableCount }, () => 1 + 2 * random.unit());
  const whole = weights.reduce((sum, weight) => sum + weight, 0);
  const spare = lookups - tableCount * sampleCount;
  const shares = new Uint32Array(tableCount);
  let sum = 0, given = 0;
  for (let i = 0; i < tableCount; i++) {
    sum += weights[i];
    const upTo = Math.round(spare * sum / whole);
    shares[i] = sampleCount + upTo - given;
    given = upTo;
  }
  return shares;
}

/** The keys of a table's lookups in order, given how often each key comes. */
function orderLookups(
  rowCounts: Uint32Array,
  lookups: number,
  locality: number,
  random: Random,
): Uint32Array {
  const near = Math.max(1, Math.ceil(lookups * NEAR_SHARE));
  const times = new Uint32Array(lookups);
  // One more than times: a counting sort by time follows.
  const starts = new Uint32Array(lookups + 1);
  let at = 0;
  for (let key = 0; key < rowCounts.length; key++) {
    let time = 0;
    for (let left = rowCounts[key], isFirst = true; left > 0; left--, isFirst = false) {
      const isNear = !isFirst && random.unit() < locality;
      time = isNear ? (time + 1 + random.below(near)) % lookups : random.below(lookups);
      times[at++] = time;
      starts[time + 1]++;
    }
  }
  for (let time = 0; time < lookups; time++) starts[time + 1] += starts[time];
  const keys = new Uint32Array(lookups);
  at = 0;
  for (let key = 0; key < rowCounts.length; key++) {
    for (let left = rowCounts[key]; left > 0; left--) keys[starts[times[at++]]++] = key;
  }
  return keys;
}

/** Offsets of bags that have from none to twice the mean of lookups, and all of them together. */
function cutBags(lookups: number, sampleCount: number, random: Random): Uint32Array {
  const sums = new Float64Array(sampleCount + 1);
  for (let i = 0; i < sampleCount; i++) sums[i + 1] = sums[i] + random.unit();
  const scale = lookups / sums[sampleCount];
  return Uint32Array.from(sums, (sum) => Math.round(sum * scale));
}

/**
 * The lookups of all tables as one trace, in the order of a model that serves sample by sample: the
 * bags of the first sample, table by table, then those of the next. Keys are numbered over all
 * tables: those of a table begin where the table before it ends.
 *
 * @throws {RangeError} when the tables differ in samples.
 *
 * @example
 * ```ts
 * import { interleave, metaLike } from "@rowtier/rowtier/cache";
 *
 * const tables = metaLike({ year: 2022, tableCount: 2, sampleCount: 100, seed: 1 });
 * const trace = interleave(tables, "2022");
 * if (trace.keyCount !== tables.reduce((sum, { trace }) => sum + (trace.keyCount ?? 0), 0)) {
 *   throw new Error("unreachable");
 * }
 * ```
 */
export function interleave(tables: readonly MetaLikeTable[], name: string): Trace {
  const samples = tables.length === 0 ? 0 : tables[0].offsets.length - 1;
  const keys = new Uint32Array(tables.reduce((sum, { trace }) => sum + trace.keys.length, 0));
  const bases: number[] = [];
  let keyCount = 0;
  for (const { trace, offsets } of tables) {
    if (offsets.length !== samples + 1) {
      throw new RangeError(
        `Cannot interleave tables: all must have ${samples} samples: received ${
          offsets.length - 1
        }`,
      );
    }
    bases.push(keyCount);
    keyCount += trace.keyCount ?? 0;
  }
  let at = 0;
  for (let sample = 0; sample < samples; sample++) {
    for (let t = 0; t < tables.length; t++) {
      const { trace, offsets } = tables[t];
      const end = offsets[sample + 1];
      for (let i = offsets[sample]; i < end; i++) keys[at++] = bases[t] + trace.keys[i];
    }
  }
  return { name, keys, keyCount };
}
