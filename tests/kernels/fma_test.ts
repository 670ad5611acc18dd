import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import fc from "fast-check";
import { fma32 } from "../../kernels/mod.ts";
import { anyFloat, exactFma, floatNear, toBits } from "./_exact.ts";

function same(a: number, b: number, c: number): void {
  const wanted = exactFma(a, b, c);
  const actual = fma32(a, b, c);
  assertEquals(toBits(actual), toBits(wanted), `fma32(${a}, ${b}, ${c}): ${actual} not ${wanted}`);
}

Deno.test("fma32() equals exact integer arithmetic for any bits", () => {
  fc.assert(fc.property(anyFloat, anyFloat, anyFloat, same), { numRuns: 20_000 });
});

Deno.test("fma32() equals exact integer arithmetic where exponents are near", () => {
  const near = floatNear(-3, 3);
  const addend = floatNear(-60, 30);
  fc.assert(fc.property(near, near, addend, same), { numRuns: 20_000 });
});

Deno.test("fma32() equals exact integer arithmetic around the least and the largest values", () => {
  const small = floatNear(-80, -60);
  const tiny = floatNear(-127, -120);
  const large = floatNear(60, 65);
  const huge = floatNear(124, 127);
  fc.assert(fc.property(small, small, tiny, same), { numRuns: 5_000 });
  fc.assert(fc.property(large, large, huge, same), { numRuns: 5_000 });
  fc.assert(fc.property(huge, floatNear(-24, 0), huge, same), { numRuns: 5_000 });
});

/**
 * Products just beside half an ulp: (1 + d)(1 - d) = 1 - d^2, and (1 + d)(1 - d + d^2) = 1 + d^3.
 */
function* factorsBesideOne(): Generator<[number, number]> {
  for (let i = 13; i <= 23; i++) yield [1 + 2 ** -i, 1 - 2 ** -i];
  for (let i = 9; i <= 11; i++) yield [1 + 2 ** -i, 1 - 2 ** -i + 2 ** (-2 * i)];
}

Deno.test("fma32() rounds once where fp64 lands halfway between two fp32 values", () => {
  let traps = 0;
  for (const [a, b] of factorsBesideOne()) {
    for (const mantissa of [1, 1 + 2 ** -23, 1.5, 2 - 2 ** -23]) {
      for (const exponent of [-149 + 23, -126, -100, -24, 0, 24, 100, 127]) {
        const c = mantissa * 2 ** exponent;
        for (const sign of [1, -1]) {
          // Half an ulp of c, split over both factors so that neither is subnormal.
          const x = a * 2 ** Math.floor((exponent - 24) / 2) * sign;
          const y = b * 2 ** Math.ceil((exponent - 24) / 2);
          same(x, y, c);
          same(x, y, -c);
          if (Math.fround(x * y + c) !== fma32(x, y, c)) traps++;
        }
      }
    }
  }
  assert(traps > 100, `only ${traps} cases were traps`);
});

Deno.test("fma32() rounds once to subnormal values and to zero", () => {
  // The exact sum is 2^-150 (halfway between 0 and the least value) and a little, on both sides.
  const half = [2 ** -75, 2 ** -75] as const;
  assertStrictEquals(fma32(half[0], half[1], 0), 0);
  for (const [a, b] of factorsBesideOne()) {
    for (const c of [0, 2 ** -149, 3 * 2 ** -149, 2 ** -127, 2 ** -126]) {
      for (const sign of [1, -1]) {
        same(sign * a * 2 ** -75, b * 2 ** -75, c);
        same(sign * a * 2 ** -75, b * 2 ** -75, -c);
      }
    }
  }
});

Deno.test("fma32() stops at the largest value where the exact sum is below the last tie", () => {
  const most = 2 ** 128 - 2 ** 104;
  // most + 2^103 is the tie that rounds to infinity; (1 + d)(1 - d) stays below it.
  const a = 2 ** 52 * (1 + 2 ** -20), b = 2 ** 51 * (1 - 2 ** -20);
  assertStrictEquals(Math.fround(a * b + most), Infinity);
  assertStrictEquals(fma32(a, b, most), most);
  assertStrictEquals(fma32(-a, b, -most), -most);
  assertStrictEquals(fma32(2 ** 52, 2 ** 51, most), Infinity);
  assertStrictEquals(fma32(-(2 ** 52), 2 ** 51, -most), -Infinity);
  assertStrictEquals(fma32(2 ** 52 * (1 + 2 ** -11), 2 ** 51, most), Infinity);
});

Deno.test("fma32() keeps the signs of zeros and passes infinities and NaN on", () => {
  assertStrictEquals(fma32(-0, 5, -0), -0);
  assertStrictEquals(fma32(-0, 5, 0), 0);
  assertStrictEquals(fma32(2, 3, -6), 0);
  assertStrictEquals(fma32(Infinity, 2, -5), Infinity);
  assertStrictEquals(fma32(1, 2, -Infinity), -Infinity);
  assertStrictEquals(fma32(2 ** 127, 2 ** 127, 1), Infinity);
  assertStrictEquals(fma32(Infinity, 1, -Infinity), NaN);
  assertStrictEquals(fma32(Infinity, 0, 1), NaN);
  assertStrictEquals(fma32(NaN, 1, 1), NaN);
  assertStrictEquals(fma32(1, 1, NaN), NaN);
});
