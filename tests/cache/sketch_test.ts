import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { FrequencySketch, MAX_PARTITION_SLOTS } from "@rowtier/rowtier/cache";
import { CountingBloom, hashInto } from "../../cache/admission/counting_bloom.ts";

/** The slow twin: one array of counts for each block, as the layout is written down. */
function twinSketch(entries: number) {
  let words = 256;
  while (words < entries) words *= 2;
  const blocks = Array.from({ length: words / 8 }, () => new Array<number>(128).fill(0));
  let samples = 0;
  const spread = (x: bigint): bigint => {
    x ^= x >> 17n;
    x = x * 0xed5ad4bbn & 0xffffffffn;
    x ^= x >> 11n;
    x = x * 0xac4c1b51n & 0xffffffffn;
    return x ^ (x >> 15n);
  };
  /** The block of a key, and its counter in each quarter of 32. */
  const places = (key: number): [number[], number[]] => {
    const hash = spread(BigInt(key));
    const block = blocks[Number(hash % BigInt(blocks.length))];
    let picks = hash * 0x31848babn & 0xffffffffn;
    picks ^= picks >> 14n;
    const at = [0n, 1n, 2n, 3n].map((quarter) => {
      const byte = Number(picks >> (8n * quarter) & 0xffn);
      return 32 * Number(quarter) + 8 * (byte % 4) + (byte >> 2) % 8;
    });
    return [block, at];
  };
  return {
    estimate(key: number): number {
      const [block, at] = places(key);
      return Math.min(...at.map((i) => block[i]));
    },
    record(key: number): void {
      const [block, at] = places(key);
      const open = at.filter((i) => block[i] < 15);
      for (const i of open) block[i]++;
      if (open.length === 0 || ++samples < 10 * entries) return;
      const odd = blocks.flat().filter((count) => count % 2 === 1).length;
      for (const each of blocks) each.forEach((count, i) => each[i] = count >> 1);
      samples = Math.floor((samples - Math.floor(odd / 4)) / 2);
    },
  };
}

const u32 = fc.oneof(fc.nat(30), fc.integer({ min: 0, max: 0xffffffff }));

Deno.test("FrequencySketch counts as its twin does, through halvings", () => {
  const keys = fc.array(u32, { minLength: 100, maxLength: 400, size: "max" });
  fc.assert(
    fc.property(fc.constantFrom(1, 3, 20, 257), keys, (entries, used) => {
      const sketch = new FrequencySketch(entries);
      const twin = twinSketch(entries);
      for (const key of used) {
        sketch.record(key);
        twin.record(key);
        assertStrictEquals(sketch.estimate(key), twin.estimate(key));
      }
      sketch.verify();
      for (const key of used) assertStrictEquals(sketch.estimate(key), twin.estimate(key));
    }),
    { numRuns: 50 },
  );
});

Deno.test("FrequencySketch never counts too few before it halves, and up to 15", () => {
  const sketch = new FrequencySketch(1000);
  for (let key = 0; key < 100; key++) {
    for (let i = 0; i < key % 20; i++) sketch.record(key);
  }
  let over = 0;
  for (let key = 0; key < 100; key++) {
    const count = Math.min(15, key % 20);
    assert(sketch.estimate(key) >= count, `key ${key}: ${sketch.estimate(key)}`);
    if (sketch.estimate(key) > count) over++;
  }
  assert(over <= 2, `${over} counts are too high`);
});

Deno.test("FrequencySketch overshoots for few keys at twice as many keys as entries", () => {
  const entries = 4096;
  const sketch = new FrequencySketch(entries);
  const counts = new Uint8Array(2 * entries);
  let x = 1;
  for (let i = 0; i < 3 * entries; i++) {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
    const key = (x >>> 8) % counts.length;
    counts[key]++;
    sketch.record(key);
  }
  const over = counts.filter((count, key) => sketch.estimate(key) > count).length;
  assert(over < 0.03 * counts.length, `${over} of ${counts.length}`);
});

Deno.test("FrequencySketch forgets: a key that is no longer used loses to one that is", () => {
  const sketch = new FrequencySketch(100);
  for (let i = 0; i < 15; i++) sketch.record(7);
  for (let i = 0; i < 4000; i++) sketch.record(1000 + i % 400);
  assert(sketch.estimate(7) < 4, `${sketch.estimate(7)}`);
  sketch.verify();
});

Deno.test("FrequencySketch costs 8 bytes an entry, rounded up to a power of two", () => {
  const bytes = [1, 256, 257, 100_000].map((entries) => new FrequencySketch(entries).bytes);
  assertEquals(bytes, [2048, 2048, 4096, 8 * 131_072]);
});

Deno.test("FrequencySketch throws on entries out of range", () => {
  for (const entries of [0, 1.5, NaN, MAX_PARTITION_SLOTS + 1]) {
    assertThrows(
      () => new FrequencySketch(entries),
      RangeError,
      "Cannot create FrequencySketch: entries must be an integer of at least 1",
    );
  }
});

/** XXH64 of a key as 8 little-endian bytes, as its specification has it. */
function xxh64(key: bigint, seed: bigint): bigint {
  const mask = 2n ** 64n - 1n;
  const [p1, p2, p3, p4, p5] = [
    0x9e3779b185ebca87n,
    0xc2b2ae3d27d4eb4fn,
    0x165667b19e3779f9n,
    0x85ebca77c2b2ae63n,
    0x27d4eb2f165667c5n,
  ];
  const turn = (x: bigint, by: bigint): bigint => (x << by | x >> (64n - by)) & mask;
  let h = seed + p5 + 8n & mask;
  h ^= turn(key * p2 & mask, 31n) * p1 & mask;
  h = turn(h, 27n) * p1 + p4 & mask;
  h = (h ^ h >> 33n) * p2 & mask;
  h = (h ^ h >> 29n) * p3 & mask;
  return h ^ h >> 32n;
}

Deno.test("hashInto() gives the low words of XXH64 with two seeds", () => {
  // A value of the reference program.
  assertStrictEquals(xxh64(12345n, 0x12345678n), 0xd580abe2e1f3f1ean);
  const pair = new Int32Array(4);
  fc.assert(fc.property(fc.oneof(u32, fc.constantFrom(0x80000000, 0xffffffff)), (key) => {
    hashInto(key, pair, 1);
    const low = [0x12345678n, 0x12344321n].map((seed) =>
      Number(xxh64(BigInt(key), seed) & 0xffffffffn)
    );
    assertEquals([...pair].map((word) => word >>> 0), [0, ...low, 0]);
  }));
});

Deno.test("CountingBloom counts in the cells that its definition names", () => {
  const hash = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
  const pairs = fc.array(fc.tuple(hash, hash), { minLength: 1, maxLength: 60 });
  fc.assert(fc.property(fc.constantFrom(1, 7, 100, 5000), pairs, (entries, used) => {
    const sketch = new CountingBloom(entries);
    const size = Math.ceil(-Math.log(0.001) / 0.480453013918201 * entries);
    assertStrictEquals(sketch.bytes, 4 * size);
    const cells = new Array<number>(size).fill(0);
    const words = Int32Array.from(used.flat());
    const placesOf = ([a, b]: [number, number]): number[] =>
      Array.from({ length: 10 }, (_, i) => {
        return Number(BigInt.asUintN(32, BigInt(a) + BigInt(i) * BigInt(b)) % BigInt(size));
      });
    for (const [i, pair] of used.entries()) {
      sketch.add(words, 2 * i);
      for (const at of placesOf(pair)) cells[at]++;
      if (i === 30) {
        sketch.halve();
        cells.forEach((count, at) => cells[at] = count >> 1);
      }
    }
    for (const [i, pair] of used.entries()) {
      const count = Math.min(...placesOf(pair).map((at) => cells[at]));
      assertStrictEquals(sketch.estimate(words, 2 * i, 0), count);
      // Asked whether it is at most so high, it says so of any higher bound, too.
      assert(sketch.estimate(words, 2 * i, count) >= count);
      assert(sketch.estimate(words, 2 * i, count + 1) <= count + 1);
      if (count > 0) assertStrictEquals(sketch.estimate(words, 2 * i, count - 1), count);
    }
  }));
});

Deno.test("CountingBloom takes remainders exactly, multiples of its size included", () => {
  for (const entries of [1, 3, 10, 1000, 77_777]) {
    const sketch = new CountingBloom(entries);
    const size = sketch.bytes / 4;
    let adds = 0;
    for (let multiple = 0; multiple < 2 ** 32; multiple += size * Math.ceil(2 ** 20 / size)) {
      sketch.add(Int32Array.of(multiple | 0, 0), 0);
      adds++;
    }
    assertStrictEquals(sketch.estimate(Int32Array.of(0, 0), 0, 0), 10 * adds);
  }
});
