import { assert, assertEquals, assertNotEquals, assertStrictEquals } from "@std/assert";
import fc from "fast-check";
import { createRandom } from "../../base/random.ts";
import { BagHasher } from "../../cache/pooled/_bag_hash.ts";

const hasher = new BagHasher(1);

/** The hash of a bag, as one string. */
function hashOf(
  keys: readonly number[],
  weights: readonly number[] | null = null,
  { table = 0, version = 0, with: by = hasher } = {},
): string {
  const lanes = new Int32Array(4);
  by.tableLanes(table, version, lanes, 0);
  const out = new Int32Array(6);
  const floats = weights === null ? null : Float32Array.from(weights);
  by.hash(Uint32Array.from(keys), 0, keys.length, floats, lanes, 0, out, 1);
  assertEquals([out[0], out[5]], [0, 0]);
  return out.subarray(1, 5).join();
}

Deno.test("BagHasher gives permuted bags one hash, whatever their keys and weights", () => {
  const pair = fc.tuple(fc.nat(2 ** 32 - 1), fc.float({ noNaN: true }));
  fc.assert(
    fc.property(fc.array(pair, { maxLength: 12 }), fc.nat(), (pairs, seed) => {
      const random = createRandom(seed);
      const shuffled = [...pairs];
      for (let i = shuffled.length - 1; i > 0; i--) {
        const j = random.below(i + 1);
        [shuffled[i], shuffled[j]] = [shuffled[j], shuffled[i]];
      }
      const [keys, weights] = [pairs.map(([key]) => key), pairs.map(([, weight]) => weight)];
      const [keys2, weights2] = [shuffled.map(([key]) => key), shuffled.map(([, w]) => w)];
      assertStrictEquals(hashOf(keys), hashOf(keys2));
      assertStrictEquals(hashOf(keys, weights), hashOf(keys2, weights2));
      if (keys.length > 0) assertNotEquals(hashOf(keys), hashOf(keys, weights));
    }),
  );
});

Deno.test("BagHasher tells bags apart by all that is in the key", () => {
  const hashes = [
    hashOf([1, 2, 3]),
    hashOf([1, 2]),
    hashOf([1, 2, 2]),
    hashOf([1, 1, 2]),
    hashOf([3, 3]),
    hashOf([0]),
    hashOf([0, 0]),
    hashOf([]),
    hashOf([1, 2, 3], null, { table: 1 }),
    hashOf([1, 2, 3], null, { version: 1 }),
    hashOf([1, 2, 3], null, { table: 1, version: 1 }),
    hashOf([1, 2, 3], null, { with: new BagHasher(2) }),
    hashOf([1, 2], [1, 1]),
    hashOf([1, 2], [0.5, 2]),
    hashOf([1, 2], [2, 0.5]),
    hashOf([1, 2], [0, 0]),
    hashOf([1, 2], [0, -0]),
    hashOf([2 ** 31 + 1, 2], [-0, 0]),
  ];
  assertStrictEquals(new Set(hashes).size, hashes.length);
});

Deno.test("BagHasher tells multiplicity and length in every lane", () => {
  const lanesOf = (...keys: number[]): Int32Array =>
    Int32Array.from(hashOf(keys).split(","), Number);
  for (let a = 0; a < 200; a++) {
    const [none, once, twice, pair] = [lanesOf(), lanesOf(a), lanesOf(a, a), lanesOf(a, a + 1)];
    const [next, other] = [lanesOf(a + 1, a + 1), lanesOf(a + 1)];
    for (let lane = 0; lane < 4; lane++) {
      assertNotEquals(twice[lane], next[lane]);
      // Were it not for the length, a lane would grow by the same whatever the key is added to.
      assertNotEquals((once[lane] - none[lane]) | 0, (pair[lane] - other[lane]) | 0);
    }
  }
});

Deno.test("BagHasher finds no two of over 100,000 random and simple bags alike", () => {
  const random = createRandom(3);
  const bags = new Set<string>();
  const hashes = new Set<string>();
  const add = (keys: number[]): void => {
    bags.add(keys.toSorted((a, b) => a - b).join());
    hashes.add(hashOf(keys));
  };
  for (let i = 0; i < 60_000; i++) {
    add(Array.from({ length: 1 + random.below(12) }, () => random.below(1000)));
  }
  // Equal sums, equal xors, equal sums of squares are what simple bags have in common.
  for (let a = 0; a < 300; a++) for (let b = a; b < 300; b++) add([a, b]);
  for (let a = 0; a < 40; a++) {
    for (let b = a; b < 40; b++) for (let c = b; c < 40; c++) add([a << 26, b << 26, c << 26]);
  }
  for (let a = 0; a < 32; a++) {
    for (let b = 0; b < 32; b++) {
      for (let c = 0; c < 32; c++) add([(1 << a) >>> 0, (1 << b) >>> 0, (1 << c) >>> 0, 5]);
    }
  }
  for (let length = 1; length < 2000; length++) add(new Array(length).fill(7));
  assert(bags.size > 100_000, `only ${bags.size} bags`);
  assertStrictEquals(hashes.size, bags.size);
});

Deno.test("BagHasher leaves each lane as good as random between bags that differ little", () => {
  const lanes = new Int32Array(4);
  hasher.tableLanes(0, 0, lanes, 0);
  const random = createRandom(4);
  const left = new Uint32Array(2), right = new Uint32Array(2);
  const hashes = [new Int32Array(4), new Int32Array(4)];
  const weights = new Float32Array([1, 2]);
  const equalIn = [0, 0, 0, 0];
  for (let i = 0; i < 400_000; i++) {
    const [a, b, bit] = [random.u32(), random.u32(), 1 << random.below(32)];
    // {a, b} and its mirror image: both differ from it by the same bit, or the same step.
    const step = i % 2 === 0 ? 0 : 1 + random.below(4);
    left.set(step === 0 ? [a ^ bit, b] : [a + step, b]);
    right.set(step === 0 ? [a, b ^ bit] : [a, b + step]);
    const floats = i % 4 < 2 ? null : weights;
    hasher.hash(left, 0, 2, floats, lanes, 0, hashes[0], 0);
    hasher.hash(right, 0, 2, floats, lanes, 0, hashes[1], 0);
    for (let lane = 0; lane < 4; lane++) {
      // 16 bits of the lane: 1 in 65,536 by chance, so about 6 of 400,000.
      if (((hashes[0][lane] ^ hashes[1][lane]) & 0xffff) === 0) equalIn[lane]++;
    }
  }
  for (const equal of equalIn) assert(equal < 25, `lanes equal ${equalIn} times`);
});

Deno.test("BagHasher has balanced bits, and each bit of an item changes half of them", () => {
  const lanes = new Int32Array(4);
  hasher.tableLanes(9, 9, lanes, 0);
  const random = createRandom(5);
  const runs = 2000;
  const keys = new Uint32Array(3);
  const bits = new Uint32Array(3);
  const weights = new Float32Array(bits.buffer);
  const before = new Int32Array(4), after = new Int32Array(4);
  const ones = new Float64Array(128);
  // By flipped bit (32 of a key, 23 of a weight's fraction) and by bit of the hash.
  const changes = Array.from({ length: 55 }, () => new Float64Array(128));
  for (let run = 0; run < runs; run++) {
    for (let i = 0; i < 3; i++) {
      keys[i] = random.below(1 << (1 + random.below(24)));
      weights[i] = random.unit();
    }
    hasher.hash(keys, 0, 3, weights, lanes, 0, before, 0);
    for (let j = 0; j < 128; j++) ones[j] += (before[j >> 5] >>> j) & 1;
    for (let flip = 0; flip < 55; flip++) {
      const [column, bit] = flip < 32 ? [keys, flip] : [bits, flip - 32];
      column[1] ^= 1 << bit;
      hasher.hash(keys, 0, 3, weights, lanes, 0, after, 0);
      column[1] ^= 1 << bit;
      for (let j = 0; j < 128; j++) {
        changes[flip][j] += ((before[j >> 5] ^ after[j >> 5]) >>> j) & 1;
      }
    }
  }
  // 7,168 counts within 6 standard deviations of one half, sqrt(runs) / 2 each.
  const bound = 6 * Math.sqrt(runs) / 2;
  for (const counts of [ones, ...changes]) {
    for (const count of counts) assert(Math.abs(count - runs / 2) < bound, `${count} of ${runs}`);
  }
});
