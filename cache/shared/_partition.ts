/**
 * One partition of a shared row cache: its places in the shared words, and the moves of a slot.
 *
 * All methods but those of the lock want the lock of the shard held: none of them blocks, allocates
 * or throws. A slot of a shard is in exactly one of three places: the index and the order of
 * eviction (LOADING or READY), the free list, or gone (its row is out of the index, but somebody
 * pins it); the last pin frees it.
 *
 * Slot s is record s / shardCount of shard s mod shardCount. `local` is the number of a record.
 *
 * @module
 */

import type { Claim } from "../rows/claim.ts";
import { NO_SLOT } from "../eviction.ts";
import { link, makeNewest, unlink } from "./_links.ts";
import { lock, unlock } from "./_lock.ts";
import {
  CHAIN_MULTIPLIER,
  COUNTER,
  END,
  GENERATION_SHIFT,
  GONE,
  type PartitionLayout,
  PIN,
  RECORD,
  SHARD,
  USED,
  WAITED,
} from "./_layout.ts";
import { SLOT_STATE, SLOT_STATE_MASK } from "../rows/slot_state.ts";

const { FREE, LOADING, READY, FAILED } = SLOT_STATE;
const { imul } = Math;

/**
 * The shard comes from another hash: with the same one, a shard's keys would share the high bits
 * that pick the chain. The second multiplier of MurmurHash3, behind a shift, so that the two are no
 * multiples of one another.
 */
const SHARD_MULTIPLIER = 0xc2b2ae35 | 0;

/** Who takes locks, and how. */
export interface Attachment {
  /** Its number, from 1. */
  readonly number: number;
  /** Whether its thread may sleep. */
  readonly canWait: boolean;
  readonly lockTimeoutMs: number;
}

/** The words of a partition, and what to do with them. */
export class SharedPartition {
  readonly layout: PartitionLayout;
  /** All words of the cache. */
  readonly words: Int32Array;
  /** The same memory, for the counters. */
  readonly floats: Float64Array;
  readonly isLru: boolean;
  readonly recordWords: number;
  /** A slot's shard is `slot & shardMask`, its record `slot >>> shardBits`. */
  readonly shardBits: number;
  readonly shardMask: number;
  /** A hash shifted by it is a chain. */
  readonly chainShift: number;
  /** What the last touching pass read, kept so that it is not optimised away. */
  touched = 0;
  readonly #number: number;
  readonly #attachment: Attachment;

  constructor(
    number: number,
    layout: PartitionLayout,
    words: Int32Array,
    floats: Float64Array,
    attachment: Attachment,
  ) {
    this.#number = number;
    this.#attachment = attachment;
    this.layout = layout;
    this.words = words;
    this.floats = floats;
    this.isLru = layout.order === "lru";
    this.recordWords = layout.recordWords;
    this.shardMask = layout.shardCount - 1;
    this.shardBits = 31 - Math.clz32(layout.shardCount);
    this.chainShift = 1 + Math.clz32(layout.chainCount);
  }

  /** The shard of `key`. */
  shardOf(key: number): number {
    const hash = imul(key ^ (key >>> 15), SHARD_MULTIPLIER);
    // In two steps, as a shift by 32 is none.
    return (hash >>> 1) >>> (31 - this.shardBits);
  }

  /** Writes the shards of keys `first` to `first` + `count` - 1 to `shards`. */
  shardsOf(keys: Uint32Array, first: number, count: number, shards: Uint16Array): void {
    const shift = 31 - this.shardBits;
    for (let i = 0; i < count; i++) {
      const key = keys[first + i];
      shards[i] = (imul(key ^ (key >>> 15), SHARD_MULTIPLIER) >>> 1) >>> shift;
    }
  }

  /** The chain of `key` in its shard. */
  chainOf(key: number): number {
    return imul(key, CHAIN_MULTIPLIER) >>> this.chainShift;
  }

  /** First word of a shard. */
  shardAt(shard: number): number {
    return this.layout.origin + imul(shard, this.layout.shardWords);
  }

  /** First word of a shard's records. */
  recordsAt(head: number): number {
    return head + SHARD.HEADS + this.layout.chainCount;
  }

  /** Slots of a shard. */
  slotsOf(shard: number): number {
    return (this.layout.slotCount - shard + this.shardMask) >>> this.shardBits;
  }

  /** The word of `slot`'s claim and state. */
  claimAt(slot: number): number {
    const records = this.recordsAt(this.shardAt(slot & this.shardMask));
    return records + imul(slot >>> this.shardBits, this.recordWords) + RECORD.CLAIM;
  }

  /** Makes an empty partition in memory that is all 0. */
  format(): void {
    const { words, layout } = this;
    const { shardCount, recordWords, chainCount, capacity } = layout;
    for (let shard = 0; shard < shardCount; shard++) {
      const head = this.shardAt(shard);
      const records = this.recordsAt(head);
      const count = this.slotsOf(shard);
      words.fill(END, head + SHARD.HEADS, head + SHARD.HEADS + chainCount);
      // Record 0 first, as the other caches do.
      for (let local = 0; local < count; local++) {
        words[records + local * recordWords + RECORD.NEXT] = local + 1 < count ? local + 1 : END;
      }
      if (!this.isLru) continue;
      const ring = records + capacity * recordWords;
      words[ring + RECORD.NEWER] = words[ring + RECORD.OLDER] = capacity;
    }
  }

  /**
   * Takes a shard's lock.
   *
   * @throws {Error} when nobody gave it up for so long; nothing is touched then.
   */
  lock(what: string, shard: number): void {
    const { words } = this;
    const { number, canWait, lockTimeoutMs } = this.#attachment;
    const head = this.shardAt(shard);
    if (!lock(words, head + SHARD.LOCK, canWait, lockTimeoutMs)) {
      const limit = canWait ? `${lockTimeoutMs} ms` : "the spins of a thread that may not sleep";
      throw new Error(
        `${what}: shard ${shard} of partition ${this.#number} must be unlocked within ${limit}: ` +
          `received no lock, held by attachment ${words[head + SHARD.OWNER]}`,
      );
    }
    words[head + SHARD.OWNER] = number;
  }

  /** Gives a shard's lock back. */
  unlock(shard: number): void {
    unlock(this.words, this.shardAt(shard) + SHARD.LOCK);
  }

  /** The record of `key` in the shard at `head`, or END. */
  find(head: number, key: number): number {
    const { words, recordWords } = this;
    const records = this.recordsAt(head);
    let local = words[head + SHARD.HEADS + this.chainOf(key)];
    while (local !== END) {
      const at = records + imul(local, recordWords);
      if (words[at + RECORD.KEY] === (key | 0)) return local;
      local = words[at + RECORD.NEXT];
    }
    return END;
  }

  /** Pins a record, which is a use of its row. */
  pin(head: number, local: number): void {
    const { words } = this;
    const records = this.recordsAt(head);
    const at = records + imul(local, this.recordWords);
    words[at + RECORD.PINS] = (words[at + RECORD.PINS] | USED) + PIN;
    if (this.isLru) makeNewest(words, records, this.layout.capacity, local);
  }

  /** Takes a pin off a record whose row is gone, and the last one frees it; false if none is on. */
  unpinGone(head: number, local: number): boolean {
    const { words } = this;
    const at = this.recordsAt(head) + imul(local, this.recordWords);
    const pins = words[at + RECORD.PINS];
    if (pins < PIN) return false;
    words[at + RECORD.PINS] = pins - PIN;
    if (pins < 2 * PIN) this.#setFree(head, local);
    return true;
  }

  /**
   * The slot of `key`, pinned: the one it is in, or one claimed for it. NO_SLOT when every slot of
   * the shard is pinned or loading.
   */
  claim(shard: number, key: number, claim: Claim): number {
    const { words, floats } = this;
    const head = this.shardAt(shard);
    const counters = (head + SHARD.COUNTERS) >>> 1;
    claim.fresh = false;
    claim.evictedKey = -1;
    let local = this.find(head, key);
    if (local !== END) {
      this.pin(head, local);
      const word = words[this.recordsAt(head) + imul(local, this.recordWords) + RECORD.CLAIM];
      claim.generation = word >>> GENERATION_SHIFT;
      // What was counted a miss is a use of the row that somebody brought meanwhile.
      floats[counters + COUNTER.MISSES]--;
      const isLoading = (word & SLOT_STATE_MASK) === LOADING;
      floats[counters + (isLoading ? COUNTER.DELAYED : COUNTER.HITS)]++;
      return (local << this.shardBits) | shard;
    }
    local = words[head + SHARD.FREE];
    if (local === END) local = this.#evict(head, shard, claim);
    if (local === END) {
      floats[counters + COUNTER.UNPLACED]++;
      return NO_SLOT;
    }
    claim.generation = this.#load(head, local, key);
    claim.fresh = true;
    floats[counters + COUNTER.ADMISSIONS]++;
    return (local << this.shardBits) | shard;
  }

  /** Frees the slot of a row that nobody needs: its record, first of the free list; or END. */
  #evict(head: number, shard: number, claim: Claim): number {
    const { words } = this;
    // Nothing has become evictable since a search in vain: it would take a step a slot.
    if (words[head + SHARD.EXHAUSTED] === 1) return END;
    const count = this.slotsOf(shard);
    const local = this.isLru ? this.#oldest(head) : this.#sweep(head, count);
    if (local === END) {
      words[head + SHARD.EXHAUSTED] = 1;
      return END;
    }
    claim.evictedKey = words[this.recordsAt(head) + imul(local, this.recordWords)] >>> 0;
    this.remove(head, shard, local, COUNTER.EVICTIONS);
    return local;
  }

  /** Whether the record at `at` may be evicted. */
  isEvictable(at: number): boolean {
    const { words } = this;
    return words[at + RECORD.PINS] <= USED &&
      (words[at + RECORD.CLAIM] & SLOT_STATE_MASK) === READY;
  }

  /** LRU's victim, or END. */
  #oldest(head: number): number {
    const { words, recordWords } = this;
    const ring = this.layout.capacity;
    const records = this.recordsAt(head);
    let local = words[records + imul(ring, recordWords) + RECORD.NEWER];
    while (local !== ring) {
      const at = records + imul(local, recordWords);
      if (this.isEvictable(at)) return local;
      local = words[at + RECORD.NEWER];
    }
    return END;
  }

  /**
   * CLOCK's victim, or END. The hand stays at it, and moves on when it leaves. Each row that is
   * spared loses its mark, so two rounds are enough.
   */
  #sweep(head: number, count: number): number {
    const { words, recordWords } = this;
    const records = this.recordsAt(head);
    let local = words[head + SHARD.HAND];
    for (let left = 2 * count; left > 0; left--) {
      const at = records + imul(local, recordWords);
      if (this.isEvictable(at)) {
        if ((words[at + RECORD.PINS] & USED) === 0) {
          words[head + SHARD.HAND] = local;
          return local;
        }
        words[at + RECORD.PINS] &= ~USED;
      }
      local = local + 1 === count ? 0 : local + 1;
    }
    return END;
  }

  /** Takes the first free record for `key`, loading and pinned; returns its generation. */
  #load(head: number, local: number, key: number): number {
    const { words } = this;
    const records = this.recordsAt(head);
    const at = records + imul(local, this.recordWords);
    words[head + SHARD.FREE] = words[at + RECORD.NEXT];
    const chain = head + SHARD.HEADS + this.chainOf(key);
    words[at + RECORD.KEY] = key;
    words[at + RECORD.NEXT] = words[chain];
    words[chain] = local;
    // Nobody waits for a free slot, so the bit is not lost.
    const generation = (words[at + RECORD.CLAIM] >>> GENERATION_SHIFT) + 1;
    Atomics.store(words, at + RECORD.CLAIM, (generation << GENERATION_SHIFT) | LOADING);
    words[at + RECORD.PINS] = PIN;
    words[head + SHARD.SIZE]++;
    words[head + SHARD.LOADING]++;
    if (this.isLru) link(words, records, this.layout.capacity, local);
    return generation & (-1 >>> GENERATION_SHIFT);
  }

  /** Whether `generation` is the claim that record `local` is in. */
  isOpen(head: number, local: number, generation: number): boolean {
    const word = this.words[this.recordsAt(head) + imul(local, this.recordWords) + RECORD.CLAIM];
    return (word & SLOT_STATE_MASK) === LOADING && word >>> GENERATION_SHIFT === generation;
  }

  /** A loading row is there. */
  fill(head: number, local: number): void {
    this.#endClaim(head, local, READY);
    const { words } = this;
    const pins = words[this.recordsAt(head) + imul(local, this.recordWords) + RECORD.PINS];
    // Its claimer has let it go already, so that it may be evicted.
    if (pins < PIN) words[head + SHARD.EXHAUSTED] = 0;
  }

  /** Takes a row out of the index and the order; the slot is free if nobody pins it. */
  remove(head: number, shard: number, local: number, counter: number): void {
    const { words } = this;
    const records = this.recordsAt(head);
    const at = records + imul(local, this.recordWords);
    this.floats[((head + SHARD.COUNTERS) >>> 1) + counter]++;
    this.#unchain(head, local);
    words[head + SHARD.SIZE]--;
    if (this.isLru) unlink(words, records, local);
    else if (words[head + SHARD.HAND] === local) {
      // Whatever emptied the place under the hand: its next row must not be the next to go.
      words[head + SHARD.HAND] = local + 1 === this.slotsOf(shard) ? 0 : local + 1;
    }
    if ((words[at + RECORD.CLAIM] & SLOT_STATE_MASK) === LOADING) {
      this.#endClaim(head, local, FAILED);
    }
    // READY stays READY for those who pin it: their bytes are whole.
    if (words[at + RECORD.PINS] < PIN) this.#setFree(head, local);
    else words[at + RECORD.PINS] |= GONE;
  }

  /** Removes every row of a shard. */
  clear(shard: number): void {
    const head = this.shardAt(shard);
    for (let local = 0; local < this.slotsOf(shard); local++) {
      if (this.holds(head, local)) this.remove(head, shard, local, COUNTER.DELETIONS);
    }
  }

  /** Whether a record is in the index: neither free nor gone. */
  holds(head: number, local: number): boolean {
    const { words } = this;
    const at = this.recordsAt(head) + imul(local, this.recordWords);
    return (words[at + RECORD.CLAIM] & SLOT_STATE_MASK) !== FREE &&
      (words[at + RECORD.PINS] & GONE) === 0;
  }

  #endClaim(head: number, local: number, state: number): void {
    const { words } = this;
    const at = this.recordsAt(head) + imul(local, this.recordWords) + RECORD.CLAIM;
    words[head + SHARD.LOADING]--;
    // Waiters set their bit without the lock: only an exchange surely sees it. They never ask for a
    // lock before they are awake, so to wake them here blocks nobody.
    const kept = Atomics.load(words, at) & (-1 << GENERATION_SHIFT);
    if ((Atomics.exchange(words, at, kept | state) & WAITED) !== 0) Atomics.notify(words, at);
  }

  #setFree(head: number, local: number): void {
    const { words } = this;
    const at = this.recordsAt(head) + imul(local, this.recordWords);
    const kept = words[at + RECORD.CLAIM] & (-1 << GENERATION_SHIFT);
    Atomics.store(words, at + RECORD.CLAIM, kept | FREE);
    words[at + RECORD.PINS] = 0;
    words[at + RECORD.NEXT] = words[head + SHARD.FREE];
    words[head + SHARD.FREE] = local;
  }

  #unchain(head: number, local: number): void {
    const { words, recordWords } = this;
    const records = this.recordsAt(head);
    const key = words[records + imul(local, recordWords) + RECORD.KEY];
    let from = head + SHARD.HEADS + this.chainOf(key);
    while (words[from] !== local) from = records + imul(words[from], recordWords) + RECORD.NEXT;
    words[from] = words[records + imul(local, recordWords) + RECORD.NEXT];
  }
}
