/**
 * S3-FIFO (Yang, Zhang, Qiu, Yue, Rashmi: "FIFO Queues are All You Need for Cache Eviction", SOSP
 * 2023).
 *
 * @module
 */

import { checkInteger } from "../../base/checks.ts";
import { ABSENT } from "./_ghost_table.ts";
import { Ghosts } from "./_ghosts.ts";
import { createQueues, listQueue, pushNewest, verifyQueue } from "./_queues.ts";
import { checkRatio } from "./_ratios.ts";
import { unlink } from "./_slot_list.ts";
import {
  type EvictionPolicy,
  NO_SLOT,
  REMOVAL,
  type RemovalCause,
  type Slots,
} from "../eviction.ts";

/** What {@linkcode s3fifo} may be told. */
export interface S3FifoOptions {
  /** Share of the slots that the small queue is cut to, in [0, 1]; 0.1 by default. */
  smallRatio?: number;
  /** Ghosts for each slot, in [0, 1]; 0.9 by default. */
  ghostRatio?: number;
  /** Hits in the small queue that bring a row into the main one, 1 to 3; 2 by default. */
  threshold?: number;
  /**
   * Whether new rows go to the main queue once the small one is full, until the first eviction, so
   * that a cold cache fills both; false by default, as in the paper.
   */
  warmMain?: boolean;
}

/** The queues of slots; they are sentinels `count` + these, too, and bit 2 of a slot's mark. */
const SMALL = 0;
const MAIN = 1;
const MAIN_BIT = 4;

/** Hits are counted up to this, in the bits below. */
const MAX_HITS = 3;

/**
 * The policy of three FIFO queues. A new row enters the small one; what was hit often enough by the
 * time it reaches its end goes on to the main one, the rest leaves with a ghost; a row whose ghost
 * is still there when it comes back enters the main queue at once. There a row that was hit goes
 * round once more. A hit writes one byte.
 *
 * 9 bytes a slot and, at the default ratios, 18 to 36 for the ghosts.
 *
 * Rows that live batches hold are passed over and keep their hits; where no other row of its queue
 * is left, the other queue gives one.
 *
 * @throws {RangeError} when an option is out of range.
 *
 * @example
 * ```ts
 * import { RowCache, s3fifo } from "@rowtier/rowtier/cache";
 *
 * const eviction = s3fifo;
 * const cache = new RowCache({ partitions: [{ slotCount: 20, scratchCount: 2, eviction }] });
 * if (cache.contents(0).length !== 0) throw new Error("unreachable");
 * ```
 */
export function s3fifo(slots: Slots, options: S3FifoOptions = {}): EvictionPolicy {
  const { smallRatio = 0.1, ghostRatio = 0.9, threshold = 2, warmMain = false } = options;
  const what = "Cannot create s3fifo";
  checkRatio(what, "smallRatio", smallRatio);
  checkRatio(what, "ghostRatio", ghostRatio);
  checkInteger(what, "threshold", threshold, 1, MAX_HITS);
  return new S3Fifo(slots, { smallRatio, ghostRatio, threshold, warmMain });
}

class S3Fifo implements EvictionPolicy {
  readonly name = "s3fifo";
  readonly #slots: Slots;
  /** Those of `#slots`. */
  readonly #key: Uint32Array;
  readonly #count: number;
  readonly #links: Int32Array;
  /** By slot: its hits, and MAIN_BIT while it is in the main queue. */
  readonly #mark: Uint8Array;
  readonly #ghosts: Ghosts;
  readonly #smallCapacity: number;
  readonly #mainCapacity: number;
  readonly #threshold: number;
  #smallSize = 0;
  #mainSize = 0;
  /** Whether new rows fill the main queue, too: no row has been evicted yet. */
  #warming: boolean;
  /** The key that `onMiss` was last told, its bits; it counts while `#missing`. */
  #missed = 0;
  #missing = false;
  /** Whether that key was a ghost. */
  #returns = false;

  constructor(slots: Slots, options: Required<S3FifoOptions>) {
    const { count } = slots;
    this.#slots = slots;
    this.#key = slots.key;
    this.#count = slots.count;
    this.#links = createQueues(count, 2);
    this.#mark = new Uint8Array(count);
    this.#smallCapacity = Math.max(1, Math.floor(count * options.smallRatio));
    this.#mainCapacity = count - this.#smallCapacity;
    this.#threshold = options.threshold;
    this.#warming = options.warmMain;
    const ghostCount = Math.max(1, Math.floor(count * options.ghostRatio));
    this.#ghosts = new Ghosts(ghostCount, slots.keyCount);
  }

  get bytes(): number {
    return this.#links.byteLength + this.#mark.byteLength + this.#ghosts.bytes;
  }

  onMiss(key: number): void {
    this.#missed = key | 0;
    this.#missing = true;
    this.#returns = this.#ghosts.take(key) !== ABSENT;
  }

  onInsert(slot: number): void {
    const key = this.#key[slot];
    if (!this.#missing || this.#missed !== (key | 0)) this.onMiss(key);
    this.#missing = false;
    if (this.#returns || (this.#warming && this.#smallSize >= this.#smallCapacity)) {
      this.#mark[slot] = MAIN_BIT;
      pushNewest(this.#links, this.#count + MAIN, slot);
      this.#mainSize++;
    } else {
      this.#mark[slot] = 0;
      pushNewest(this.#links, this.#count + SMALL, slot);
      this.#smallSize++;
    }
  }

  onHit(slot: number): number {
    const mark = this.#mark[slot];
    if ((mark & MAX_HITS) !== MAX_HITS) this.#mark[slot] = mark + 1;
    return NO_SLOT;
  }

  onRemove(slot: number, cause: RemovalCause): void {
    unlink(this.#links, slot);
    if (cause === REMOVAL.EVICTED) this.#warming = false;
    if (this.#mark[slot] >= MAIN_BIT) {
      this.#mainSize--;
      return;
    }
    this.#smallSize--;
    if (cause !== REMOVAL.EVICTED) return;
    const ghosts = this.#ghosts;
    if (ghosts.size(0) === ghosts.capacity) ghosts.dropOldest(0);
    ghosts.push(0, this.#key[slot]);
  }

  victim(_key: number): number {
    if (this.#mainSize > this.#mainCapacity || this.#smallSize === 0) {
      const slot = this.#sweepMain();
      return slot === NO_SLOT ? this.#sweepSmall() : slot;
    }
    // The small queue may have sent all it had to the main one.
    const slot = this.#sweepSmall();
    return slot === NO_SLOT ? this.#sweepMain() : slot;
  }

  /** Sends what was hit often enough to the main queue; the first evictable row that was not. */
  #sweepSmall(): number {
    const links = this.#links;
    const marks = this.#mark;
    const count = this.#count;
    let at = links[2 * (count + SMALL)];
    while (at !== count + SMALL) {
      const newer = links[2 * at];
      if (this.#slots.evictable(at)) {
        if (marks[at] < this.#threshold) return at;
        unlink(links, at);
        pushNewest(links, count + MAIN, at);
        marks[at] = MAIN_BIT;
        this.#smallSize--;
        this.#mainSize++;
      }
      at = newer;
    }
    return NO_SLOT;
  }

  /** Sends what was hit round once more for one hit; the first evictable row without any. */
  #sweepMain(): number {
    const links = this.#links;
    const marks = this.#mark;
    const sentinel = this.#count + MAIN;
    let at = links[2 * sentinel];
    // Ends: each step moves on towards the newest, or takes a hit away.
    while (at !== sentinel) {
      const newer = links[2 * at];
      if (this.#slots.evictable(at)) {
        if (marks[at] === MAIN_BIT) return at;
        marks[at]--;
        if (newer === sentinel) continue;
        unlink(links, at);
        pushNewest(links, sentinel, at);
      }
      at = newer;
    }
    return NO_SLOT;
  }

  /** Its hits, 3 at most; a row of the main queue counts as hit often enough before. */
  heat(slot: number): number {
    const mark = this.#mark[slot];
    return mark >= MAIN_BIT ? mark - MAIN_BIT + this.#threshold : mark;
  }

  contents(): Uint32Array {
    const count = this.#count;
    const out = new Uint32Array(this.#smallSize + this.#mainSize);
    const isMainNext = this.#mainSize > this.#mainCapacity;
    const at = listQueue(this.#links, count + (isMainNext ? SMALL : MAIN), out, 0);
    listQueue(this.#links, count + (isMainNext ? MAIN : SMALL), out, at);
    return out;
  }

  verify(): void {
    const count = this.#count;
    const key = this.#key;
    for (const [queue, size] of [[SMALL, this.#smallSize], [MAIN, this.#mainSize]]) {
      verifyQueue(this.name, this.#links, count + queue, size, (slot) => {
        return this.#mark[slot] >> 2 === queue && !this.#ghosts.has(key[slot]);
      });
    }
    this.#ghosts.verify(this.name);
  }
}
