/**
 * The entries of one dim: a slab of floats, its slots' columns, their index and policy.
 *
 * The index knows an entry by lane 0 of its hash; the other lanes decide. Two entries that share
 * lane 0 cannot both be there: the newer takes the place of the older, which happens to n / 2^32 of
 * the stores beside n entries, 1 in 4,000 at a million.
 *
 * @module
 */

import { HASH_WORDS } from "./_bag_hash.ts";
import {
  type EvictionPolicy,
  type EvictionPolicyFactory,
  NO_SLOT,
  REMOVAL,
  type RemovalCause,
  type Slots,
} from "../eviction.ts";
import { MAX_PARTITION_SLOTS } from "../limits.ts";
import { KeyIndex } from "../rows/key_index.ts";
import type { PooledBytes, PooledCounters } from "./pooled_options.ts";

/** A table's counters while they count; what is held follows from them. */
export type PooledTally = {
  -readonly [Name in Exclude<keyof PooledCounters, "bytes">]: PooledCounters[Name];
};

/** Bytes of the columns a slot: key, hash, table, free stack. */
const COLUMN_BYTES = 4 + 4 * HASH_WORDS + 2 + 4;

/** Room for the outputs of one dim. */
export class PooledSlab implements Slots {
  /** Its slots. */
  readonly count: number;
  /**
   * Column: what the policy knows of each slot, the low 31 bits of lane 0. Larger integers become
   * objects on their way through its calls, one or two for each store.
   */
  readonly key: Uint32Array;
  /** Floats of an output. */
  readonly dim: number;
  /** Column: the hash in each slot. */
  readonly #hash: Int32Array;
  /** Column: the table of each slot; a slot is in use when the index has its lane 0. */
  readonly #table: Uint16Array;
  readonly #rows: Float32Array;
  readonly #index: KeyIndex;
  readonly #policy: EvictionPolicy;
  readonly #tallies: readonly PooledTally[];
  /** A stack. */
  readonly #free: Int32Array;
  #freeCount: number;

  constructor(
    dim: number,
    count: number,
    eviction: EvictionPolicyFactory,
    tallies: readonly PooledTally[],
  ) {
    this.dim = dim;
    this.count = this.#freeCount = count;
    this.key = new Uint32Array(count);
    this.#hash = new Int32Array(HASH_WORDS * count);
    this.#table = new Uint16Array(count);
    this.#rows = new Float32Array(dim * count);
    this.#free = new Int32Array(count).map((_, i) => count - 1 - i);
    this.#index = new KeyIndex(count);
    this.#policy = eviction(this);
    this.#tallies = tallies;
  }

  /** Outputs are copied out at once: nobody ever holds a slot. */
  evictable(_slot: number): boolean {
    return true;
  }

  /** The slot of the hash at `at`, or NO_SLOT. */
  find(hash: Int32Array, at: number): number {
    const slot = this.#index.get(hash[at]);
    return slot !== NO_SLOT && this.#matches(slot, hash, at) ? slot : NO_SLOT;
  }

  #matches(slot: number, hash: Int32Array, at: number): boolean {
    const held = this.#hash;
    const first = HASH_WORDS * slot;
    return held[first + 1] === hash[at + 1] && held[first + 2] === hash[at + 2] &&
      held[first + 3] === hash[at + 3];
  }

  /** Copies the output in `slot` to `output` from `to` on, and tells the policy of the use. */
  read(slot: number, output: Float32Array, to: number): void {
    const rows = this.#rows;
    const { dim } = this;
    const from = dim * slot;
    for (let i = 0; i < dim; i++) output[to + i] = rows[from + i];
    const policy = this.#policy;
    for (let out = policy.onHit(slot); out !== NO_SLOT; out = policy.pushedOut?.() ?? NO_SLOT) {
      this.#release(out, REMOVAL.EVICTED);
    }
  }

  /** Keeps `values` from `from` on under a hash; false when it is there, or finds no slot. */
  write(hash: Int32Array, at: number, table: number, values: Float32Array, from: number): boolean {
    const there = this.#index.get(hash[at]);
    if (there !== NO_SLOT) {
      if (this.#matches(there, hash, at)) return false;
      this.#release(there, REMOVAL.EVICTED);
    }
    const key = hash[at] & 0x7fffffff;
    const slot = this.#take(key);
    if (slot === NO_SLOT) return false;
    this.key[slot] = key;
    for (let lane = 0; lane < HASH_WORDS; lane++) {
      this.#hash[HASH_WORDS * slot + lane] = hash[at + lane];
    }
    this.#table[slot] = table;
    const rows = this.#rows;
    const { dim } = this;
    const to = dim * slot;
    for (let i = 0; i < dim; i++) rows[to + i] = values[from + i];
    this.#index.set(hash[at], slot);
    this.#policy.onInsert(slot);
    this.#tallies[table].entries++;
    return true;
  }

  /** A slot for `key`, emptied, or NO_SLOT. */
  #take(key: number): number {
    const policy = this.#policy;
    policy.onMiss(key);
    while (this.#freeCount === 0 || policy.crowded?.(key) === true) {
      const victim = policy.victim(key);
      if (victim === NO_SLOT) return NO_SLOT;
      this.#release(victim, REMOVAL.EVICTED);
    }
    return this.#free[--this.#freeCount];
  }

  #release(slot: number, cause: RemovalCause): void {
    this.#policy.onRemove(slot, cause);
    this.#index.delete(this.#hash[HASH_WORDS * slot]);
    this.#free[this.#freeCount++] = slot;
    const tally = this.#tallies[this.#table[slot]];
    tally.entries--;
    if (cause === REMOVAL.EVICTED) tally.evictions++;
    else tally.invalidations++;
  }

  /**
   * Frees every slot of a table. A walk over the slots, about 1 ns each, until all its entries are
   * found; lists by table would cost 8 bytes a slot and two writes a store for what versions do
   * every few minutes.
   */
  drop(table: number): void {
    const tally = this.#tallies[table];
    for (let slot = 0; slot < this.count && tally.entries > 0; slot++) {
      if (this.#table[slot] !== table || !this.#isUsed(slot)) continue;
      this.#release(slot, REMOVAL.DELETED);
    }
  }

  #isUsed(slot: number): boolean {
    return this.#index.get(this.#hash[HASH_WORDS * slot]) === slot;
  }

  /** Bytes of the arrays. */
  bytes(): PooledBytes {
    return {
      rowBytes: this.#rows.byteLength,
      columnBytes: COLUMN_BYTES * this.count,
      indexBytes: this.#index.bytes,
      policyBytes: this.#policy.bytes,
    };
  }

  /** Throws an Error naming the first broken invariant. */
  verify(): void {
    this.#index.verify();
    this.#policy.verify();
    const places = new Uint8Array(this.count);
    for (const slot of this.#policy.contents()) places[slot]++;
    for (let i = 0; i < this.#freeCount; i++) places[this.#free[i]]++;
    const slot = places.findIndex((times) => times !== 1);
    this.#assert(slot < 0, `slot ${slot} must be held or free`);
    const used = this.count - this.#freeCount;
    this.#assert(this.#index.size === used, `the index must hold ${used} entries`);
    for (const held of this.#policy.contents()) {
      this.#assert(this.#isUsed(held), `slot ${held} must be in the index`);
    }
  }

  #assert(holds: boolean, sentence: string): void {
    if (!holds) throw new Error(`Broken invariant: slab of dim ${this.dim}: ${sentence}`);
  }
}

/** Bytes of what a slab of `count` slots has beside its slots' own: index and policy. */
function overheadBytes(count: number, eviction: EvictionPolicyFactory): number {
  const slots: Slots = { count, key: new Uint32Array(count), evictable: () => true };
  return new KeyIndex(count).bytes + eviction(slots).bytes;
}

/**
 * As many slots of a slab of outputs of `dim` floats as fit `bytes`, or up to a third fewer where
 * the index just doubled. Index and policy are measured at that size, starting from what would fit
 * without them; each turn that is above the budget scales down, so there are few.
 */
export function slotsFor(dim: number, bytes: number, eviction: EvictionPolicyFactory): number {
  const each = 4 * dim + COLUMN_BYTES;
  let count = Math.min(Math.floor(bytes / each), MAX_PARTITION_SLOTS);
  while (count > 0) {
    const total = each * count + overheadBytes(count, eviction);
    if (total <= bytes) break;
    count = Math.floor(count * bytes / total);
  }
  return count;
}

/** Slots that a policy is measured with where their number is not known yet. */
const PROBE_SLOTS = 1024;

/** About what an entry of each of `dims` floats takes, for dividing a budget among slabs. */
export function entryBytes(dims: readonly number[], eviction: EvictionPolicyFactory): number[] {
  const overhead = overheadBytes(PROBE_SLOTS, eviction) / PROBE_SLOTS;
  return dims.map((dim) => 4 * dim + COLUMN_BYTES + overhead);
}
