/**
 * One seeded run of a queue over random stacks: whatever goes wrong below, each request completes
 * exactly once, with a result that can be explained, and its memory is left alone from then on.
 *
 * @module
 */

import { createRandom } from "../../base/random.ts";
import type { Random } from "../../base/random.ts";
import {
  createCompletions,
  createIoQueue,
  createRequests,
  ERRNO,
  IO_OP,
  type IoQueue,
  type QueueLimits,
  VirtualClock,
} from "../../tiers/mod.ts";
import { BLOCK, BLOCKS, createStack, fillOf, READ_ONLY, type Stack } from "./soak_stacks.ts";

/** What a run has seen. */
export interface SoakCounts {
  requests: number;
  succeeded: number;
  short: number;
  failed: number;
  cancelled: number;
  expired: number;
}

/** Counters at 0. */
export function createSoakCounts(): SoakCounts {
  return { requests: 0, succeeded: 0, short: 0, failed: 0, cancelled: 0, expired: 0 };
}

/** Blocks of a place in memory; a request moves one to so many. */
const PLACE_BLOCKS = 3;
const PLACES = 48;
const TABLES = 5;
/** Memory that no request owns is full of this; no block ever is. */
const POISON = 0xee;
/** Memory that a read has not reached is full of this. */
const UNREAD = 0xdd;
/** Turns without an end in sight. */
const MAX_TURNS = 50_000;

interface Pending {
  readonly op: number;
  readonly device: number;
  readonly block: number;
  readonly blocks: number;
  readonly place: number;
  readonly fill: number;
  readonly malformed: boolean;
  readonly deadlineNs: number;
  cancelled: boolean;
}

/** Runs seed `seed` and adds to `counts`; throws an error that names the seed and the stacks. */
export function soak(seed: number, counts: SoakCounts): void {
  const run = new SoakRun(seed, counts);
  try {
    run.run();
  } catch (error) {
    throw new Error(`seed ${seed}, ${run.name}: ${(error as Error).message}`, { cause: error });
  }
}

function check(condition: boolean, message: string): void {
  if (!condition) throw new Error(message);
}

class SoakRun {
  readonly name: string;
  readonly #random: Random;
  readonly #clock = new VirtualClock();
  readonly #stacks: readonly Stack[];
  readonly #queue: IoQueue;
  readonly #limited: boolean;
  readonly #memory = new Uint8Array(PLACES * PLACE_BLOCKS * BLOCK).fill(POISON);
  readonly #free = Array.from({ length: PLACES }, (_, place) => place);
  readonly #pending = new Map<number, Pending>();
  /** All that a block may hold, by device and block: whatever was ever sent to it. */
  readonly #fills: readonly Set<number>[][];
  readonly #requests = createRequests(16);
  readonly #completions = createCompletions(8);
  readonly #counts: SoakCounts;
  #next = 0;

  constructor(seed: number, counts: SoakCounts) {
    const random = createRandom(seed), clock = this.#clock;
    this.#random = random;
    this.#counts = counts;
    this.#stacks = Array.from(
      { length: 1 + random.below(3) },
      () => createStack({ random, clock }),
    );
    this.#fills = this.#stacks.map(() =>
      Array.from({ length: BLOCKS }, (_, block) => new Set([fillOf(block)]))
    );
    const limits = randomLimits(random);
    this.#limited = limits !== null;
    this.#queue = createIoQueue({
      devices: this.#stacks.map(({ device }) => device),
      depth: 1 + random.below(24),
      clock,
      ...(limits === null ? {} : { limits }),
    });
    this.#queue.attach(this.#memory);
    const names = this.#stacks.map(({ name }) => `[${name}]`).join(" ");
    this.name = limits === null ? names : `${names} limited`;
  }

  run(): void {
    using queue = this.#queue;
    for (let actions = 20 + this.#random.below(60); actions > 0; actions--) this.#act();
    for (let turns = 0; this.#pending.size > 0; turns++) {
      check(turns < MAX_TURNS, `${this.#pending.size} requests never completed`);
      queue.submit();
      this.#reap();
      // What is lost has no time: it ends when it is cancelled.
      if (this.#pending.size > 0 && queue.wakeNs === Infinity) this.#cancelAll();
      this.#moveTo(queue.wakeNs);
    }
    check(queue.inFlight === 0, `${queue.inFlight} in flight and none pending`);
    // Losers of hedged reads may still be on their way.
    for (let turns = 0; queue.wakeNs < Infinity; turns++) {
      check(turns < MAX_TURNS, "wakes for ever");
      this.#moveTo(queue.wakeNs);
      this.#reap();
    }
    this.#moveTo(this.#clock.now() + 1e9);
    this.#reap();
    check(this.#memory.every((byte) => byte === POISON), "memory was touched after completion");
  }

  #act(): void {
    const kind = this.#random.below(10);
    if (kind < 4) this.#enqueue(1 + this.#random.below(16));
    else if (kind < 6) this.#reap();
    else if (kind < 9) this.#moveTo(this.#clock.now() + this.#random.below(40_000));
    else this.#cancel(this.#next - 1 - this.#random.below(24));
    if (kind !== 5) this.#queue.submit();
    check(this.#queue.inFlight === this.#pending.size, "in flight and pending differ");
  }

  #moveTo(ns: number): void {
    if (ns < Infinity) this.#clock.advanceTo(ns);
    this.#queue.step(this.#clock.now());
  }

  #enqueue(count: number): void {
    const requests = this.#requests, wanted: Pending[] = [];
    for (let i = 0; i < count && this.#free.length > 0; i++) {
      wanted.push(this.#createRequest(this.#free.shift()!, i));
    }
    requests.count = wanted.length;
    const taken = this.#queue.enqueue(requests, 0);
    wanted.forEach((request, i) => {
      const memory = this.#memoryOf(request.place);
      if (i >= taken) {
        memory.fill(POISON);
        this.#free.unshift(request.place);
        return;
      }
      this.#pending.set(requests.user[i], request);
      this.#counts.requests++;
      if (request.malformed || (request.op !== IO_OP.WRITE && request.op !== IO_OP.DISCARD)) return;
      for (let b = 0; b < request.blocks; b++) {
        this.#fills[request.device][request.block + b].add(request.fill);
      }
    });
  }

  #createRequest(place: number, i: number): Pending {
    const random = this.#random, requests = this.#requests;
    const chance = random.below(20);
    const op = chance < 12
      ? IO_OP.READ
      : chance < 18
      ? IO_OP.WRITE
      : chance === 18
      ? IO_OP.FLUSH
      : IO_OP.DISCARD;
    const changes = op === IO_OP.WRITE || op === IO_OP.DISCARD;
    const blocks = 1 + random.below(PLACE_BLOCKS);
    const first = changes ? READ_ONLY : 0;
    const block = first + random.below(BLOCKS - first - blocks + 1);
    const device = random.below(40) === 0 ? 9 : random.below(this.#stacks.length);
    const table = random.below(40) === 0 ? 60_000 : random.below(TABLES);
    const skew = random.below(40) === 0 ? 1 : 0;
    const deadlineNs = random.below(6) === 0 ? this.#clock.now() + random.below(80_000) : Infinity;
    const fill = op === IO_OP.DISCARD ? 0 : 200 + random.below(20);
    this.#memoryOf(place).fill(op === IO_OP.WRITE ? fill : UNREAD);
    requests.op[i] = op;
    requests.device[i] = device;
    requests.offsetBytes[i] = block * BLOCK + skew;
    requests.bytes[i] = blocks * BLOCK;
    requests.buffer[i] = place * PLACE_BLOCKS * BLOCK;
    requests.table[i] = table;
    requests.priority[i] = random.below(3);
    requests.deadlineNs[i] = deadlineNs;
    requests.user[i] = this.#next++;
    // A device that does not exist, a table too many with limits, an offset within a block.
    const malformed = device === 9 || (this.#limited && table === 60_000) ||
      (skew === 1 && op !== IO_OP.FLUSH);
    return { op, device, block, blocks, place, fill, malformed, deadlineNs, cancelled: false };
  }

  #memoryOf(place: number): Uint8Array {
    return this.#memory.subarray(place * PLACE_BLOCKS * BLOCK, (place + 1) * PLACE_BLOCKS * BLOCK);
  }

  #cancel(user: number): void {
    this.#queue.cancel(user);
    const request = this.#pending.get(user);
    if (request !== undefined) request.cancelled = true;
  }

  #cancelAll(): void {
    for (const user of this.#pending.keys()) this.#cancel(user);
  }

  #reap(): void {
    // What is free must not have changed since it was given back.
    for (const place of this.#free.slice(0, 2)) {
      const clean = this.#memoryOf(place).every((byte) => byte === POISON);
      check(clean, `place ${place} was touched after completion`);
    }
    const completions = this.#completions;
    completions.count = 0;
    this.#queue.reap(completions);
    for (let i = 0; i < completions.count; i++) {
      const user = completions.user[i], result = completions.result[i];
      const request = this.#pending.get(user);
      if (request === undefined) throw new Error(`${user} completed twice, or was never sent`);
      this.#pending.delete(user);
      check(completions.latencyNs[i] >= 0, `${user} took ${completions.latencyNs[i]} ns`);
      this.#judge(user, request, result);
      this.#memoryOf(request.place).fill(POISON);
      this.#free.push(request.place);
    }
  }

  #judge(user: number, request: Pending, result: number): void {
    const { op, device, blocks, malformed } = request;
    const counts = this.#counts;
    const what = `request ${user}, ${JSON.stringify(request)}, gave ${result}`;
    if (result < 0) {
      if (result === -ERRNO.ECANCELED) {
        counts.cancelled++;
        check(request.cancelled, what);
      } else if (result === -ERRNO.ETIMEDOUT) {
        counts.expired++;
        check(request.deadlineNs <= this.#clock.now(), what);
      } else {
        counts.failed++;
        const { errors } = this.#stacks[device] ?? { errors: new Set() };
        check(errors.has(-result) || (malformed && result === -ERRNO.EINVAL), what);
      }
      return;
    }
    const wanted = op === IO_OP.FLUSH ? 0 : blocks * BLOCK;
    const stack = this.#stacks[device];
    if (result < wanted) counts.short++;
    else counts.succeeded++;
    check(
      !malformed && stack !== undefined && (result === wanted || (result < wanted && stack.cuts)),
      what,
    );
    if (op === IO_OP.READ) this.#judgeBytes(request, result, stack, what);
    if (op !== IO_OP.WRITE) return;
    const kept = this.#memoryOf(request.place).every((byte) => byte === request.fill);
    check(kept, `${what}: the bytes to write were changed`);
  }

  /** Each whole block is full of one byte, one that was ever sent to it. */
  #judgeBytes(request: Pending, result: number, stack: Stack, what: string): void {
    const memory = this.#memoryOf(request.place);
    for (let b = 0; (b + 1) * BLOCK <= result; b++) {
      const block = request.block + b;
      if (block < READ_ONLY ? stack.rots : stack.muddles) continue;
      const bytes = memory.subarray(b * BLOCK, (b + 1) * BLOCK);
      const uniform = bytes.every((byte) => byte === bytes[0]);
      const known = this.#fills[request.device][block].has(bytes[0]);
      check(uniform && known, `${what}: block ${block} is full of ${bytes[0]}`);
    }
    // What lies behind the request's own bytes is nobody's.
    const rest = memory.subarray(request.blocks * BLOCK);
    check(rest.every((byte) => byte === UNREAD), `${what}: wrote beyond its bytes`);
  }
}

function randomLimits(random: Random): QueueLimits | null {
  if (random.below(2) === 0) return null;
  const adaptive = { targetNs: 1000 + random.below(100_000), lateShare: random.unit() };
  return {
    tables: TABLES,
    device: 1 + random.below(12),
    table: 1 + random.below(6),
    quantumBytes: 1 + random.below(4096),
    ...(random.below(2) === 0 ? {} : { adaptive }),
  };
}
