/**
 * One partition of a compact row cache: buckets of 16 slots, 5 bytes a slot. What does not grow
 * with the slots, the claims in flight and the scratch rows, is kept beside them.
 *
 * A slot is there (LOADING or READY, and can be found) or vacant; a vacant one may still be held by
 * batches that use what was deleted, and is taken again after them. There is no free list: who
 * needs a slot looks at the 16 that are his.
 *
 * @module
 */

import type { AdmissionPolicy } from "../admission.ts";
import type { BatchWindow } from "./_batch_window.ts";
import { findWay, GONE, isThere, PREFETCHED, STAMP_MASK, TAG_SHIFT } from "./_compact_bucket.ts";
import { CompactKeys, WAYS } from "./_compact_keys.ts";
import { lookUpCompact } from "./_compact_lookup.ts";
import {
  BELOW_ORDER,
  enterClock,
  mark,
  marksOf,
  orderSlots,
  promote,
  startOrder,
} from "./_compact_order.ts";
import { makeRoom } from "./_compact_room.ts";
import { verifyCompact } from "./_compact_verify.ts";
import { LoadingRows } from "./_loading_rows.ts";
import { type PartitionStore, PREFETCH_STAMP } from "./_partition_store.ts";
import { PrefetchLedger } from "./_prefetch_ledger.ts";
import { ScratchRows } from "./_scratch_rows.ts";
import type { Claim } from "./claim.ts";
import { createTally, type PartitionBytes, type Tally } from "./counters.ts";
import { NO_SLOT, REMOVAL, type RemovalCause } from "../eviction.ts";
import type { CompactPartitionOptions, PrefetchListener } from "./options.ts";
import { PREFETCH } from "../prefetch_outcome.ts";
import { SLOT_STATE, SLOT_STATE_MASK } from "./slot_state.ts";

const { FREE, LOADING, READY, FAILED } = SLOT_STATE;

/** State byte of the slots after the last bucket's: a rank that no promotion raises. */
const NO_ORDER = 0xf0;

/** A word's bits but the stamp's. */
const TAG_MASK = ~STAMP_MASK;

/** Most claims in flight unless the options say otherwise. */
const LOADING_COUNT = 4096;

/** The columns of a compact partition, and the moves of its slots. */
export class CompactPartition implements PartitionStore {
  /** Cache slots; scratch slots follow them. */
  readonly count: number;
  /** Bytes of a row, for the counters. */
  readonly rowBytes: number;
  /** Where keys belong. */
  readonly places: CompactKeys;
  /** Column: tags and stamps of the cache slots. */
  readonly words: Int32Array;
  /** Column: state, marks and order; scratch slots last. */
  readonly state: Uint8Array;
  /** The same bytes, four at a time. */
  readonly quads: Int32Array;
  /** CLOCK in the buckets, not LRU. */
  readonly clock: boolean;
  /** Rows beyond the cache. */
  readonly scratch: ScratchRows;
  /** Which row enters; undefined: all. */
  readonly admission: AdmissionPolicy | undefined;
  /** Counts. */
  readonly tally: Tally = createTally();
  /** How prefetched rows end. */
  readonly prefetches: PrefetchLedger;
  /** The claims in flight. */
  readonly loading: LoadingRows;
  /** False while switched off. */
  admitting = true;
  /** What the last touching pass read, kept so that it is not optimised away. */
  touched = 0;
  readonly #held: Uint8Array;
  readonly #window: BatchWindow;
  readonly #number: number;
  /** The last generation given: the same count for cache and scratch, so none comes twice. */
  #generation = 0;

  constructor(
    number: number,
    options: CompactPartitionOptions,
    window: BatchWindow,
    onPrefetch: PrefetchListener | undefined,
  ) {
    const { slotCount, scratchCount, order = "lru", keyCount = 2 ** 32 } = options;
    this.#number = number;
    this.#window = window;
    this.#held = window.held;
    this.count = slotCount;
    this.rowBytes = options.rowBytes ?? 0;
    this.clock = order === "clock";
    this.places = new CompactKeys(slotCount, keyCount);
    this.words = new Int32Array(slotCount);
    const padded = Math.ceil(slotCount / WAYS) * WAYS;
    this.quads = new Int32Array(Math.ceil(Math.max(padded, slotCount + scratchCount) / 4));
    new Uint8Array(this.quads.buffer).fill(NO_ORDER);
    this.state = new Uint8Array(this.quads.buffer, 0, slotCount + scratchCount);
    startOrder(this.state, slotCount, this.clock);
    this.scratch = new ScratchRows(slotCount, scratchCount, this.state, window);
    this.loading = new LoadingRows(Math.min(slotCount, options.loadingCount ?? LOADING_COUNT));
    this.prefetches = new PrefetchLedger(number, this.tally, onPrefetch);
    this.admission = options.admission?.(slotCount);
  }

  checkKeys(what: string, keys: Uint32Array, count: number): void {
    const { keyCount } = this.places;
    let largest = 0;
    for (let i = 0; i < count; i++) if (keys[i] > largest) largest = keys[i];
    if (largest >= keyCount) this.checkKey(what, largest);
  }

  checkKey(what: string, key: number): void {
    const { keyCount } = this.places;
    // A key beyond them would be taken for another one.
    if (key >= keyCount) {
      throw new RangeError(`${what}: keys must be below ${keyCount}: received ${key}`);
    }
  }

  /** True for the stamp of the newest batch, which may be written over any other. */
  isNewest(stamp: number): boolean {
    return stamp === this.#window.newestStamp;
  }

  /** Notes that a batch uses cache slot `slot`; a younger batch's stamp stays. */
  hold(slot: number, stamp: number): void {
    const word = this.words[slot];
    if (this.#window.isOlder(stamp, word & STAMP_MASK)) return;
    this.words[slot] = word & TAG_MASK | stamp;
  }

  /** Whether a live batch may be using cache slot `slot`. */
  isHeld(slot: number): boolean {
    return this.#held[this.words[slot] & STAMP_MASK] !== 0;
  }

  /** READY, and used by no live batch. */
  isEvictable(slot: number): boolean {
    const byte = this.state[slot];
    return (byte & SLOT_STATE_MASK) === READY && isThere(byte) && !this.isHeld(slot);
  }

  lookUp(keys: Uint32Array, count: number, stamp: number, slots: Int32Array): number {
    return lookUpCompact(this, keys, count, stamp, slots);
  }

  /** Reads the lines of the buckets of keys `start` to `end` - 1, so that the machine has them. */
  touch(keys: Uint32Array, start: number, end: number): void {
    const { places, words, state } = this;
    let sum = 0;
    for (let i = start; i < end; i++) {
      const first = places.firstSlot(places.permute(keys[i]));
      sum ^= words[first] ^ state[first];
    }
    this.touched = sum;
  }

  /** Settles a prefetched row at its first use. */
  settleUse(slot: number): void {
    if ((this.state[slot] & PREFETCHED) === 0) return;
    this.state[slot] &= ~PREFETCHED;
    const ready = (this.state[slot] & SLOT_STATE_MASK) === READY;
    this.prefetches.settle(this.keyOf(slot), ready ? PREFETCH.USED : PREFETCH.LATE);
  }

  claim(key: number, stamp: number, claim: Claim): number {
    claim.fresh = false;
    claim.evictedKey = -1;
    const found = this.#find(key);
    if (found !== NO_SLOT) {
      claim.generation = this.#generationOf(found);
      if (stamp !== PREFETCH_STAMP) this.#recount(found, stamp);
      return found;
    }
    const slot = this.#takeCacheSlot(key, claim);
    if (slot !== NO_SLOT) {
      this.#load(slot, key, stamp, claim);
      if (stamp === PREFETCH_STAMP) {
        this.state[slot] |= PREFETCHED;
        this.prefetches.open();
      }
      return slot;
    }
    return stamp === PREFETCH_STAMP ? NO_SLOT : this.#claimScratch(key, stamp, claim);
  }

  warm(key: number, heat: number, claim: Claim): number {
    claim.fresh = false;
    claim.evictedKey = -1;
    const found = this.#find(key);
    if (found !== NO_SLOT) {
      claim.generation = this.#generationOf(found);
      return found;
    }
    const slot = this.admitting ? makeRoom(this, key, undefined, claim) : NO_SLOT;
    if (slot === NO_SLOT) return NO_SLOT;
    this.#load(slot, key, PREFETCH_STAMP, claim);
    if (this.clock) { for (let use = 0; use < heat; use++) mark(this.state, slot); }
    return slot;
  }

  #claimScratch(key: number, stamp: number, claim: Claim): number {
    const slot = this.scratch.take();
    if (slot === NO_SLOT) return NO_SLOT;
    this.tally.scratchClaims++;
    claim.generation = ++this.#generation;
    claim.fresh = true;
    this.scratch.load(slot, key, stamp, claim.generation);
    return slot;
  }

  /** The key repeats within its batch: what was counted a miss is a use of the row. */
  #recount(slot: number, stamp: number): void {
    if (slot < this.count) {
      this.hold(slot, stamp);
      this.settleUse(slot);
      if (this.clock) mark(this.state, slot);
      else promote(this.state, this.quads, slot);
    } else this.scratch.hold(slot, stamp);
    this.tally.misses--;
    if ((this.state[slot] & SLOT_STATE_MASK) === LOADING) this.tally.delayedHits++;
    else this.tally.hits++;
  }

  #takeCacheSlot(key: number, claim: Claim): number {
    const { admission } = this;
    if (!this.admitting) return NO_SLOT;
    if (admission !== undefined && !admission.admit(key)) {
      this.tally.refusals++;
      return NO_SLOT;
    }
    return makeRoom(this, key, admission, claim);
  }

  /** Makes cache slot `slot` the loading slot of `key`, the youngest of its bucket. */
  #load(slot: number, key: number, stamp: number, claim: Claim): void {
    const { state } = this;
    const permuted = this.places.permute(key);
    this.words[slot] = permuted << TAG_SHIFT | stamp;
    state[slot] = state[slot] & ~BELOW_ORDER | LOADING;
    if (this.clock) {
      const first = this.places.firstSlot(permuted);
      enterClock(state, slot, first, Math.min(first + WAYS, this.count));
    } else promote(state, this.quads, slot);
    claim.generation = ++this.#generation;
    claim.fresh = true;
    this.loading.add(slot, claim.generation);
    this.tally.admissions++;
  }

  fill(slot: number, generation: number): boolean {
    if (slot >= this.count) return this.scratch.fill(slot, generation);
    if (!this.#isLoading(slot, generation)) return false;
    this.loading.remove(slot);
    this.state[slot] += READY - LOADING;
    return true;
  }

  abandon(slot: number, generation: number): boolean {
    if (slot >= this.count) {
      if (!this.scratch.abandon(slot, generation)) return false;
      this.tally.failures++;
      return true;
    }
    if (!this.#isLoading(slot, generation)) return false;
    this.release(slot, REMOVAL.FAILED);
    return true;
  }

  #isLoading(slot: number, generation: number): boolean {
    return generation !== 0 && this.loading.get(slot) === generation;
  }

  #generationOf(slot: number): number {
    return slot < this.count ? this.loading.get(slot) : this.scratch.generation(slot);
  }

  /** Takes the row in cache slot `slot` out; the slot is vacant as soon as nobody holds it. */
  release(slot: number, cause: RemovalCause): void {
    if (cause === REMOVAL.EVICTED) this.tally.evictions++;
    else if (cause === REMOVAL.DELETED) this.tally.deletions++;
    else this.tally.failures++;
    const byte = this.state[slot];
    if ((byte & PREFETCHED) !== 0) this.prefetches.settle(this.keyOf(slot), PREFETCH.WASTED);
    const loading = (byte & SLOT_STATE_MASK) === LOADING;
    if (loading) this.loading.remove(slot);
    const state = !this.isHeld(slot) ? FREE : loading ? FAILED : READY | GONE;
    this.state[slot] = byte & ~BELOW_ORDER | state;
  }

  delete(key: number): boolean {
    const slot = key < this.places.keyCount ? this.#find(key) : NO_SLOT;
    if (slot === NO_SLOT) return false;
    if (slot < this.count) this.release(slot, REMOVAL.DELETED);
    else {
      this.scratch.delete(slot);
      this.tally.deletions++;
    }
    return true;
  }

  clear(): void {
    for (let slot = 0; slot < this.count; slot++) {
      if (isThere(this.state[slot])) this.release(slot, REMOVAL.DELETED);
    }
    this.tally.deletions += this.scratch.clear();
  }

  has(key: number): boolean {
    return key < this.places.keyCount &&
      (this.findCached(key) !== NO_SLOT || this.scratch.has(key));
  }

  #find(key: number): number {
    const slot = this.findCached(key);
    return slot !== NO_SLOT || this.scratch.size === 0 ? slot : this.scratch.find(key);
  }

  /** The cache slot of `key`, or NO_SLOT. */
  findCached(key: number): number {
    const permuted = this.places.permute(key);
    const first = this.places.firstSlot(permuted);
    return findWay(this.words, this.state, first, Math.min(first + WAYS, this.count), permuted);
  }

  keyOf(slot: number): number {
    return this.places.keyOf(slot, this.words[slot] >>> TAG_SHIFT);
  }

  contents(): Uint32Array {
    const slots = orderSlots(this.state, this.count, this.clock);
    return Uint32Array.from(slots.filter((slot) => isThere(this.state[slot])));
  }

  get hasHeat(): boolean {
    return this.clock;
  }

  heat(slot: number): number {
    return this.clock ? marksOf(this.state, slot) : 0;
  }

  bytes(): PartitionBytes {
    const { words, quads, scratch } = this;
    return {
      indexBytes: scratch.indexBytes,
      policyBytes: 0,
      columnBytes: words.byteLength + quads.byteLength + scratch.columnBytes + this.loading.bytes,
    };
  }

  sweep(): void {
    const { words } = this;
    const held = this.#held;
    for (let slot = 0; slot < words.length; slot++) {
      if (held[words[slot] & STAMP_MASK] === 0) words[slot] &= TAG_MASK;
    }
    this.scratch.sweep();
  }

  verify(): void {
    verifyCompact(this, `partition ${this.#number}`);
  }
}
