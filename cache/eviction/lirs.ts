/**
 * LIRS (Jiang, Zhang: "LIRS: An Efficient Low Inter-reference Recency Set Replacement Policy to
 * Improve Buffer Cache Performance", SIGMETRICS 2002).
 *
 * @module
 */

import { checkInteger } from "../../base/checks.ts";
import { ABSENT, GhostTable } from "./_ghost_table.ts";
import { createQueues, listQueue, moveToNewest, pushNewest, verifyQueue } from "./_queues.ts";
import { unlink } from "./_slot_list.ts";
import {
  type EvictionPolicy,
  NO_SLOT,
  REMOVAL,
  type RemovalCause,
  type Slots,
} from "../eviction.ts";
import { MAX_PARTITION_SLOTS } from "../limits.ts";

/** What {@linkcode lirs} may be told. */
export interface LirsOptions {
  /**
   * Most keys remembered that are in the stack but no longer in the cache, at least 1; twice the
   * slots by default. The paper has no bound: with as many as there are distinct keys, this policy
   * has none either.
   */
  ghostCount?: number;
}

/** Ghosts for each slot by default: the stack is three times the cache then. */
const GHOSTS_PER_SLOT = 2;

/** Share of the slots for rows of high inter-reference recency: the paper's 1 %, at least two. */
const HIR_RATIO = 100;
const MIN_HIR = 2;

/** By slot: a row of low inter-reference recency, which is always in the stack. */
const LIR = 1;
/** By slot: a row of high one that is in the stack. */
const STACKED = 2;

/**
 * The policy that ranks rows by the number of other rows used between their last two uses. Rows
 * where that is low (LIR) hold nearly all slots; the others (HIR) pass through a short queue, and
 * one that comes back sooner than the LIR row longest unused takes its rank. Loops a little larger
 * than the cache, where LRU never hits, cost it little.
 *
 * 17 bytes a slot and 36 to 52 a ghost. Which ghosts are forgotten beyond `ghostCount` is not in
 * the paper: those that left the cache longest ago.
 *
 * Rows that live batches hold are passed over; where no HIR row is left, the LIR row longest unused
 * goes.
 *
 * @throws {RangeError} when `ghostCount` is out of range.
 *
 * @example
 * ```ts
 * import { lirs, RowCache } from "@rowtier/rowtier/cache";
 *
 * const cache = new RowCache({ partitions: [{ slotCount: 8, scratchCount: 2, eviction: lirs }] });
 * if (cache.contents(0).length !== 0) throw new Error("unreachable");
 * ```
 */
export function lirs(slots: Slots, options: LirsOptions = {}): EvictionPolicy {
  const { ghostCount = Math.min(GHOSTS_PER_SLOT * slots.count, MAX_PARTITION_SLOTS) } = options;
  checkInteger("Cannot create lirs", "ghostCount", ghostCount, 1, MAX_PARTITION_SLOTS);
  return new Lirs(slots, ghostCount);
}

class Lirs implements EvictionPolicy {
  readonly name = "lirs";
  readonly #slots: Slots;
  /** Nodes: the slots, then the ghosts. */
  readonly #nodeCount: number;
  /** The paper's stack S over all nodes; its sentinel is `#nodeCount`. */
  readonly #stack: Int32Array;
  /** Resident HIR slots (the paper's queue Q), ghosts in use, and ghosts not in use. */
  readonly #queues: Int32Array;
  readonly #rank: Uint8Array;
  /** By ghost, from 0: its key. */
  readonly #ghostKey: Uint32Array;
  readonly #table: GhostTable;
  readonly #hirSentinel: number;
  readonly #ghostSentinel: number;
  readonly #unusedSentinel: number;
  readonly #hirCapacity: number;
  #lirSize = 0;
  #hirSize = 0;
  #ghostSize = 0;
  /** The slot used last: another use at once changes nothing. */
  #last = NO_SLOT;
  /** The key that `onMiss` was last told, its bits; it counts while `#missing`. */
  #missed = 0;
  #missing = false;
  /** Whether that key was in the stack. */
  #returns = false;

  constructor(slots: Slots, ghostCount: number) {
    const { count } = slots;
    const nodeCount = count + ghostCount;
    this.#slots = slots;
    this.#nodeCount = nodeCount;
    this.#stack = createQueues(nodeCount, 1);
    this.#queues = createQueues(nodeCount, 3);
    this.#hirSentinel = nodeCount;
    this.#ghostSentinel = nodeCount + 1;
    this.#unusedSentinel = nodeCount + 2;
    this.#rank = new Uint8Array(count);
    this.#ghostKey = new Uint32Array(ghostCount);
    this.#table = new GhostTable(ghostCount, slots.keyCount);
    this.#hirCapacity = Math.min(count, Math.max(MIN_HIR, Math.floor(count / HIR_RATIO)));
    for (let node = count; node < nodeCount; node++) {
      pushNewest(this.#queues, this.#unusedSentinel, node);
    }
  }

  get bytes(): number {
    return this.#stack.byteLength + this.#queues.byteLength + this.#rank.byteLength +
      this.#ghostKey.byteLength + this.#table.bytes;
  }

  onMiss(key: number): void {
    this.#missed = key | 0;
    this.#missing = true;
    this.#last = NO_SLOT;
    const bucket = this.#table.find(key);
    this.#returns = bucket !== ABSENT;
    if (bucket === ABSENT) return;
    const node = this.#table.nodeAt(bucket);
    this.#table.removeAt(bucket);
    this.#forget(node);
  }

  onInsert(slot: number): void {
    const key = this.#slots.key[slot];
    if (!this.#missing || this.#missed !== (key | 0)) this.onMiss(key);
    this.#missing = false;
    this.#last = slot;
    const free = this.#slots.count - this.#lirSize - this.#hirSize;
    if (this.#returns || free > this.#hirCapacity || this.#lirSize === 0) this.#promote(slot);
    else {
      this.#rank[slot] = STACKED;
      pushNewest(this.#stack, this.#nodeCount, slot);
      pushNewest(this.#queues, this.#hirSentinel, slot);
      this.#hirSize++;
    }
  }

  onHit(slot: number): number {
    if (slot === this.#last) return NO_SLOT;
    this.#last = slot;
    const rank = this.#rank[slot];
    if (rank === LIR) {
      const isOldest = this.#stack[2 * this.#nodeCount] === slot;
      moveToNewest(this.#stack, this.#nodeCount, slot);
      if (isOldest) this.#prune();
    } else if (rank === STACKED || this.#lirSize === 0) {
      if (rank === STACKED) unlink(this.#stack, slot);
      unlink(this.#queues, slot);
      this.#hirSize--;
      this.#promote(slot);
    } else {
      this.#rank[slot] = STACKED;
      pushNewest(this.#stack, this.#nodeCount, slot);
      moveToNewest(this.#queues, this.#hirSentinel, slot);
    }
    return NO_SLOT;
  }

  /**
   * Puts a slot that is in no list on the stack as LIR; if these are too many, the oldest becomes
   * HIR. That may be the slot itself, in a cache so small that it has no LIR rows: then the stack
   * stays empty, and the policy is LRU.
   */
  #promote(slot: number): void {
    this.#rank[slot] = LIR;
    pushNewest(this.#stack, this.#nodeCount, slot);
    if (this.#lirSize < this.#slots.count - this.#hirCapacity) {
      this.#lirSize++;
      return;
    }
    const oldest = this.#stack[2 * this.#nodeCount];
    unlink(this.#stack, oldest);
    this.#rank[oldest] = 0;
    pushNewest(this.#queues, this.#hirSentinel, oldest);
    this.#hirSize++;
    this.#prune();
  }

  /** Takes what is HIR or gone off the old end of the stack, so that it ends with a LIR row. */
  #prune(): void {
    const { count } = this.#slots;
    const stack = this.#stack;
    let node = stack[2 * this.#nodeCount];
    while (node !== this.#nodeCount && (node >= count || this.#rank[node] !== LIR)) {
      if (node >= count) this.#dropGhost(node);
      else {
        unlink(stack, node);
        this.#rank[node] = 0;
      }
      node = stack[2 * this.#nodeCount];
    }
  }

  onRemove(slot: number, cause: RemovalCause): void {
    if (slot === this.#last) this.#last = NO_SLOT;
    const rank = this.#rank[slot];
    this.#rank[slot] = 0;
    if (rank === LIR) {
      this.#lirSize--;
      unlink(this.#stack, slot);
      this.#prune();
      return;
    }
    this.#hirSize--;
    unlink(this.#queues, slot);
    if (rank !== STACKED) return;
    if (cause === REMOVAL.EVICTED) this.#leaveGhost(slot);
    else unlink(this.#stack, slot);
  }

  /** A ghost takes the place of `slot` in the stack. */
  #leaveGhost(slot: number): void {
    if (this.#queues[2 * this.#unusedSentinel] === this.#unusedSentinel) {
      this.#dropGhost(this.#queues[2 * this.#ghostSentinel]);
    }
    const stack = this.#stack;
    const node = this.#queues[2 * this.#unusedSentinel + 1];
    const newer = stack[2 * slot];
    const older = stack[2 * slot + 1];
    stack[2 * node] = newer;
    stack[2 * node + 1] = older;
    stack[2 * newer + 1] = node;
    stack[2 * older] = node;
    unlink(this.#queues, node);
    pushNewest(this.#queues, this.#ghostSentinel, node);
    const key = this.#slots.key[slot];
    this.#ghostKey[node - this.#slots.count] = key;
    this.#table.insert(key, node);
    this.#ghostSize++;
  }

  #dropGhost(node: number): void {
    this.#table.removeAt(this.#table.find(this.#ghostKey[node - this.#slots.count]));
    this.#forget(node);
  }

  /** Frees a ghost that the table no longer knows. */
  #forget(node: number): void {
    unlink(this.#stack, node);
    unlink(this.#queues, node);
    pushNewest(this.#queues, this.#unusedSentinel, node);
    this.#ghostSize--;
  }

  victim(_key: number): number {
    const queues = this.#queues;
    let at = queues[2 * this.#hirSentinel];
    while (at !== this.#hirSentinel && !this.#slots.evictable(at)) at = queues[2 * at];
    return at === this.#hirSentinel ? this.#oldestLir() : at;
  }

  /** The evictable LIR row longest unused: a row has to go, and every HIR row is held. */
  #oldestLir(): number {
    const { count } = this.#slots;
    const stack = this.#stack;
    let at = stack[2 * this.#nodeCount];
    while (at !== this.#nodeCount) {
      if (at < count && this.#rank[at] === LIR && this.#slots.evictable(at)) return at;
      at = stack[2 * at];
    }
    return NO_SLOT;
  }

  contents(): Uint32Array {
    const out = new Uint32Array(this.#lirSize + this.#hirSize);
    let size = 0;
    const stack = this.#stack;
    let at = stack[2 * this.#nodeCount + 1];
    for (; at !== this.#nodeCount; at = stack[2 * at + 1]) {
      if (at < this.#slots.count && this.#rank[at] === LIR) out[size++] = at;
    }
    listQueue(this.#queues, this.#hirSentinel, out, size);
    return out;
  }

  verify(): void {
    const { name } = this;
    const { count, key } = this.#slots;
    let stacked = 0;
    verifyQueue(name, this.#queues, this.#hirSentinel, this.#hirSize, (slot) => {
      if (slot < count && this.#rank[slot] === STACKED) stacked++;
      return slot < count && this.#rank[slot] !== LIR && this.#table.find(key[slot]) === ABSENT;
    });
    verifyQueue(name, this.#queues, this.#ghostSentinel, this.#ghostSize, (node) => {
      const bucket = this.#table.find(this.#ghostKey[node - count]);
      return bucket !== ABSENT && this.#table.nodeAt(bucket) === node;
    });
    const size = this.#lirSize + stacked + this.#ghostSize;
    verifyQueue(name, this.#stack, this.#nodeCount, size, (node) => {
      return node >= count || this.#rank[node] !== 0;
    });
    this.#table.verify(name, this.#ghostSize);
    const oldest = this.#stack[2 * this.#nodeCount];
    if (oldest !== this.#nodeCount && (oldest >= count || this.#rank[oldest] !== LIR)) {
      throw new Error(`Broken invariant: lirs: the stack must end with a LIR row: node ${oldest}`);
    }
    if (this.#lirSize > count - this.#hirCapacity) {
      throw new Error(`Broken invariant: lirs: too many LIR rows: received ${this.#lirSize}`);
    }
  }
}
