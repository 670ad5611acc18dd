/**
 * The slow twin of RowCache: maps, arrays and whole batch numbers, no stamps, no index, no lists.
 * It does not foretell which free slot a claim gets; it is told, and throws if that slot was not to
 * be had. It foretells the victims of LRU and SIEVE; of other policies it is told, and throws if a
 * row was not to be evicted.
 *
 * @module
 */

import {
  type AdmissionPolicy,
  type EvictionPolicyFactory,
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

/** What the policy under test answered, in order, for a model that cannot foretell it. */
export interface PolicyLog {
  /** By hit: the slot that it pushed out, or NO_SLOT. */
  readonly pushed: number[];
  /** By call of `victim`: the slot, or NO_SLOT. */
  readonly victims: number[];
}

/** `eviction`, with its answers written to `log`. */
export function logged(eviction: EvictionPolicyFactory, log: PolicyLog): EvictionPolicyFactory {
  return (slots) => {
    const policy = eviction(slots);
    const note = (list: number[], slot: number): number => {
      list.push(slot);
      return slot;
    };
    return {
      name: policy.name,
      get bytes() {
        return policy.bytes;
      },
      onMiss: (key) => policy.onMiss(key),
      onInsert: (slot) => policy.onInsert(slot),
      onHit: (slot) => note(log.pushed, policy.onHit(slot)),
      pushedOut: () => note(log.pushed, policy.pushedOut?.() ?? NO_SLOT),
      onRemove: (slot, cause) => policy.onRemove(slot, cause),
      victim: (key) => note(log.victims, policy.victim(key)),
      crowded: (key) => policy.crowded?.(key) ?? false,
      contents: () => policy.contents(),
      verify: () => policy.verify(),
    };
  };
}

/** Victims by exhaustive search over an array of rows, newest first. */
interface ModelPolicy {
  rows: ModelRow[];
  /** The row that the hit pushes out, if it does. */
  hit(row: ModelRow): ModelRow | undefined;
  /** One more that it pushes out. */
  pushedOut(): ModelRow | undefined;
  remove(row: ModelRow): void;
  victim(evictable: (row: ModelRow) => boolean): ModelRow | undefined;
  /** Whether `rows` are in the policy's order. */
  readonly ordered: boolean;
}

/** Says what the log says. */
function modelTold(log: PolicyLog): ModelPolicy {
  const rows: ModelRow[] = [];
  const rowOf = (slot: number | undefined): ModelRow | undefined =>
    rows.find((row) => row.slot === slot);
  return {
    rows,
    ordered: false,
    hit: () => rowOf(log.pushed.shift()),
    pushedOut: () => rowOf(log.pushed.shift()),
    remove: (row) => void rows.splice(rows.indexOf(row), 1),
    victim: () => rowOf(log.victims.shift()),
  };
}

function modelLru(): ModelPolicy {
  const rows: ModelRow[] = [];
  const remove = (row: ModelRow): void => void rows.splice(rows.indexOf(row), 1);
  return {
    rows,
    ordered: true,
    pushedOut: () => undefined,
    remove,
    hit(row) {
      remove(row);
      rows.unshift(row);
      return undefined;
    },
    victim: (evictable) => rows.findLast(evictable),
  };
}

function modelSieve(): ModelPolicy {
  const rows: ModelRow[] = [];
  let hand: ModelRow | undefined;
  return {
    rows,
    ordered: true,
    pushedOut: () => undefined,
    hit(row) {
      row.visited = true;
      return undefined;
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

/** The counters that the others do not follow from. */
type Counted = Exclude<
  keyof PartitionCounters,
  "rowBytes" | "lookupBytes" | "hitBytes" | "missBytes"
>;

/** Of one partition. */
export class ModelPartition {
  /** What it should have counted. */
  readonly counters: Record<Counted, number> = {
    lookups: 0,
    hits: 0,
    delayedHits: 0,
    misses: 0,
    admissions: 0,
    refusals: 0,
    scratchClaims: 0,
    evictions: 0,
    pushedOut: 0,
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
  /** Whether a row must get in as long as any row may leave. */
  readonly mustEvict: boolean;
  /** False while switched off. */
  admitting = true;
  readonly #log: PolicyLog;

  constructor(
    options: { policy: string; slotCount: number; scratchCount: number },
    admission: AdmissionPolicy | undefined,
    live: Set<number>,
    log: PolicyLog,
  ) {
    // In one bucket, LRU over the bucket is LRU over all slots.
    const foretold = options.policy === "lru" || options.policy === "compact-lru"
      ? modelLru()
      : options.policy === "sieve"
      ? modelSieve()
      : undefined;
    this.policy = foretold ?? modelTold(log);
    this.#log = log;
    this.mustEvict = options.policy === "compact-clock";
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
    if (!this.isCached(row)) return;
    let out = this.policy.hit(row);
    while (out !== undefined && this.#isEvictable(out)) {
      this.#evict(out);
      this.counters.pushedOut++;
      out = this.policy.pushedOut();
    }
  }

  #canLeave(row: ModelRow): boolean {
    return this.isCached(row) && this.#isEvictable(row);
  }

  #isEvictable(row: ModelRow): boolean {
    return row.state === SLOT_STATE.READY && !this.held(row);
  }

  #evict(row: ModelRow): void {
    this.counters.evictions++;
    this.remove(row);
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
    if (!this.admitting) return undefined;
    if (this.admission?.admit(key) === false) {
      this.counters.refusals++;
      return undefined;
    }
    let evictedKey = -1;
    // A told policy asks for room until it has named its last victim.
    const wants = (): boolean => !this.policy.ordered && this.#log.victims.length > 0;
    while (wants() || !this.#hasFree(0, this.slotCount)) {
      const victim = this.policy.victim((row) => this.#isEvictable(row));
      if (victim === undefined) {
        if (this.mustEvict && [...this.rows.values()].some((row) => this.#canLeave(row))) {
          throw new Error(`key ${key} must be given a slot`);
        }
        return undefined;
      }
      if (!this.#isEvictable(victim)) throw new Error(`slot ${victim.slot} must not be evicted`);
      if (evictedKey === -1 && this.admission?.prefers(key, victim.key) === false) {
        this.counters.refusals++;
        return undefined;
      }
      this.#evict(victim);
      evictedKey = victim.key;
    }
    return evictedKey;
  }
}
