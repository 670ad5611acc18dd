/**
 * A cache for a program: from keys to slots, at once and one key at a time.
 *
 * @module
 */

import { checkInteger } from "../../base/checks.ts";
import type { AdmissionPolicy, AdmissionPolicyFactory } from "../admission.ts";
import {
  type EvictionPolicy,
  type EvictionPolicyFactory,
  NO_SLOT,
  REMOVAL,
  type RemovalCause,
} from "../eviction.ts";
import { KeyChains } from "./_key_chains.ts";
import { KeyColumn } from "./_key_column.ts";
import { MAX_PARTITION_SLOTS } from "../limits.ts";
import type { PartitionBytes } from "./counters.ts";

/** What a {@linkcode KeyCache} is made from. */
export interface KeyCacheOptions {
  /** Keys it holds: slots 0 to `slotCount` - 1. At least 1. */
  slotCount: number;
  /** Makes the policy that says which key leaves. */
  eviction: EvictionPolicyFactory;
  /** Makes the policy that says which key enters; every key by default. */
  admission?: AdmissionPolicyFactory;
  /**
   * Where set, from 1 to 2^32 - 1, keys are dense: all are below it. A column of 4 bytes a key
   * takes the place of the hash index then, two to three times as fast, and policies keep their
   * ghosts likewise.
   */
  keyCount?: number;
  /**
   * Whether the hash index may take 12 to 20 bytes a slot, not 7 to 10, to be faster; false by
   * default. Without effect on dense keys.
   */
  roomy?: boolean;
}

/** Counts of a {@linkcode KeyCache} since it was made. */
export interface KeyCacheCounters {
  /** Lookups that found their key. */
  readonly hits: number;
  /** Lookups that did not. */
  readonly misses: number;
  /** Keys that got a slot. */
  readonly admissions: number;
  /** Keys that the admission policy kept out. */
  readonly refusals: number;
  /** Keys that left because the policy chose them, for a newcomer or by a hit. */
  readonly evictions: number;
  /** Keys that `delete` and `clear` took out. */
  readonly deletions: number;
}

/**
 * An index up to this size is in the second-level cache anyway. Beyond it, touching the entries of
 * a chunk of keys first lets their cache misses overlap.
 */
const NEAR_BYTES = 2 ** 20;

/** Keys touched ahead: their lines, 64 bytes each, stay in the first-level cache. */
const CHUNK = 256;

/**
 * Which of many keys (any u32) have one of few slots. What a key stands for lies in arrays of your
 * own, by slot. Synchronous: a key that enters is there; for rows that arrive later, and batches
 * that use them meanwhile, there is {@linkcode RowCache}.
 *
 * At most 14 bytes a slot, and the policy's: 22 with LRU, 15 with CLOCK; 4 and the policy's with
 * dense keys, and 4 bytes a key. Nothing is allocated after construction. Calls with the same
 * policy class through one process are fastest: an engine that has seen many policies stops
 * inlining them, at twice the time.
 *
 * @example
 * ```ts
 * import { KeyCache, NO_SLOT, sieve } from "@rowtier/rowtier/cache";
 *
 * const cache = new KeyCache({ slotCount: 1000, eviction: sieve });
 * const squares = new Float64Array(1000);
 * function square(key: number): number {
 *   let slot = cache.get(key);
 *   if (slot === NO_SLOT) {
 *     slot = cache.insert(key);
 *     if (slot === NO_SLOT) return key * key; // refused
 *     squares[slot] = key * key;
 *   }
 *   return squares[slot];
 * }
 * if (square(12) !== 144 || square(12) !== 144) throw new Error("unreachable");
 * if (cache.counters().hits !== 1) throw new Error("unreachable");
 * ```
 */
export class KeyCache {
  /** Keys it holds at most. */
  readonly slotCount: number;
  /** By held slot its key; by free slot the next free one. */
  readonly #key: Uint32Array;
  readonly #index: KeyChains | KeyColumn;
  readonly #policy: EvictionPolicy;
  readonly #admission: AdmissionPolicy | undefined;
  /** Whether all that a full cache asks before a key enters is which one leaves. */
  readonly #plain: boolean;
  /** The free slot that was freed last, or `slotCount`, the end of the list. */
  #free = 0;
  /** What the last touching pass returned, kept so that it is not optimised away. */
  #touched = 0;
  #size = 0;
  #hits = 0;
  #misses = 0;
  #refusals = 0;
  #evictions = 0;
  #deletions = 0;

  /**
   * An empty cache.
   *
   * @throws {RangeError} when a count is out of range.
   */
  constructor(options: KeyCacheOptions) {
    const what = "Cannot create KeyCache";
    const { slotCount, eviction, admission, keyCount, roomy = false } = options;
    checkInteger(what, "slotCount", slotCount, 1, MAX_PARTITION_SLOTS);
    if (keyCount !== undefined) checkInteger(what, "keyCount", keyCount, 1, 2 ** 32 - 1);
    this.slotCount = slotCount;
    // Slot 0 first: a cache fills from the low end of its arrays.
    const key = this.#key = new Uint32Array(slotCount).map((_, slot) => slot + 1);
    this.#index = keyCount === undefined ? new KeyChains(key, roomy) : new KeyColumn(key, keyCount);
    const slots = { count: slotCount, key, evictable: always };
    this.#policy = eviction(keyCount === undefined ? slots : { ...slots, keyCount });
    this.#admission = admission?.(slotCount);
    this.#plain = admission === undefined && this.#policy.crowded === undefined;
  }

  /** Keys held. */
  get size(): number {
    return this.#size;
  }

  /**
   * The slot of `key`, or {@linkcode NO_SLOT}. Counts a hit or a miss, and is a use of the key. It
   * keeps its slot until the next call that inserts, deletes or, with a policy whose hits may push
   * other keys out, looks up.
   *
   * @throws {RangeError} when the key is not below `keyCount`.
   */
  get(key: number): number {
    const admission = this.#admission;
    const slot = this.#index.get(key);
    if (admission !== undefined) admission.onAccess(key);
    if (slot === NO_SLOT) {
      this.#misses++;
      return NO_SLOT;
    }
    this.#hits++;
    const out = this.#policy.onHit(slot);
    if (out !== NO_SLOT) this.#pushOut(out);
    return slot;
  }

  /**
   * The slot of `key`, which enters unless it is there: the call after `get` found nothing, for the
   * caller to write the slot's value. {@linkcode NO_SLOT} when the key is refused, or the policy
   * has no place for it.
   *
   * @throws {RangeError} when the key is not below `keyCount`.
   */
  insert(key: number): number {
    // The chain was just walked, so asking again costs next to nothing, and no key gets two slots.
    const slot = this.#index.get(key);
    return slot === NO_SLOT ? this.#enter(key) : slot;
  }

  /**
   * `get` of each of the first `count` keys, in order: writes slots, or {@linkcode NO_SLOT}, to
   * `slots`, and returns how many keys are absent. Faster than single calls for large caches, as
   * the memory of many keys is fetched at once.
   *
   * With a policy whose hits push other keys out (SLRU, adaptive), a slot written early may be free
   * again at the end.
   *
   * @throws {RangeError} when `count` exceeds either array, or a key is not below `keyCount`: the
   * lookups before that one are done then.
   */
  lookup(keys: Uint32Array, count: number, slots: Int32Array): number {
    checkInteger("Cannot look up", "count", count, 0, Math.min(keys.length, slots.length));
    const before = this.#misses;
    const far = this.#index.bytes > NEAR_BYTES;
    for (let i = 0; i < count; i++) {
      if (far && i % CHUNK === 0) {
        this.#touched = this.#index.touch(keys, i, Math.min(i + CHUNK, count));
      }
      slots[i] = this.get(keys[i]);
    }
    return this.#misses - before;
  }

  /**
   * Gets, and on a miss inserts, each of the keys `start` to `end` - 1 in order: the loop of a
   * replay. Returns how many missed.
   *
   * @throws {RangeError} when the range is not one of `keys`, or a key is not below `keyCount`: the
   * accesses before that one are done then.
   */
  replay(keys: Uint32Array, start: number = 0, end: number = keys.length): number {
    checkInteger("Cannot replay", "end", end, 0, keys.length);
    checkInteger("Cannot replay", "start", start, 0, end);
    const before = this.#misses;
    const far = this.#index.bytes > NEAR_BYTES;
    for (let at = start; at < end; at += CHUNK) {
      const stop = Math.min(at + CHUNK, end);
      if (far) this.#touched = this.#index.touch(keys, at, stop);
      this.#replayChunk(keys, at, stop);
    }
    return this.#misses - before;
  }

  #replayChunk(keys: Uint32Array, start: number, end: number): void {
    const index = this.#index;
    const policy = this.#policy;
    const admission = this.#admission;
    let misses = 0;
    for (let i = start; i < end; i++) {
      const key = keys[i];
      const slot = index.get(key);
      if (admission !== undefined) admission.onAccess(key);
      if (slot !== NO_SLOT) {
        const out = policy.onHit(slot);
        if (out !== NO_SLOT) this.#pushOut(out);
      } else {
        misses++;
        this.#enter(key);
      }
    }
    this.#hits += end - start - misses;
    this.#misses += misses;
  }

  /** Removes what a hit pushed out: the row in `slot`, and what the policy names after it. */
  #pushOut(slot: number): void {
    for (let out = slot; out !== NO_SLOT; out = this.#policy.pushedOut?.() ?? NO_SLOT) {
      this.#release(out, REMOVAL.EVICTED);
    }
  }

  /** Takes a key out; false when it is not there. */
  delete(key: number): boolean {
    const slot = this.#index.get(key);
    if (slot === NO_SLOT) return false;
    this.#release(slot, REMOVAL.DELETED);
    return true;
  }

  /** Takes all keys out, as `delete` does; the policy's ghosts stay. */
  clear(): void {
    for (let slot = 0; slot < this.slotCount; slot++) {
      if (this.#index.holds(this.#key[slot], slot)) this.#release(slot, REMOVAL.DELETED);
    }
  }

  /** Whether `key` is there. Counts nothing, and is no use of it. */
  has(key: number): boolean {
    return this.#index.get(key) !== NO_SLOT;
  }

  /** What it counted so far, as a fresh object. */
  counters(): KeyCacheCounters {
    return {
      hits: this.#hits,
      misses: this.#misses,
      admissions: this.#size + this.#evictions + this.#deletions,
      refusals: this.#refusals,
      evictions: this.#evictions,
      deletions: this.#deletions,
    };
  }

  /** Bytes that it holds, from its arrays; those of the admission policy are left out. */
  memoryBytes(): PartitionBytes {
    return {
      indexBytes: this.#index.bytes,
      policyBytes: this.#policy.bytes,
      columnBytes: this.#key.byteLength,
    };
  }

  /** The keys in the policy's order, next victim last; for tests and pictures. */
  contents(): Uint32Array {
    return this.#policy.contents().map((slot) => this.#key[slot]);
  }

  /** Throws an Error naming the broken invariant, if there is one; takes a while. */
  verify(): void {
    const { size } = this;
    const held = this.#policy.contents();
    if (held.length !== size || !held.every((slot) => this.#index.holds(this.#key[slot], slot))) {
      throw new Error(`Broken invariant: the policy must hold the ${size} keys that are there`);
    }
    this.#index.verify(size);
    let free = 0;
    for (let slot = this.#free; slot !== this.slotCount; slot = this.#key[slot]) {
      if (++free > this.slotCount - size || this.#index.holds(this.#key[slot], slot)) {
        throw new Error(`Broken invariant: slot ${slot} must be free once`);
      }
    }
    if (free !== this.slotCount - size) {
      throw new Error(`Broken invariant: ${this.slotCount - size} slots must be free: ${free} are`);
    }
    this.#policy.verify();
  }

  /** The frame of every cache: `key`, which is absent, enters if it may and there is room. */
  #enter(key: number): number {
    if (this.#plain && this.#free === this.slotCount) return this.#swap(key);
    const admission = this.#admission;
    if (admission !== undefined && !admission.admit(key)) {
      this.#refusals++;
      return NO_SLOT;
    }
    const index = this.#index;
    const policy = this.#policy;
    policy.onMiss(key);
    let weighed = admission === undefined;
    let slot = this.#free;
    if (slot === this.slotCount) slot = NO_SLOT;
    else this.#free = this.#key[slot];
    while (slot === NO_SLOT || (policy.crowded !== undefined && policy.crowded(key))) {
      if (slot !== NO_SLOT) this.#giveBack(slot);
      slot = policy.victim(key);
      if (slot === NO_SLOT) return NO_SLOT;
      const victimKey = this.#key[slot];
      // A newcomer is weighed once: what it pushes out beyond the first is the policy's own affair.
      if (!weighed && !admission!.prefers(key, victimKey)) {
        this.#refusals++;
        return NO_SLOT;
      }
      weighed = true;
      policy.onRemove(slot, REMOVAL.EVICTED);
      index.remove(victimKey, slot);
      this.#size--;
      this.#evictions++;
    }
    this.#key[slot] = key;
    index.add(key, slot);
    this.#size++;
    policy.onInsert(slot);
    return slot;
  }

  /**
   * The frame in a full cache, where nothing but the policy is asked: what a miss mostly is. An
   * access takes 0.9 times as long as by way of the loop.
   */
  #swap(key: number): number {
    const index = this.#index;
    const policy = this.#policy;
    const keys = this.#key;
    policy.onMiss(key);
    const slot = policy.victim(key);
    if (slot === NO_SLOT) return NO_SLOT;
    policy.onRemove(slot, REMOVAL.EVICTED);
    index.remove(keys[slot], slot);
    keys[slot] = key;
    index.add(key, slot);
    this.#evictions++;
    policy.onInsert(slot);
    return slot;
  }

  /** A row leaves, and no other takes its slot at once. */
  #release(slot: number, cause: RemovalCause): void {
    this.#policy.onRemove(slot, cause);
    this.#index.remove(this.#key[slot], slot);
    this.#giveBack(slot);
    this.#size--;
    if (cause === REMOVAL.EVICTED) this.#evictions++;
    else this.#deletions++;
  }

  #giveBack(slot: number): void {
    this.#key[slot] = this.#free;
    this.#free = slot;
  }
}

/** No row is loading or in a batch here. One function for all caches, or it is not inlined. */
function always(_slot: number): boolean {
  return true;
}
