import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import fc from "fast-check";
import { createRandom } from "../../base/random.ts";
import {
  type BlockDevice,
  createFaultDevice,
  ERRNO,
  type Fault,
  type IoQueue,
  type QueueLimits,
  type VirtualClock,
} from "../../tiers/mod.ts";
import {
  BLOCK,
  BLOCKS,
  drive3dxp,
  enqueue,
  faulty,
  fillOf,
  memoryDevice,
  type Read,
  reap,
  type Setup,
  setup,
} from "./queue_setup.ts";

/** What a user of the queue knows of a read: the naive model. */
interface Expected {
  readonly read: Required<Read>;
  cancelled: boolean;
}

type Action =
  | { readonly kind: "enqueue"; readonly count: number; readonly spice: number }
  | { readonly kind: "submit" }
  | { readonly kind: "reap" }
  | { readonly kind: "advance"; readonly ns: number }
  | { readonly kind: "cancel"; readonly back: number };

const ACTIONS: fc.Arbitrary<Action[]> = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant("enqueue" as const), count: fc.nat(12), spice: fc.nat(1e9) }),
    fc.constant({ kind: "submit" as const }),
    fc.constant({ kind: "reap" as const }),
    fc.record({ kind: fc.constant("advance" as const), ns: fc.nat(30_000) }),
    fc.record({ kind: fc.constant("cancel" as const), back: fc.nat(20) }),
  ),
  { maxLength: 60 },
);

/**
 * Runs actions against the queue and the model at once; errors that `allowed` lists may come from
 * the device.
 */
class ModelRun {
  readonly #queue: IoQueue;
  readonly #clock: VirtualClock;
  readonly #memory: Uint8Array;
  readonly #pending = new Map<number, Expected>();
  readonly #places: number[] = Array.from({ length: 64 }, (_, i) => i);
  readonly #allowed: readonly number[];
  #nextUser = 0;

  constructor({ queue, clock, memory }: Setup, allowed: readonly number[]) {
    this.#queue = queue;
    this.#clock = clock;
    this.#memory = memory;
    this.#allowed = allowed;
  }

  do(action: Action): void {
    if (action.kind === "enqueue") this.#enqueue(action.count, action.spice);
    else if (action.kind === "submit") this.#queue.submit();
    else if (action.kind === "reap") this.#reap(5);
    else if (action.kind === "advance") {
      this.#clock.advanceTo(this.#clock.now() + action.ns);
      this.#queue.step(this.#clock.now());
    } else this.#cancel(this.#nextUser - 1 - action.back);
    assertStrictEquals(this.#queue.inFlight, this.#pending.size);
  }

  /** Lets everything end; what a device has lost is cancelled. */
  finish(): void {
    for (let turns = 0; this.#pending.size > 0; turns++) {
      assert(turns < 1000, `${this.#pending.size} never completed`);
      this.#queue.submit();
      const wakeNs = this.#queue.wakeNs;
      if (wakeNs === Infinity) { for (const user of this.#pending.keys()) this.#cancel(user); }
      else this.#clock.advanceTo(wakeNs);
      this.#queue.step(this.#clock.now());
      this.#reap(64);
    }
    assertStrictEquals(this.#queue.inFlight, 0);
    assertStrictEquals(this.#queue.wakeNs, Infinity);
    assertEquals(reap(this.#queue), []);
  }

  #enqueue(count: number, spice: number): void {
    const random = createRandom(spice);
    const reads = Array.from({ length: count }, (): Required<Read> => ({
      user: this.#nextUser++,
      block: random.below(BLOCKS),
      device: random.below(20) === 0 ? 7 : random.below(2),
      priority: random.below(3),
      deadlineNs: random.below(4) === 0 ? this.#clock.now() + random.below(40_000) : Infinity,
      place: this.#places.pop()!,
    }));
    const taken = enqueue(this.#queue, reads);
    assertStrictEquals(taken, Math.min(count, this.#queue.depth - this.#pending.size));
    reads.forEach((read, i) => {
      if (i < taken) this.#pending.set(read.user, { read, cancelled: false });
      else this.#places.push(read.place);
    });
  }

  #cancel(user: number): void {
    this.#queue.cancel(user);
    const expected = this.#pending.get(user);
    if (expected !== undefined) expected.cancelled = true;
  }

  #reap(room: number): void {
    for (const [user, result] of reap(this.#queue, room)) {
      const expected = this.#pending.get(user);
      assert(expected !== undefined, `${user} completed twice, or was never asked for`);
      this.#pending.delete(user);
      this.#check(expected, result);
      this.#places.push(expected.read.place);
    }
  }

  #check({ read, cancelled }: Expected, result: number): void {
    const { user, device, block, deadlineNs, place } = read;
    const what = `${user} on device ${device} gave ${result}`;
    if (result === BLOCK) {
      const got = this.#memory.subarray(place * BLOCK, (place + 1) * BLOCK);
      assert(device < 2 && got.every((byte) => byte === fillOf(device, block)), what);
    } else if (result === -ERRNO.ECANCELED) assert(cancelled, what);
    else if (result === -ERRNO.ETIMEDOUT) assert(deadlineNs <= this.#clock.now(), what);
    else if (result === -ERRNO.EINVAL) assertStrictEquals(device, 7, what);
    else assert(this.#allowed.includes(result), what);
  }
}

const WORLDS: Record<string, [(clock: VirtualClock) => BlockDevice[], readonly number[]]> = {
  "memory devices": [(clock) => [memoryDevice(clock, 3), memoryDevice(clock, 16, 1)], []],
  "simulated drives": [(clock) => [drive3dxp(clock, 3), drive3dxp(clock, 16, 1)], []],
  "devices with faults": [
    (clock) => {
      const faults: Fault[] = [
        { kind: "error", share: 0.05, errno: ERRNO.EIO },
        { kind: "error", at: 3, errno: ERRNO.EAGAIN },
        { kind: "short", share: 0.05 },
        { kind: "lost", share: 0.1 },
        { kind: "late", share: 0.1, delayNs: 25_000 },
      ];
      const memory = memoryDevice(clock, 5, 1);
      return [
        faulty(clock, faults, 4),
        createFaultDevice({ device: memory, faults, clock, seed: 9 }),
      ];
    },
    [-ERRNO.EIO, -ERRNO.EAGAIN, BLOCK / 2],
  ],
};

/** The model knows nothing of limits: they may only make things later. */
const LIMITS: readonly (QueueLimits | undefined)[] = [
  undefined,
  { device: 2, table: 3, adaptive: { targetNs: 12_000 } },
];

for (const [name, [make, allowed]] of Object.entries(WORLDS)) {
  for (const limits of LIMITS) {
    const title = limits === undefined ? name : `${name} with limits`;
    Deno.test(`createIoQueue() does as a naive model over ${title}`, () => {
      fc.assert(
        fc.property(ACTIONS, fc.integer({ min: 1, max: 20 }), (actions, depth) => {
          const world = setup(make, depth, limits);
          using _queue = world.queue;
          const run = new ModelRun(world, allowed);
          for (const action of actions) run.do(action);
          run.finish();
        }),
        { numRuns: 80 },
      );
    });
  }
}
