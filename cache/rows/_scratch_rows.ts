/**
 * The scratch rows of a compact partition: slots that live as long as a batch uses them.
 *
 * @module
 */

import type { BatchWindow } from "./_batch_window.ts";
import { NO_SLOT } from "../eviction.ts";
import { KeyIndex } from "./key_index.ts";
import { SLOT_STATE, SLOT_STATE_MASK } from "./slot_state.ts";

const { LOADING, READY, FAILED } = SLOT_STATE;

/**
 * Columns over slots `first` to `first` + `count` - 1; their states are in the partition's column.
 * 13 bytes a slot, and 13 to 26 for its index entry. A slot is free as soon as no live batch holds
 * it.
 */
export class ScratchRows {
  readonly #first: number;
  readonly #count: number;
  readonly #state: Uint8Array;
  readonly #window: BatchWindow;
  readonly #key: Uint32Array;
  readonly #generation: Float64Array;
  readonly #stamp: Uint8Array;
  readonly #index: KeyIndex;
  /** The next slot to look at, from 0. */
  #hand = 0;
  /** Slots not yet looked at since `#searched`, a value of the window's `releases`. */
  #left: number;
  #searched = 0;

  constructor(first: number, count: number, state: Uint8Array, window: BatchWindow) {
    this.#first = first;
    this.#count = this.#left = count;
    this.#state = state;
    this.#window = window;
    this.#key = new Uint32Array(count);
    this.#generation = new Float64Array(count);
    this.#stamp = new Uint8Array(count);
    this.#index = new KeyIndex(Math.max(1, count));
  }

  /** Rows in the index, those included that nobody holds any more. */
  get size(): number {
    return this.#index.size;
  }

  /** Bytes of the index. */
  get indexBytes(): number {
    return this.#index.bytes;
  }

  /** Bytes of the columns. */
  get columnBytes(): number {
    return this.#key.byteLength + this.#generation.byteLength + this.#stamp.byteLength;
  }

  /** The slot of `key`, or NO_SLOT; a row that nobody holds any more is dropped here. */
  find(key: number): number {
    const at = this.#index.get(key);
    if (at === NO_SLOT) return NO_SLOT;
    if (this.#isHeld(at)) return this.#first + at;
    this.#drop(at);
    return NO_SLOT;
  }

  /** Whether `find` would find it; drops nothing. */
  has(key: number): boolean {
    const at = this.#index.get(key);
    return at !== NO_SLOT && this.#isHeld(at);
  }

  /** Notes that the batch of `stamp` uses `slot`. */
  hold(slot: number, stamp: number): void {
    const at = slot - this.#first;
    if (!this.#window.isOlder(stamp, this.#stamp[at])) this.#stamp[at] = stamp;
  }

  /**
   * A slot that no live batch holds, or NO_SLOT. What is held stays so until a release, so the hand
   * looks at each slot once in between.
   */
  take(): number {
    if (this.#searched !== this.#window.releases) {
      this.#searched = this.#window.releases;
      this.#left = this.#count;
    }
    while (this.#left > 0) {
      this.#left--;
      const at = this.#hand;
      this.#hand = at + 1 === this.#count ? 0 : at + 1;
      if (this.#isHeld(at)) continue;
      if (this.#isIndexed(at)) this.#drop(at);
      return this.#first + at;
    }
    return NO_SLOT;
  }

  /** Makes `slot` the loading slot of `key` for the batch of `stamp`. */
  load(slot: number, key: number, stamp: number, generation: number): void {
    const at = slot - this.#first;
    this.#key[at] = key;
    this.#generation[at] = generation;
    this.#stamp[at] = stamp;
    this.#setState(at, LOADING);
    this.#index.set(key, at);
  }

  /** The claim that `slot` is in, or was in last. */
  generation(slot: number): number {
    return this.#generation[slot - this.#first];
  }

  /** Ends a claim with its row; false when it was over already. */
  fill(slot: number, generation: number): boolean {
    const at = slot - this.#first;
    if (!this.#isLoading(at, generation)) return false;
    this.#setState(at, READY);
    return true;
  }

  /** Ends a claim without its row; false when it was over already. */
  abandon(slot: number, generation: number): boolean {
    const at = slot - this.#first;
    if (!this.#isLoading(at, generation)) return false;
    this.#drop(at);
    return true;
  }

  /** Takes the row that `find` gave out of the index. */
  delete(slot: number): void {
    this.#drop(slot - this.#first);
  }

  /** Drops every row; returns how many were held. */
  clear(): number {
    let held = 0;
    for (let at = 0; at < this.#count; at++) {
      if (!this.#isIndexed(at)) continue;
      held += Number(this.#isHeld(at));
      this.#drop(at);
    }
    return held;
  }

  /** Forgets every stamp that is not held; see BatchWindow. */
  sweep(): void {
    for (let at = 0; at < this.#count; at++) if (!this.#isHeld(at)) this.#stamp[at] = 0;
  }

  /** Throws an Error naming the first broken invariant. */
  verify(what: string): void {
    this.#index.verify();
    let indexed = 0;
    for (let at = 0; at < this.#count; at++) {
      const state = this.#state[this.#first + at] & SLOT_STATE_MASK;
      const there = this.#isIndexed(at);
      indexed += Number(there);
      if (there ? state !== LOADING && state !== READY : state === LOADING) {
        throw new Error(`Broken invariant: ${what}: scratch row ${at} must be there if LOADING`);
      }
    }
    if (indexed !== this.#index.size) {
      throw new Error(`Broken invariant: ${what}: scratch rows must number ${indexed}`);
    }
  }

  #isHeld(at: number): boolean {
    return this.#window.held[this.#stamp[at]] !== 0;
  }

  #isIndexed(at: number): boolean {
    return this.#index.get(this.#key[at]) === at;
  }

  #isLoading(at: number, generation: number): boolean {
    return (this.#state[this.#first + at] & SLOT_STATE_MASK) === LOADING &&
      this.#generation[at] === generation;
  }

  #drop(at: number): void {
    this.#index.delete(this.#key[at]);
    if ((this.#state[this.#first + at] & SLOT_STATE_MASK) === LOADING) this.#setState(at, FAILED);
  }

  /** The bits above stay as they are: they belong to no bucket, but share its words. */
  #setState(at: number, state: number): void {
    const byte = this.#state[this.#first + at];
    this.#state[this.#first + at] = (byte & ~SLOT_STATE_MASK) | state;
  }
}
