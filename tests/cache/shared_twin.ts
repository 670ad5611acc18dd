/**
 * A shared row cache as maps and arrays: what the real one should do, shard by shard.
 *
 * @module
 */

import { createClaim, NO_SLOT, SharedRowCache, SLOT_STATE } from "@rowtier/rowtier/cache";

const { FREE, LOADING, READY, FAILED } = SLOT_STATE;

/** A row from its claim until its slot is free. */
export interface TwinRow {
  readonly key: number;
  readonly slot: number;
  readonly generation: number;
  state: number;
  pins: number;
  /** Used since CLOCK's hand came by. */
  isUsed: boolean;
  /** Out of the index. */
  isGone: boolean;
}

/** Counts, by the names of the real ones. */
export type TwinCounts = Record<
  | ("lookups" | "hits" | "delayedHits" | "misses" | "admissions" | "evictions")
  | ("deletions" | "failures" | "unplaced"),
  number
>;

/** The shards of keys below `keyCount`, told from the slots they get where there are plenty. */
export function shardsOf(keyCount: number, shardCount: number): number[] {
  const slotCount = keyCount * shardCount;
  const cache = SharedRowCache.create({ partitions: [{ slotCount, shardCount }] });
  const claim = createClaim();
  return Array.from({ length: keyCount }, (_, key) => cache.claim(0, key, claim) % shardCount);
}

class TwinShard {
  readonly slots: readonly number[];
  /** By record; undefined where it is free. */
  readonly records: (TwinRow | undefined)[];
  /** Free slots, the next one last. */
  readonly free: number[];
  /** LRU's order, newest first. */
  newest: TwinRow[] = [];
  hand = 0;

  constructor(slots: readonly number[]) {
    this.slots = slots;
    this.records = slots.map(() => undefined);
    this.free = slots.toReversed();
  }
}

/** One partition. */
export class Twin {
  readonly rows = new Map<number, TwinRow>();
  readonly counts: TwinCounts = {
    lookups: 0,
    hits: 0,
    delayedHits: 0,
    misses: 0,
    admissions: 0,
    evictions: 0,
    deletions: 0,
    failures: 0,
    unplaced: 0,
  };
  readonly #shards: TwinShard[];
  readonly #shardOf: number[];
  readonly #isLru: boolean;
  readonly #generations: number[];

  constructor(slotCount: number, shardCount: number, order: "lru" | "clock", shardOf: number[]) {
    const slots = Array.from({ length: slotCount }, (_, slot) => slot);
    this.#shards = Array.from(
      { length: shardCount },
      (_, shard) => new TwinShard(slots.filter((slot) => slot % shardCount === shard)),
    );
    this.#shardOf = shardOf;
    this.#isLru = order === "lru";
    this.#generations = slots.map(() => 0);
  }

  get pinCount(): number {
    const records = this.#shards.flatMap((shard) => shard.records);
    return records.reduce((sum, row) => sum + (row?.pins ?? 0), 0);
  }

  stateOf(slot: number): number {
    return this.#recordAt(slot)?.state ?? FREE;
  }

  /** What acquire should write, and the row it pins. */
  acquire(key: number): number {
    this.counts.lookups++;
    const row = this.rows.get(key);
    if (row === undefined) {
      this.counts.misses++;
      return NO_SLOT;
    }
    this.#use(row);
    if (row.state === LOADING) this.counts.delayedHits++;
    else this.counts.hits++;
    return row.state === LOADING ? ~row.slot : row.slot;
  }

  /** What claim should do: its row, whether it is fresh, and the key evicted for it. */
  claim(key: number): { row: TwinRow | undefined; fresh: boolean; evictedKey: number } {
    const found = this.rows.get(key);
    if (found !== undefined) {
      this.#use(found);
      this.counts.misses--;
      if (found.state === LOADING) this.counts.delayedHits++;
      else this.counts.hits++;
      return { row: found, fresh: false, evictedKey: -1 };
    }
    const shard = this.#shards[this.#shardOf[key]];
    let evictedKey = -1;
    if (shard.free.length === 0) {
      const victim = this.#isLru ? this.#oldest(shard) : this.#sweep(shard);
      if (victim === undefined) {
        this.counts.unplaced++;
        return { row: undefined, fresh: false, evictedKey };
      }
      evictedKey = victim.key;
      this.counts.evictions++;
      this.#remove(victim);
    }
    const slot = shard.free.pop()!;
    const generation = ++this.#generations[slot];
    const row = { key, slot, generation, state: LOADING, pins: 1, isUsed: false, isGone: false };
    shard.records[shard.slots.indexOf(slot)] = row;
    shard.newest.unshift(row);
    this.rows.set(key, row);
    this.counts.admissions++;
    return { row, fresh: true, evictedKey };
  }

  /** Whether the claim is open; it is over then. */
  end(row: TwinRow, isFilled: boolean): boolean {
    if (row.state !== LOADING) return false;
    if (isFilled) row.state = READY;
    else {
      this.counts.failures++;
      this.#remove(row);
    }
    return true;
  }

  delete(key: number): boolean {
    const row = this.rows.get(key);
    if (row === undefined) return false;
    this.counts.deletions++;
    this.#remove(row);
    return true;
  }

  clear(): void {
    // By slot: that is how they come to the free lists.
    const rows = [...this.rows.values()].sort((a, b) => a.slot - b.slot);
    for (const { key } of rows) this.delete(key);
  }

  release(slot: number): void {
    const row = this.#recordAt(slot)!;
    row.pins--;
    if (row.isGone && row.pins === 0) this.#setFree(row);
  }

  contents(): number[] {
    const lists = this.#shards.map((shard) => this.#listShard(shard).map(({ key }) => key));
    const longest = Math.max(...lists.map(({ length }) => length));
    return Array.from({ length: longest }, (_, rank) => lists.flatMap((list) => list[rank] ?? []))
      .flat();
  }

  #listShard(shard: TwinShard): TwinRow[] {
    const isThere = (row: TwinRow | undefined): row is TwinRow => row !== undefined && !row.isGone;
    if (this.#isLru) return shard.newest.filter(isThere);
    const { records, hand } = shard;
    return [...records.slice(hand), ...records.slice(0, hand)].reverse().filter(isThere);
  }

  #shard(slot: number): TwinShard {
    return this.#shards[slot % this.#shards.length];
  }

  #recordAt(slot: number): TwinRow | undefined {
    const { records, slots } = this.#shard(slot);
    return records[slots.indexOf(slot)];
  }

  #use(row: TwinRow): void {
    row.pins++;
    row.isUsed = true;
    const shard = this.#shard(row.slot);
    shard.newest = [row, ...shard.newest.filter((other) => other !== row)];
  }

  #oldest({ newest }: TwinShard): TwinRow | undefined {
    return newest.findLast((row) => !row.isGone && row.state === READY && row.pins === 0);
  }

  #sweep(shard: TwinShard): TwinRow | undefined {
    const { records } = shard;
    const free = (row: TwinRow | undefined): boolean =>
      row !== undefined && !row.isGone && row.state === READY && row.pins === 0;
    while (records.some(free)) {
      const row = records[shard.hand]!;
      if (free(row)) {
        if (!row.isUsed) return row;
        row.isUsed = false;
      }
      shard.hand = (shard.hand + 1) % records.length;
    }
    return undefined;
  }

  #remove(row: TwinRow): void {
    this.rows.delete(row.key);
    const shard = this.#shard(row.slot);
    shard.newest = shard.newest.filter((other) => other !== row);
    const place = shard.slots.indexOf(row.slot);
    if (shard.hand === place) shard.hand = (place + 1) % shard.slots.length;
    if (row.state === LOADING) row.state = FAILED;
    row.isGone = true;
    if (row.pins === 0) this.#setFree(row);
  }

  #setFree(row: TwinRow): void {
    const shard = this.#shard(row.slot);
    shard.records[shard.slots.indexOf(row.slot)] = undefined;
    shard.free.push(row.slot);
  }
}
