import { assert } from "@std/assert";
import { TICKET_STATE } from "../../pipeline/mod.ts";
import { heapGrowth } from "../tiers/allocation.ts";
import { buildTables, memoryWorld, pipelineIn } from "./worlds.ts";

// In a file of its own: code that other tests' many devices have made megamorphic boxes numbers.
const tables = await buildTables();

Deno.test("Pipeline allocates nothing for a row or a read", () => {
  using world = memoryWorld(tables);
  const pipeline = pipelineIn(world, tables, { maxBatchKeys: 1024 });
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
  // A batch makes a few views and a call's arguments, about 1 KiB: less than a byte a row and 4 a
  // read, where the smallest object takes 12.
  const bytes = growth / (batches * 288);
  assert(bytes < 8, `${bytes} bytes a read`);
});
