import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  createZipf,
  dense,
  generate,
  KeyIndex,
  KeyNumbering,
  NO_SLOT,
} from "@rowtier/rowtier/cache";

/** The multiplier of the hash; keys k * (its inverse) land in the bucket that k names. */
const MULTIPLIER = 0x9e3779b1;

/** The inverse of an odd number modulo 2^32, by Newton's iteration. */
function inverse(odd: number): number {
  let x = odd;
  for (let i = 0; i < 5; i++) x = Math.imul(x, 2 - Math.imul(odd, x));
  return x >>> 0;
}

Deno.test("KeyNumbering gives keys of any width the numbers that a Map would", () => {
  const half = fc.oneof(fc.nat(20), fc.integer({ min: 0, max: 2 ** 32 - 1 }));
  const key = fc.tuple(half, fc.oneof(fc.constant(0), fc.nat(3), half));
  fc.assert(fc.property(fc.array(key, { maxLength: 300 }), (keys) => {
    const numbering = new KeyNumbering();
    const model = new Map<string, number>();
    for (const [low, high] of keys) {
      const name = `${low} ${high}`;
      if (!model.has(name)) model.set(name, model.size);
      assertStrictEquals(numbering.add(low, high), model.get(name));
    }
    assertStrictEquals(numbering.size, model.size);
    for (const [name, number] of model) {
      assertStrictEquals(`${numbering.low(number)} ${numbering.high(number)}`, name);
    }
  }));
});

Deno.test("KeyNumbering keeps keys that collide, and those around each time it grows", () => {
  const numbering = new KeyNumbering();
  const unhash = inverse(MULTIPLIER);
  const keyOf = (i: number) => i % 2 === 0 ? Math.imul(i, unhash) >>> 0 : i;
  for (let i = 0; i < 6_000; i++) assertStrictEquals(numbering.add(keyOf(i)), i);
  // Wide from here on: the columns come late and grow on.
  for (let i = 0; i < 6_000; i++) assertStrictEquals(numbering.add(keyOf(i), 7), 6_000 + i);
  for (let i = 0; i < 6_000; i++) {
    assertStrictEquals(numbering.add(keyOf(i)), i);
    assertStrictEquals(numbering.add(keyOf(i), 7), 6_000 + i);
    assertEquals([numbering.low(i), numbering.high(i)], [keyOf(i), 0]);
  }
  assert(numbering.bytes >= 12 * 12_000 && numbering.bytes <= 28 * 12_000, `${numbering.bytes}`);
});

Deno.test("KeyNumbering takes no more keys than it may, and knows them still", () => {
  const numbering = new KeyNumbering(2);
  assertEquals([numbering.add(9), numbering.add(8), numbering.add(9)], [0, 1, 0]);
  assertThrows(
    () => numbering.add(7),
    RangeError,
    "Cannot number key: keys must be at most 2: received one more",
  );
  assertEquals([numbering.size, numbering.add(8)], [2, 1]);
  assertThrows(() => new KeyNumbering(0), RangeError, "Cannot create KeyNumbering: maxKeys");
  assertThrows(() => new KeyNumbering(5 * 2 ** 27 + 1), RangeError, "maxKeys");
});

Deno.test("dense() numbers keys in order, keeps sizes, and leaves its input alone", () => {
  const keys = Uint32Array.of(700, 2 ** 32 - 1, 700, 0);
  const trace = { name: "t", keys, keyCount: 2 ** 32, sizes: Uint32Array.of(1, 2, 3, 4) };
  const before = structuredClone(trace);
  const numbering = new KeyNumbering();
  const result = dense(trace, numbering);
  assertEquals(result, { ...trace, keys: Uint32Array.of(0, 1, 0, 2), keyCount: 3 });
  assertEquals(trace, before);
  assertStrictEquals(numbering.low(1), 2 ** 32 - 1);
  const next = dense({ name: "u", keys: Uint32Array.of(5, 700) }, numbering);
  assertEquals(next, { name: "u", keys: Uint32Array.of(3, 0), keyCount: 4 });
});

Deno.test("dense() keeps what is the same and what differs", () => {
  const zipf = createZipf({ keyCount: 50_000, exponent: 0.8, seed: 1, order: "hashed" });
  const trace = generate(zipf, 100_000, "zipf");
  const { keys, keyCount } = dense(trace);
  const first = new Map<number, number>();
  for (const key of trace.keys) if (!first.has(key)) first.set(key, first.size);
  assertStrictEquals(keyCount, first.size);
  assert(trace.keys.every((key, i) => first.get(key) === keys[i]));
});

const BIG_KEYS = 100_000_000;
const BIG_BYTES = 4 * 2 ** 30;

/** Why the test of 100 million keys does not run here; "" where it does. */
function bigRefusal(): string {
  if (Deno.env.get("ROWTIER_BIG_TESTS") === undefined) {
    return "ROWTIER_BIG_TESTS=1 deno test -A tests/cache/dense_keys_test.ts runs it: 4 GiB";
  }
  const { available } = Deno.systemMemoryInfo();
  return available >= BIG_BYTES ? "" : `it needs 4 GiB, ${available} bytes are free`;
}

const refusal = bigRefusal();
const why = refusal === "" ? "" : ` (skipped: ${refusal})`;

/** A permutation of u32: odd multipliers and xor-shifts undo each other's patterns. */
function scattered(i: number): number {
  const x = Math.imul(i ^ (i >>> 15), 0x2c1b3c6d);
  return Math.imul(x ^ (x >>> 12), 0x297a2d39) >>> 0;
}

Deno.test({
  name: `KeyNumbering holds 100 million keys${why}`,
  ignore: refusal !== "",
  fn: () => {
    const numbering = new KeyNumbering();
    let wrong = 0;
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < BIG_KEYS; i++) if (numbering.add(scattered(i)) !== i) wrong++;
    }
    assertEquals([wrong, numbering.size], [0, BIG_KEYS]);
    assert(numbering.bytes < 20 * BIG_KEYS, `${numbering.bytes} bytes`);
  },
});

Deno.test({
  name: `KeyIndex holds 100 million keys${why}`,
  ignore: refusal !== "",
  fn: () => {
    const index = new KeyIndex(BIG_KEYS);
    for (let i = 0; i < BIG_KEYS; i++) index.set(scattered(i), i);
    let wrong = 0;
    for (let i = 0; i < BIG_KEYS; i++) if (index.get(scattered(i)) !== i) wrong++;
    assertEquals([wrong, index.size], [0, BIG_KEYS]);
    for (let i = 0; i < 1000; i++) assertStrictEquals(index.get(scattered(BIG_KEYS + i)), NO_SLOT);
    assert(index.bytes <= 26 * BIG_KEYS, `${index.bytes} bytes`);
  },
});
