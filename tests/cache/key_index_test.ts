import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { KeyIndex, MAX_PARTITION_SLOTS, NO_SLOT } from "@rowtier/rowtier/cache";

/** The multiplier of the hash; keys k * (its inverse) land in the bucket that k names. */
const MULTIPLIER = 0x9e3779b1;

/** The inverse of an odd number modulo 2^32, by Newton's iteration. */
function inverse(odd: number): number {
  let x = odd;
  for (let i = 0; i < 5; i++) x = Math.imul(x, 2 - Math.imul(odd, x));
  return x >>> 0;
}

/** The `i`th key whose hash has the highest bits `top`: all of them want the same bucket. */
function colliding(i: number, top: number): number {
  return Math.imul((top << 24) | i, inverse(MULTIPLIER)) >>> 0;
}

const extremes = [0, 1, 0x7fffffff, 0x80000000, 0xffffffff];
const anyKey = fc.oneof(
  fc.nat(40),
  fc.integer({ min: 0, max: 0xffffffff }),
  fc.constantFrom(...extremes),
  // The last bucket and the first: chains that wrap round the end.
  fc.tuple(fc.nat(30), fc.constantFrom(0, 255)).map(([i, top]) => colliding(i, top)),
);

function check(index: KeyIndex, model: Map<number, number>): void {
  index.verify();
  assertEquals(index.size, model.size);
  for (const [key, slot] of model) assertStrictEquals(index.get(key), slot);
}

Deno.test("KeyIndex does what a Map does", () => {
  const operation = fc.tuple(fc.constantFrom("set", "set", "delete", "get"), anyKey, fc.nat(1000));
  fc.assert(fc.property(fc.nat(30), fc.array(operation, { maxLength: 150 }), (more, operations) => {
    const index = new KeyIndex(1 + more);
    const model = new Map<number, number>();
    for (const [what, key, slot] of operations) {
      if (what === "get") assertStrictEquals(index.get(key), model.get(key) ?? NO_SLOT);
      else if (what === "delete") assertStrictEquals(index.delete(key), model.delete(key));
      else if (model.has(key) || model.size < index.capacity) {
        index.set(key, slot);
        model.set(key, slot);
      } else assertThrows(() => index.set(key, slot), RangeError, "Cannot set key");
    }
    check(index, model);
  }));
});

Deno.test("KeyIndex keeps every key that collides, at full load and while they leave", () => {
  for (const top of [0, 128, 255]) {
    const index = new KeyIndex(500);
    const model = new Map<number, number>();
    for (let i = 0; i < 500; i++) {
      index.set(colliding(i, top), i);
      model.set(colliding(i, top), i);
    }
    check(index, model);
    for (let i = 0; i < 500; i += 3) {
      assertStrictEquals(index.delete(colliding(i, top)), true);
      model.delete(colliding(i, top));
      assertStrictEquals(index.get(colliding(i, top)), NO_SLOT);
    }
    check(index, model);
  }
});

Deno.test("KeyIndex deletes with a backward shift that leaves other chains whole", () => {
  // Keys of neighbouring buckets interleave in one run; each deletion order has to keep the others.
  const near = fc.tuple(fc.nat(3), fc.nat(7)).map(([bucket, i]) => {
    return Math.imul((bucket << 28) | i, inverse(MULTIPLIER)) >>> 0;
  });
  fc.assert(fc.property(fc.uniqueArray(near, { maxLength: 10 }), fc.nat(), (keys, start) => {
    const index = new KeyIndex(10);
    const model = new Map(keys.map((key, slot) => [key, slot]));
    for (const [key, slot] of model) index.set(key, slot);
    for (let i = 0; i < keys.length; i++) {
      const key = keys[(start + 3 * i) % keys.length];
      assertStrictEquals(index.delete(key), model.delete(key));
      check(index, model);
    }
  }));
});

Deno.test("KeyIndex takes slot 0 and key 0 for what they are", () => {
  const index = new KeyIndex(4);
  assertStrictEquals(index.get(0), NO_SLOT);
  index.set(0, 0);
  assertStrictEquals(index.get(0), 0);
  assertStrictEquals(index.delete(0), true);
  assertStrictEquals(index.delete(0), false);
});

Deno.test("KeyIndex holds its capacity at a load of 5/8 at most", () => {
  for (const capacity of [1, 2, 3, 5, 6, 80, 81, 100_000]) {
    const { bytes } = new KeyIndex(capacity);
    assertEquals(bytes % 8, 0);
    assertEquals(capacity / (bytes / 8) <= 5 / 8, true, `capacity ${capacity}: ${bytes} bytes`);
    assertEquals(bytes / capacity <= 26 || capacity < 4, true, `capacity ${capacity}: ${bytes}`);
  }
});

Deno.test("KeyIndex throws on a capacity out of range", () => {
  for (const capacity of [0, -1, 1.5, NaN, MAX_PARTITION_SLOTS + 1]) {
    assertThrows(() => new KeyIndex(capacity), RangeError, "Cannot create KeyIndex: capacity must");
  }
});
