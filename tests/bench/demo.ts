/**
 * `deno task bench demo`: the demo's job from the real disk against what the machine allows: the
 * disk at its raw speed for the reads the job issues, or the processor with every row in DRAM,
 * whichever is longer.
 *
 * Runs on the demo's own tables and sentences; `deno task demo` builds them. With `--quick` the
 * made-up table.
 *
 * @module
 */

import { fromFileUrl } from "@std/path";
import { checkBits, truthOf } from "../../examples/demo/check.ts";
import { serveFromDram } from "../../examples/demo/figures.ts";
import { loadInput } from "../../examples/demo/input.ts";
import { cacheRows } from "../../examples/demo/options.ts";
import { maxKeys, serve, toBatches } from "../../examples/demo/serve.ts";
import { DEPTH, realWorld } from "../../examples/demo/worlds.ts";
import { measureReads, warmFile } from "./_reads.ts";
import { alternate, type Bench, type BenchRun, spreadOf } from "./harness.ts";

const FOLDER = fromFileUrl(new URL("../../.rowtier/demo", import.meta.url));

/** What the serving time may be, over the limit of the machine. */
const AT_MOST = 1.5;

/** The benchmark of the main job. */
export const bench: Bench = {
  summary: "the demo's job at 2 % of the rows, io_uring, against the limit of the machine",
  async run(run: BenchRun): Promise<void> {
    const { table, bags } = await loadInput({
      synthetic: run.quick,
      folder: FOLDER,
      say: run.say,
      signal: new AbortController().signal,
    });
    const batches = toBatches(bags, 64);
    const world = {
      table,
      cacheRows: cacheRows({ share: 0.02 }, table.rowCount),
      policy: "adaptive",
      maxBatchKeys: maxKeys(batches),
    };
    const vectors = new Float32Array((bags.offsets.length - 1) * table.dim);
    const truth = truthOf(table, bags);
    warmFile(table.path);
    const raw = (): number =>
      measureReads({
        path: table.path,
        bytes: table.blockBytes,
        depth: DEPTH,
        batch: 8,
        warmSeconds: 0,
        seconds: run.quick ? 0.5 : 1.5,
        seed: 1,
      }).iops;
    let reads = 0, heldBytes = 0;
    const serving = async (): Promise<number> => {
      vectors.fill(NaN);
      using opened = realWorld(world, "io_uring");
      const times = await serve(opened.pipeline, opened.clock, batches, table.dim, vectors);
      checkBits(truth, vectors, table.dim);
      reads = opened.pipeline.counters().loader.reads;
      heldBytes = opened.pipeline.memory().totalBytes;
      return times.seconds;
    };
    const dram = async (): Promise<number> =>
      (await serveFromDram(world, batches, vectors)).times.seconds;
    await serving(); // compiles everything
    const [iops, served, inDram, iopsAgain] = await alternate(3, [raw, serving, dram, raw]);
    const rawIops = spreadOf([...iops, ...iopsAgain]);
    const limits = served.map((_, i) =>
      Math.max(reads / ((iops[i] + iopsAgain[i]) / 2), inDram[i])
    );
    const real = { world: "real", better: "lower" } as const;
    run.report({ ...real, case: "raw queue", unit: "IOPS", ours: rawIops, better: "higher" });
    run.report({ ...real, case: "reads issued", unit: "reads", ours: spreadOf([reads]) });
    run.report({ ...real, case: "all rows in DRAM", unit: "s", ours: spreadOf(inDram) });
    run.report({
      ...real,
      case: "served from disk",
      unit: "s",
      ours: spreadOf(served),
      peer: { name: "limit: max(reads / raw IOPS, DRAM)", spread: spreadOf(limits) },
      must: 1 / AT_MOST,
    });
    run.report({
      ...real,
      case: "DRAM held",
      unit: "MB",
      ours: spreadOf([heldBytes / 1e6]),
      peer: { name: "5 % of the table + 8 MB", spread: spreadOf([table.fileBytes * 0.05e-6 + 8]) },
      must: 1,
    });
  },
};
