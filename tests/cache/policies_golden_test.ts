/**
 * Every policy against the miss counts of the reference programs, over the bare frame.
 */

import { assert, assertEquals } from "@std/assert";
import {
  type AdmissionPolicy,
  arc,
  belady,
  clock,
  type EvictionPolicyFactory,
  fifo,
  lfu,
  lfuda,
  lirs,
  lru,
  s3fifo,
  secondAccess,
  sieve,
  slru,
  twoq,
  wtinylfu,
} from "@rowtier/rowtier/cache";
import type { Subject } from "./bare_frame.ts";
import { countedReal, countedSynthetic, type CountedTrace, readSynthetic } from "./golden.ts";

/** By golden name: what must miss as often, made for a trace. */
const SUBJECTS: Readonly<Record<string, (ids: Uint32Array, keys: Uint32Array) => Subject>> = {
  arc: () => ({ eviction: arc }),
  belady: (ids) => ({ eviction: belady(ids) }),
  clock: () => ({ eviction: clock }),
  "clock-2bit": () => ({ eviction: (slots) => clock(slots, { bits: 2 }) }),
  "clock-3bit": () => ({ eviction: (slots) => clock(slots, { bits: 3 }) }),
  fifo: () => ({ eviction: fifo }),
  "fifo+second-access": () => ({ eviction: fifo, admission: exactSecond }),
  lfu: () => ({ eviction: lfu }),
  lfuda: () => ({ eviction: lfuda }),
  // The reference remembers every key.
  lirs: (ids) => ({ eviction: (slots) => lirs(slots, { ghostCount: countOf(ids) }) }),
  lru: () => ({ eviction: lru }),
  "lru+second-access": () => ({ eviction: lru, admission: exactSecond }),
  s3fifo: () => ({ eviction: s3fifo }),
  "s3fifo-25-1": () => ({ eviction: (slots) => s3fifo(slots, { smallRatio: 0.25, threshold: 1 }) }),
  "s3fifo-warm": () => ({ eviction: (slots) => s3fifo(slots, { warmMain: true }) }),
  sieve: () => ({ eviction: sieve }),
  slru: () => ({ eviction: slru }),
  "slru-2": () => ({ eviction: (slots) => slru(slots, { weights: [1, 1] }) }),
  "slru-20-80": () => ({ eviction: (slots) => slru(slots, { weights: [1, 4] }) }),
  twoq: () => ({ eviction: twoq }),
  wtinylfu: (ids, keys) => ({ eviction: counting(ids, keys, 0.01) }),
  "wtinylfu-10": (ids, keys) => ({ eviction: counting(ids, keys, 0.1) }),
};

/**
 * Above so many requests, a policy plays a real trace at one size, else at every second one; with
 * `ROWTIER_BIG_TESTS=1 deno test -A tests/cache/policies_golden_test.ts` at all, in a few minutes.
 */
const LONG = 200_000;
const PLAYS_ALL = Deno.env.get("ROWTIER_BIG_TESTS") !== undefined;

const synthetic = countedSynthetic();
const real = await countedReal();

for (const [turn, name] of Object.keys(SUBJECTS).entries()) {
  Deno.test(`${name} misses as often as the reference on every generated trace`, async () => {
    const missesOf = await ownFrame(name);
    for (const trace of synthetic) check(missesOf, trace, name, counted(trace, name));
  });

  Deno.test({
    name: `${name} misses as often as the reference on real traces`,
    ignore: typeof real === "string",
    fn: async () => {
      const missesOf = await ownFrame(name);
      for (const [i, trace] of [...real as CountedTrace[]].entries()) {
        const all = counted(trace, name);
        // Others for each policy and trace, so that each size is played by some.
        const every = PLAYS_ALL ? 1 : trace.ids.length > LONG ? all.length : 2;
        const sizes = all.filter((_, at) => (at + turn + i) % every === 0);
        check(missesOf, trace, name, sizes);
      }
    },
  });
}

if (typeof real === "string") console.log(`golden counts of real traces are skipped: ${real}`);

Deno.test("readSynthetic() reads traces with as many keys as were counted", () => {
  const uniqueKeys = synthetic.map(({ ids }) => countOf(ids));
  assertEquals(uniqueKeys, readSynthetic().map((golden) => golden.uniqueKeys));
});

Deno.test("policies_golden_test has a subject for every golden name", () => {
  for (const { misses } of synthetic) {
    assertEquals(Object.keys(misses).sort(), Object.keys(SUBJECTS).sort());
  }
});

/** The reference's doorkeeper, which forgets nothing. */
function exactSecond(slotCount: number): AdmissionPolicy {
  return secondAccess(slotCount, { exact: true });
}

/** How many dense keys there are. */
function countOf(ids: Uint32Array): number {
  return 1 + ids.reduce((most, id) => Math.max(most, id));
}

/** The reference's W-TinyLFU, shown the keys of a trace though the frame runs on dense ones. */
function counting(
  ids: Uint32Array,
  keys: Uint32Array,
  windowRatio: number,
): EvictionPolicyFactory {
  const keyOf = new Uint32Array(countOf(ids));
  for (let i = 0; i < ids.length; i++) keyOf[ids[i]] = keys[i];
  return (slots) => {
    const key = new Uint32Array(slots.count);
    const evictable = (slot: number) => slots.evictable(slot);
    const policy = wtinylfu({ count: slots.count, key, evictable }, {
      windowRatio,
      sketch: "counting-bloom",
    });
    const onInsert = policy.onInsert.bind(policy);
    policy.onInsert = (slot) => {
      key[slot] = keyOf[slots.key[slot]];
      onInsert(slot);
    };
    return policy;
  };
}

type MissesOf = typeof import("./bare_frame.ts").missesOf;

/**
 * A frame of its own for each policy: an engine that has seen five policies at one call makes the
 * calls of all of them half as fast.
 */
async function ownFrame(name: string): Promise<MissesOf> {
  const frame: typeof import("./bare_frame.ts") = await import(`./bare_frame.ts?${name}`);
  return frame.missesOf;
}

/** The places in `sizes` that have a count. */
function counted({ sizes, misses }: CountedTrace, name: string): number[] {
  return [...sizes.keys()].filter((at) => misses[name][at] !== null);
}

function check(missesOf: MissesOf, trace: CountedTrace, name: string, places: number[]): void {
  const { keys, ids, sizes, misses } = trace;
  const subject = SUBJECTS[name](ids, keys);
  const wrong = places.flatMap((at) => {
    const received = missesOf(subject, ids, sizes[at]);
    const where = `${trace.trace} at ${sizes[at]} slots`;
    return received === misses[name][at] ? [] : [`${where}: ${received}, not ${misses[name][at]}`];
  });
  assert(wrong.length === 0, `\n${wrong.join("\n")}`);
}
