/**
 * One policy that finds out while it runs what fits this table: recency, frequency, scan
 * resistance, or something between.
 *
 * @module
 */

import { checkInteger } from "../../base/checks.ts";
import {
  type EvictionPolicy,
  NO_SLOT,
  REMOVAL,
  type RemovalCause,
  type Slots,
} from "../eviction.ts";
import { GhostMarks } from "./_ghost_marks.ts";
import { createQueues, listQueue, moveToNewest, pushNewest, verifyQueue } from "./_queues.ts";
import { AGEING, FIRST_SETTING, keptSmall, mainFill, type Setting, SETTINGS } from "./_settings.ts";
import { Shadows } from "./_shadows.ts";
import { unlink } from "./_slot_list.ts";

/** How {@linkcode adaptive} samples. */
export interface AdaptiveOptions {
  /** Which keys are sampled: an integer from 0 to 2^32 - 1, by default 0. */
  readonly seed?: number;
}

/** What {@linkcode adaptive} makes: a policy that tells what it found out. */
export interface AdaptivePolicy extends EvictionPolicy {
  /**
   * How it runs now: "scan" (only what comes back soon after it left is kept), "balance", "recency"
   * or "frequency" (the hottest rows stay).
   */
  readonly setting: string;
  /** How often it went from one setting to another. */
  readonly moves: number;
}

/**
 * The policy that runs as the best of four would. It replays a hashed sample of the keys in four
 * small caches (Waldspurger, Saemundsson, Ahmad, Park: "Cache Modeling and Optimization using
 * Miniature Simulations", USENIX ATC 2017) and takes over the setting of the one that misses least.
 * All four are settings of one structure, so nothing is copied or emptied on the way: rows that the
 * new setting would not hold leave as others come.
 *
 * On real traces it misses as often as the best of the other policies, chosen afterwards for each
 * trace and size: 1.00 times in the mean, 1.04 at most. A phase that begins is seen after two to
 * fourteen times as many misses as there are slots.
 *
 * The small caches have 32 to 63 slots, from 2,048 slots on 1/64 of them, and sample as many of the
 * keys. Below that they rest once the choice is calm, so that in the long run one access in 64 is
 * replayed at any size; a phase that begins meanwhile is seen later, at 512 slots by up to 15 times
 * as many misses, at 128 by 75.
 *
 * A hit writes one byte; nothing is allocated after construction. Replayed with u32 keys, an access
 * takes 1.1 to 1.7 times LRU's, 1.4 times in the mean; with dense keys, where a lookup is one read,
 * 1.9 times (`deno task bench policies`).
 *
 * Costs 19 to 28 bytes a slot: 8 for links, 1 of state, 7 to 15 for ghosts, 3 to 4 for the small
 * caches. These have about 200 bytes a slot of their own: below 2,048 slots 6 to 12 KB in all.
 *
 * Rows that live batches hold are passed over and keep their hits.
 *
 * @example
 * ```ts
 * import { adaptive, RowCache } from "@rowtier/rowtier/cache";
 *
 * const partition = { slotCount: 8, scratchCount: 2, eviction: adaptive };
 * const cache = new RowCache({ partitions: [partition] });
 * if (cache.contents(0).length !== 0) throw new Error("unreachable");
 * ```
 *
 * @throws {RangeError} when `seed` is out of range.
 */
export function adaptive(slots: Slots, options: AdaptiveOptions = {}): AdaptivePolicy {
  const { seed = 0 } = options;
  return new Adaptive(slots, checkInteger("Cannot create adaptive", "seed", seed, 0, 2 ** 32 - 1));
}

/** Of a slot's byte: hits, at most 15, and two marks. */
const COUNT = 15, MAIN = 16, SAMPLED = 32;

/** MAIN is this bit: as 0 or 1 it counts rows and finds the queue without a branch. */
const MAIN_BIT = 4;

/**
 * Fewest slots of a small cache. With 16 the wrong setting was taken in one of twelve real cases
 * (1.37 times the misses); 64 saved 0.2 % of the misses and cost twice the time.
 */
const FEWEST_SHADOW_SLOTS = 32;

/** The slots are halved at most so often for the small caches: then 1/64 of the keys is sampled. */
const MOST_HALVINGS = 6;

/**
 * In a long calm 1 / 2^6 of the accesses is replayed: the rarer the sample, the shorter the rest.
 * With 2^8 an access took 5 % less, but of a new phase that takes long to see, as a loop that comes
 * after very many other keys, nothing was seen for ten times as long.
 */
const CALM_SHARE_BITS = 6;

class Adaptive implements AdaptivePolicy {
  readonly name = "adaptive";
  readonly #slots: Slots;
  readonly #key: Uint32Array;
  readonly #state: Uint8Array;
  readonly #links: Int32Array;
  /** Sentinels of the two queues. */
  readonly #small: number;
  readonly #main: number;
  readonly #ghosts: GhostMarks;
  readonly #shadows: Shadows;
  readonly #seed: number;
  readonly #halvings: number;
  /** A key is sampled when these bits of its hash, the highest, are 0. */
  readonly #sampleMask: number;
  /** Rows in both queues. */
  #size = 0;
  #mainSize = 0;
  #setting: number = FIRST_SETTING;
  #moves = 0;
  // What the setting in force says, see _settings.ts.
  #kept = 0;
  /** As `#kept`, or never exceeded where more than the oldest row has to be looked at. */
  #plainlyKept = 0;
  #mainFill = 0;
  #promoteHits = 0;
  #countLimit = 0;
  #ghostReach = 0;
  /** Victims since the last one that aged a row. */
  #unaged = 0;
  /** The key of the last miss, as a signed integer, and the state it is to enter with. */
  #missed = 0;
  #missedState = 0;
  /** Sampled misses since the small caches woke up, and those that they still rest. */
  #awakeMisses = 0;
  #restMisses = 0;
  /** The mark whose rows' hits are observed: none of them while the small caches rest. */
  #observed = SAMPLED;

  constructor(slots: Slots, seed: number) {
    const { count } = slots;
    let halvings = 0;
    while (halvings < MOST_HALVINGS && count >> (halvings + 1) >= FEWEST_SHADOW_SLOTS) halvings++;
    this.#slots = slots;
    this.#key = slots.key;
    this.#state = new Uint8Array(count);
    this.#links = createQueues(count, 2);
    this.#small = count;
    this.#main = count + 1;
    this.#ghosts = new GhostMarks(count * Math.max(...SETTINGS.map((each) => each.ghostShare)));
    this.#shadows = new Shadows(count >> halvings, 2 ** (CALM_SHARE_BITS - halvings) - 1);
    this.#seed = seed | 0;
    this.#halvings = halvings;
    this.#sampleMask = halvings === 0 ? 0 : -1 << (32 - halvings);
    this.#missedState = this.#stateOf(this.#missed);
    this.#take(SETTINGS[FIRST_SETTING]);
  }

  get setting(): string {
    return SETTINGS[this.#setting].name;
  }

  get moves(): number {
    return this.#moves;
  }

  get bytes(): number {
    return this.#links.byteLength + this.#state.byteLength + this.#ghosts.bytes +
      this.#shadows.bytes;
  }

  #take(setting: Setting): void {
    const { count } = this.#slots;
    this.#kept = keptSmall(setting, count);
    this.#mainFill = mainFill(setting, count);
    this.#plainlyKept = this.#mainFill > 0 ? count : this.#kept;
    this.#promoteHits = setting.promoteHits;
    this.#countLimit = setting.countLimit;
    this.#ghostReach = this.#ghosts.reachOf(setting.ghostShare * count);
  }

  /** A sampled key was looked up while the small caches are awake. */
  #observe(key: number, hash: number): void {
    // Its highest bits are 0, as it is sampled: they must not choose anything more.
    const setting = this.#shadows.access(key, hash << this.#halvings);
    const rest = this.#shadows.takeRest();
    if (rest > 0) {
      this.#restMisses = rest * this.#awakeMisses;
      this.#awakeMisses = 0;
      if (this.#restMisses > 0) this.#observed = 0;
    }
    if (setting === this.#setting) return;
    this.#setting = setting;
    this.#moves++;
    this.#take(SETTINGS[setting]);
  }

  #observeMiss(key: number, hash: number): void {
    if (this.#restMisses > 0) {
      if (--this.#restMisses === 0) this.#observed = SAMPLED;
    } else {
      this.#awakeMisses++;
      this.#observe(key, hash);
    }
  }

  onMiss(key: number): void {
    const hash = hashOf(key, this.#seed);
    let state = 0;
    if ((hash & this.#sampleMask) === 0) {
      this.#observeMiss(key, hash);
      state = SAMPLED;
    }
    if (this.#ghosts.take(hash, this.#ghostReach)) state |= MAIN;
    this.#missed = key | 0;
    this.#missedState = state;
  }

  onInsert(slot: number): void {
    const key = this.#key[slot] | 0;
    const state = key === this.#missed ? this.#missedState : this.#stateOf(key);
    this.#state[slot] = state;
    const isMain = (state >> MAIN_BIT) & 1;
    this.#size++;
    this.#mainSize += isMain;
    pushNewest(this.#links, this.#small + isMain, slot);
  }

  /** Of a key whose miss is not known. */
  #stateOf(key: number): number {
    return (hashOf(key, this.#seed) & this.#sampleMask) === 0 ? SAMPLED : 0;
  }

  onHit(slot: number): number {
    const state = this.#state[slot];
    if ((state & COUNT) !== COUNT) this.#state[slot] = state + 1;
    if ((state & this.#observed) !== 0) {
      const key = this.#key[slot];
      this.#observe(key, hashOf(key, this.#seed));
    }
    return NO_SLOT;
  }

  onRemove(slot: number, cause: RemovalCause): void {
    const isMain = (this.#state[slot] >> MAIN_BIT) & 1;
    this.#size--;
    this.#mainSize -= isMain;
    unlink(this.#links, slot);
    if (isMain === 0 && cause === REMOVAL.EVICTED) {
      this.#ghosts.add(hashOf(this.#key[slot], this.#seed));
    }
  }

  victim(_key: number): number {
    const oldest = this.#links[2 * this.#small];
    // Mostly it is the oldest row of the small queue, and the search stays out of line.
    if (
      this.#size - this.#mainSize > this.#plainlyKept &&
      (this.#state[oldest] & COUNT) < this.#promoteHits && this.#slots.evictable(oldest)
    ) return oldest;
    return this.#search();
  }

  #search(): number {
    let slot = NO_SLOT;
    if (this.#mainFill > 0 && ++this.#unaged === AGEING) {
      this.#unaged = 0;
      slot = this.#age();
    }
    if (slot === NO_SLOT) slot = this.#sift(this.#kept);
    if (slot === NO_SLOT) slot = this.#turn();
    // Nothing in the main queue may leave, or it is empty.
    if (slot === NO_SLOT) slot = this.#sift(0);
    // All that was left deserved to go on.
    return slot === NO_SLOT ? this.#turn() : slot;
  }

  /** Halves the hits of the main queue's oldest row; gives it up when it has none. */
  #age(): number {
    const links = this.#links;
    let at = links[2 * this.#main];
    while (at !== this.#main && !this.#slots.evictable(at)) at = links[2 * at];
    if (at === this.#main) return NO_SLOT;
    const state = this.#state[at];
    if ((state & COUNT) === 0) return at;
    this.#state[at] = (state & ~COUNT) | ((state & COUNT) >> 1);
    moveToNewest(links, this.#main, at);
    return NO_SLOT;
  }

  /** A victim of the small queue, down to `kept` rows; what deserves it goes on to the main one. */
  #sift(kept: number): number {
    const links = this.#links;
    const small = this.#small;
    let at = links[2 * small];
    while (this.#size - this.#mainSize > kept && at !== small) {
      const newer = links[2 * at];
      if (this.#slots.evictable(at)) {
        const state = this.#state[at];
        if ((state & COUNT) < this.#promoteHits && this.#mainSize >= this.#mainFill) return at;
        this.#state[at] = (state & ~COUNT) | MAIN;
        moveToNewest(links, this.#main, at);
        this.#mainSize++;
      }
      at = newer;
    }
    return NO_SLOT;
  }

  /** A victim of the main queue: CLOCK's. */
  #turn(): number {
    const links = this.#links;
    const main = this.#main;
    let at = links[2 * main];
    while (at !== main) {
      const newer = links[2 * at];
      if (!this.#slots.evictable(at)) {
        at = newer;
        continue;
      }
      const state = this.#state[at];
      const count = Math.min(state & COUNT, this.#countLimit);
      if (count === 0) return at;
      this.#state[at] = (state & ~COUNT) | (count - 1);
      moveToNewest(links, main, at);
      // The newest row has none behind it: the hand meets it again.
      if (newer !== main) at = newer;
    }
    return NO_SLOT;
  }

  heat(slot: number): number {
    return this.#state[slot] & COUNT;
  }

  contents(): Uint32Array {
    const slots = new Uint32Array(this.#size);
    const end = listQueue(this.#links, this.#main, slots, 0);
    listQueue(this.#links, this.#small, slots, end);
    return slots;
  }

  verify(): void {
    const isMain = (slot: number): boolean => (this.#state[slot] & MAIN) !== 0;
    verifyQueue(this.name, this.#links, this.#main, this.#mainSize, isMain);
    verifyQueue(
      this.name,
      this.#links,
      this.#small,
      this.#size - this.#mainSize,
      (slot) => !isMain(slot),
    );
    for (const slot of this.contents()) {
      const sampled = (hashOf(this.#key[slot], this.#seed) & this.#sampleMask) === 0;
      if (sampled === ((this.#state[slot] & SAMPLED) !== 0)) continue;
      throw new Error(`Broken invariant: adaptive: slot ${slot} must be marked as its key says`);
    }
    if ((this.#observed === 0) !== (this.#restMisses > 0)) {
      throw new Error("Broken invariant: adaptive: hits must be observed unless there is a rest");
    }
    this.#shadows.verify(this.name);
  }
}

/**
 * Spreads keys over the high bits: a multiplication, as in the indexes but by another number, so
 * that the sample is not a run of their buckets. A second round cost 1.5 ns and changed nothing.
 */
function hashOf(key: number, seed: number): number {
  const mixed = key ^ seed;
  return Math.imul(mixed ^ (mixed >>> 15), 0x2c1b3c6d);
}
