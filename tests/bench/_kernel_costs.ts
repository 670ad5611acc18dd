/**
 * What kernels cost beside the work: making one, and a call with next to nothing to do.
 *
 * @module
 */

import { q8 } from "../../kernels/mod.ts";
import { cutBatches, kernelOf, POOLING, type TableView } from "./_kernel_sides.ts";
import { baseRows, fillTable } from "./_kernel_tables.ts";
import { alternate, type BenchRun, type Figure, type Spread, spreadOf } from "./harness.ts";

/** What may be spent, of the x64 target: on making a kernel, and on a call beyond its work. */
const MAKE_MS = 3, CALL_US = 0.1;
const ROUNDS = 9;
const DIM = 64;
const ROWS = 1000;

/** Reports the costs of each target that is to be had here. */
export async function reportCosts(run: BenchRun, memory: WebAssembly.Memory): Promise<void> {
  const arena = new Uint8Array(memory.buffer, 0, ROWS * q8.rowBytes(DIM));
  fillTable(arena, baseRows(q8, DIM, 1), arena.length);
  const table: TableView = { format: q8, dim: DIM, arena, memory, rowCount: ROWS };
  for (const target of ["scalar", "wasm", "x64"] as const) {
    // Another dim each time: code that is there already is not made again.
    let dim = 300;
    const make = (): number => {
      const began = performance.now();
      const made = kernelOf({ target, numerics: "exact" }, { ...table, dim: dim++ });
      const took = performance.now() - began;
      if (typeof made === "string") return NaN;
      made[Symbol.dispose]();
      return took;
    };
    const kernel = kernelOf({ target, numerics: "exact" }, table);
    if (typeof kernel === "string") continue;
    const [one, many] = [1, 64].map((bags) => {
      const [batch] = cutBatches(table, new Int32Array(bags * POOLING).fill(7), bags);
      const output = new Float32Array(bags * DIM);
      return () => perCallUs(() => kernel.pool(batch, output), 20_000 / bags);
    });
    one();
    many();
    const [made, small, large] = await alternate(ROUNDS, [make, one, many]);
    kernel[Symbol.dispose]();
    // Time is linear in bags: what is left at none of them is the call's own.
    const beyond = small.map((us, i) => us - (large[i] - us) / 63);
    const judged = target === "x64";
    report(run, `${target} kernel made and loaded`, "ms", spreadOf(made), judged && MAKE_MS);
    report(run, `${target} call beyond its work`, "us", spreadOf(beyond), judged && CALL_US);
  }
}

function perCallUs(call: () => unknown, count: number): number {
  const began = performance.now();
  for (let i = 0; i < count; i++) call();
  return (performance.now() - began) * 1000 / count;
}

function report(
  run: BenchRun,
  what: string,
  unit: string,
  ours: Spread,
  most: number | false,
): void {
  const figure: Figure = { world: "real", case: what, unit, ours, better: "lower" };
  if (most === false) return run.report(figure);
  const spread = { value: most, low: most, high: most };
  run.report({ ...figure, peer: { name: "most allowed", spread }, must: 1 });
}
