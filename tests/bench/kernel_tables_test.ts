import { assert, assertEquals } from "@std/assert";
import { q8 } from "../../kernels/mod.ts";
import { baseRows, fillTable, rowsIn, slotStream } from "./_kernel_tables.ts";

Deno.test("slotStream() visits every row of a uniform table about as often", () => {
  const rows = 1000, count = 100_000;
  const seen = new Float64Array(rows);
  for (const slot of slotStream({ skew: "uniform" }, rows, count, 3)) seen[slot]++;
  assert(seen.every((times) => times > 40 && times < 180), "a row is left out, or favoured");
});

Deno.test("slotStream() of a zipf table reads few rows often, and stays in it", () => {
  const rows = 100_000;
  const seen = new Float64Array(rows);
  for (const slot of slotStream({ skew: "zipf" }, rows, 200_000, 3)) seen[slot]++;
  const total = seen.reduce((sum, times) => sum + times);
  assertEquals(total, 200_000);
  const top = seen.toSorted((a, b) => b - a).subarray(0, rows / 100).reduce((sum, n) => sum + n);
  // The first hundredth of the ranks holds (1001^0.1 - 1) / (100001^0.1 - 1) = 46 %.
  assert(top > 0.42 * total && top < 0.52 * total, `${top / total}`);
});

Deno.test("fillTable() repeats the rows up to the last whole one", () => {
  const rowBytes = q8.rowBytes(8);
  const base = baseRows(q8, 8, 1);
  const arena = new Uint8Array(base.length * 2 + 100).fill(255);
  const rows = rowsIn(arena.length, rowBytes);
  fillTable(arena, base, rows * rowBytes);
  assertEquals(arena.subarray(0, base.length), base);
  assertEquals(arena.subarray(base.length, 2 * base.length), base);
  assertEquals(arena.subarray(2 * base.length, rows * rowBytes), base.subarray(0, 6 * rowBytes));
  assert(arena.subarray(rows * rowBytes).every((byte) => byte === 255));
});
