/**
 * The adaptive policy written down again, as plainly as it can be: arrays from old to new, a Map
 * for each cache, one object a cache. Slow, and equal to the real one in every choice.
 *
 * @module
 */

/** [name, small queue's share, hits that promote, ghosts' share, count limit, fills main]. */
type Row = [string, number, number, number, number, boolean];

const ROWS: Row[] = [
  ["scan", 0.1, 16, 0.9, 3, false],
  ["balance", 0.25, 1, 0.9, 3, false],
  ["recency", 0.5, 1, 0.9, 1, false],
  ["frequency", 0.02, 2, 0.2, 15, true],
];
const BALANCE = 1;

/** Seldom wrong on purpose, just as the real one: a word for many hashes, the last one counts. */
class TwinGhosts {
  readonly #bits: number;
  readonly #words: Map<number, { tag: number; time: number }> = new Map();
  #time = 0;

  constructor(capacity: number) {
    this.#bits = Math.max(1, Math.ceil(Math.log2(2 * capacity)));
  }

  #split(hash: number): { at: number; tag: number } {
    const bits = (hash >>> 0).toString(2).padStart(32, "0");
    const tag = parseInt(bits.slice(this.#bits, this.#bits + 16), 2);
    return { at: parseInt(bits.slice(0, this.#bits), 2), tag };
  }

  add(hash: number): void {
    const { at, tag } = this.#split(hash);
    this.#words.set(at, { tag, time: this.#time++ });
  }

  take(hash: number, reach: number): boolean {
    const { at, tag } = this.#split(hash);
    const word = this.#words.get(at) ?? { tag: 0, time: 0 };
    if (word.tag !== tag) return false;
    this.#words.set(at, { tag: 0, time: 0 });
    return this.#time - word.time < Math.ceil(reach);
  }
}

/** One cache of the structure, at one setting. */
export class TwinCache {
  readonly count: number;
  readonly small: number[] = [];
  readonly main: number[] = [];
  readonly hits: Map<number, number> = new Map();
  readonly #ghosts: TwinGhosts;
  #victims = 0;
  row: Row;

  constructor(count: number, ghostShare: number, row: Row) {
    this.count = count;
    this.row = row;
    this.#ghosts = new TwinGhosts(ghostShare * count);
  }

  /** True when `key` was there. */
  hit(key: number): boolean {
    const hits = this.hits.get(key);
    if (hits !== undefined) this.hits.set(key, Math.min(hits + 1, 15));
    return hits !== undefined;
  }

  isGhost(hash: number): boolean {
    return this.#ghosts.take(hash, this.row[3] * this.count);
  }

  insert(key: number, toMain: boolean): void {
    this.hits.set(key, 0);
    (toMain ? this.main : this.small).push(key);
  }

  remove(key: number, hash: number, becomesGhost: boolean): void {
    const wasSmall = this.small.includes(key);
    const queue = wasSmall ? this.small : this.main;
    queue.splice(queue.indexOf(key), 1);
    this.hits.delete(key);
    if (wasSmall && becomesGhost) this.#ghosts.add(hash);
  }

  /** The key to evict, or undefined; `held` keys stay. */
  victim(held: ReadonlySet<number>): number | undefined {
    const [, share, , , , fills] = this.row;
    const capacity = Math.max(1, Math.floor(share * this.count));
    if (fills && this.count - capacity > 1 && ++this.#victims % 16 === 0) {
      const aged = this.#age(held);
      if (aged !== undefined) return aged;
    }
    const kept = fills ? capacity - 1 : capacity;
    return this.#fromSmall(held, kept) ?? this.#fromMain(held) ?? this.#fromSmall(held, 0) ??
      this.#fromMain(held);
  }

  #age(held: ReadonlySet<number>): number | undefined {
    const key = this.main.find((key) => !held.has(key));
    if (key === undefined || this.hits.get(key) === 0) return key;
    const hits = this.hits.get(key)!;
    this.main.splice(this.main.indexOf(key), 1);
    this.insert(key, true);
    this.hits.set(key, hits >> 1);
    return undefined;
  }

  #fromSmall(held: ReadonlySet<number>, kept: number): number | undefined {
    const [, share, promoteHits, , , fills] = this.row;
    const capacity = Math.max(1, Math.floor(share * this.count));
    for (const key of this.small.filter((key) => !held.has(key))) {
      if (this.small.length <= kept) return undefined;
      const hasRoom = fills && this.main.length < this.count - capacity - 1;
      if (this.hits.get(key)! < promoteHits && !hasRoom) return key;
      this.small.splice(this.small.indexOf(key), 1);
      this.insert(key, true);
    }
    return undefined;
  }

  #fromMain(held: ReadonlySet<number>): number | undefined {
    for (;;) {
      const key = this.main.find((key) => !held.has(key));
      if (key === undefined) return undefined;
      const hits = Math.min(this.hits.get(key)!, this.row[4]);
      if (hits === 0) return key;
      // Held keys that were passed over keep their place in front of those behind them.
      this.main.splice(this.main.indexOf(key), 1);
      this.insert(key, true);
      this.hits.set(key, hits - 1);
    }
  }
}

/** The whole policy, over keys in place of slots. */
export class AdaptiveTwin {
  readonly live: TwinCache;
  readonly #shadows: TwinCache[];
  readonly #seed: number;
  readonly #halvings: number;
  readonly #scores: number[] = [0, 0, 0, 0];
  #misses: number[] = [0, 0, 0, 0];
  #best = BALANCE;
  #rounds = 0;
  #calmPeriods = 0;
  #awakeMisses = 0;
  #restMisses = 0;
  moves = 0;

  constructor(count: number, seed: number) {
    this.#halvings = [0, 1, 2, 3, 4, 5, 6].findLast((h) => h === 0 || count >> h >= 32)!;
    this.#seed = seed;
    this.live = new TwinCache(count, 0.9, ROWS[BALANCE]);
    this.#shadows = ROWS.map((row) => new TwinCache(count >> this.#halvings, row[3], row));
  }

  get setting(): string {
    return this.live.row[0];
  }

  hash(key: number): number {
    const mixed = (key ^ this.#seed) >>> 0;
    return Number(BigInt.asIntN(32, BigInt((mixed ^ (mixed >>> 15)) >>> 0) * 0x2c1b3c6dn));
  }

  /** Looks `key` up; on a miss it is to be inserted as a main row or not, after an eviction. */
  lookUp(key: number): { isHit: boolean; toMain: boolean } {
    const isHit = this.live.hit(key);
    if ((this.hash(key) >>> 0) < 2 ** (32 - this.#halvings)) {
      const isAwake = this.#restMisses === 0;
      if (!isHit && isAwake) this.#awakeMisses++;
      if (!isHit && !isAwake) this.#restMisses--;
      if (isAwake) this.#observe(key);
    }
    return { isHit, toMain: !isHit && this.live.isGhost(this.hash(key)) };
  }

  #observe(key: number): void {
    const hash = this.hash(key) << this.#halvings;
    this.#shadows.forEach((shadow, i) => {
      if (shadow.hit(key)) return;
      this.#misses[i]++;
      const toMain = shadow.isGhost(hash);
      if (shadow.hits.size === shadow.count) {
        const victim = shadow.victim(new Set())!;
        shadow.remove(victim, this.hash(victim) << this.#halvings, true);
      }
      shadow.insert(key, toMain);
    });
    const round = Math.max(1, Math.floor(this.#shadows[0].count / 4));
    if (this.#misses[this.#best] >= round) this.#endRound();
  }

  #endRound(): void {
    const misses = this.#misses;
    this.#misses = [0, 0, 0, 0];
    if (++this.#rounds <= 4) return;
    misses.forEach((count, i) => this.#scores[i] = this.#scores[i] * 0.95 + count);
    const least = this.#scores.indexOf(Math.min(...this.#scores));
    if (this.#scores[least] < this.#scores[this.#best] * 0.98) {
      this.#best = least;
      this.live.row = ROWS[least];
      this.moves++;
      this.#rounds = 4;
      this.#calmPeriods = 0;
    } else if (this.#rounds === 20) {
      this.#rounds = 0;
      const times = Math.min(
        Math.max(1, 2 ** (++this.#calmPeriods - 2)) - 1,
        2 ** (6 - this.#halvings) - 1,
      );
      if (times === 0) return;
      this.#restMisses = times * this.#awakeMisses;
      this.#awakeMisses = 0;
    }
  }
}
