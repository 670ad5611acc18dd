import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import {
  clock,
  createZipf,
  type EvictionPolicyFactory,
  fifo,
  lru,
  lruCurve,
  MiniSimulation,
  type MiniSimulationOptions,
  secondAccess,
  setLru,
  sieve,
} from "@rowtier/rowtier/cache";
import { missesOf } from "./bare_frame.ts";
import { renumber } from "./golden.ts";

function zipf(keyCount: number, requests: number): Uint32Array {
  const keys = new Uint32Array(requests);
  createZipf({ keyCount, exponent: 0.9, seed: 5, order: "hashed" }).fill(keys);
  return keys;
}

function simulate(keys: Uint32Array, options: MiniSimulationOptions): MiniSimulation {
  const simulation = new MiniSimulation(options);
  simulation.add(keys);
  return simulation;
}

const POLICIES: [string, EvictionPolicyFactory][] = [["lru", lru], ["sieve", sieve], [
  "fifo",
  fifo,
]];

Deno.test("MiniSimulation at rate 1 counts as the whole cache does", () => {
  const keys = zipf(3000, 30_000);
  const ids = renumber(keys);
  const sizes = [1, 10, 100, 1000];
  for (const [name, eviction] of [...POLICIES, ["clock", clock] as const]) {
    const curve = simulate(keys, { eviction, sizes, rate: 1 }).curve();
    const wanted = sizes.map((size) => missesOf({ eviction }, ids, size));
    assertEquals(sizes.map((size) => Math.round(curve.missesAt(size))), wanted, name);
    assertEquals(curve.standardErrors, new Float64Array(4));
  }
});

Deno.test("MiniSimulation makes room in a crowded set though other sets have free slots", () => {
  const keys = zipf(3000, 20_000);
  const ids = renumber(keys);
  const curve = simulate(ids, { eviction: setLru, sizes: [640], rate: 1 }).curve();
  assertStrictEquals(Math.round(curve.missesAt(640)), missesOf({ eviction: setLru }, ids, 640));
});

Deno.test("MiniSimulation asks the admission policy", () => {
  const ids = renumber(zipf(3000, 20_000));
  const subject = { eviction: lru, admission: secondAccess };
  const curve = simulate(ids, { ...subject, sizes: [100], rate: 1 }).curve();
  assertStrictEquals(Math.round(curve.missesAt(100)), missesOf(subject, ids, 100));
});

Deno.test("MiniSimulation of 5 % is near the whole cache for policies without a stack", () => {
  const keys = zipf(100_000, 500_000);
  const ids = renumber(keys);
  const sizes = [2000, 10_000, 40_000];
  for (const [name, eviction] of POLICIES) {
    const simulation = simulate(keys, { eviction, sizes, rate: 0.05, samples: 4, seed: 1 });
    const curve = simulation.curve();
    for (const size of sizes) {
      const wanted = missesOf({ eviction }, ids, size) / keys.length;
      const error = curve.standardErrorAt(size);
      assertAlmostEquals(curve.at(size), wanted, 0.03, `${name} at ${size}`);
      assert(error > 0 && error < 0.03, `${name} at ${size}: error ${error}`);
    }
    assert(curve.observed < keys.length * sizes.length * 0.3);
    assert(simulation.memoryBytes < 1_000_000);
    assertStrictEquals(simulation.requests, keys.length);
  }
});

Deno.test("MiniSimulation raises the rate for sizes that would scale to a few slots", () => {
  const keys = zipf(1000, 20_000);
  const counts: number[] = [];
  const eviction: EvictionPolicyFactory = (slots) => {
    counts.push(slots.count);
    return lru(slots);
  };
  const options = { eviction, sizes: [32, 200, 1000], rate: 0.1, minimumSlots: 64, samples: 3 };
  const curve = simulate(keys, options).curve();
  // 32 slots as they are; 64 of 200 and 100 of 1,000 three times each.
  assertEquals(counts, [32, 64, 64, 64, 100, 100, 100]);
  assertStrictEquals(curve.standardErrorAt(31), 0);
  assertStrictEquals(Math.round(curve.missesAt(32)), lruCurve({ name: "", keys }).missesAt(32));
});

Deno.test("MiniSimulation has no error to tell where there is room for one sample only", () => {
  const keys = zipf(1000, 5000);
  const curve = simulate(keys, { eviction: lru, sizes: [100], rate: 0.7 }).curve();
  assertStrictEquals(curve.standardErrorAt(100), NaN);
});

Deno.test("MiniSimulation throws on options and ranges out of range", () => {
  const create = (more: Partial<MiniSimulationOptions>) => (): unknown =>
    new MiniSimulation({ eviction: lru, sizes: [5], ...more });
  assertThrows(create({ rate: 0 }), RangeError, "Cannot create MiniSimulation: rate must be");
  assertThrows(create({ sizes: [0] }), RangeError, "sizes[0] must be");
  assertThrows(create({ sizes: [5, 5] }), RangeError, "sizes[1] must be an integer of at least 6");
  assertThrows(create({ minimumSlots: 0 }), RangeError, "minimumSlots must be");
  for (const samples of [0, 65, 1.5]) {
    assertThrows(create({ samples }), RangeError, "samples must be");
  }
  assertThrows(create({ seed: NaN }), RangeError, "seed must be");
  const simulation = new MiniSimulation({ eviction: lru, sizes: [] });
  assertThrows(() => simulation.add(new Uint32Array(3), 0, 4), RangeError, "end must be");
  assertThrows(() => simulation.add(new Uint32Array(3), 2, 1), RangeError, "start must be");
  assertStrictEquals(simulation.curve().sizes.length, 0);
});
