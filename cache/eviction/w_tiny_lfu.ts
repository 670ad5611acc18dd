/**
 * W-TinyLFU (Einziger, Friedman, Manes: "TinyLFU: A Highly Efficient Cache Admission Policy", ACM
 * ToS 2017), with the hill climber of Einziger, Eytan, Friedman, Manes: "Adaptive Software Cache
 * Management", Middleware 2018.
 *
 * @module
 */

import { checkInteger } from "../../base/checks.ts";
import { FrequencySketch } from "../admission/frequency_sketch.ts";
import { createQueues, listQueue, moveToNewest, pushNewest, verifyQueue } from "./_queues.ts";
import { checkRatio } from "./_ratios.ts";
import { unlink } from "./_slot_list.ts";
import { BloomWTinyLfu } from "./_w_tiny_lfu_bloom.ts";
import { HillClimber } from "./_hill_climber.ts";
import { type EvictionPolicy, NO_SLOT, type Slots } from "../eviction.ts";

/** What {@linkcode wtinylfu} may be told. */
export interface WTinyLfuOptions {
  /** Share of the slots that new rows have to themselves, in [0, 1]; 0.01 by default. */
  windowRatio?: number;
  /**
   * Whether a hill climber moves that border while the cache runs; true by default. Over ten real
   * traces and slots for 0.1 to 10 % of their keys it saved up to 30 % of the misses (an
   * object-relational mapper) and cost at most 5 % (a shop's items); in a cache of 64 slots the
   * noise of its samples costs 2 %.
   */
  climb?: boolean;
  /** Of the chance by which a loser gets in now and then, against hash flooding; 1 by default. */
  seed?: number;
  /**
   * "four-bit" by default: {@linkcode FrequencySketch}. "counting-bloom" is the whole policy as the
   * C library libCacheSim has it, to compare with: ten 32-bit counters a key, 57 bytes a slot, hits
   * in the window not counted, no climbing and no chance.
   */
  sketch?: "four-bit" | "counting-bloom";
}

/** The queues of slots; they are sentinels `count` + these, too. */
const WINDOW = 0;
const PROBATION = 1;
const PROTECTED = 2;

/** Share of the rows outside the window that hits protect. */
const PROTECTED_RATIO = 0.8;

/** A loser used more often than this gets in once in 128 times. */
const WARM_COUNT = 5;
const CHANCE_MASK = 127;

/** Rows moved over a border at a time when it has moved; so no access pays for a whole move. */
const MOVES_A_STEP = 2;

/**
 * The policy that lets a row in only if it was used more often of late than the row it would push
 * out. New rows have a small LRU window to prove themselves; the main part is LRU in two segments,
 * of which hits lead to the protected one. Uses are counted for all keys, cached or not, in a
 * sketch that forgets. A hill climber tries larger and smaller windows and follows the hit ratio.
 *
 * 9 bytes a slot for order and, rounded up to a power of two, 8 for the sketch.
 *
 * Rows that live batches hold are passed over.
 *
 * @throws {RangeError} when `windowRatio`, `seed` or `sketch` is not one of the above.
 *
 * @example
 * ```ts
 * import { RowCache, wtinylfu } from "@rowtier/rowtier/cache";
 *
 * const eviction = wtinylfu;
 * const cache = new RowCache({ partitions: [{ slotCount: 200, scratchCount: 2, eviction }] });
 * if (cache.contents(0).length !== 0) throw new Error("unreachable");
 * ```
 */
export function wtinylfu(slots: Slots, options: WTinyLfuOptions = {}): EvictionPolicy {
  const { windowRatio = 0.01, climb = true, seed = 1, sketch = "four-bit" } = options;
  const what = "Cannot create wtinylfu";
  checkRatio(what, "windowRatio", windowRatio);
  checkInteger(what, "seed", seed, 0);
  if (sketch === "counting-bloom") return new BloomWTinyLfu(slots, windowRatio);
  if (sketch !== "four-bit") {
    throw new RangeError(
      `${what}: sketch must be "four-bit" or "counting-bloom": received ${sketch}`,
    );
  }
  return new WTinyLfu(slots, windowRatio, climb, seed);
}

class WTinyLfu implements EvictionPolicy {
  readonly name = "wtinylfu";
  readonly #slots: Slots;
  readonly #links: Int32Array;
  /** By slot: the queue it is in. */
  readonly #queue: Uint8Array;
  readonly #sketch: FrequencySketch;
  readonly #climber: HillClimber | undefined;
  /** By queue. */
  readonly #sizes: Int32Array = new Int32Array(3);
  #windowCapacity: number;
  #protectedCapacity: number;
  /** The key that `onMiss` was last told, its bits; it counts while `#missing`. */
  #missed = 0;
  #missing = false;
  /** A xorshift generator's state: never 0. */
  #chance: number;

  constructor(slots: Slots, windowRatio: number, climb: boolean, seed: number) {
    const { count } = slots;
    this.#slots = slots;
    this.#links = createQueues(count, 3);
    this.#queue = new Uint8Array(count);
    this.#sketch = new FrequencySketch(count);
    this.#windowCapacity = Math.max(1, Math.floor(count * windowRatio));
    this.#protectedCapacity = Math.floor((count - this.#windowCapacity) * PROTECTED_RATIO);
    this.#climber = climb ? new HillClimber(count) : undefined;
    this.#chance = (seed | 0) || 1;
  }

  get bytes(): number {
    return this.#links.byteLength + this.#queue.byteLength + this.#sketch.bytes;
  }

  onMiss(key: number): void {
    this.#missed = key | 0;
    this.#missing = true;
    this.#sketch.record(key);
    if (this.#climber?.sample(0) === true) this.#moveBorder(this.#climber);
  }

  onInsert(slot: number): void {
    const key = this.#slots.key[slot];
    if (!this.#missing || this.#missed !== (key | 0)) this.onMiss(key);
    this.#missing = false;
    this.#push(WINDOW, slot);
    const sizes = this.#sizes;
    // One leaves for the newcomer; the window goes down by the others after its border moved.
    for (let i = 0; i < MOVES_A_STEP && sizes[WINDOW] > this.#windowCapacity; i++) {
      this.#move(this.#links[2 * (this.#slots.count + WINDOW)], PROBATION);
    }
  }

  onHit(slot: number): number {
    this.#sketch.record(this.#slots.key[slot]);
    const queue = this.#queue[slot];
    if (queue === PROBATION) this.#protect(slot);
    else moveToNewest(this.#links, this.#slots.count + queue, slot);
    if (this.#climber?.sample(1) === true) this.#moveBorder(this.#climber);
    return NO_SLOT;
  }

  #protect(slot: number): void {
    this.#move(slot, PROTECTED);
    const sizes = this.#sizes;
    for (let i = 0; i < MOVES_A_STEP && sizes[PROTECTED] > this.#protectedCapacity; i++) {
      this.#move(this.#links[2 * (this.#slots.count + PROTECTED)], PROBATION);
    }
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

  #moveBorder(climber: HillClimber): void {
    const { count } = this.#slots;
    const most = Math.max(1, Math.floor(count * PROTECTED_RATIO));
    this.#windowCapacity = Math.min(most, Math.max(1, this.#windowCapacity + climber.step));
    this.#protectedCapacity = Math.floor((count - this.#windowCapacity) * PROTECTED_RATIO);
  }

  onRemove(slot: number): void {
    this.#sizes[this.#queue[slot]]--;
    unlink(this.#links, slot);
  }

  victim(_key: number): number {
    const loser = this.#mainVictim();
    // The newcomer's place in the window is made by the oldest there, which wants one in main.
    if (loser !== NO_SLOT && this.#sizes[WINDOW] < this.#windowCapacity) return loser;
    const candidate = this.#oldest(WINDOW);
    if (candidate === NO_SLOT) return loser;
    if (loser === NO_SLOT || !this.#prefers(candidate, loser)) return candidate;
    this.#move(candidate, PROBATION);
    return loser;
  }

  #mainVictim(): number {
    const slot = this.#oldest(PROBATION);
    return slot === NO_SLOT ? this.#oldest(PROTECTED) : slot;
  }

  /** Whether a row from the window is worth more than one of the main part. */
  #prefers(candidate: number, loser: number): boolean {
    const { key } = this.#slots;
    const count = this.#sketch.estimate(key[candidate]);
    if (count > this.#sketch.estimate(key[loser])) return true;
    if (count <= WARM_COUNT) return false;
    // Whoever finds keys that share a victim's counters could keep all others out for ever.
    let x = this.#chance;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#chance = x;
    return (x & CHANCE_MASK) === 0;
  }

  /** The oldest evictable slot of a queue. */
  #oldest(queue: number): number {
    const links = this.#links;
    const sentinel = this.#slots.count + queue;
    let at = links[2 * sentinel];
    while (at !== sentinel && !this.#slots.evictable(at)) at = links[2 * at];
    return at === sentinel ? NO_SLOT : at;
  }

  /** How often it was used of late, 0 to 15. */
  heat(slot: number): number {
    return this.#sketch.estimate(this.#slots.key[slot]);
  }

  contents(): Uint32Array {
    const { count } = this.#slots;
    const out = new Uint32Array(
      this.#sizes[WINDOW] + this.#sizes[PROBATION] + this.#sizes[PROTECTED],
    );
    let at = 0;
    for (const queue of [PROTECTED, PROBATION, WINDOW]) {
      at = listQueue(this.#links, count + queue, out, at);
    }
    return out;
  }

  verify(): void {
    const { count } = this.#slots;
    for (const queue of [WINDOW, PROBATION, PROTECTED]) {
      verifyQueue(this.name, this.#links, count + queue, this.#sizes[queue], (slot) => {
        return this.#queue[slot] === queue;
      });
    }
    this.#sketch.verify();
  }
}
