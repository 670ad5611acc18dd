import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import fc from "fast-check";
import {
  createZipf,
  lruCurve,
  MiniSimulation,
  type MissRatioCurve,
  Shards,
  type ShardsOptions,
} from "@rowtier/rowtier/cache";
import {
  hashOf,
  highestHash,
  LOWEST_HASH,
  rateOf,
  saltOf,
  sampleKeys,
} from "../../cache/replay/_key_sample.ts";
import { KeyHeap } from "../../cache/replay/_key_heap.ts";
import { bucketOf, largestOf, SIZE_BUCKETS } from "../../cache/replay/_size_buckets.ts";

function zipf(exponent: number, keyCount: number, requests: number): Uint32Array {
  const keys = new Uint32Array(requests);
  createZipf({ keyCount, exponent, seed: 5, order: "hashed" }).fill(keys);
  return keys;
}

function sampleOf(keys: Uint32Array, options: ShardsOptions): MissRatioCurve {
  const shards = new Shards(options);
  shards.add(keys);
  return shards.curve();
}

/** Mean absolute difference at sizes spread evenly over [1, `largest`]. */
function meanError(a: MissRatioCurve, b: MissRatioCurve, largest: number): number {
  let sum = 0;
  for (let i = 1; i <= 200; i++) sum += Math.abs(a.at(largest * i / 200) - b.at(largest * i / 200));
  return sum / 200;
}

Deno.test("bucketOf() puts each size into the first bucket that is not too small", () => {
  const edges = fc.integer({ min: 0, max: SIZE_BUCKETS - 1 });
  fc.assert(fc.property(edges, (bucket) => {
    const largest = largestOf(bucket);
    if (largest > Number.MAX_SAFE_INTEGER) return;
    assertStrictEquals(bucketOf(largest), bucket);
    assertStrictEquals(bucketOf(largest + 1), bucket + 1);
    const width = largest - (bucket === 0 ? 0 : largestOf(bucket - 1));
    assert(width === 1 || width <= largest / 64);
  }));
  assert(bucketOf(2 ** 53) < SIZE_BUCKETS);
});

Deno.test("hashOf() is a bijection whose samples have their rate, without keys in common", () => {
  const keys = new Uint32Array(200_000).map((_, i) => i);
  const sampled = new Uint32Array(keys.length);
  const salt = saltOf(3), highest = highestHash(0.01);
  assertAlmostEquals(rateOf(highest), 0.01, 1e-9);
  assertStrictEquals(rateOf(highestHash(1)), 1);
  assertStrictEquals(highestHash(1e-12), LOWEST_HASH);
  const seen = new Set<number>();
  for (let sample = 0; sample < 100; sample++) {
    const offset = sample * rateOf(highest) * 2 ** 32 | 0;
    const count = sampleKeys(keys, 0, keys.length, salt, offset, highest, sampled);
    // A binomial of mean 2,000: five standard deviations are 223.
    assert(Math.abs(count - 2000) < 223, `sample ${sample} has ${count} keys`);
    for (const key of sampled.subarray(0, count)) seen.add(key);
  }
  assert(Math.abs(seen.size - keys.length) <= 2, `${seen.size} keys are in some sample`);
  assertStrictEquals(new Set(keys.map((key) => hashOf(key, salt))).size, keys.length);
});

Deno.test("KeyHeap gives up keys from the highest hash to the lowest", () => {
  fc.assert(fc.property(fc.array(fc.integer()), (hashes) => {
    const heap = new KeyHeap(hashes.length + 1);
    hashes.forEach((hash, key) => heap.push(hash, key));
    for (const hash of hashes.toSorted((a, b) => b - a)) {
      assertStrictEquals(heap.highest, hash);
      assertStrictEquals(hashes[heap.pop()], hash);
    }
    assertStrictEquals(heap.bytes, 8 * (hashes.length + 1));
  }));
});

Deno.test("Shards is exact, but for the width of buckets, when every key is sampled", () => {
  const keys = zipf(0.9, 2000, 40_000);
  const shards = new Shards({ maximumKeys: 2000 });
  shards.add(keys);
  const curve = shards.curve(), exact = lruCurve({ name: "", keys });
  assertStrictEquals(shards.rate, 1);
  for (let size = 1; size <= 128; size++) {
    assertAlmostEquals(curve.at(size), exact.at(size), 1e-12);
  }
  for (const size of [200, 500, 1000, 2000]) {
    assertAlmostEquals(curve.at(size), exact.at(size), 0.005);
  }
  assertStrictEquals(curve.observed, keys.length);
});

Deno.test("Shards of 1 % is within 0.02 of the exact curve on zipf traces, over five seeds", () => {
  for (const exponent of [0.6, 0.9, 1.1]) {
    const keys = zipf(exponent, 100_000, 600_000);
    const exact = lruCurve({ name: "", keys });
    let sum = 0;
    for (let seed = 1; seed <= 5; seed++) {
      const curve = sampleOf(keys, { rate: 0.01, maximumKeys: 100_000, seed });
      sum += meanError(curve, exact, exact.sizes.at(-1)!) / 5;
      assert(curve.observed < keys.length / 20);
    }
    assert(sum < 0.02, `zipf ${exponent}: ${sum}`);
  }
});

Deno.test("Shards bounds its keys by lowering the rate, and stays near the exact curve", () => {
  const keys = zipf(0.8, 50_000, 500_000);
  const exact = lruCurve({ name: "", keys });
  let sum = 0;
  for (let seed = 1; seed <= 3; seed++) {
    const shards = new Shards({ maximumKeys: 1000, seed });
    for (let at = 0; at < keys.length; at += 50_000) {
      shards.add(keys, at, at + 50_000);
      assert(shards.sampledKeys <= 1000);
    }
    const share = 1000 / exact.missesAt(50_000);
    assert(Math.abs(shards.rate / share - 1) < 0.2, `rate ${shards.rate}, not ${share}`);
    assert(shards.memoryBytes < 500_000);
    assertStrictEquals(shards.requests, keys.length);
    sum += meanError(shards.curve(), exact, 50_000) / 3;
  }
  assert(sum < 0.03, `mean error ${sum}`);
});

Deno.test("Shards.curve() tells its error: most true ratios lie within two of it", () => {
  const keys = zipf(0.7, 100_000, 500_000);
  const exact = lruCurve({ name: "", keys });
  let within = 0, all = 0;
  for (let seed = 1; seed <= 10; seed++) {
    const curve = sampleOf(keys, { rate: 0.02, maximumKeys: 100_000, seed });
    for (const size of [10_000, 20_000, 40_000, 80_000]) {
      const off = Math.abs(curve.at(size) - exact.at(size));
      if (off < 2 * curve.standardErrorAt(size)) within++;
      all++;
      assert(curve.standardErrorAt(size) < 0.04, `${curve.standardErrorAt(size)} at ${size}`);
    }
  }
  assert(within > 0.8 * all, `${within} of ${all}`);
});

Deno.test("Shards corrects for a hot key that is, or is not, in the sample", () => {
  // Half of all requests go to one key; the others walk through many.
  const keys = new Uint32Array(400_000).map((_, i) => i % 2 === 0 ? 7 : 100 + (i >> 1) % 20_000);
  let withHot = 0;
  for (let seed = 0; seed < 20; seed++) {
    const curve = sampleOf(keys, { rate: 0.1, maximumKeys: 100_000, seed });
    if (curve.observed > keys.length / 4) withHot++;
    assert(Math.abs(curve.at(10_000) - 0.5) < 0.06, `seed ${seed}: ${curve.at(10_000)}`);
  }
  assert(withHot > 0 && withHot < 20);
});

Deno.test("Shards gives the same curve for the same seed, another for another", () => {
  const keys = zipf(0.9, 5000, 50_000);
  const [a, b, c] = [1, 1, 2].map((seed) => sampleOf(keys, { rate: 0.1, seed }));
  assertEquals(a.missRatios, b.missRatios);
  assert(a.missRatios.join() !== c.missRatios.join());
});

Deno.test("Shards without requests has a curve without points", () => {
  assertStrictEquals(new Shards().curve().at(5), 1);
});

Deno.test("Shards throws on options and ranges out of range", () => {
  for (const rate of [0, -1, 1.01, NaN]) {
    assertThrows(() => new Shards({ rate }), RangeError, "Cannot create Shards: rate must be");
    const options = { eviction: () => assert(false) as never, sizes: [], rate };
    assertThrows(() => new MiniSimulation(options), RangeError, "rate must be above 0");
  }
  for (const maximumKeys of [0, 0.5, 2 ** 24 + 1]) {
    assertThrows(() => new Shards({ maximumKeys }), RangeError, "maximumKeys must be");
  }
  assertThrows(() => new Shards({ seed: 0.5 }), RangeError, "seed must be");
  const shards = new Shards();
  assertThrows(() => shards.add(new Uint32Array(3), 0, 4), RangeError, "end must be");
  assertThrows(() => shards.add(new Uint32Array(3), 2, 1), RangeError, "start must be");
});
