/**
 * An eviction policy of one's own: bimodal insertion (Qureshi, Jaleel, Patt, Steely, Emer:
 * "Adaptive insertion policies for high performance caching", ISCA 2007). It is LRU, but a newcomer
 * enters where the next victim is taken from, save one in 32: so a part of a loop that is larger
 * than the cache stays.
 *
 * The conformance suite runs on it, then a trace of a loop and one by Zipf's law, beside others.
 *
 * @module
 */

import {
  createLoop,
  createZipf,
  EVICTION_CASES,
  type EvictionPolicy,
  generate,
  NO_SLOT,
  replay,
  type Slots,
} from "@rowtier/rowtier/cache";

/** Newcomers out of which one enters as the newest. */
const ONE_IN = 32;

/** Slots in a ring from the newest to the oldest and back, over a head that holds no row. */
function bimodal(slots: Slots): EvictionPolicy {
  const head = slots.count;
  const older = new Int32Array(head + 1).fill(head), newer = older.slice();
  let inserts = 0;
  const link = (slot: number, after: number): void => {
    newer[slot] = after;
    older[slot] = older[after];
    older[after] = newer[older[slot]] = slot;
  };
  const unlink = (slot: number): void => {
    older[newer[slot]] = older[slot];
    newer[older[slot]] = newer[slot];
  };
  return {
    name: "bimodal",
    bytes: older.byteLength + newer.byteLength,
    onMiss: () => {},
    onInsert: (slot) => link(slot, inserts++ % ONE_IN === 0 ? head : newer[head]),
    onHit(slot) {
      unlink(slot);
      link(slot, head);
      return NO_SLOT;
    },
    onRemove: unlink,
    victim() {
      let at = newer[head];
      while (at !== head && !slots.evictable(at)) at = newer[at];
      return at === head ? NO_SLOT : at;
    },
    contents() {
      const held: number[] = [];
      for (let at = older[head]; at !== head; at = older[at]) held.push(at);
      return Uint32Array.from(held);
    },
    verify() {
      for (let at = older[head]; at !== head; at = older[at]) {
        if (older[newer[at]] !== at) throw new Error(`slot ${at} must be linked both ways`);
      }
    },
  };
}

for (const { run } of EVICTION_CASES) run(bimodal, 1);
console.log(`bimodal passes ${EVICTION_CASES.length} conformance cases`);

const requests = 200_000;
const sizes = [250, 1000, 4000];
const policies = [{ name: "bimodal", factory: bimodal }, "lru", "sieve", "lirs", "belady"];
for (
  const trace of [
    generate(createLoop({ length: 5000 }), requests, "loop"),
    generate(createZipf({ keyCount: 20_000, exponent: 0.9, seed: 1 }), requests, "zipf 0.9"),
  ]
) {
  // In this isolate, which needs no permission; a worker would import the policy from its module.
  const results = await replay({ trace, policies, sizes, workers: 0 });
  const line = (first: string, cells: string[]): void =>
    console.log(first.padEnd(10) + cells.map((cell) => cell.padStart(12)).join(""));
  console.log();
  line(trace.name, sizes.map((slots) => `${slots} slots`));
  for (const name of new Set(results.map(({ policy }) => policy))) {
    const own = results.filter(({ policy }) => policy === name);
    line(name, own.map(({ missRatio }) => `${(100 * missRatio).toFixed(2)} %`));
  }
}
