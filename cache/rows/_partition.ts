/**
 * One partition of a row cache: its columns, and the moves of a slot from one state to the next.
 *
 * A cache slot is at any time in exactly one of three places: the index and the policy (LOADING or
 * READY), the free list, or limbo (its row is gone, but live batches use the slot). A scratch slot
 * is in the index or not; it is free as soon as no live batch holds it.
 *
 * 10 bytes a slot: key and generation, 4 each, state and stamp. The two lists run through the key
 * column, where their slots have no key, and the prefetched mark is a bit of the state; with
 * columns of their own that was 15.
 *
 * @module
 */

import type { AdmissionPolicy } from "../admission.ts";
import type { BatchWindow } from "./_batch_window.ts";
import { claimSlot, warmSlot } from "./_claim.ts";
import { lookUp } from "./_lookup.ts";
import type { PartitionStore } from "./_partition_store.ts";
import { PrefetchLedger } from "./_prefetch_ledger.ts";
import type { Claim } from "./claim.ts";
import { createTally, type PartitionBytes, type Tally } from "./counters.ts";
import {
  type EvictionPolicy,
  NO_SLOT,
  REMOVAL,
  type RemovalCause,
  type Slots,
} from "../eviction.ts";
import { KeyIndex } from "./key_index.ts";
import { PREFETCH } from "../prefetch_outcome.ts";
import type { PartitionOptions, PrefetchListener } from "./options.ts";
import { SLOT_STATE, SLOT_STATE_MASK } from "./slot_state.ts";

const { FREE, LOADING, READY, FAILED } = SLOT_STATE;

/**
 * The bit of a state from a prefetch to its row's first use. A slot that a batch uses never has it.
 */
const PREFETCHED = 4;

/** Ends the lists in the key column; no slot has this number. */
const END = 0xffffffff;

/**
 * The columns of a partition. Plain fields: the loops of `_lookup.ts` and `_claim.ts` work on them.
 */
export class Partition implements PartitionStore, Slots {
  /** Cache slots; scratch slots follow them. */
  readonly count: number;
  /** Scratch slots. */
  readonly scratchCount: number;
  /** Column: the key in each slot. */
  readonly key: Uint32Array;
  /** Column: the claim that each slot is in. */
  readonly generation: Uint32Array;
  /** Column: one of SLOT_STATE, and the prefetched mark. */
  readonly state: Uint8Array;
  /** Column: the stamp of the youngest batch that used each slot. */
  readonly stamp: Uint8Array;
  /** Bytes of a row, for the counters. */
  readonly rowBytes: number;
  /** From keys to slots. */
  readonly index: KeyIndex;
  /** Which row leaves. */
  readonly policy: EvictionPolicy;
  /** Which row enters; undefined: all. */
  readonly admission: AdmissionPolicy | undefined;
  /** Counts. */
  readonly tally: Tally = createTally();
  /** By stamp: 1 while held. */
  readonly held: Uint8Array;
  /** Slots in the index that are loading. */
  loading = 0;
  /** What the last touching pass returned, kept so that it is not optimised away. */
  touched = 0;
  /** False while switched off. */
  admitting = true;
  /** How prefetched rows end. */
  readonly prefetches: PrefetchLedger;
  readonly #number: number;
  readonly #window: BatchWindow;
  /** The first slot of the free list, or END. */
  #free = 0;
  /** The first slot in limbo, or END. */
  #limbo: number = END;
  /** `releases` of the window when limbo was last searched, in vain or not. */
  #limboSearched = 0;
  /** `releases` when the policy last had no victim; -1 once a fill made a row evictable. */
  #exhausted = -1;
  /** The next scratch slot to look at, from 0. */
  #scratchHand = 0;
  /** Scratch slots not yet looked at since `#scratchSearched`. */
  #scratchLeft: number;
  #scratchSearched = 0;

  constructor(
    number: number,
    options: PartitionOptions,
    window: BatchWindow,
    onPrefetch: PrefetchListener | undefined,
  ) {
    const { slotCount, scratchCount } = options;
    const total = slotCount + scratchCount;
    this.#number = number;
    this.#window = window;
    this.prefetches = new PrefetchLedger(number, this.tally, onPrefetch);
    this.rowBytes = options.rowBytes ?? 0;
    this.count = slotCount;
    this.scratchCount = scratchCount;
    this.held = window.held;
    this.key = new Uint32Array(total);
    this.generation = new Uint32Array(total);
    this.state = new Uint8Array(total);
    this.stamp = new Uint8Array(total);
    this.index = new KeyIndex(total);
    // Slot 0 first: a cache fills from the low end of its arena.
    for (let slot = 0; slot < slotCount; slot++) this.key[slot] = slot + 1;
    this.key[slotCount - 1] = END;
    this.#scratchLeft = scratchCount;
    this.policy = options.eviction(this);
    this.admission = options.admission?.(slotCount);
  }

  /** READY, and used by no live batch. */
  evictable(slot: number): boolean {
    return (this.state[slot] & SLOT_STATE_MASK) === READY && this.held[this.stamp[slot]] === 0;
  }

  /** Every u32 is a key. */
  checkKeys(): void {}

  /** Every u32 is a key. */
  checkKey(): void {}

  lookUp(keys: Uint32Array, count: number, stamp: number, slots: Int32Array): number {
    return lookUp(this, keys, count, stamp, slots);
  }

  claim(key: number, stamp: number, claim: Claim): number {
    return claimSlot(this, key, stamp, claim);
  }

  warm(key: number, heat: number, claim: Claim): number {
    return warmSlot(this, key, heat, claim);
  }

  delete(key: number): boolean {
    const slot = this.find(key);
    if (slot === NO_SLOT) return false;
    this.release(slot, REMOVAL.DELETED);
    return true;
  }

  has(key: number): boolean {
    const slot = this.index.get(key);
    return slot !== NO_SLOT && (slot < this.count || this.held[this.stamp[slot]] !== 0);
  }

  contents(): Uint32Array {
    return this.policy.contents();
  }

  keyOf(slot: number): number {
    return this.key[slot];
  }

  get hasHeat(): boolean {
    return this.policy.heat !== undefined;
  }

  heat(slot: number): number {
    return this.policy.heat?.(slot) ?? 0;
  }

  /**
   * The slot of `key`, or NO_SLOT. A scratch row outlives its batches only on paper: it is dropped
   * here.
   */
  find(key: number): number {
    const slot = this.index.get(key);
    if (slot < this.count || this.held[this.stamp[slot]] !== 0) return slot;
    this.#drop(slot);
    return NO_SLOT;
  }

  /** True for the stamp of the newest batch, which may be written over any other. */
  isNewest(stamp: number): boolean {
    return stamp === this.#window.newestStamp;
  }

  /**
   * Notes that a batch uses `slot`. A younger batch's stamp stays: written over by an older one, it
   * would be gone when the older retires, and the younger would lose a row that it uses.
   */
  hold(slot: number, stamp: number): void {
    if (!this.#window.isOlder(stamp, this.stamp[slot])) this.stamp[slot] = stamp;
  }

  /** Counts a use of a row that is there or loading with the policy, and settles a prefetch. */
  use(slot: number): void {
    if (this.prefetches.unsettled !== 0 && (this.state[slot] & PREFETCHED) !== 0) {
      this.state[slot] &= SLOT_STATE_MASK;
      const outcome = this.state[slot] === READY ? PREFETCH.USED : PREFETCH.LATE;
      this.prefetches.settle(this.key[slot], outcome);
    }
    if (slot < this.count) this.hit(slot);
  }

  /** Tells the policy of a use of cache slot `slot`. */
  hit(slot: number): void {
    const out = this.policy.onHit(slot);
    if (out !== NO_SLOT) this.#pushOut(out);
  }

  /** Evicts `slot`, which a hit pushed out, and what the policy names after it. */
  #pushOut(slot: number): void {
    let out = slot;
    // A row that is loading or held stays, and stays in the policy's order: its place is not free.
    while (out !== NO_SLOT && this.evictable(out)) {
      this.release(out, REMOVAL.EVICTED);
      this.tally.pushedOut++;
      out = this.policy.pushedOut?.() ?? NO_SLOT;
    }
  }

  /** Marks the row in `slot`, just claimed, as prefetched. */
  markPrefetched(slot: number): void {
    this.state[slot] |= PREFETCHED;
    this.prefetches.open();
  }

  /**
   * Makes `slot` the loading slot of `key`, which is not in the index; returns the new generation.
   */
  load(slot: number, key: number): number {
    this.key[slot] = key;
    this.state[slot] = LOADING;
    this.loading++;
    this.index.set(key, slot);
    if (slot < this.count) this.policy.onInsert(slot);
    this.generation[slot]++;
    return this.generation[slot];
  }

  /** Ends a claim with its row; false when it was over already. */
  fill(slot: number, generation: number): boolean {
    if (!this.#isLoading(slot, generation)) return false;
    this.state[slot] += READY - LOADING;
    this.loading--;
    if (slot < this.count && this.evictable(slot)) this.#exhausted = -1;
    return true;
  }

  /** Ends a claim without its row; false when it was over already. */
  abandon(slot: number, generation: number): boolean {
    if (!this.#isLoading(slot, generation)) return false;
    this.release(slot, REMOVAL.FAILED);
    return true;
  }

  #isLoading(slot: number, generation: number): boolean {
    return (this.state[slot] & SLOT_STATE_MASK) === LOADING &&
      this.generation[slot] === generation;
  }

  /**
   * Takes the row in `slot` out of the index and the policy, and frees the slot as soon as it may
   * be.
   */
  release(slot: number, cause: RemovalCause): void {
    if (cause === REMOVAL.EVICTED) {
      this.#assert(this.evictable(slot), slot, "must be evictable to be evicted");
      this.tally.evictions++;
    } else if (cause === REMOVAL.DELETED) this.tally.deletions++;
    else this.tally.failures++;
    this.#drop(slot);
    if (slot >= this.count) return;
    this.policy.onRemove(slot, cause);
    if (this.held[this.stamp[slot]] !== 0) {
      // The bytes of a deleted READY row stay valid for the batches that use them: the state does,
      // too.
      this.key[slot] = this.#limbo;
      this.#limbo = slot;
    } else this.#setFree(slot);
  }

  /** Out of the index; a read on its way is void from now on. */
  #drop(slot: number): void {
    this.index.delete(this.key[slot]);
    if ((this.state[slot] & PREFETCHED) !== 0) {
      this.state[slot] &= SLOT_STATE_MASK;
      this.prefetches.settle(this.key[slot], PREFETCH.WASTED);
    }
    if (this.state[slot] !== LOADING) return;
    // No longer LOADING, the slot refuses this claim's fill; the next claim's generation does from
    // then on.
    this.state[slot] = FAILED;
    this.loading--;
  }

  #setFree(slot: number): void {
    this.state[slot] = FREE;
    this.key[slot] = this.#free;
    this.#free = slot;
  }

  /** A cache slot without a row, or NO_SLOT. */
  takeFree(): number {
    if (this.#free === END && this.#limboSearched !== this.#window.releases) this.#searchLimbo();
    const slot = this.#free;
    if (slot === END) return NO_SLOT;
    this.#free = this.key[slot];
    return slot;
  }

  /** Frees what no live batch holds any more. Nothing in limbo comes free between two releases. */
  #searchLimbo(): void {
    this.#limboSearched = this.#window.releases;
    let slot = this.#limbo;
    this.#limbo = END;
    while (slot !== END) {
      const next = this.key[slot];
      if (this.held[this.stamp[slot]] === 0) this.#setFree(slot);
      else {
        this.key[slot] = this.#limbo;
        this.#limbo = slot;
      }
      slot = next;
    }
  }

  /** The slot that the policy gives up for `key`, or NO_SLOT; nothing has been removed yet. */
  victim(key: number): number {
    // Rows become evictable by a release, or by the fill of a prefetch: not searched again before.
    if (this.#exhausted === this.#window.releases) return NO_SLOT;
    const slot = this.policy.victim(key);
    // A policy may also refuse this one key: its set is held, or it is not worth a place.
    if (slot === NO_SLOT && !this.#isAnyEvictable()) this.#exhausted = this.#window.releases;
    return slot;
  }

  #isAnyEvictable(): boolean {
    for (let slot = 0; slot < this.count; slot++) if (this.evictable(slot)) return true;
    return false;
  }

  /**
   * A scratch slot that no live batch holds, or NO_SLOT. Held slots stay held until a release, so
   * the hand looks at each once in between; scratch is given and freed in about the same order, so
   * it is mostly one step.
   */
  takeScratch(): number {
    if (this.#scratchSearched !== this.#window.releases) {
      this.#scratchSearched = this.#window.releases;
      this.#scratchLeft = this.scratchCount;
    }
    while (this.#scratchLeft > 0) {
      this.#scratchLeft--;
      const slot = this.count + this.#scratchHand;
      this.#scratchHand = this.#scratchHand + 1 === this.scratchCount ? 0 : this.#scratchHand + 1;
      if (this.held[this.stamp[slot]] !== 0) continue;
      if (this.index.get(this.key[slot]) === slot) this.#drop(slot);
      return slot;
    }
    return NO_SLOT;
  }

  /** Forgets every stamp that is not held; see BatchWindow. */
  sweep(): void {
    const { stamp, held } = this;
    for (let slot = 0; slot < stamp.length; slot++) {
      if (held[stamp[slot]] === 0) stamp[slot] = 0;
    }
  }

  /** Deletes every row. */
  clear(): void {
    for (let slot = 0; slot < this.key.length; slot++) {
      if (this.index.get(this.key[slot]) !== slot) continue;
      if (slot < this.count || this.held[this.stamp[slot]] !== 0) {
        this.release(slot, REMOVAL.DELETED);
      } else this.#drop(slot);
    }
  }

  /** Bytes of the arrays. */
  bytes(): PartitionBytes {
    const { key, generation, state, stamp } = this;
    return {
      indexBytes: this.index.bytes,
      policyBytes: this.policy.bytes,
      columnBytes: key.byteLength + generation.byteLength + state.byteLength + stamp.byteLength,
    };
  }

  #assert(holds: boolean, slot: number, what: string): void {
    if (!holds) {
      throw new Error(`Broken invariant: partition ${this.#number}: slot ${slot} ${what}`);
    }
  }

  /** Throws an Error naming the first broken invariant. */
  verify(): void {
    this.index.verify();
    this.policy.verify();
    const ordered = new Uint8Array(this.count);
    for (const slot of this.policy.contents()) ordered[slot]++;
    const spared = new Uint8Array(this.count);
    for (const head of [this.#free, this.#limbo]) {
      // A slot that is met twice closes a ring: its count tells, so the walk may end.
      for (let slot = head; slot !== END && spared[slot]++ === 0;) slot = this.key[slot];
    }
    let entries = 0, loading = 0, unsettled = 0;
    for (let slot = 0; slot < this.key.length; slot++) {
      const indexed = this.index.get(this.key[slot]) === slot;
      const state = this.state[slot] & SLOT_STATE_MASK;
      const prefetched = Number((this.state[slot] & PREFETCHED) !== 0);
      if (slot < this.count) {
        this.#assert(
          ordered[slot] === Number(indexed),
          slot,
          "must be in index and policy or neither",
        );
        this.#assert(
          spared[slot] === Number(!indexed),
          slot,
          "must be free or in limbo if not in use",
        );
      }
      this.#assert(
        !indexed || state === LOADING || state === READY,
        slot,
        "must be LOADING or READY",
      );
      this.#assert(indexed || state !== LOADING, slot, "must be in the index while LOADING");
      this.#assert(indexed || prefetched === 0, slot, "must be settled when it is gone");
      entries += Number(indexed);
      loading += Number(state === LOADING);
      unsettled += prefetched;
    }
    const { lookups, hits, delayedHits, misses } = this.tally;
    this.#assert(entries === this.index.size, -1, `entries must number ${entries}`);
    this.#assert(loading === this.loading, -1, `loading slots must number ${loading}`);
    this.#assert(
      unsettled === this.prefetches.unsettled,
      -1,
      `prefetched slots must number ${unsettled}`,
    );
    this.#assert(lookups === hits + delayedHits + misses, -1, "lookups must add up");
  }
}
