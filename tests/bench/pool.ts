/**
 * `deno task bench pool`: a `KernelPool` against one kernel on the same batches, by batch size:
 * what a batch costs beyond its work, and from where on threads pay.
 *
 * @module
 */

import { createKernel, createKernelPool, q8 } from "../../kernels/mod.ts";
import { checkVectors, cutBatches, POOLING } from "./_kernel_sides.ts";
import { baseRows, fillTable, rowsIn, slotStream } from "./_kernel_tables.ts";
import { alternate, type Bench, type BenchRun, spreadOf } from "./harness.ts";

const DIM = 64;
const PAGE_BYTES = 65_536;
const BAGS = [1, 256, 1024, 4096, 16_384, 65_536];

/** The benchmark of the pool. */
export const bench: Bench = {
  summary: "a KernelPool of all processors against one kernel of the same target",
  async run(run: BenchRun): Promise<void> {
    const pages = (run.quick ? 2 ** 26 : 2 ** 30) / PAGE_BYTES;
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
    const arena = new Uint8Array(memory.buffer);
    const rowCount = rowsIn(arena.length, q8.rowBytes(DIM));
    const base = baseRows(q8, DIM, 1);
    fillTable(arena, base, rowCount * q8.rowBytes(DIM));
    const table = { format: q8, dim: DIM, arena, memory, rowCount };
    const largest = BAGS[BAGS.length - 1];
    const slots = shared(slotStream({ skew: "uniform" }, rowCount, 4 * largest * POOLING, 2));
    const output = new Float32Array(new SharedArrayBuffer(4 * largest * DIM));
    const wanted = new Float32Array(largest * DIM);
    const shape = { format: q8, dim: DIM };
    using pool = await createKernelPool(shape, { memory });
    using kernel = createKernel(shape, { memory, target: pool.target });
    run.say(`${pool.workers} workers, target ${pool.target}`);
    for (const bags of run.quick ? BAGS.slice(0, 4) : BAGS) {
      const batches = cutBatches(table, slots, bags);
      const rows = bags * POOLING;
      // About as many rows in each round, whatever the batch.
      const calls = Math.max(4, Math.ceil(2 ** 20 / rows / 64));
      kernel.pool(batches[0], wanted);
      await pool.pool(batches[0], output);
      checkVectors(`pool of ${bags} bags`, wanted.subarray(0, bags * DIM), output, "exact");
      const perBatch = async (pool: (at: number) => unknown): Promise<number> => {
        const began = performance.now();
        for (let i = 0; i < calls; i++) await pool(i % batches.length);
        return (performance.now() - began) * 1000 / calls;
      };
      const [ours, theirs] = await alternate(run.quick ? 3 : 9, [
        () => perBatch((at) => pool.pool(batches[at], output)),
        () => perBatch((at) => kernel.pool(batches[at], output)),
      ]);
      run.report({
        world: "real",
        case: `batch of ${rows.toLocaleString("en")} rows, uniform over ${pages / 16} MiB`,
        unit: "us/batch",
        ours: spreadOf(ours),
        better: "lower",
        peer: { name: "one kernel", spread: spreadOf(theirs) },
      });
    }
  },
};

function shared(slots: Int32Array): Int32Array {
  const copy = new Int32Array(new SharedArrayBuffer(slots.byteLength));
  copy.set(slots);
  return copy;
}
