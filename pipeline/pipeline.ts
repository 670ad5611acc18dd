/**
 * The pipeline: batches go in, missing rows are read while others are pooled, vectors come out. It
 * is a synchronous state machine that runs the same over a simulated drive in virtual time and over
 * a real one.
 *
 * @module
 */

import { checkInteger } from "../base/checks.ts";
import {
  type AnyRowCache,
  createClaim,
  type MissExplainer,
  type MissExplanation,
  NO_BATCH,
  NO_SLOT,
  toPrometheus,
} from "../cache/mod.ts";
import type { Kernel } from "../kernels/mod.ts";
import { none, type Prefetcher } from "../prefetch/mod.ts";
import { type Clock, type Driven, type IoQueue, PRIORITY, VirtualClock } from "../tiers/mod.ts";
import type { Arena } from "./_arena.ts";
import { assemble } from "./_assembly.ts";
import type { Loader } from "./_loader.ts";
import { measureMemory } from "./_memory.ts";
import type { PooledBags } from "./_pooled_bags.ts";
import type { TicketRecord } from "./_tickets.ts";
import { encodeTableOrder, type WarmUp } from "./_warm_up.ts";
import type { WriteWindows } from "./_write_windows.ts";
import { type BatchBounds, type BatchPart, checkBatch, type KeyBatch, keyCount } from "./batch.ts";
import { COST, type Costs } from "./costs.ts";
import { READ_AHEAD_ROWS } from "./limits.ts";
import type {
  PipelineCounters,
  PipelineMemory,
  PipelineOptions,
  PipelineTable,
} from "./options.ts";
import { NO_TICKET, TICKET_STATE } from "./ticket_state.ts";

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
  readonly #cache: AnyRowCache;
  readonly #arena: Arena;
  readonly #loader: Loader;
  readonly #prefetcher: Prefetcher;
  readonly #warmUp: WarmUp;
  readonly #writes: WriteWindows;
  readonly #explainer: MissExplainer | undefined;
  readonly #pooledBags: PooledBags | undefined;
  readonly #costs: Costs | undefined;
  readonly #names: readonly string[];
  readonly #bounds: BatchBounds;
  /** The cache's state columns, by table. */
  readonly #states: readonly Uint8Array[];
  readonly #tickets: readonly TicketRecord[];
  readonly #claim = createClaim();
  readonly #predictedTables = new Uint32Array(READ_AHEAD_ROWS);
  readonly #predictedKeys = new Uint32Array(READ_AHEAD_ROWS);
  #staged = 0;
  #chargedReads = 0;

  /**
   * Allocates everything it will ever use.
   *
   * @throws {RangeError} when an option is out of its bounds, or the arena would exceed 4 GiB.
   */
  constructor(options: PipelineOptions) {
    const { tables, queue, clock, prefetcher = none() } = options;
    const parts = assemble(options, prefetcher);
    this.#names = parts.names;
    this.#bounds = parts.bounds;
    this.#arena = parts.arena;
    this.#cache = parts.cache;
    this.#loader = parts.loader;
    this.#warmUp = parts.warmUp;
    this.#writes = parts.writes;
    this.#explainer = parts.explainer;
    this.#pooledBags = parts.pooledBags;
    this.#kernels = parts.kernels;
    this.#tickets = parts.tickets;
    this.#prefetcher = prefetcher;
    this.#states = tables.map((_, t) => this.#cache.states(t));
    this.#tables = tables;
    this.#queue = queue;
    this.#clock = clock;
    this.#costs = options.costs;
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
    checkBatch(batch, this.#tables, this.#bounds);
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
    this.#writes.start(this.#clock.now());
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
    checkInteger("Cannot pool", "output.length", output.length, record.outputLength);
    if (incomplete !== undefined) {
      checkInteger("Cannot pool", "incomplete.length", incomplete.length, record.bags);
      incomplete.fill(0, 0, record.bags);
    }
    let missing = 0, at = 0;
    for (let p = 0; p < record.partCount; p++) {
      const part = record.part(p);
      const place = this.#arena.places[part.table];
      let marked = 0;
      if (record.missing) {
        const flags = incomplete?.subarray(part.firstBag);
        marked = record.markMissing(part, this.#states[part.table], place.zeroSlot, flags);
      }
      missing += marked;
      const kernel = this.#kernels[part.table];
      const end = at + part.bagCount * kernel.spec.dim;
      const vectors = at === 0 && end === output.length ? output : output.subarray(at, end);
      kernel.pool({
        bagCount: part.bagCount,
        offsets: part.offsets,
        slots: part.slots,
        slotCount: part.keyCount,
        arena: place.rows,
        rowStride: place.rowStride,
        rowCount: place.slotCount,
        ...(part.weights && { weights: part.weights }),
      }, vectors);
      this.#pooledBags?.finish(record, part, vectors, marked === 0);
      at = end;
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
    checkBatch(batch, this.#tables, this.#bounds);
    for (const part of batch.parts) {
      this.#prefetcher.announce(part.table, part.keys, keyCount(part));
    }
  }

  /**
   * The order and the heat of the rows in a table's cache, as bytes for {@linkcode Pipeline.warm}:
   * 32 bytes and 5 a row at most. They name the table's file, and no other takes them.
   *
   * @throws {RangeError} when there is no such table.
   */
  exportOrder(table: number): Uint8Array {
    return encodeTableOrder(this.#cache, table, this.#served("Cannot export order", table).table);
  }

  /**
   * Reads the rows of an order back into the table's cache, the next victim first, while nothing
   * else waits: half of the queue's depth stays free for batches. `step` and `idle` drive it. It is
   * no lookup and no prefetch, and takes the place of an earlier order of the table.
   *
   * @param table Which table.
   * @param bytes What `exportOrder` returned, of this pipeline or of another over the same file.
   * @returns Rows of the order, of which those are read that are not there: as many as the table
   * has cache slots at most.
   * @throws {RangeError} when there is no such table, or the bytes are not whole or those of
   * another file; nothing is touched then.
   */
  warm(table: number, bytes: Uint8Array): number {
    const rows = this.#warmUp.add(table, this.#served("Cannot warm", table).table, bytes);
    this.#readAhead(this.#clock.now());
    return rows;
  }

  /** Rows of warm-ups whose reads have not begun. */
  get warming(): number {
    return this.#warmUp.left;
  }

  /**
   * Switches a table's cache off or on. Off, no row enters it: misses are read for their batches
   * alone. What is in it is hit as before. On from the start.
   *
   * @throws {RangeError} when there is no such table.
   */
  setAdmitting(table: number, admitting: boolean): void {
    this.#served("Cannot switch table", table);
    this.#cache.setAdmitting(table, admitting);
  }

  /** Whether rows may enter a table's cache; throws a RangeError when there is no such table. */
  isAdmitting(table: number): boolean {
    this.#served("Cannot tell whether rows may enter", table);
    return this.#cache.isAdmitting(table);
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
    this.#writes.start(nowNs);
    let moved = this.#loader.pump(nowNs);
    for (const ticket of this.#tickets) {
      if (ticket.batch === NO_BATCH) continue;
      if (ticket.number === NO_TICKET) this.#retire(ticket);
      else if (!ticket.ready && this.#settle(ticket, nowNs)) moved++;
    }
    this.#readAhead(nowNs);
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
      const output = new Float32Array(record.outputLength);
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
      pooled: this.#tables.flatMap((_, t) => this.#pooledBags?.cache.counters(t) ?? []),
      loader: { ...this.#loader.counters },
    };
  }

  /** The cache's counters by table as text, in the exposition format of Prometheus. */
  metrics(): string {
    const named = this.#names.map((name, t) => [name, this.#cache.counters(t)] as const);
    return toPrometheus(Object.fromEntries(named));
  }

  /**
   * Why lookups had to wait, by table, and in one line what to change; a notebook draws it.
   *
   * @throws {RangeError} unless the pipeline was made with the option `explain`.
   */
  explain(): MissExplanation {
    if (this.#explainer === undefined) {
      throw new RangeError(
        "Cannot explain: explain must be among the pipeline's options: received none",
      );
    }
    return this.#explainer.explain();
  }

  /** Bytes that it holds, from the real sizes of its arrays. */
  memory(): PipelineMemory {
    const bytes = this.#tables.map((_, t) => this.#cache.memoryBytes(t));
    const tickets = this.#tickets.reduce((all, { bytes }) => all + bytes, this.#loader.bytes);
    const explainer = this.#explainer?.bytes ?? 0;
    const pooled = this.#pooledBags?.bytes ?? 0;
    return measureMemory(this.#tables, this.#arena, bytes, { tickets, explainer, pooled });
  }

  /** Looks the keys of one part up, and asks the loader for the rows that are not there. */
  #look(ticket: TicketRecord, index: number, part: BatchPart): void {
    const { table } = part;
    const record = ticket.part(index);
    const keys = this.#pooledBags?.find(ticket, record, part.keys) ?? part.keys;
    const { slots, keyCount: count } = record;
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

  /** Reads for no batch: a warm-up's while there is one, then what the prefetcher predicts. */
  #readAhead(nowNs: number): void {
    // Half of the depth stays free: a batch's own reads must not queue behind guesses.
    const most = this.#loader.idle - (this.#queue.depth >> 1);
    if (this.#loader.waiting > 0 || most <= 0) return;
    let count = this.#warmUp.request(Math.min(most, READ_AHEAD_ROWS));
    if (count === 0) {
      count = this.#prefetcher.predict(this.#predictedTables, this.#predictedKeys);
      for (let i = 0; i < count; i++) {
        this.#load(this.#predictedTables[i], this.#predictedKeys[i], NO_BATCH);
      }
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

  #served(what: string, table: number): PipelineTable {
    return this.#tables[checkInteger(what, "table", table, 0, this.#tables.length - 1)];
  }

  #of(ticket: number): TicketRecord {
    const record = this.#tickets[ticket % this.#tickets.length];
    if (ticket < 0 || record?.number !== ticket) {
      throw new RangeError(`Cannot use ticket: it must be in flight: received ${ticket}`);
    }
    return record;
  }
}
