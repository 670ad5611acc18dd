/**
 * Brings missing rows from the device to their slots: a bounded waiting list, one aligned bounce
 * buffer per read in flight, checksum, copy, and a few tries before a row is given up.
 *
 * @module
 */

import { ERRNO } from "../base/errors.ts";
import type { AnyRowCache } from "../cache/mod.ts";
import {
  createCompletions,
  createRequests,
  IO_OP,
  type IoCompletions,
  type IoQueue,
  type IoRequests,
} from "../tiers/mod.ts";
import type { Arena } from "./_arena.ts";
import { MAX_READ_ATTEMPTS } from "./limits.ts";
import { blockMatches, blockOffset, type Table } from "./table_file.ts";

/** A table as the loader reads it. */
export interface LoaderTable {
  /** The file. */
  readonly table: Table;
  /** The queue's device that holds it. */
  readonly device: number;
  /** First byte of the file on that device. */
  readonly offsetBytes: number;
}

/** What a loader is made from. */
export interface LoaderOptions {
  queue: IoQueue;
  cache: AnyRowCache;
  arena: Arena;
  tables: readonly LoaderTable[];
  /** Bytes of a bounce buffer: the largest block of any table. */
  bounceBytes: number;
  /** Reads in flight at most: what the queue holds. */
  depth: number;
  /** Rows that may wait for a read at most. */
  capacity: number;
  /** How long one read may take; Infinity for ever. */
  readTimeoutNs: number;
}

/** What the loader did so far. */
export interface LoaderCounters {
  /** Reads submitted, tries again included. */
  reads: number;
  /** Bytes those reads asked for. */
  readBytes: number;
  /** Rows that reached their slots. */
  rows: number;
  /** Reads tried again, after a short read, a passing error or a bad checksum. */
  retries: number;
  /** Blocks that failed their checksum. */
  checksumFailures: number;
  /** Rows given up. */
  failures: number;
}

/** Rows to load, as columns: entries of the waiting list and of the reads in flight. */
interface Loads {
  readonly partition: Uint16Array;
  readonly key: Uint32Array;
  readonly slot: Int32Array;
  /** Below 2^53 where rows are kept compactly. */
  readonly generation: Float64Array;
  readonly priority: Uint8Array;
}

/** The loader of a pipeline; partition p of the cache is table p. */
export class Loader {
  readonly counters: LoaderCounters = {
    reads: 0,
    readBytes: 0,
    rows: 0,
    retries: 0,
    checksumFailures: 0,
    failures: 0,
  };
  readonly #queue: IoQueue;
  readonly #cache: AnyRowCache;
  readonly #arena: Arena;
  readonly #tables: readonly LoaderTable[];
  readonly #bounceBytes: number;
  readonly #readTimeoutNs: number;
  /** The waiting list, a ring. */
  readonly #waiting: Loads;
  #head = 0;
  #waitingCount = 0;
  /** The reads in flight; an entry's number is its bounce buffer and its request's tag. */
  readonly #flying: Loads;
  readonly #attempts: Uint8Array;
  readonly #free: Uint32Array;
  #freeCount: number;
  /** Requests made since the last submit; each read in flight has one at most. */
  readonly #requests: IoRequests;
  readonly #completions: IoCompletions;

  constructor(options: LoaderOptions) {
    this.#queue = options.queue;
    this.#cache = options.cache;
    this.#arena = options.arena;
    this.#tables = options.tables;
    this.#bounceBytes = options.bounceBytes;
    this.#readTimeoutNs = options.readTimeoutNs;
    this.#waiting = createLoads(options.capacity);
    this.#flying = createLoads(options.depth);
    this.#attempts = new Uint8Array(options.depth);
    this.#free = Uint32Array.from({ length: options.depth }, (_, i) => options.depth - 1 - i);
    this.#freeCount = options.depth;
    this.#requests = createRequests(options.depth);
    this.#completions = createCompletions(options.depth);
  }

  /** Rows waiting for a read. */
  get waiting(): number {
    return this.#waitingCount;
  }

  /** Reads that could start now. */
  get idle(): number {
    return this.#freeCount;
  }

  /** Bytes of the columns, bounce buffers not counted. */
  get bytes(): number {
    const columns = [...Object.values(this.#waiting), ...Object.values(this.#flying)];
    const all = [...columns, this.#attempts, this.#free] as { byteLength: number }[];
    return all.reduce((sum, { byteLength }) => sum + byteLength, 0);
  }

  /** Puts a row on the waiting list, which its owner has sized for all that can wait. */
  request(
    partition: number,
    key: number,
    slot: number,
    generation: number,
    priority: number,
  ): void {
    const { partition: partitions } = this.#waiting;
    if (this.#waitingCount === partitions.length) throw new Error("broken invariant: list is full");
    const at = (this.#head + this.#waitingCount++) % partitions.length;
    partitions[at] = partition;
    this.#waiting.key[at] = key;
    this.#waiting.slot[at] = slot;
    this.#waiting.generation[at] = generation;
    this.#waiting.priority[at] = priority;
  }

  /** Takes what has completed, starts what can start; returns the completions taken. */
  pump(nowNs: number): number {
    this.#queue.step(nowNs);
    this.#completions.count = 0;
    const done = this.#queue.reap(this.#completions);
    for (let i = 0; i < done; i++) {
      this.#complete(this.#completions.user[i], this.#completions.result[i], nowNs);
    }
    while (this.#waitingCount > 0 && this.#freeCount > 0) this.#start(nowNs);
    this.#submit();
    return done;
  }

  #start(nowNs: number): void {
    const read = this.#free[--this.#freeCount];
    const from = this.#head;
    this.#head = (from + 1) % this.#waiting.key.length;
    this.#waitingCount--;
    const flying = this.#flying, waiting = this.#waiting;
    flying.partition[read] = waiting.partition[from];
    flying.key[read] = waiting.key[from];
    flying.slot[read] = waiting.slot[from];
    flying.generation[read] = waiting.generation[from];
    flying.priority[read] = waiting.priority[from];
    this.#attempts[read] = 0;
    this.#addRequest(read, nowNs);
  }

  #addRequest(read: number, nowNs: number): void {
    const partition = this.#flying.partition[read];
    const { table, device, offsetBytes } = this.#tables[partition];
    const block = Math.floor(this.#flying.key[read] / table.blockRows);
    const requests = this.#requests;
    const at = requests.count++;
    requests.op[at] = IO_OP.READ;
    requests.device[at] = device;
    requests.offsetBytes[at] = offsetBytes + blockOffset(table, block);
    requests.bytes[at] = table.blockBytes;
    requests.buffer[at] = read * this.#bounceBytes;
    requests.table[at] = partition;
    requests.priority[at] = this.#flying.priority[read];
    requests.deadlineNs[at] = nowNs + this.#readTimeoutNs;
    requests.user[at] = read;
    this.#attempts[read]++;
    this.counters.reads++;
    this.counters.readBytes += table.blockBytes;
  }

  #submit(): void {
    // The queue is ours alone and holds as many requests as there are reads in flight: it takes
    // them all.
    const taken = this.#queue.enqueue(this.#requests, 0);
    if (taken !== this.#requests.count) throw new Error("broken invariant: the queue is full");
    this.#requests.count = 0;
    this.#queue.submit();
  }

  #complete(read: number, result: number, nowNs: number): void {
    const flying = this.#flying;
    const partition = flying.partition[read], key = flying.key[read];
    const { table } = this.#tables[partition];
    const block = Math.floor(key / table.blockRows);
    const buffer = read * this.#bounceBytes;
    if (result === table.blockBytes) {
      if (blockMatches(table, block, this.#arena.bounce, buffer)) {
        this.#land(read, buffer + (key - block * table.blockRows) * table.rowBytes);
        return;
      }
      this.counters.checksumFailures++;
    } else if (result === -ERRNO.ETIMEDOUT || result === -ERRNO.ECANCELED) {
      this.#giveUp(read);
      return;
    }
    if (this.#attempts[read] >= MAX_READ_ATTEMPTS) {
      this.#giveUp(read);
      return;
    }
    this.counters.retries++;
    this.#addRequest(read, nowNs);
  }

  /** Copies the row from byte `from` of the arena to its slot, if the slot still waits for it. */
  #land(read: number, from: number): void {
    const flying = this.#flying;
    const partition = flying.partition[read], slot = flying.slot[read];
    const { table } = this.#tables[partition];
    const { start, rowStride } = this.#arena.places[partition];
    if (this.#cache.fill(partition, slot, flying.generation[read])) {
      this.#arena.bytes.copyWithin(start + slot * rowStride, from, from + table.rowBytes);
      this.counters.rows++;
    }
    this.#free[this.#freeCount++] = read;
  }

  #giveUp(read: number): void {
    const flying = this.#flying;
    this.#cache.abandon(flying.partition[read], flying.slot[read], flying.generation[read]);
    this.counters.failures++;
    this.#free[this.#freeCount++] = read;
  }
}

function createLoads(count: number): Loads {
  return {
    partition: new Uint16Array(count),
    key: new Uint32Array(count),
    slot: new Int32Array(count),
    generation: new Float64Array(count),
    priority: new Uint8Array(count),
  };
}
