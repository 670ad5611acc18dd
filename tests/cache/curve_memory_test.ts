import { assert } from "@std/assert";
import {
  ByteStackDistances,
  createZipf,
  MiniSimulation,
  Shards,
  sieve,
  StackDistances,
} from "@rowtier/rowtier/cache";

const REQUESTS = 50_000;

function makeKeys(): Uint32Array {
  const keys = new Uint32Array(REQUESTS);
  createZipf({ keyCount: 20_000, exponent: 0.8, seed: 3, order: "hashed" }).fill(keys);
  return keys;
}

const keys = makeKeys();
/** Below 2^31: caches pass keys on as unsigned numbers, and V8 boxes larger ones at some calls. */
const small = keys.map((key) => key >>> 1);
const sizes = keys.map((key) => 1 + key % 1000);
const exact = new StackDistances();
const bytes = new ByteStackDistances();
const shards = new Shards({ maximumKeys: 1000 });
const simulation = new MiniSimulation({ eviction: sieve, sizes: [500, 5000], rate: 0.1 });

const SUBJECTS: [string, () => void][] = [
  ["StackDistances", () => exact.add(keys)],
  ["ByteStackDistances", () => bytes.add(keys, sizes)],
  ["Shards", () => shards.add(keys)],
  ["MiniSimulation", () => simulation.add(small)],
];

for (const [name, add] of SUBJECTS) {
  Deno.test(`${name} allocates nothing once it has seen its keys`, () => {
    // The lowest of several samples: what is left after a collection, were it a minor one.
    const lowest = (): number => {
      let heap = Infinity;
      for (let i = 0; i < 6; i++) {
        add();
        heap = Math.min(heap, Deno.memoryUsage().heapUsed);
      }
      return heap;
    };
    for (let i = 0; i < 60; i++) add();
    const before = lowest();
    lowest();
    const growth = lowest() - before;
    console.log(name, growth);
    assert(growth < 500_000, `the heap grew by ${growth} bytes`);
  });
}
