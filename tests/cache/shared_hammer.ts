/**
 * Hammers a shared row cache, in a worker, and checks the bytes of every row that it pins.
 *
 * @module
 */

import {
  createClaim,
  NO_SLOT,
  SharedRowCache,
  type SharedRowCacheHandle,
  SLOT_STATE,
} from "@rowtier/rowtier/cache";
import { createRandom, type Random } from "../../base/random.ts";

/** 32-bit words of a row. */
export const ROW_WORDS = 16;

/** What the worker is posted. */
export interface Job {
  readonly handle: SharedRowCacheHandle;
  /** The rows, by slot. */
  readonly arena: Int32Array;
  /** By key: how many workers read it right now. */
  readonly reading: Int32Array;
  /** Word 0: how many workers are there; they begin when all are. */
  readonly present: Int32Array;
  readonly workers: number;
  readonly seed: number;
  readonly batches: number;
  readonly batchKeys: number;
  /** Whether it deletes rows, so that a row may be read again while it is being read. */
  readonly deletes: boolean;
}

/** What it counted. */
export interface Tallies {
  lookups: number;
  fresh: number;
  unplaced: number;
  filled: number;
  abandoned: number;
  deleted: number;
  /** Rows of others that it waited for. */
  waits: number;
  /** Pins whose bytes it checked. */
  checked: number;
}

/** Word `i` of the row of `key`. */
export function wordOf(key: number, i: number): number {
  return Math.imul(key + 1, 0x9e3779b1) + i | 0;
}

class Hammer {
  readonly tallies: Tallies = {
    lookups: 0,
    fresh: 0,
    unplaced: 0,
    filled: 0,
    abandoned: 0,
    deleted: 0,
    waits: 0,
    checked: 0,
  };
  readonly #job: Job;
  readonly #cache: SharedRowCache;
  readonly #random: Random;
  readonly #claim = createClaim();
  /** Nobody wakes it up. */
  readonly #never = new Int32Array(new SharedArrayBuffer(4));

  constructor(job: Job) {
    this.#job = job;
    this.#cache = SharedRowCache.attach(job.handle);
    this.#random = createRandom(job.seed);
  }

  /** One batch, from lookup to release. */
  run(keys: Uint32Array, slots: Int32Array): void {
    const { reading, deletes } = this.#job;
    // Skewed, so that workers want the same rows.
    for (let i = 0; i < keys.length; i++) {
      keys[i] = Math.floor(this.#random.unit() ** 3 * reading.length);
    }
    this.tallies.lookups += keys.length;
    this.#cache.acquire(0, keys, keys.length, slots);
    for (let i = 0; i < keys.length; i++) {
      if (slots[i] === NO_SLOT) slots[i] = this.#readRow(keys[i]);
    }
    // All of its own claims have ended before it waits for those of others.
    for (let i = 0; i < keys.length; i++) this.#checkRow(keys[i], slots[i]);
    if (deletes && this.#cache.delete(0, keys[0])) this.tallies.deleted++;
    for (let i = 0; i < keys.length; i++) this.#checkRow(keys[i], slots[i]);
    this.#cache.release(0, slots, keys.length);
  }

  /** Claims a row and reads it, if that is for this worker to do; the slot. */
  #readRow(key: number): number {
    const { arena, reading, deletes } = this.#job;
    const claim = this.#claim;
    const slot = this.#cache.claim(0, key, claim);
    if (slot === NO_SLOT) this.tallies.unplaced++;
    if (slot === NO_SLOT || !claim.fresh) return slot;
    this.tallies.fresh++;
    if (Atomics.add(reading, key, 1) !== 0 && !deletes) {
      throw new Error(`two workers read row ${key}`);
    }
    for (let i = 0; i < ROW_WORDS; i++) arena[ROW_WORDS * slot + i] = 0;
    for (let i = 0; i < ROW_WORDS; i++) arena[ROW_WORDS * slot + i] = wordOf(key, i);
    // Some reads take their time, so that others find the row loading.
    if (this.#random.below(64) === 0) Atomics.wait(this.#never, 0, 0, 0.1);
    Atomics.sub(reading, key, 1);
    if (this.#random.below(20) === 0) {
      if (this.#cache.abandon(0, slot, claim.generation)) this.tallies.abandoned++;
    } else if (this.#cache.fill(0, slot, claim.generation)) this.tallies.filled++;
    return slot;
  }

  /** A pinned slot holds its key's bytes, or its read has failed. */
  #checkRow(key: number, written: number): void {
    if (written === NO_SLOT) return;
    const slot = written < 0 ? ~written : written;
    if (this.#cache.state(0, slot) === SLOT_STATE.LOADING) this.tallies.waits++;
    const state = this.#cache.waitReady(0, written, Infinity);
    if (state === SLOT_STATE.FAILED) return;
    if (state !== SLOT_STATE.READY) throw new Error(`slot ${slot} of row ${key} is in ${state}`);
    this.tallies.checked++;
    const { arena } = this.#job;
    for (let i = 0; i < ROW_WORDS; i++) {
      const word = arena[ROW_WORDS * slot + i];
      if (word !== wordOf(key, i)) throw new Error(`slot ${slot} has not the bytes of row ${key}`);
    }
  }
}

/** Returns once all workers have come this far, so that none is done before the next begins. */
function meet({ present, workers }: Job): void {
  Atomics.add(present, 0, 1);
  Atomics.notify(present, 0);
  for (let came = 1; came < workers; came = Atomics.load(present, 0)) {
    Atomics.wait(present, 0, came);
  }
}

/** What is posted back: what it counted, or what went wrong. */
export type Reply = Tallies | string;

/** Runs a job to its end. */
export function hammer(job: Job): Reply {
  const worker = new Hammer(job);
  const keys = new Uint32Array(job.batchKeys);
  const slots = new Int32Array(job.batchKeys);
  try {
    meet(job);
    for (let batch = 0; batch < job.batches; batch++) worker.run(keys, slots);
    return worker.tallies;
  } catch (error) {
    return String(error);
  }
}
