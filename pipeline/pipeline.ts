/**
 * The pipeline: batches go in, missing rows are read while others are pooled, vectors come out. It
 * is a synchronous state machine that runs the same over a simulated drive in virtual time and over
 * a real one.
 *
 * @module
 */

import { checkInteger } from "../base/checks.ts";
import { createClaim, lru, NO_BATCH, NO_SLOT, RowCache } from "../cache/mod.ts";
import { createKernel, type Kernel } from "../kernels/mod.ts";
import { none, type Prefetcher } from "../prefetch/mod.ts";
import { type Clock, type Driven, type IoQueue, PRIORITY, VirtualClock } from "../tiers/mod.ts";
import { type Arena, createArena } from "./_arena.ts";
import { Loader } from "./_loader.ts";
import { TicketRecord } from "./_tickets.ts";
import { bagCount, type BatchPart, checkPart, type KeyBatch, keyCount } from "./batch.ts";
import { COST, type Costs } from "./costs.ts";
import { MAX_BATCH_KEYS, MAX_BATCHES_IN_FLIGHT, MAX_TABLES } from "./limits.ts";
import type {
  PipelineCounters,
  PipelineMemory,
  PipelineOptions,
  PipelineTable,
} from "./options.ts";

/**
 * No ticket: as many batches are in flight as the pipeline holds. Release one, then stage again.
 */
export const NO_TICKET: number = -1;

/** Where a batch stands; what {@linkcode Pipeline.state} returns. */
export const TICKET_STATE: {
  /** Some of its rows are still being read. */
  readonly LOADING: 1;
  /** It can be pooled: its rows are there, or its deadline has passed. */
  readonly READY: 2;
} = { LOADING: 1, READY: 2 };

/**
 * Serves pooled bags from tables on slow storage. A batch is staged, stepped until it is ready,
 * pooled and released; several are in flight at once, so that the drive reads for one while another
 * is pooled.
 *
 * @example
 * ```ts
 * import { buildTable, openTable, Pipeline, TICKET_STATE } from "@rowtier/rowtier/pipeline";
 * import {
 *   createIoQueue,
 *   createSimulatedDevice,
 *   fileMedia,
 *   PROFILES,
 *   VirtualClock,
 * } from "@rowtier/rowtier/tiers";
 *
 * const path = await Deno.makeTempFile({ suffix: ".rows" });
 * await buildTable(path, [Float32Array.of(1, 2), Float32Array.of(3, 4)], { dim: 2 });
 *
 * const clock = new VirtualClock();
 * using media = fileMedia(path);
 * const device = createSimulatedDevice({ profile: PROFILES.p5800x, media, clock });
 * using queue = createIoQueue({ devices: [device], depth: 32, clock });
 * const tables = [{ table: openTable(path), offsetBytes: 0, cacheRows: 1 }];
 * using pipeline = new Pipeline({ tables, queue, clock });
 *
 * const keys = Uint32Array.of(0, 1, 1), offsets = Uint32Array.of(0, 2, 3);
 * const ticket = pipeline.stage({ parts: [{ table: 0, keys, offsets }] });
 * while (pipeline.state(ticket) !== TICKET_STATE.READY) await pipeline.idle();
 * const output = new Float32Array(4);
 * pipeline.pool(ticket, output);
 * pipeline.release(ticket);
 * if (Math.abs(output[0] - 4) > 0.01 || clock.now() === 0) throw new Error("unreachable");
 * await Deno.remove(path);
 * ```
 */
export class Pipeline implements Driven, Disposable {
  readonly #tables: readonly PipelineTable[];
  readonly #kernels: readonly Kernel[];
  readonly #queue: IoQueue;
  readonly #clock: Clock;
  readonly #cache: RowCache;
  readonly #arena: Arena;
  readonly #loader: Loader;
  readonly #prefetcher: Prefetcher;
  readonly #costs: Costs | undefined;
  readonly #maxKeys: number;
  readonly #maxBags: number;
  /** The cache's state columns, by table. */
  readonly #states: readonly Uint8Array[];
  readonly #tickets: readonly TicketRecord[];
  readonly #claim = createClaim();
  readonly #predictedTables = new Uint32Array(PREDICT_COUNT);
  readonly #predictedKeys = new Uint32Array(PREDICT_COUNT);
  #staged = 0;
  #chargedReads = 0;

  /**
   * Allocates everything it will ever use.
   *
   * @throws {RangeError} when an option is out of its bounds, or the arena would exceed 4 GiB.
   */
  constructor(options: PipelineOptions) {
    const what = "Cannot create Pipeline";
    const { tables, queue } = options;
    checkInteger(what, "tables.length", tables.length, 1, MAX_TABLES);
    const { maxBatches = 4, maxBatchKeys: maxKeys = 4096, maxBatchBags: maxBags = maxKeys } =
      options;
    checkInteger(what, "maxBatches", maxBatches, 1, MAX_BATCHES_IN_FLIGHT);
    checkInteger(what, "maxBatchKeys", maxKeys, 1, MAX_BATCH_KEYS);
    checkInteger(what, "maxBatchBags", maxBags, 1, MAX_BATCH_KEYS);
    for (const { table, cacheRows, pooling = "sum" } of tables) {
      checkInteger(what, "cacheRows", cacheRows, 1, table.rowCount);
      if (!["sum", "mean", "max"].includes(pooling)) {
        throw new RangeError(`${what}: pooling must be sum, mean or max: received ${pooling}`);
      }
    }
    // Every distinct key of every batch in flight may need a scratch slot of its own: with fewer,
    // the last batch could wait for slots that only its user can free.
    const scratchRows = tables.map(({ table }) => Math.min(maxKeys, table.rowCount) * maxBatches);
    const blockBytes = Math.max(...tables.map(({ table }) => table.blockBytes));
    this.#arena = createArena(
      queue.depth * blockBytes,
      tables.map(({ table, cacheRows }, t) => ({
        table,
        cacheRows,
        scratchRows: scratchRows[t],
      })),
    );
    this.#prefetcher = options.prefetcher ?? none();
    this.#cache = new RowCache({
      partitions: tables.map(({ cacheRows, eviction = lru, admission }, t) => ({
        slotCount: cacheRows,
        scratchCount: scratchRows[t],
        eviction,
        ...(admission && { admission }),
      })),
      onPrefetch: (partition, key, outcome) => this.#prefetcher.settle(partition, key, outcome),
    });
    this.#loader = new Loader({
      queue,
      cache: this.#cache,
      arena: this.#arena,
      tables: tables.map(({ table, device = 0, offsetBytes }) => ({ table, device, offsetBytes })),
      bounceBytes: blockBytes,
      depth: queue.depth,
      capacity: maxKeys * maxBatches + PREDICT_COUNT,
      readTimeoutNs: options.readTimeoutNs ?? 10e9,
    });
    queue.attach(this.#arena.bounce);
    this.#kernels = tables.map(({ table: { format, dim }, pooling = "sum", weighted = false }) =>
      createKernel(
        { format, dim, pooling, weighting: weighted ? "sample" : "none" },
        { memory: this.#arena.memory },
      )
    );
    const weighted = tables.some((table) => table.weighted === true);
    this.#tickets = Array.from(
      { length: maxBatches },
      () => new TicketRecord({ maxKeys, maxBags, weighted }),
    );
    this.#states = tables.map((_, t) => this.#cache.states(t));
    this.#tables = tables;
    this.#queue = queue;
    this.#clock = options.clock;
    this.#costs = options.costs;
    this.#maxKeys = maxKeys;
    this.#maxBags = maxBags;
  }

  /**
   * Takes a batch: looks its rows up and has the missing ones read. The batch's arrays may be
   * reused as soon as it returns.
   *
   * @param batch Bags by table.
   * @param deadlineNs Absolute time of the pipeline's clock at which the batch is ready whatever is
   * missing.
   * @returns A ticket, or {@linkcode NO_TICKET} when as many batches are in flight as it holds.
   * @throws {RangeError} when the batch has too many keys, a key out of range, or malformed offsets
   * or weights; nothing is touched then.
   */
  stage(batch: KeyBatch, deadlineNs: number = Infinity): number {
    this.#check(batch);
    const place = this.#tickets.findIndex(({ batch }) => batch === NO_BATCH);
    if (place < 0) return NO_TICKET;
    const stamp = this.#cache.begin();
    if (stamp === NO_BATCH) return NO_TICKET;
    const ticket = this.#tickets[place];
    // The number tells the place, and is new each time, so that a stale one is told apart.
    ticket.number = this.#staged++ * this.#tickets.length + place;
    ticket.batch = stamp;
    ticket.deadlineNs = deadlineNs;
    ticket.start(batch);
    for (let p = 0; p < batch.parts.length; p++) this.#look(ticket, p, batch.parts[p]);
    const nowNs = this.#clock.now();
    this.#loader.pump(nowNs);
    this.#settle(ticket, nowNs);
    return ticket.number;
  }

  /** One of {@linkcode TICKET_STATE}; throws a RangeError when the ticket is not in flight. */
  state(ticket: number): number {
    return this.#of(ticket).ready ? TICKET_STATE.READY : TICKET_STATE.LOADING;
  }

  /**
   * Pools the batch's bags.
   *
   * @param ticket A ready ticket; it stays in flight until released.
   * @param output fp32: part after part, bag after bag, `dim` values of the part's table each.
   * @param incomplete One byte a bag, part after part: set to 1 where a row did not arrive (it was
   * pooled as a row of zeros, and still counts in a mean), to 0 elsewhere.
   * @returns How many bags are incomplete.
   * @throws {RangeError} when the ticket is not ready, or an array is too short.
   */
  pool(ticket: number, output: Float32Array, incomplete?: Uint8Array): number {
    const record = this.#of(ticket);
    if (!record.ready) {
      throw new RangeError(`Cannot pool: ticket must be ready: received ${ticket}, still loading`);
    }
    checkInteger("Cannot pool", "output.length", output.length, this.#outputLength(record));
    if (incomplete !== undefined) {
      checkInteger("Cannot pool", "incomplete.length", incomplete.length, record.bags);
      incomplete.fill(0, 0, record.bags);
    }
    let missing = 0, at = 0, bags = 0;
    for (let p = 0; p < record.partCount; p++) {
      const part = record.part(p);
      const place = this.#arena.places[part.table];
      if (record.missing) {
        const states = this.#states[part.table];
        missing += record.markMissing(part, states, place.zeroSlot, incomplete?.subarray(bags));
      }
      const kernel = this.#kernels[part.table];
      const end = at + part.bagCount * kernel.spec.dim;
      kernel.pool({
        bagCount: part.bagCount,
        offsets: part.offsets,
        slots: part.slots,
        slotCount: part.keyCount,
        arena: place.rows,
        rowStride: place.rowStride,
        rowCount: place.slotCount,
        ...(part.weights && { weights: part.weights }),
      }, at === 0 && end === output.length ? output : output.subarray(at, end));
      at = end;
      bags += part.bagCount;
    }
    this.#costs?.charge(COST.POOL, record.keys);
    return missing;
  }

  /**
   * Ends a pooled batch: its rows may be evicted, and its place taken by another, as soon as none
   * of its rows is loading (one may be, where the deadline made it ready).
   */
  release(ticket: number): void {
    const record = this.#of(ticket);
    record.number = NO_TICKET;
    this.#retire(record);
  }

  /**
   * Gives a batch up before it is pooled. Reads on their way go on, and their rows reach the cache,
   * as another batch may be waiting for them; the place is free when the last is over.
   */
  cancel(ticket: number): void {
    this.release(ticket);
  }

  /** Tells the prefetcher which rows are asked for soon; the batch is not staged by this. */
  announce(batch: KeyBatch): void {
    this.#check(batch);
    for (const part of batch.parts) {
      this.#prefetcher.announce(part.table, part.keys, keyCount(part));
    }
  }

  /** When `step` next has something to do, in ns; Infinity when nothing is pending. */
  get wakeNs(): number {
    let wakeNs = this.#queue.wakeNs;
    for (const ticket of this.#tickets) {
      if (ticket.number !== NO_TICKET && !ticket.ready) {
        wakeNs = Math.min(wakeNs, ticket.deadlineNs);
      }
    }
    return wakeNs;
  }

  /**
   * Takes what has been read, starts what can start, and sees which batches are ready; returns how
   * many reads and batches moved.
   */
  step(nowNs: number): number {
    let moved = this.#loader.pump(nowNs);
    for (const ticket of this.#tickets) {
      if (ticket.batch === NO_BATCH) continue;
      if (ticket.number === NO_TICKET) this.#retire(ticket);
      else if (!ticket.ready && this.#settle(ticket, nowNs)) moved++;
    }
    if (this.#loader.waiting === 0) this.#prefetch(nowNs);
    this.#chargeReads();
    return moved;
  }

  /**
   * Moves the world on until something can have happened, then steps: virtual time is advanced to
   * `wakeNs`, on a real device the thread waits for a read. Returns what `step` returned; a promise
   * only where the queue waits by promise.
   */
  idle(): number | Promise<number> {
    if (this.#clock instanceof VirtualClock) {
      if (this.wakeNs < Infinity) this.#clock.advanceTo(this.wakeNs);
      return this.step(this.#clock.now());
    }
    // A sixteenth of what is in flight: of 1, 4, 8, 16 and 32 reads at depth 128, 8 gave the most
    // IOPS over both block sizes and the least CPU (`deno task bench io` has the numbers).
    const waited = this.#queue.wait(Math.max(1, this.#queue.inFlight >> 4));
    return typeof waited === "number"
      ? this.step(this.#clock.now())
      : waited.then(() => this.step(this.#clock.now()));
  }

  /**
   * The allocating convenience: stages one batch, waits for it, and returns its vectors laid out as
   * {@linkcode Pipeline.pool} does.
   *
   * @throws {RangeError} as `stage` does, or when every place is taken by tickets that were not
   * released.
   * @throws {Error} when a row could not be read, naming how many bags miss one.
   */
  async lookup(batch: KeyBatch): Promise<Float32Array> {
    const ticket = this.stage(batch);
    if (ticket === NO_TICKET) {
      throw new RangeError(
        `Cannot look up: at most ${this.#tickets.length} batches may be in flight, release one`,
      );
    }
    try {
      while (this.state(ticket) !== TICKET_STATE.READY) {
        const moved = await this.idle();
        if (moved === 0 && this.wakeNs === Infinity) {
          throw new Error("Cannot look up: a read was lost, and readTimeoutNs is Infinity");
        }
      }
      const record = this.#of(ticket);
      const output = new Float32Array(this.#outputLength(record));
      const incomplete = this.pool(ticket, output);
      if (incomplete > 0) {
        throw new Error(`Cannot look up: ${incomplete} bags miss a row that could not be read`);
      }
      return output;
    } finally {
      this.release(ticket);
    }
  }

  /** Frees the kernels' code; nothing can be pooled afterwards. The queue is its maker's. */
  [Symbol.dispose](): void {
    for (const kernel of this.#kernels) kernel[Symbol.dispose]();
  }

  /** What it did so far; a fresh object. */
  counters(): PipelineCounters {
    return {
      tables: this.#tables.map((_, t) => this.#cache.counters(t)),
      loader: { ...this.#loader.counters },
    };
  }

  /** Bytes that it holds, from the real sizes of its arrays. */
  memory(): PipelineMemory {
    const bytes = this.#tables.map((_, t) => this.#cache.memoryBytes(t));
    const sum = (of: (table: number) => number): number =>
      this.#tables.reduce((total, _, t) => total + of(t), 0);
    const stride = (t: number): number => this.#arena.places[t].rowStride;
    const cacheRows = (t: number): number => this.#tables[t].cacheRows;
    const slotCount = (t: number): number => this.#arena.places[t].slotCount;
    const parts = {
      cacheBytes: sum((t) => cacheRows(t) * stride(t)),
      scratchBytes: sum((t) => (slotCount(t) - cacheRows(t)) * stride(t)),
      bounceBytes: this.#arena.bounce.byteLength,
      indexBytes: sum((t) => bytes[t].indexBytes),
      policyBytes: sum((t) => bytes[t].policyBytes),
      columnBytes: sum((t) => bytes[t].columnBytes),
      checksumBytes: sum((t) => this.#tables[t].table.checksums.byteLength),
      ticketBytes: this.#tickets.reduce((all, { bytes }) => all + bytes, this.#loader.bytes),
    };
    return { ...parts, totalBytes: Object.values(parts).reduce((a, b) => a + b, 0) };
  }

  #check(batch: KeyBatch): void {
    let keys = 0, bags = 0;
    batch.parts.forEach((part, index) => {
      const served = this.#tables[part.table];
      if (served === undefined) {
        throw new RangeError(
          `Cannot stage batch: part ${index}: table must be below ${this.#tables.length}: ` +
            `received ${part.table}`,
        );
      }
      const { table: { rowCount }, weighted = false } = served;
      checkPart(index, part, { rowCount, weighted });
      keys += keyCount(part);
      bags += bagCount(part);
    });
    checkInteger("Cannot stage batch", "number of parts", batch.parts.length, 0, this.#maxBags);
    checkInteger("Cannot stage batch", "number of keys", keys, 0, this.#maxKeys);
    checkInteger("Cannot stage batch", "number of bags", bags, 0, this.#maxBags);
  }

  /** Looks the keys of one part up, and asks the loader for the rows that are not there. */
  #look(ticket: TicketRecord, index: number, part: BatchPart): void {
    const { table, keys } = part;
    const count = keyCount(part);
    const { slots } = ticket.part(index);
    this.#cache.acquire(table, keys, count, ticket.batch, slots);
    this.#costs?.charge(COST.LOOKUP, count);
    for (let i = 0; i < count; i++) {
      if (slots[i] >= 0) continue;
      const slot = slots[i] === NO_SLOT ? this.#load(table, keys[i], ticket.batch) : ~slots[i];
      slots[i] = slot;
      ticket.waitFor(table, slot);
    }
    this.#prefetcher.observe(table, keys, count);
  }

  /** Claims a slot for a missing row and has the row read. */
  #load(table: number, key: number, batch: number): number {
    const slot = this.#cache.claim(table, key, batch, this.#claim);
    // Prefetches (NO_BATCH) may be refused; for batches the scratch slots were counted to suffice.
    if (slot === NO_SLOT && batch !== NO_BATCH) {
      throw new Error("broken invariant: no scratch slot");
    }
    if (slot === NO_SLOT || !this.#claim.fresh) return slot;
    const priority = batch === NO_BATCH ? PRIORITY.BACKGROUND : PRIORITY.URGENT;
    this.#loader.request(table, key, slot, this.#claim.generation, priority);
    return slot;
  }

  #prefetch(nowNs: number): void {
    // Half of the depth stays free: a batch's own reads must not queue behind guesses.
    if (this.#loader.idle <= this.#queue.depth >> 1) return;
    const count = this.#prefetcher.predict(this.#predictedTables, this.#predictedKeys);
    for (let i = 0; i < count; i++) {
      this.#load(this.#predictedTables[i], this.#predictedKeys[i], NO_BATCH);
    }
    if (count > 0) this.#loader.pump(nowNs);
  }

  /** Whether `ticket` is ready now: no row of it is loading, or its deadline has passed. */
  #settle(ticket: TicketRecord, nowNs: number): boolean {
    const loading = ticket.stillLoading(this.#states);
    ticket.ready = !loading || nowNs >= ticket.deadlineNs;
    if (ticket.ready && loading) ticket.missing = true;
    return ticket.ready;
  }

  /** Lets go of a ticket that its user gave back, once no row of it is loading. */
  #retire(ticket: TicketRecord): void {
    if (ticket.stillLoading(this.#states)) return;
    this.#cache.retire(ticket.batch);
    ticket.batch = NO_BATCH;
  }

  #chargeReads(): void {
    const { reads } = this.#loader.counters;
    if (this.#costs !== undefined && reads > this.#chargedReads) {
      this.#costs.charge(COST.READ, reads - this.#chargedReads);
    }
    this.#chargedReads = reads;
  }

  #outputLength(record: TicketRecord): number {
    let length = 0;
    for (let p = 0; p < record.partCount; p++) {
      const { bagCount, table } = record.part(p);
      length += bagCount * this.#kernels[table].spec.dim;
    }
    return length;
  }

  #of(ticket: number): TicketRecord {
    const record = this.#tickets[ticket % this.#tickets.length];
    if (ticket < 0 || record?.number !== ticket) {
      throw new RangeError(`Cannot use ticket: it must be in flight: received ${ticket}`);
    }
    return record;
  }
}

/** Rows asked of the prefetcher at a time. */
const PREDICT_COUNT = 64;
