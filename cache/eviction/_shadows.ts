/**
 * Shadow caches: what each setting of the adaptive policy would have missed.
 *
 * @module
 */

import { GhostMarks } from "./_ghost_marks.ts";
import { ABSENT, GhostTable } from "./_ghost_table.ts";
import { AGEING, FIRST_SETTING, keptSmall, mainFill, SETTINGS } from "./_settings.ts";

const LANES = SETTINGS.length;

/** Of a lane's byte: hits, at most 15, and two marks. */
const COUNT = 15, RESIDENT = 16, MAIN = 32;

/** One in every lane. */
const ONES = 0x01010101;
const COUNTS = COUNT * ONES;

/** Misses of a round, as a share of the slots: then the scores are compared. */
const ROUND = 0.25;

/**
 * Rounds after a rest whose misses do not count, as many misses as there are slots: what the caches
 * hold is old, which is worth hits to some and not to others.
 */
const WARM_ROUNDS = 4;

/** Rounds that count before it is time to rest, or to go on. */
const PERIOD_ROUNDS = 16;

/** What a round's misses weigh one round later: a memory of 20 rounds. */
const MEMORY = 0.95;

/** The share of its misses that a setting must save to replace the one in force. */
const HYSTERESIS = 0.02;

/**
 * Four small caches over the same keys, one for each setting.
 *
 * A key that any of them holds has one entry: a word with a byte a cache (a "lane"), in which all
 * four count a hit at once, as it mostly is one in all. So a hit costs one lookup and one write,
 * not four. Queues are rings of entries; nothing leaves them but at the old end.
 *
 * About 200 bytes a slot of one shadow.
 */
export class Shadows {
  /** Slots of each cache. */
  readonly #slotCount: number;
  /** From keys to entries. */
  readonly #table: GhostTable;
  readonly #keys: Uint32Array;
  readonly #hashes: Int32Array;
  readonly #words: Int32Array;
  /** Entries not in use: a stack. */
  readonly #free: Int32Array;
  #freeCount: number;
  /** Queue 2 l is lane l's small one, 2 l + 1 its main one; `slotCount` cells each. */
  readonly #cells: Int32Array;
  readonly #starts: Int32Array = new Int32Array(2 * LANES);
  readonly #lengths: Int32Array = new Int32Array(2 * LANES);
  readonly #ghosts: readonly GhostMarks[];
  // The settings, by lane.
  readonly #ghostReaches: Int32Array;
  readonly #kept: Int32Array;
  readonly #mainFill: Int32Array;
  readonly #promoteHits: Int32Array = Int32Array.from(SETTINGS, (each) => each.promoteHits);
  readonly #countLimits: Int32Array = Int32Array.from(SETTINGS, (each) => each.countLimit);
  /** By lane: evictions since the last one that aged a row. */
  readonly #unaged: Int32Array = new Int32Array(LANES);
  readonly #roundMisses: number;
  /** Misses of this round, and of all with their weights. */
  readonly #misses: Int32Array = new Int32Array(LANES);
  readonly #scores: Float64Array = new Float64Array(LANES);
  #best: number = FIRST_SETTING;
  /** Rounds of this period. */
  #rounds = 0;
  /** Periods since the last change of the best. */
  #calmPeriods = 0;
  #rest = 0;
  readonly #mostRest: number;

  /** Empty caches of `slotCount` slots, that rest at most `mostRest` times as long as they run. */
  constructor(slotCount: number, mostRest: number) {
    this.#slotCount = slotCount;
    this.#mostRest = mostRest;
    this.#ghosts = SETTINGS.map((each) => new GhostMarks(each.ghostShare * slotCount));
    this.#ghostReaches = Int32Array.from(
      SETTINGS,
      (each, lane) => this.#ghosts[lane].reachOf(each.ghostShare * slotCount),
    );
    // All residents may be different keys, and one more while it enters.
    const entryCount = LANES * slotCount + 1;
    this.#table = new GhostTable(entryCount, undefined);
    this.#keys = new Uint32Array(entryCount);
    this.#hashes = new Int32Array(entryCount);
    this.#words = new Int32Array(entryCount);
    this.#free = new Int32Array(entryCount).map((_, i) => i);
    this.#freeCount = entryCount;
    this.#cells = new Int32Array(2 * LANES * slotCount);
    this.#kept = Int32Array.from(SETTINGS, (each) => keptSmall(each, slotCount));
    this.#mainFill = Int32Array.from(SETTINGS, (each) => mainFill(each, slotCount));
    this.#roundMisses = Math.max(1, Math.floor(ROUND * slotCount));
  }

  /** Bytes of its columns. */
  get bytes(): number {
    const columns = [
      this.#keys,
      this.#hashes,
      this.#words,
      this.#free,
      this.#cells,
      this.#starts,
      this.#lengths,
      this.#ghostReaches,
      this.#kept,
      this.#mainFill,
      this.#promoteHits,
      this.#countLimits,
      this.#unaged,
      this.#misses,
      this.#scores,
      ...this.#ghosts,
    ];
    return columns.reduce(
      (sum, column) => sum + ("bytes" in column ? column.bytes : column.byteLength),
      this.#table.bytes,
    );
  }

  /**
   * Every cache looks `key` up, whose `hash` has well spread high bits, and takes it in; returns
   * the setting to be in force now.
   */
  access(key: number, hash: number): number {
    const bucket = this.#table.find(key);
    const entry = bucket === ABSENT ? this.#create(key, hash) : this.#table.nodeAt(bucket);
    const word = this.#words[entry];
    const resident = (word >>> 4) & ONES;
    const full = (((word & COUNTS) + ONES) >>> 4) & ONES;
    this.#words[entry] = word + (resident & ~full);
    if (resident === ONES) return this.#best;
    for (let lane = 0; lane < LANES; lane++) {
      if (((resident >>> (8 * lane)) & 1) === 0) this.#insert(lane, entry, hash);
    }
    if (this.#misses[this.#best] >= this.#roundMisses) this.#compare();
    return this.#best;
  }

  /**
   * How many times as long as since the last rest these caches may now do without keys; 0 mostly.
   * Told once.
   */
  takeRest(): number {
    const rest = this.#rest;
    this.#rest = 0;
    return rest;
  }

  #create(key: number, hash: number): number {
    const entry = this.#free[--this.#freeCount];
    this.#keys[entry] = key;
    this.#hashes[entry] = hash;
    this.#table.insert(key, entry);
    return entry;
  }

  #insert(lane: number, entry: number, hash: number): void {
    const small = 2 * lane, main = small + 1;
    this.#misses[lane]++;
    const isGhost = this.#ghosts[lane].take(hash, this.#ghostReaches[lane]);
    if (this.#lengths[small] + this.#lengths[main] === this.#slotCount) this.#evict(lane);
    this.#words[entry] |= (isGhost ? RESIDENT | MAIN : RESIDENT) << (8 * lane);
    this.#push(isGhost ? main : small, entry);
  }

  /** As `Adaptive.victim`, where nothing is held. */
  #evict(lane: number): void {
    const small = 2 * lane, main = small + 1, shift = 8 * lane;
    const words = this.#words;
    const lengths = this.#lengths;
    const kept = this.#kept[lane], fill = this.#mainFill[lane];
    if (fill > 0 && ++this.#unaged[lane] === AGEING) {
      this.#unaged[lane] = 0;
      if (lengths[main] > 0 && this.#age(lane)) return;
    }
    while (lengths[small] > kept || lengths[main] === 0) {
      const entry = this.#pop(small);
      const word = words[entry];
      if (((word >>> shift) & COUNT) < this.#promoteHits[lane] && lengths[main] >= fill) {
        this.#ghosts[lane].add(this.#hashes[entry]);
        this.#clear(lane, entry);
        return;
      }
      words[entry] = (word & ~(COUNT << shift)) | (MAIN << shift);
      this.#push(main, entry);
    }
    const limit = this.#countLimits[lane];
    for (;;) {
      const entry = this.#pop(main);
      const word = words[entry];
      const count = Math.min((word >>> shift) & COUNT, limit);
      if (count === 0) {
        this.#clear(lane, entry);
        return;
      }
      words[entry] = (word & ~(COUNT << shift)) | ((count - 1) << shift);
      this.#push(main, entry);
    }
  }

  /** Halves the hits of the main queue's oldest entry; true when it had none and left. */
  #age(lane: number): boolean {
    const shift = 8 * lane;
    const entry = this.#pop(2 * lane + 1);
    const word = this.#words[entry];
    const count = (word >>> shift) & COUNT;
    if (count === 0) {
      this.#clear(lane, entry);
      return true;
    }
    this.#words[entry] = (word & ~(COUNT << shift)) | ((count >> 1) << shift);
    this.#push(2 * lane + 1, entry);
    return false;
  }

  /** The lane gives `entry` up; the last one to do so frees it. */
  #clear(lane: number, entry: number): void {
    const word = this.#words[entry] & ~(255 << (8 * lane));
    this.#words[entry] = word;
    if (word !== 0) return;
    this.#table.removeAt(this.#table.find(this.#keys[entry]));
    this.#free[this.#freeCount++] = entry;
  }

  #push(queue: number, entry: number): void {
    const slotCount = this.#slotCount;
    let at = this.#starts[queue] + this.#lengths[queue]++;
    if (at >= slotCount) at -= slotCount;
    this.#cells[queue * slotCount + at] = entry;
  }

  #pop(queue: number): number {
    const slotCount = this.#slotCount;
    const start = this.#starts[queue];
    this.#starts[queue] = start + 1 === slotCount ? 0 : start + 1;
    this.#lengths[queue]--;
    return this.#cells[queue * slotCount + start];
  }

  /** Ends a round: the setting that misses least by far enough takes over. */
  #compare(): void {
    const scores = this.#scores;
    const misses = this.#misses;
    if (++this.#rounds <= WARM_ROUNDS) {
      misses.fill(0);
      return;
    }
    let least = 0;
    for (let lane = 0; lane < LANES; lane++) {
      scores[lane] = scores[lane] * MEMORY + misses[lane];
      misses[lane] = 0;
      if (scores[lane] < scores[least]) least = lane;
    }
    if (scores[least] < scores[this.#best] * (1 - HYSTERESIS)) {
      this.#best = least;
      this.#rounds = WARM_ROUNDS;
      this.#calmPeriods = 0;
    } else if (this.#rounds === WARM_ROUNDS + PERIOD_ROUNDS) {
      this.#rounds = 0;
      this.#calmPeriods++;
      // 0, 0, 1, 3, 7: what is short or changes often is watched most of the time. Without the
      // first two zeros stationary Zipf traces missed 1 to 2 % more.
      this.#rest = Math.min(2 ** Math.max(0, this.#calmPeriods - 2) - 1, this.#mostRest);
    }
  }

  /** Throws an Error naming the broken invariant, if there is one. */
  verify(name: string): void {
    const used = this.#words.filter((word) => word !== 0).length;
    this.#table.verify(name, used);
    if (used + this.#freeCount !== this.#words.length) {
      throw new Error(`Broken invariant: ${name}: ${used} entries and the free ones must be all`);
    }
    for (let queue = 0; queue < 2 * LANES; queue++) this.#verifyQueue(name, queue);
  }

  /** What its ring holds must be what is marked as in it; as many suffices, and each once. */
  #verifyQueue(name: string, queue: number): void {
    const shift = 8 * (queue >> 1);
    const wanted = (queue & 1) === 0 ? RESIDENT : RESIDENT | MAIN;
    const marked = (word: number): boolean => ((word >>> shift) & (RESIDENT | MAIN)) === wanted;
    const entries = new Set<number>();
    for (let i = 0; i < this.#lengths[queue]; i++) {
      const at = (this.#starts[queue] + i) % this.#slotCount;
      entries.add(this.#cells[queue * this.#slotCount + at]);
    }
    const count = this.#words.filter((word) => marked(word)).length;
    for (const entry of entries) {
      if (marked(this.#words[entry])) continue;
      throw new Error(`Broken invariant: ${name}: entry ${entry} must be marked as in ${queue}`);
    }
    if (count !== entries.size || count !== this.#lengths[queue]) {
      throw new Error(`Broken invariant: ${name}: queue ${queue} must hold ${count} entries`);
    }
  }
}
