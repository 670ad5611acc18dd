import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { ByteStackDistances, lruCurve, StackDistances } from "@rowtier/rowtier/cache";
import { RecencyOrder } from "../../cache/replay/_recency_order.ts";
import { countedReal, countedSynthetic, type CountedTrace, readSynthetic } from "./golden.ts";
import { makeTrace } from "./traces.ts";

function lruCounts(keys: Uint32Array, sizes: readonly number[], keyCount?: number): number[] {
  const trace = { name: "", keys };
  const curve = lruCurve(keyCount === undefined ? trace : { ...trace, keyCount });
  return sizes.map((size) => curve.missesAt(size));
}

function assertGolden({ trace, ids, sizes, misses }: CountedTrace): void {
  const wanted = misses.lru.map(Number);
  assertEquals(lruCounts(ids, sizes), wanted, trace);
  const scattered = ids.map((id) => Math.imul(id, 0x9e3779b1));
  assertEquals(lruCounts(scattered, sizes), wanted, `${trace}, scattered`);
  assertEquals(lruCounts(ids, sizes, ids.length), wanted, `${trace}, dense`);
}

Deno.test("lruCurve() gives the reference's counts of LRU on every trace, at every size", () => {
  for (const counted of countedSynthetic()) assertGolden(counted);
});

const real = await countedReal();
if (typeof real === "string") console.log(`real traces are skipped: ${real}`);

Deno.test({
  name: "lruCurve() gives the reference's counts of LRU on real traces, at every size",
  ignore: typeof real === "string",
  fn() {
    for (const counted of real as CountedTrace[]) assertGolden(counted);
  },
});

/** The stack itself: newest first, searched from the top. */
class SlowStack {
  readonly entries: { key: number; size: number }[] = [];

  /** Depth in entries and bytes of where `key` was; 0 for a new one. */
  use(key: number, size = 1): { depth: number; bytes: number } {
    const at = this.entries.findIndex((entry) => entry.key === key);
    const bytes = this.entries.slice(0, at + 1).reduce((sum, entry) => sum + entry.size, 0);
    if (at >= 0) this.entries.splice(at, 1);
    this.entries.unshift({ key, size });
    return { depth: at + 1, bytes };
  }
}

const operations = fc.array(
  fc.record({
    key: fc.nat(40).map((key) => key * 0x01010101),
    isRemoval: fc.boolean(),
    size: fc.integer({ min: 1, max: 1000 }),
  }),
  { maxLength: 600 },
);

Deno.test("RecencyOrder does what an array of keys does, removals and sizes included", () => {
  fc.assert(fc.property(operations, fc.boolean(), (all, hasSizes) => {
    const order = new RecencyOrder(64, undefined, hasSizes);
    const slow = new SlowStack();
    for (const { key, isRemoval, size } of all) {
      const at = slow.entries.findIndex((entry) => entry.key === key);
      if (isRemoval && at >= 0) {
        order.remove(key);
        slow.entries.splice(at, 1);
        continue;
      }
      const wanted = slow.use(key, size);
      assertStrictEquals(order.use(key, size), wanted.depth);
      if (hasSizes && wanted.depth > 0) assertStrictEquals(order.bytesDeep, wanted.bytes);
    }
    order.verify();
    assertStrictEquals(order.size, slow.entries.length);
  }));
});

Deno.test("RecencyOrder stays right while it grows and is numbered anew", () => {
  for (const keyCount of [undefined, 5000]) {
    const order = new RecencyOrder(5000, keyCount, true);
    // A loop over more and more keys: the depth is the loop's length, bytes three times that.
    for (let length = 1; length <= 5000; length = Math.ceil(length * 1.7)) {
      for (let i = 0; i < 3 * length; i++) {
        const depth = order.use(i % length, 3);
        if (i < length) continue;
        assertStrictEquals(depth, length);
        assertStrictEquals(order.bytesDeep, 3 * length);
      }
      order.verify();
    }
  }
});

Deno.test("StackDistances counts the same in pieces as at once", () => {
  const keys = makeTrace(readSynthetic()[0]);
  const distances = new StackDistances();
  for (let at = 0; at < keys.length; at += 777) {
    distances.add(keys, at, Math.min(at + 777, keys.length));
  }
  const whole = lruCurve({ name: "", keys });
  assertEquals(distances.curve().missRatios, whole.missRatios);
  assertEquals(distances.curve().sizes, whole.sizes);
  assertStrictEquals(distances.requests, keys.length);
  assertStrictEquals(distances.keys, whole.missesAt(keys.length));
  for (const size of [0, 1, 7, 1000, 2 ** 28]) {
    assertStrictEquals(distances.misses(size), whole.missesAt(size));
  }
  assert(distances.memoryBytes > 0 && whole.memoryBytes === distances.memoryBytes);
});

Deno.test("lruCurve() never rises with size: the stack property", () => {
  const property = fc.property(fc.array(fc.nat(30), { maxLength: 300 }), (list) => {
    const keys = Uint32Array.from(list);
    const curve = lruCurve({ name: "", keys });
    const counts = Array.from({ length: 33 }, (_, size) => curve.missesAt(size));
    assertStrictEquals(counts[0], keys.length);
    for (let size = 1; size < 33; size++) assert(counts[size] <= counts[size - 1]);
    assertStrictEquals(counts[32], new Set(list).size);
  });
  fc.assert(property);
});

/** Misses and bytes missed of an LRU cache of `capacity` bytes. */
function playBytes(keys: Uint32Array, sizes: Uint32Array, capacity: number): [number, number] {
  const held = new Map<number, number>();
  let used = 0, misses = 0, bytes = 0;
  keys.forEach((key, i) => {
    if (!held.delete(key)) {
      misses++;
      bytes += sizes[i];
      for (const [oldest, size] of held) {
        if (used + sizes[i] <= capacity) break;
        held.delete(oldest);
        used -= size;
      }
      used += sizes[i];
    }
    held.set(key, sizes[i]);
  });
  return [misses, bytes];
}

Deno.test("ByteStackDistances counts as an LRU cache bound by bytes does", () => {
  const property = fc.property(
    fc.array(fc.nat(60), { maxLength: 500 }),
    fc.nat(9),
    (list, turn) => {
      const keys = Uint32Array.from(list);
      const sizes = keys.map((key) => 1 + (Math.imul(key + turn, 2654435761) >>> 0) % 47);
      const distances = new ByteStackDistances();
      distances.add(keys, sizes);
      const curve = distances.curve(), byteCurve = distances.byteCurve();
      // Sizes up to 128 have a bucket of their own; above, the points are exact.
      for (const capacity of [50, 77, 100, 128, 130, 144, 256, 260, 512, 1024, 2048]) {
        const [misses, bytes] = playBytes(keys, sizes, capacity);
        assertStrictEquals(Math.round(curve.missesAt(capacity)), misses);
        assertStrictEquals(Math.round(byteCurve.missesAt(capacity)), bytes);
      }
      assertStrictEquals(curve.unit, "bytes");
      assertStrictEquals(distances.requests, keys.length);
      assertStrictEquals(distances.requestedBytes, sizes.reduce((sum, size) => sum + size, 0));
    },
  );
  fc.assert(property);
});

Deno.test("ByteStackDistances takes objects of gigabytes", () => {
  const distances = new ByteStackDistances();
  const keys = new Uint32Array(3000).map((_, i) => i % 1000);
  distances.add(keys, new Uint32Array(3000).fill(4_000_000_000));
  const curve = distances.curve();
  assertStrictEquals(curve.at(3.9e12), 1);
  assertStrictEquals(curve.at(4.1e12), 1 / 3);
  assert(distances.memoryBytes > 0);
});

Deno.test("StackDistances and ByteStackDistances throw on what is out of range", () => {
  for (const keyLimit of [0, 1.5, 2 ** 28 + 1]) {
    assertThrows(() => new StackDistances({ keyLimit }), RangeError, "keyLimit must be");
    assertThrows(() => new ByteStackDistances({ keyLimit }), RangeError, "keyLimit must be");
  }
  assertThrows(() => new StackDistances({ keyCount: 0 }), RangeError, "keyCount must be");
  const keys = Uint32Array.of(1, 2, 3);
  const dense = new StackDistances({ keyCount: 3 });
  assertThrows(() => dense.add(keys), RangeError, "keys must be below 3: received 3");
  assertStrictEquals(dense.requests, 0);
  const few = new StackDistances({ keyLimit: 2 });
  assertThrows(() => few.add(keys), RangeError, "distinct keys must be at most 2");
  assertStrictEquals(few.requests, 2);
  assertThrows(() => few.add(keys, 0, 4), RangeError, "end must be");
  assertThrows(() => few.add(keys, 3, 2), RangeError, "start must be");
  const bytes = new ByteStackDistances({ keyLimit: 2 });
  const sizes = Uint32Array.of(1, 1, 1);
  assertThrows(() => bytes.add(keys, sizes.subarray(1)), RangeError, "sizes.length must be");
  assertThrows(() => bytes.add(keys, Uint32Array.of(1, 0, 1)), RangeError, "size must be");
  assertStrictEquals(bytes.requests, 0);
  assertThrows(() => bytes.add(keys, sizes), RangeError, "distinct keys must be at most 2");
});
