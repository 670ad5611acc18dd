/**
 * The slow twin of RowCache: maps, arrays and whole batch numbers, no stamps, no index, no lists.
 * It does not foretell which free slot a claim gets; it is told, and throws if that slot was not to
 * be had.
 *
 * @module
 */

import {
  type AdmissionPolicy,
  NO_BATCH,
  NO_SLOT,
  type PartitionCounters,
  PREFETCH,
  SLOT_STATE,
} from "@rowtier/rowtier/cache";

/** A row, from claim to its end. */
export interface ModelRow {
  key: number;
  slot: number;
  generation: number;
  state: number;
  /** The newest batch that used its slot; NO_BATCH for none. */
  batch: number;
  /** Every batch that used it. */
  users: Set<number>;
  prefetched: boolean;
  visited: boolean;
}

/** Victims by exhaustive search over an array of rows, newest first. */
interface ModelPolicy {
  rows: ModelRow[];
  hit(row: ModelRow): void;
  remove(row: ModelRow): void;
  victim(evictable: (row: ModelRow) => boolean): ModelRow | undefined;
}

function modelLru(): ModelPolicy {
  const rows: ModelRow[] = [];
  const remove = (row: ModelRow): void => void rows.splice(rows.indexOf(row), 1);
  return {
    rows,
    remove,
    hit(row) {
      remove(row);
      rows.unshift(row);
    },
    victim: (evictable) => rows.findLast(evictable),
  };
}

function modelSieve(): ModelPolicy {
  const rows: ModelRow[] = [];
  let hand: ModelRow | undefined;
  return {
    rows,
    hit(row) {
      row.visited = true;
    },
    remove(row) {
      const at = rows.indexOf(row);
      if (hand === row) hand = rows[at - 1];
      rows.splice(at, 1);
    },
    victim(evictable) {
      if (!rows.some(evictable)) return undefined;
      let at = hand === undefined ? rows.length - 1 : rows.indexOf(hand);
      while (!evictable(rows[at]) || rows[at].visited) {
        if (evictable(rows[at])) rows[at].visited = false;
        at = at === 0 ? rows.length - 1 : at - 1;
      }
      return hand = rows[at];
    },
  };
}

/** Of one partition. */
export class ModelPartition {
  /** What it should have counted. */
  readonly counters: { -readonly [Name in keyof PartitionCounters]: number } = {
    lookups: 0,
    hits: 0,
    delayedHits: 0,
    misses: 0,
    admissions: 0,
    refusals: 0,
    scratchClaims: 0,
    evictions: 0,
    deletions: 0,
    failures: 0,
    prefetches: 0,
    prefetchUsed: 0,
    prefetchLate: 0,
    prefetchWasted: 0,
  };
  /** Every prefetch that ended, as [key, outcome]. */
  readonly outcomes: number[][] = [];
  /** Rows by key, cache and scratch. */
  readonly rows: Map<number, ModelRow> = new Map();
  /** By slot, the row that had it last, whatever became of it. */
  readonly last: Map<number, ModelRow> = new Map();
  readonly policy: ModelPolicy;
  readonly slotCount: number;
  readonly scratchCount: number;
  readonly admission: AdmissionPolicy | undefined;
  /** Batches that live, over all partitions. */
  readonly live: Set<number>;

  constructor(
    options: { policy: string; slotCount: number; scratchCount: number },
    admission: AdmissionPolicy | undefined,
    live: Set<number>,
  ) {
    this.policy = options.policy === "lru" ? modelLru() : modelSieve();
    this.slotCount = options.slotCount;
    this.scratchCount = options.scratchCount;
    this.admission = admission;
    this.live = live;
  }

  /** A live batch at least as old as the row's newest user may be using the slot. */
  held(row: ModelRow): boolean {
    return row.batch !== NO_BATCH && [...this.live].some((batch) => batch <= row.batch);
  }

  isCached(row: ModelRow): boolean {
    return row.slot < this.slotCount;
  }

  /** What acquire says of one key. */
  acquire(key: number, batch: number): number {
    this.counters.lookups++;
    const row = this.find(key);
    if (row === undefined) {
      this.counters.misses++;
      return NO_SLOT;
    }
    this.#use(row, batch);
    if (row.state === SLOT_STATE.READY) this.counters.hits++;
    else this.counters.delayedHits++;
    return row.state === SLOT_STATE.READY ? row.slot : ~row.slot;
  }

  /** The row of a key; a scratch row that nobody holds is forgotten. */
  find(key: number): ModelRow | undefined {
    const row = this.rows.get(key);
    if (row === undefined || this.isCached(row) || this.held(row)) return row;
    this.#forget(row);
    return undefined;
  }

  #use(row: ModelRow, batch: number): void {
    row.batch = Math.max(row.batch, batch);
    row.users.add(batch);
    if (row.prefetched) {
      this.#settle(row, row.state === SLOT_STATE.READY ? PREFETCH.USED : PREFETCH.LATE);
    }
    if (this.isCached(row)) this.policy.hit(row);
  }

  #settle(row: ModelRow, outcome: number): void {
    row.prefetched = false;
    const names = ["prefetchUsed", "prefetchLate", "prefetchWasted"] as const;
    this.counters[names[outcome]]++;
    this.outcomes.push([row.key, outcome]);
  }

  #forget(row: ModelRow): void {
    this.rows.delete(row.key);
    if (row.prefetched) this.#settle(row, PREFETCH.WASTED);
    if (row.state === SLOT_STATE.LOADING) row.state = SLOT_STATE.FAILED;
  }

  /** Takes a row out, as delete, eviction and failure do. */
  remove(row: ModelRow): void {
    this.#forget(row);
    if (this.isCached(row)) this.policy.remove(row);
  }

  /** Whether a slot may be given to a new row now. */
  #isFree(slot: number): boolean {
    const row = this.last.get(slot);
    if (row === undefined) return true;
    return !this.held(row) && (slot >= this.slotCount || this.rows.get(row.key) !== row);
  }

  #hasFree(first: number, count: number): boolean {
    for (let slot = first; slot < first + count; slot++) if (this.#isFree(slot)) return true;
    return false;
  }

  /** What claim does; `slot` and `generation` are what the cache answered. */
  claim(
    key: number,
    batch: number,
    slot: number,
    generation: number,
  ): { fresh: boolean; evictedKey: number; row: ModelRow | undefined } {
    const found = this.find(key);
    if (found !== undefined) {
      if (batch !== NO_BATCH) {
        this.#use(found, batch);
        this.counters.misses--;
        if (found.state === SLOT_STATE.READY) this.counters.hits++;
        else this.counters.delayedHits++;
      }
      return { fresh: false, evictedKey: -1, row: found };
    }
    const evictedKey = this.#makeRoom(key);
    const inCache = evictedKey !== undefined;
    if (!inCache && (batch === NO_BATCH || !this.#hasFree(this.slotCount, this.scratchCount))) {
      return { fresh: false, evictedKey: -1, row: undefined };
    }
    if (inCache) this.counters.admissions++;
    else this.counters.scratchClaims++;
    if (inCache !== (slot >= 0 && slot < this.slotCount) || !this.#isFree(slot)) {
      throw new Error(`key ${key} must not be given slot ${slot}`);
    }
    const prefetched = batch === NO_BATCH;
    const state = SLOT_STATE.LOADING;
    const before = this.last.get(slot);
    // What it is all about, whatever "held" means: nobody loses a row that he uses.
    if (before !== undefined && [...before.users].some((user) => this.live.has(user))) {
      throw new Error(`slot ${slot} must not be taken from a live batch`);
    }
    if (before !== undefined && this.rows.get(before.key) === before) this.#forget(before);
    const users = new Set(prefetched ? [] : [batch]);
    const row = { key, slot, generation, state, batch, users, prefetched, visited: false };
    this.rows.set(key, row);
    this.last.set(slot, row);
    if (inCache) this.policy.rows.unshift(row);
    if (prefetched) this.counters.prefetches++;
    return { fresh: true, evictedKey: evictedKey ?? -1, row };
  }

  /** The evicted key, -1 when a slot is free, undefined when the row does not get in. */
  #makeRoom(key: number): number | undefined {
    if (this.admission?.admit(key) === false) {
      this.counters.refusals++;
      return undefined;
    }
    if (this.#hasFree(0, this.slotCount)) return -1;
    const ready = (row: ModelRow): boolean => row.state === SLOT_STATE.READY && !this.held(row);
    const victim = this.policy.victim(ready);
    if (victim === undefined) return undefined;
    if (this.admission?.prefers(key, victim.key) === false) {
      this.counters.refusals++;
      return undefined;
    }
    this.counters.evictions++;
    this.remove(victim);
    return victim.key;
  }
}
