import { assert, assertStrictEquals, assertThrows } from "@std/assert";
import { estimateEndurance, steadyWriteAmplification } from "../../tiers/mod.ts";

Deno.test("steadyWriteAmplification() solves its equation", () => {
  for (const spare of [0.01, 0.07, 0.15, 0.28, 1, 10]) {
    const a = 1 + spare;
    const w = a / steadyWriteAmplification(spare) - a;
    assert(w > -1, "the principal branch");
    assert(Math.abs(w * Math.exp(w) + a * Math.exp(-a)) < 1e-12, `${spare}`);
  }
  for (const spare of [0, -1, NaN, 101]) {
    assertThrows(() => steadyWriteAmplification(spare), RangeError, "spareShare must be from");
  }
});

Deno.test("estimateEndurance() divides the cycles by the rate", () => {
  const options = {
    capacityBytes: 1e12,
    spareShare: 0.25,
    ratedErases: 3650,
    writeAmplification: 2.5,
    writeBytesPerSecond: 1e12 / 86_400,
  };
  const { totalWriteBytes, driveWritesPerDay, years } = estimateEndurance(options);
  assertStrictEquals(totalWriteBytes, 1825e12);
  assertStrictEquals(driveWritesPerDay, 1);
  assert(Math.abs(years - 5) < 1e-9);
  assertStrictEquals(estimateEndurance({ ...options, writeBytesPerSecond: 0 }).years, Infinity);
  assertStrictEquals(estimateEndurance({ ...options, warrantyYears: 10 }).driveWritesPerDay, 0.5);
  for (const [name, minimum] of [["capacityBytes", 1], ["writeAmplification", 1]] as const) {
    for (const value of [NaN, minimum - 0.5, Infinity]) {
      const wrong = () => estimateEndurance({ ...options, [name]: value });
      assertThrows(wrong, RangeError, `Cannot estimate endurance: ${name} must be finite`);
    }
  }
});
