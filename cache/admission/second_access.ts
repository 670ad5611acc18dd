/**
 * Admission at the second access: a doorkeeper.
 *
 * @module
 */

import { checkInteger } from "../../base/checks.ts";
import type { AdmissionPolicy } from "../admission.ts";
import { MAX_PARTITION_SLOTS } from "../limits.ts";
import { BloomFilter } from "./_bloom_filter.ts";
import { KeySet } from "./_key_set.ts";

/** What {@linkcode secondAccess} is made from. */
export interface SecondAccessOptions {
  /**
   * Keys that it remembers at least: that many in the older of two filters, and those since. Eight
   * a slot by default.
   */
  memoryKeys?: number;
  /**
   * How often a key that it never saw passes for one that it did, above 0 and below 1; 0.01 by
   * default. 11 bits a key of the memory then, in each of the two filters.
   */
  falsePositives?: number;
  /** Remembers every key exactly and for ever; its memory grows with the keys. Off by default. */
  exact?: boolean;
}

/**
 * Refuses a row at its first miss and admits it at a later one, so that rows looked up once never
 * take a place. Two Bloom filters take turns: when the younger has taken in its share of keys, the
 * older is emptied and becomes the younger, so that old keys are forgotten and memory is bounded.
 *
 * @throws {RangeError} when an option is out of range.
 *
 * @example
 * ```ts
 * import { KeyCache, lru, NO_SLOT, secondAccess } from "@rowtier/rowtier/cache";
 *
 * const cache = new KeyCache({ slotCount: 8, eviction: lru, admission: secondAccess });
 * cache.get(7);
 * if (cache.insert(7) !== NO_SLOT) throw new Error("unreachable");
 * cache.get(7);
 * if (cache.insert(7) === NO_SLOT) throw new Error("unreachable");
 * ```
 */
export function secondAccess(
  slotCount: number,
  options: SecondAccessOptions = {},
): AdmissionPolicy {
  const what = "Cannot create secondAccess";
  const { memoryKeys = 8 * slotCount, falsePositives = 0.01, exact = false } = options;
  checkInteger(what, "memoryKeys", memoryKeys, 1, 8 * MAX_PARTITION_SLOTS);
  if (!(falsePositives > 0 && falsePositives < 1)) {
    throw new RangeError(
      `${what}: falsePositives must be above 0 and below 1: received ${falsePositives}`,
    );
  }
  const seen = exact ? new KeySet() : new RecentKeys(memoryKeys, falsePositives);
  return {
    name: "second-access",
    onAccess: () => {},
    admit: (key) => !seen.add(key),
    prefers: () => true,
  };
}

/** The last keys added, between `memoryKeys` and twice as many. */
class RecentKeys {
  readonly #memoryKeys: number;
  #younger: BloomFilter;
  #older: BloomFilter;
  #added = 0;

  constructor(memoryKeys: number, falsePositives: number) {
    this.#memoryKeys = memoryKeys;
    // Either filter may be wrong, so each gets half of what is allowed.
    this.#younger = new BloomFilter(memoryKeys, falsePositives / 2, 1);
    this.#older = new BloomFilter(memoryKeys, falsePositives / 2, 2);
  }

  /** Adds `key`; false when it was there, and then it stays a recent one. */
  add(key: number): boolean {
    if (this.#younger.has(key)) return false;
    const isNew = !this.#older.has(key);
    this.#younger.add(key);
    if (++this.#added === this.#memoryKeys) this.#turn();
    return isNew;
  }

  #turn(): void {
    this.#older.clear();
    [this.#younger, this.#older] = [this.#older, this.#younger];
    this.#added = 0;
  }
}
