/**
 * Why lookups miss, found out while a cache runs.
 *
 * @module
 */

import { checkInteger } from "../../base/checks.ts";
import { createRandom } from "../../base/random.ts";
import { MAX_PARTITION_SLOTS, MAX_PARTITIONS } from "../limits.ts";
import { advise } from "./_advice.ts";
import { quantile } from "./_distance_buckets.ts";
import { drawHtml, drawText } from "./_drawing.ts";
import { estimate, sumClasses, waitsOf } from "./_estimate.ts";
import { sampleHash } from "./_key_sample.ts";
import { MissClassifier } from "./_miss_classifier.ts";
import {
  type CapacityNeed,
  DISPLAY,
  type MissExplanation,
  type TableExplanation,
} from "./explanation.ts";
import type { LookupObserver, LookupOutcome } from "./lookup_outcome.ts";

/** One table whose lookups are explained. */
export interface ExplainedTable {
  /** Its name in what is said; "table 3" by default. */
  name?: string;
  /** Slots that its partition of the cache has, from 1. */
  slotCount: number;
  /** Bytes that a row takes in the cache, overhead included; from 1. */
  rowBytes: number;
  /**
   * The share of its keys that is sampled, above 0 and at most 1. By default 0.01, or more for few
   * slots, so that 256 of them are.
   */
  rate?: number;
}

/** What a {@linkcode MissExplainer} is made from. */
export interface MissExplainerOptions {
  /** At least one, in the order of the cache's partitions. */
  tables: readonly ExplainedTable[];
  /**
   * Most keys that are sampled of a table, from 16; 2,048 by default. When more turn up, the rate
   * falls, so that memory and cost stay what they are.
   */
  sampleSize?: number;
  /** Which keys are sampled; any safe integer, 0 by default. */
  seed?: number;
}

const SAMPLE_SIZE = 2048;
const MIN_RATE = 0.01;
const MIN_SAMPLED_SLOTS = 256;

/** Outcomes that there are. */
const OUTCOMES = 5;

/** Parts of the capacity misses for which the memory is told. */
const PARTS = [0.5, 0.8, 0.9];

/**
 * Puts every lookup that had to wait into one class: first touch, capacity, refused by admission,
 * evicted though Belady would have kept it, prefetched too late, delayed hit. It sees the lookups
 * of a cache or a replay as they happen, knows the future of none, and needs no replay.
 *
 * It follows a sample of the keys, chosen by hash (SHARDS, FAST 2015), and runs the optimal cache
 * on it, scaled down as much (OPTgen of Hawkeye, ISCA 2016): a miss that OPTgen would have hit is
 * the fault of admission or policy, another one is a matter of capacity, and its stack distance
 * says how much LRU would have needed. Belady's algorithm is the one with bypass: it need not take
 * in a row that it will not keep.
 *
 * Costs 6 to 9 ns a lookup that is not sampled, 430 to 720 for one that is, so some 14 at a rate of
 * 0.01 (a shared AMD EPYC core, other programs beside it); and 72 to 85 bytes a sampled key, 150 kB
 * a table at the default size. Nothing is allocated after construction but by `explain`.
 *
 * Sampled counts are estimates: each share comes with the half width of its 95 % interval. On zipf
 * with scans, at rates of 0.01 to 0.085 and with a fixed size of 1,024 keys, 11 of 384 shares were
 * outside of it; capacity came out 0.6 points too high on average, at the cost of policy, as what
 * the sampled keys need swings more than what all need. The optimal cache starts empty, as the real
 * one is taken to.
 *
 * @example
 * ```ts
 * import { LOOKUP, MissExplainer } from "@rowtier/rowtier/cache";
 *
 * const tables = [{ name: "users", slotCount: 2, rowBytes: 64, rate: 1 }];
 * const explainer = new MissExplainer({ tables });
 * for (const key of [1, 2, 3, 1, 2, 3]) explainer.observe(0, key, LOOKUP.MISS);
 *
 * const { classes } = explainer.explain().tables[0];
 * // Belady would have kept two of the three rows; the policy kept none.
 * if (classes.firstTouch.count !== 3 || classes.policy.count !== 2) throw new Error("unreachable");
 * if (classes.capacity.count !== 1) throw new Error("unreachable");
 * ```
 */
export class MissExplainer implements LookupObserver {
  readonly #tables: readonly Required<ExplainedTable>[];
  readonly #classifiers: readonly MissClassifier[];
  /** By table and outcome, lookups. */
  readonly #outcomes: readonly Float64Array[];
  readonly #seed: number;

  /**
   * An explainer that has seen nothing; all its memory is allocated here.
   *
   * @throws {RangeError} when there is no table or too many, a `slotCount`, `rowBytes`, `rate` or
   * `sampleSize` is out of range, or `seed` is no safe integer.
   */
  constructor(options: MissExplainerOptions) {
    const what = "Cannot create MissExplainer";
    const { tables, sampleSize = SAMPLE_SIZE, seed = 0 } = options;
    checkInteger(what, "number of tables", tables.length, 1, MAX_PARTITIONS);
    checkInteger(what, "sampleSize", sampleSize, 16, 2 ** 24);
    checkInteger(what, "seed", seed, Number.MIN_SAFE_INTEGER);
    this.#tables = tables.map((table, number) =>
      complete(`${what}: table ${number}`, table, number)
    );
    this.#classifiers = this.#tables.map(({ slotCount, rate }) =>
      new MissClassifier(slotCount, sampleSize, rate)
    );
    this.#outcomes = tables.map(() => new Float64Array(OUTCOMES));
    this.#seed = createRandom(seed).u32() | 0;
  }

  /**
   * A lookup of `key` (u32) in table `partition` ended as `outcome` says. Not checked: a partition
   * out of range throws a TypeError.
   */
  observe(partition: number, key: number, outcome: LookupOutcome): void {
    this.#outcomes[partition][outcome]++;
    const hash = sampleHash(key, this.#seed);
    const classifier = this.#classifiers[partition];
    if (hash <= classifier.sample.limit) classifier.observe(key, hash, outcome);
  }

  /**
   * The same for the first `count` of `keys`, with an outcome each.
   *
   * @throws {RangeError} when the partition is out of range or an array is shorter than `count`;
   * nothing is touched then.
   */
  observeAll(partition: number, keys: Uint32Array, outcomes: Uint8Array, count: number): void {
    const what = "Cannot observe";
    checkInteger(what, "partition", partition, 0, this.#tables.length - 1);
    checkInteger(what, "count", count, 0, keys.length);
    checkInteger(what, "outcomes.length", outcomes.length, count);
    const counts = this.#outcomes[partition];
    const classifier = this.#classifiers[partition];
    const { sample } = classifier;
    const seed = this.#seed;
    for (let i = 0; i < count; i++) {
      const outcome = outcomes[i] as LookupOutcome;
      counts[outcome]++;
      const hash = sampleHash(keys[i], seed);
      if (hash <= sample.limit) classifier.observe(keys[i], hash, outcome);
    }
  }

  /** The row of `key` was deleted: its next lookup is a first touch. */
  forget(partition: number, key: number): void {
    this.#classifiers[partition].forget(key);
  }

  /** All rows of `partition` were deleted. */
  forgetAll(partition: number): void {
    this.#classifiers[partition].forgetAll();
  }

  /** Bytes of its arrays. */
  get bytes(): number {
    const own = 8 * OUTCOMES * this.#tables.length;
    return this.#classifiers.reduce((sum, { bytes }) => sum + bytes, own);
  }

  /** Why lookups had to wait, from the beginning to now: a fresh plain object. */
  explain(): MissExplanation {
    const tables = this.#tables.map((_, number) => this.#explainTable(number));
    const lookups = tables.reduce((sum, table) => sum + table.lookups, 0);
    const waits = tables.reduce((sum, table) => sum + table.waits, 0);
    const found = { tables, total: { lookups, waits, classes: sumClasses(tables, waits) } };
    const told = { ...found, advice: advise(found) };
    return {
      ...told,
      [DISPLAY]: () => ({ "text/html": drawHtml(told), "text/plain": drawText(told) }),
    };
  }

  #explainTable(number: number): TableExplanation {
    const { name, slotCount, rowBytes } = this.#tables[number];
    const classifier = this.#classifiers[number];
    const outcomes = this.#outcomes[number];
    const needs = PARTS.map((part): CapacityNeed => {
      const slots = quantile(classifier.distances, part);
      return { part, slots, bytes: slots * rowBytes };
    });
    return {
      name,
      slotCount,
      rowBytes,
      lookups: outcomes.reduce((sum, count) => sum + count, 0),
      waits: waitsOf(outcomes),
      rate: classifier.sample.rate,
      sampledMisses: classifier.missCount,
      classes: estimate(outcomes, classifier),
      needs: needs[0].slots === 0 ? [] : needs,
    };
  }

  /** Throws an Error naming the broken invariant, if there is one; takes a while. */
  verify(): void {
    for (const classifier of this.#classifiers) classifier.verify();
  }
}

/** The options of a table, checked, with what was left out. */
function complete(what: string, table: ExplainedTable, number: number): Required<ExplainedTable> {
  const slotCount = checkInteger(what, "slotCount", table.slotCount, 1, MAX_PARTITION_SLOTS);
  const rowBytes = checkInteger(what, "rowBytes", table.rowBytes, 1);
  const enough = Math.min(1, Math.max(MIN_RATE, MIN_SAMPLED_SLOTS / slotCount));
  const { name = `table ${number}`, rate = enough } = table;
  if (!(rate > 0 && rate <= 1)) {
    throw new RangeError(`${what}: rate must be above 0 and at most 1: received ${rate}`);
  }
  return { name, slotCount, rowBytes, rate };
}
