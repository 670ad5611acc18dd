/**
 * W-TinyLFU as the C library libCacheSim has it, count by count.
 *
 * @module
 */

import { CountingBloom, hashInto } from "../admission/counting_bloom.ts";
import { createQueues, listQueue, moveToNewest, pushNewest, verifyQueue } from "./_queues.ts";
import { unlink } from "./_slot_list.ts";
import {
  type EvictionPolicy,
  NO_SLOT,
  REMOVAL,
  type RemovalCause,
  type Slots,
} from "../eviction.ts";

/** The queues of slots: the window and the main part's two segments. */
const WINDOW = 0;
const LOW = 1;
const HIGH = 2;

/** The upper segment's share of the main part; the lower one has the rest. */
const HIGH_SHARE = 4 / 5;
const LOW_SHARE = 1 / 5;

/** Hits in the main part, for each of its slots, between two halvings of the sketch. */
const HITS_PER_HALVING = 32;

/**
 * One eviction goes on until a row of the window loses or the window is empty; each row that wins
 * pushes one out of the main part, so it may take several rows: `crowded` says so.
 */
export class BloomWTinyLfu implements EvictionPolicy {
  readonly name = "wtinylfu";
  readonly #slots: Slots;
  readonly #links: Int32Array;
  /** By slot: the queue it is in. */
  readonly #queue: Uint8Array;
  /** Words 2 s and 2 s + 1: the hash pair of slot s's key. */
  readonly #pairs: Int32Array;
  readonly #sketch: CountingBloom;
  readonly #sizes: Int32Array = new Int32Array(3);
  readonly #mainCapacity: number;
  readonly #lowCapacity: number;
  readonly #highCapacity: number;
  /** Hits in the main part since the last halving. */
  #mainHits = 0;
  /** A key, its bits, and a count of it that it had since the last halving. */
  #floorKey = 0;
  #floor = 0;
  /** Whether the eviction under way goes on after the row that leaves. */
  #unfinished = false;
  /** The row of the window that enters the main part when the row that it beat has left. */
  #winner = NO_SLOT;
  /** That row, in `victim`'s answer. */
  #loser = NO_SLOT;

  constructor(slots: Slots, windowRatio: number) {
    const { count } = slots;
    this.#slots = slots;
    this.#links = createQueues(count, 3);
    this.#queue = new Uint8Array(count);
    this.#pairs = new Int32Array(2 * count);
    this.#mainCapacity = count - Math.max(1, Math.floor(count * windowRatio));
    this.#lowCapacity = Math.max(1, Math.floor(LOW_SHARE * this.#mainCapacity));
    this.#highCapacity = Math.max(1, Math.floor(HIGH_SHARE * this.#mainCapacity));
    this.#sketch = new CountingBloom(Math.max(1, this.#mainCapacity));
  }

  get bytes(): number {
    return this.#links.byteLength + this.#queue.byteLength + this.#pairs.byteLength +
      this.#sketch.bytes;
  }

  onMiss(_key: number): void {
    this.#unfinished = false;
    this.#winner = NO_SLOT;
  }

  onInsert(slot: number): void {
    this.#unfinished = false;
    this.#winner = NO_SLOT;
    this.#push(WINDOW, slot);
    hashInto(this.#slots.key[slot], this.#pairs, 2 * slot);
    this.#sketch.add(this.#pairs, 2 * slot);
  }

  onHit(slot: number): number {
    const queue = this.#queue[slot];
    if (queue === WINDOW) {
      moveToNewest(this.#links, this.#slots.count + WINDOW, slot);
      return NO_SLOT;
    }
    this.#sketch.add(this.#pairs, 2 * slot);
    if (++this.#mainHits === HITS_PER_HALVING * this.#mainCapacity) {
      this.#mainHits = 0;
      this.#floor = 0;
      this.#sketch.halve();
    }
    if (queue === HIGH) {
      moveToNewest(this.#links, this.#slots.count + HIGH, slot);
      return NO_SLOT;
    }
    return this.#promote(slot);
  }

  /** To the upper segment; returns what no longer fits into the main part. */
  #promote(slot: number): number {
    this.#move(slot, HIGH);
    const sizes = this.#sizes;
    if (sizes[HIGH] <= this.#highCapacity) return NO_SLOT;
    this.#move(this.#tail(HIGH), LOW);
    return sizes[LOW] > this.#lowCapacity ? this.#tail(LOW) : NO_SLOT;
  }

  #push(queue: number, slot: number): void {
    this.#queue[slot] = queue;
    this.#sizes[queue]++;
    pushNewest(this.#links, this.#slots.count + queue, slot);
  }

  #move(slot: number, queue: number): void {
    this.#sizes[this.#queue[slot]]--;
    unlink(this.#links, slot);
    this.#push(queue, slot);
  }

  #tail(queue: number): number {
    return this.#links[2 * (this.#slots.count + queue)];
  }

  onRemove(slot: number, cause: RemovalCause): void {
    this.#sizes[this.#queue[slot]]--;
    unlink(this.#links, slot);
    const winner = this.#winner;
    // Any other removal comes after an eviction that was called off.
    this.#winner = NO_SLOT;
    if (winner !== NO_SLOT && slot === this.#loser && cause === REMOVAL.EVICTED) {
      this.#admit(winner);
    }
  }

  /** From the window to the main part. */
  #admit(slot: number): void {
    const sizes = this.#sizes;
    const isLowFull = sizes[LOW] >= this.#lowCapacity;
    this.#move(slot, isLowFull && sizes[HIGH] < this.#highCapacity ? HIGH : LOW);
    this.#sketch.add(this.#pairs, 2 * slot);
  }

  victim(_key: number): number {
    const sizes = this.#sizes;
    this.#winner = NO_SLOT;
    this.#unfinished = false;
    let candidate = this.#oldest(WINDOW);
    while (candidate !== NO_SLOT && sizes[LOW] + sizes[HIGH] < this.#mainCapacity) {
      this.#admit(candidate);
      candidate = this.#oldest(WINDOW);
    }
    const low = this.#oldest(LOW);
    const loser = low === NO_SLOT ? this.#oldest(HIGH) : low;
    if (candidate === NO_SLOT) return loser;
    if (loser === NO_SLOT || !this.#prefers(candidate, loser)) {
      this.#sketch.add(this.#pairs, 2 * candidate);
      return candidate;
    }
    this.#winner = candidate;
    this.#loser = loser;
    this.#unfinished = true;
    return loser;
  }

  /** Whether a row from the window was counted more often than one of the main part. */
  #prefers(candidate: number, loser: number): boolean {
    const sketch = this.#sketch;
    const pairs = this.#pairs;
    const key = this.#slots.key[loser] | 0;
    // Most candidates lose, to the same row as the one before: its count, which only grows between
    // two halvings, need not be read again for that, and the candidate's in part. That halves
    // the time of an access.
    if (key !== this.#floorKey) {
      this.#floorKey = key;
      this.#floor = sketch.estimate(pairs, 2 * loser, 0);
    }
    const count = sketch.estimate(pairs, 2 * candidate, this.#floor);
    if (count <= this.#floor) return false;
    this.#floor = sketch.estimate(pairs, 2 * loser, 0);
    return count > this.#floor;
  }

  crowded(_key: number): boolean {
    return this.#unfinished;
  }

  /** The oldest evictable slot of a queue. */
  #oldest(queue: number): number {
    const links = this.#links;
    const sentinel = this.#slots.count + queue;
    let at = links[2 * sentinel];
    while (at !== sentinel && !this.#slots.evictable(at)) at = links[2 * at];
    return at === sentinel ? NO_SLOT : at;
  }

  contents(): Uint32Array {
    const { count } = this.#slots;
    const sizes = this.#sizes;
    const out = new Uint32Array(sizes[WINDOW] + sizes[LOW] + sizes[HIGH]);
    let at = 0;
    for (const queue of [HIGH, LOW, WINDOW]) at = listQueue(this.#links, count + queue, out, at);
    return out;
  }

  verify(): void {
    const { count } = this.#slots;
    for (const queue of [WINDOW, LOW, HIGH]) {
      verifyQueue(this.name, this.#links, count + queue, this.#sizes[queue], (slot) => {
        return this.#queue[slot] === queue;
      });
    }
  }
}
