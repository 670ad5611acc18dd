import { assert, assertStrictEquals } from "@std/assert";
import fc from "fast-check";
import { exp, log } from "../../base/math.ts";

/** The distance of two doubles of one sign in units in the last place. */
function ulps(a: number, b: number): bigint {
  const bits = new BigInt64Array(Float64Array.of(a, b).buffer);
  const distance = bits[0] - bits[1];
  return distance < 0n ? -distance : distance;
}

Deno.test("log() is within 2 ulp of Math.log", () => {
  const positive = fc.double({ min: 0, minExcluded: true, max: Number.MAX_VALUE, noNaN: true });
  fc.assert(
    fc.property(fc.oneof(positive, fc.double({ min: 0.4, max: 2.5, noNaN: true })), (x) => {
      assert(ulps(log(x), Math.log(x)) <= 2n, `${log(x)} for ${x}, not ${Math.log(x)}`);
    }),
    { numRuns: 20_000 },
  );
});

Deno.test("exp() is within 2 ulp of Math.exp", () => {
  const wide = fc.double({ min: -708, max: 709.7, noNaN: true });
  fc.assert(
    fc.property(fc.oneof(wide, fc.double({ min: -2, max: 2, noNaN: true })), (x) => {
      assert(ulps(exp(x), Math.exp(x)) <= 2n, `${exp(x)} for ${x}, not ${Math.exp(x)}`);
    }),
    { numRuns: 20_000 },
  );
});

Deno.test("log() and exp() do the same as Math's where the result is exact", () => {
  for (const x of [0, -0, -1, 1, Infinity, -Infinity, NaN]) {
    assert(Object.is(log(x), Math.log(x)), `log(${x}) is ${log(x)}`);
    assert(Object.is(exp(x), x === 1 ? exp(1) : Math.exp(x)), `exp(${x}) is ${exp(x)}`);
  }
  assert(ulps(log(5e-324), Math.log(5e-324)) <= 1n);
  assertStrictEquals(exp(709.79), Infinity);
  assertStrictEquals(exp(-745.2), 0);
  assertStrictEquals(exp(-745), 5e-324);
});

Deno.test("log() and exp() have these bits, on every engine", () => {
  const hex = (x: number) => new BigUint64Array(Float64Array.of(x).buffer)[0].toString(16);
  const all = [0.1, 0.5, 0.9, 1.5, 2, 10, 12345.678].map((x) => `${hex(log(x))} ${hex(exp(-x))}`);
  assertStrictEquals(all.join("\n"), GOLDEN);
});

const GOLDEN = `c0026bb1bbb55515 3fecf46d99d52b3a
bfe62e42fefa39ef 3fe368b2fc6f960a
bfbaf8e8210a415c 3fda053cc0086e1e
3fd9f323ecbf984c 3fcc8f87724b5c1d
3fe62e42fefa39ef 3fc152aaa3bf81cc
40026bb1bbb55516 3f07cd79b5647c9a
4022d79559791e31 0`;
