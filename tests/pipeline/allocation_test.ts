import { assert } from "@std/assert";
import { type PipelineOptions, TICKET_STATE } from "../../pipeline/mod.ts";
import { heapGrowth } from "../tiers/allocation.ts";
import { buildTables, memoryWorld, pipelineIn } from "./worlds.ts";

// In a file of its own: code that other tests' many devices have made megamorphic boxes numbers.
const tables = await buildTables();

/** Bytes that the heap grows by at a read. */
function growthPerRead(options: Partial<PipelineOptions>): number {
  using world = memoryWorld(tables);
  const pipeline = pipelineIn(world, tables, { maxBatchKeys: 1024, ...options });
  // Twelve rows are cached and a batch uses all 300: nearly every one is read each time.
  const keys = Uint32Array.from({ length: 1024 }, (_, i) => i % 300);
  const offsets = Uint32Array.from({ length: 9 }, (_, b) => 128 * b);
  const batch = { parts: [{ table: 0, keys, offsets }] };
  const output = new Float32Array(8 * 24);
  const batches = 10;
  const growth = heapGrowth((turns) => {
    for (let turn = 0; turn < turns; turn++) {
      const ticket = pipeline.stage(batch);
      while (pipeline.state(ticket) !== TICKET_STATE.READY) pipeline.idle();
      pipeline.pool(ticket, output);
      pipeline.release(ticket);
    }
  }, batches);
  assert(pipeline.counters().loader.reads > 100 * batches * 280);
  return growth / (batches * 288);
}

for (
  const [kept, options] of Object.entries({ "": {}, ", kept compactly": { compactRowBytes: 132 } })
) {
  Deno.test(`Pipeline allocates nothing for a row or a read${kept}`, () => {
    // A batch makes a few views and a call's arguments, about 1 KiB: less than a byte a row and 4 a
    // read, where the smallest object takes 12.
    const bytes = growthPerRead(options);
    assert(bytes < 8, `${bytes} bytes a read`);
  });
}
