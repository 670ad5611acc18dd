import { assert } from "@std/assert";
import {
  ByteStackDistances,
  createZipf,
  MiniSimulation,
  Shards,
  sieve,
  StackDistances,
} from "@rowtier/rowtier/cache";
import { heapGrowth } from "../tiers/allocation.ts";

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
    const growth = heapGrowth((turns) => {
      for (let i = 0; i < turns; i++) add();
    }, 1);
    assert(growth < 400_000, `the heap grew by ${growth} bytes`);
  });
}
