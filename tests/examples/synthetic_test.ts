import { assert, assertEquals, assertNotEquals } from "@std/assert";
import fc from "fast-check";
import { syntheticBags, syntheticRows } from "../../examples/demo/synthetic.ts";

Deno.test("syntheticRows() gives the same rows for the same seed", async () => {
  const make = (seed: number) => Array.fromAsync(syntheticRows({ rows: 50, dim: 8, seed }));
  const rows = await make(1);
  assertEquals(rows.length, 50);
  assert(rows.every((row) => row.length === 8 && row.every((value) => value >= -1 && value <= 1)));
  assertEquals(await make(1), rows);
  assertNotEquals(await make(2), rows);
});

Deno.test("syntheticBags() gives keys below the number of rows, in whole bags", () => {
  const options = fc.record({
    rows: fc.integer({ min: 1, max: 5000 }),
    bags: fc.integer({ min: 0, max: 50 }),
    seed: fc.integer({ min: 0, max: 2 ** 31 }),
  });
  fc.assert(fc.property(options, (given) => {
    const { keys, offsets } = syntheticBags(given);
    assertEquals(offsets.length, given.bags + 1);
    assertEquals(offsets[given.bags], keys.length);
    assert(keys.every((key) => key < given.rows));
    assert(offsets.every((offset, i) => i === 0 ? offset === 0 : offset > offsets[i - 1]));
  }));
});

Deno.test("syntheticBags() is skewed: 1 % of the rows takes a good part of the lookups", () => {
  const { keys } = syntheticBags({ rows: 40_000, bags: 4000, seed: 1 });
  const counts = new Uint32Array(40_000);
  for (const key of keys) counts[key]++;
  const hottest = counts.toSorted().slice(-400).reduce((sum, count) => sum + count, 0);
  assert(hottest > 0.4 * keys.length, `${hottest} of ${keys.length}`);
  assert(hottest < 0.8 * keys.length, `${hottest} of ${keys.length}`);
});
