/**
 * Conformance suites for policies that users write: plain functions that throw an Error where a
 * policy breaks its contract. They need no test framework, and bring their own seeded randomness.
 *
 * @module
 */

import { createRandom, type Random } from "../base/random.ts";
import type { AdmissionPolicyFactory } from "./admission.ts";
import {
  type EvictionPolicy,
  type EvictionPolicyFactory,
  NO_SLOT,
  REMOVAL,
  type RemovalCause,
  type Slots,
} from "./eviction.ts";

/** One promise of a contract, and the check of it. */
export interface ConformanceCase<Subject> {
  /** What is promised, as a sentence about the policy. */
  readonly name: string;
  /** Throws an Error where `subject` does not keep it; `seed` is any integer. */
  run(subject: Subject, seed: number): void;
}

function check(holds: boolean, sentence: string): void {
  if (!holds) throw new Error(`Policy does not conform: ${sentence}`);
}

/** A cache around one policy, with nothing clever in it: it notes all and checks every answer. */
class Bench implements Slots {
  readonly count: number;
  readonly key: Uint32Array;
  readonly policy: EvictionPolicy;
  /** From keys to slots. */
  readonly held: Map<number, number> = new Map();
  /** Slots that may not be victims. */
  readonly pinned: Set<number> = new Set();
  readonly #free: number[];

  constructor(factory: EvictionPolicyFactory, count: number) {
    this.count = count;
    this.key = new Uint32Array(count);
    this.#free = Array.from({ length: count }, (_, i) => count - 1 - i);
    this.policy = factory(this);
  }

  evictable(slot: number): boolean {
    return !this.pinned.has(slot);
  }

  /** A hit or a miss of `key`, as a cache would play it. */
  access(key: number): void {
    const slot = this.held.get(key);
    if (slot === undefined) this.enter(key);
    else this.hit(slot);
  }

  hit(slot: number): void {
    let out = this.policy.onHit(slot);
    while (out !== NO_SLOT) {
      check(this.#isHeld(out), `a hit pushed out slot ${out}, which holds nothing`);
      check(out !== slot, `a hit on slot ${slot} pushed out that very slot`);
      // A cache leaves a row that is in use where it is, and asks no further.
      if (!this.evictable(out)) return;
      this.remove(out, REMOVAL.EVICTED);
      out = this.policy.pushedOut?.() ?? NO_SLOT;
    }
  }

  /** The slot that `key` got, or NO_SLOT. */
  enter(key: number): number {
    this.policy.onMiss(key);
    for (let victims = 0;; victims++) {
      check(victims <= this.count, `newcomer ${key} pushed out more rows than there are`);
      const free = this.policy.crowded?.(key) === true ? undefined : this.#free.pop();
      if (free !== undefined) return this.#insert(free, key);
      const victim = this.policy.victim(key);
      if (victim === NO_SLOT) return NO_SLOT;
      check(this.#isHeld(victim), `the victim, slot ${victim}, holds nothing`);
      check(this.evictable(victim), `the victim, slot ${victim}, is in use`);
      this.remove(victim, REMOVAL.EVICTED);
    }
  }

  remove(slot: number, cause: RemovalCause): void {
    this.policy.onRemove(slot, cause);
    this.held.delete(this.key[slot]);
    this.#free.push(slot);
  }

  #insert(slot: number, key: number): number {
    this.key[slot] = key;
    this.held.set(key, slot);
    this.policy.onInsert(slot);
    return slot;
  }

  #isHeld(slot: number): boolean {
    return this.held.get(this.key[slot]) === slot;
  }

  /** The policy's own view of itself, against ours. */
  verify(): void {
    this.policy.verify();
    const listed = [...this.policy.contents()].sort((a, b) => a - b).join();
    const held = [...this.held.values()].sort((a, b) => a - b).join();
    check(listed === held, `contents must be the slots held, ${held}: received ${listed}`);
    for (const slot of this.policy.heat === undefined ? [] : this.held.values()) {
      const heat = this.policy.heat?.(slot) ?? 0;
      check(heat >= 0 && heat <= 255, `heat of slot ${slot} must be 0 to 255: received ${heat}`);
    }
  }
}

/** Skewed, so that there are hits, and wide enough for misses: of 4 slots' worth of keys. */
function pick(random: Random, count: number): number {
  const bound = 4 * count;
  return random.below(1 + random.below(bound));
}

const COUNTS = [1, 2, 3, 5, 8, 20, 64];

/** Plays lookups, deletes and failures with rows in use coming and going. */
function play(bench: Bench, random: Random, steps: number, each: () => void): void {
  for (let step = 0; step < steps; step++) {
    const key = pick(random, bench.count);
    const slot = bench.held.get(key);
    const what = random.below(20);
    if (what === 0 && slot !== undefined) bench.remove(slot, REMOVAL.DELETED);
    else if (what === 1 && slot !== undefined) bench.remove(slot, REMOVAL.FAILED);
    else if (what === 2) bench.pinned.add(random.below(bench.count));
    else if (what === 3) bench.pinned.clear();
    else bench.access(key);
    each();
  }
}

function slotsOf(bench: Bench): string {
  return [...bench.held].sort(([a], [b]) => a - b).join(";");
}

/**
 * What every {@linkcode EvictionPolicy} promises. Run them all on your own.
 *
 * @example
 * ```ts
 * import { EVICTION_CASES, lru } from "@rowtier/rowtier/cache";
 *
 * for (const each of EVICTION_CASES) each.run(lru, 1);
 * ```
 */
export const EVICTION_CASES: readonly ConformanceCase<EvictionPolicyFactory>[] = [
  {
    name: "loses and doubles no slot, whatever the order of lookups, deletes and failures",
    run(factory, seed) {
      const random = createRandom(seed);
      for (const count of COUNTS) {
        const bench = new Bench(factory, count);
        play(bench, random, 400, () => bench.verify());
      }
    },
  },
  {
    name: "gives up no row that is in use, and none when all are",
    run(factory, seed) {
      const random = createRandom(seed);
      for (const count of COUNTS) {
        const bench = new Bench(factory, count);
        for (let step = 0; step < 40 * count; step++) bench.access(pick(random, count));
        for (let slot = 0; slot < count; slot++) bench.pinned.add(slot);
        const { size } = bench.held;
        for (let key = 0; key < 4 * count; key++) bench.access(10_000 + key);
        // Places may have been free; what was in use must all be there still.
        check(bench.held.size >= size, "rows in use were given up");
        bench.verify();
      }
    },
  },
  {
    name: "gives up a row sooner or later when newcomers keep coming",
    run(factory, seed) {
      const random = createRandom(seed);
      for (const count of COUNTS) {
        const bench = new Bench(factory, count);
        for (let step = 0; step < 40 * count; step++) bench.access(pick(random, count));
        let entered = 0;
        // A newcomer that returns is one that any policy takes in the end.
        for (let step = 0; step < 400; step++) {
          const key = 10_000 + (step & 3);
          if (bench.held.has(key)) bench.access(key);
          else if (bench.enter(key) !== NO_SLOT) entered++;
        }
        check(
          entered > 0,
          `none of four newcomers, each looked up 100 times, entered ${count} slots`,
        );
      }
    },
  },
  {
    name: "is as good as new when every row was removed",
    run(factory, seed) {
      const random = createRandom(seed);
      const bench = new Bench(factory, 12);
      for (let step = 0; step < 500; step++) bench.access(pick(random, 12));
      for (const slot of [...bench.held.values()]) bench.remove(slot, REMOVAL.DELETED);
      bench.verify();
      check(bench.policy.victim(1) === NO_SLOT, "an empty policy named a victim");
      for (let step = 0; step < 500; step++) bench.access(pick(random, 12));
      bench.verify();
      check(bench.held.size > 0, "no row entered after all had left");
    },
  },
  {
    name: "takes an insert without a miss, and a miss without an insert",
    run(factory, seed) {
      const random = createRandom(seed);
      const bench = new Bench(factory, 8);
      for (let step = 0; step < 300; step++) {
        bench.policy.onMiss(random.u32());
        bench.access(pick(random, 8));
      }
      bench.verify();
      const policy = new Bench(factory, 4).policy;
      for (let slot = 0; slot < 2; slot++) policy.onInsert(slot);
      policy.verify();
      check(policy.contents().length === 2, "two rows inserted without a miss must be held");
    },
  },
  {
    name: "does the same again for the same lookups",
    run(factory, seed) {
      const benches = [new Bench(factory, 10), new Bench(factory, 10)];
      for (const bench of benches) play(bench, createRandom(seed), 600, () => {});
      check(slotsOf(benches[0]) === slotsOf(benches[1]), "two runs ended with different rows");
    },
  },
  {
    name: "takes every u32 for a key",
    run(factory) {
      const bench = new Bench(factory, 4);
      const keys = [0, 1, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 0xdeadbeef, 7, 2 ** 32 - 2];
      for (let round = 0; round < 20; round++) for (const key of keys) bench.access(key);
      bench.verify();
    },
  },
  {
    name: "allocates its columns once",
    run(factory, seed) {
      const random = createRandom(seed);
      const bench = new Bench(factory, 16);
      const { bytes } = bench.policy;
      for (let step = 0; step < 2000; step++) bench.access(random.u32() >>> random.below(32));
      check(bench.policy.bytes === bytes, `bytes grew from ${bytes} to ${bench.policy.bytes}`);
      check(bench.policy.name !== "", "a policy must have a name");
    },
  },
];

/**
 * What every {@linkcode AdmissionPolicy} promises.
 *
 * @example
 * ```ts
 * import { ADMISSION_CASES, tinyLfu } from "@rowtier/rowtier/cache";
 *
 * for (const each of ADMISSION_CASES) each.run(tinyLfu, 1);
 * ```
 */
export const ADMISSION_CASES: readonly ConformanceCase<AdmissionPolicyFactory>[] = [
  {
    name: "answers for every u32 key and every number of slots",
    run(factory, seed) {
      const random = createRandom(seed);
      for (const slotCount of [1, 2, 1000, 100_000]) {
        const policy = factory(slotCount);
        check(policy.name !== "", "a policy must have a name");
        for (let step = 0; step < 1000; step++) {
          const key = random.u32() >>> random.below(32);
          policy.onAccess(key);
          const answers = [policy.admit(key), policy.prefers(key, random.u32())];
          check(answers.every((answer) => typeof answer === "boolean"), "answers must be booleans");
        }
      }
    },
  },
  {
    name: "lets a key in that is looked up again and again",
    run(factory) {
      const policy = factory(100);
      let admitted = 0;
      for (let step = 0; step < 1000; step++) {
        policy.onAccess(5);
        if (policy.admit(5) && policy.prefers(5, 6)) admitted++;
      }
      check(admitted > 0, "a key looked up 1,000 times was never admitted");
    },
  },
  {
    name: "does the same again for the same lookups",
    run(factory, seed) {
      const answers = [0, 1].map(() => {
        const random = createRandom(seed);
        const policy = factory(50);
        return Array.from({ length: 2000 }, () => {
          const key = random.below(1 + random.below(200));
          policy.onAccess(key);
          return policy.admit(key) && policy.prefers(key, random.below(200)) ? "1" : "0";
        }).join("");
      });
      check(answers[0] === answers[1], "two runs gave different answers");
    },
  },
];
