/**
 * From table files on a real disk to a running pipeline, in one call.
 *
 * @module
 */

import { checkInteger } from "../base/checks.ts";
import type { RowFormat } from "../kernels/mod.ts";
import { createIoQueue, type DeviceRung, openDevice, RealClock } from "../tiers/mod.ts";
import { readOrder, warmTables, writeOrders } from "./_order_files.ts";
import type { PipelineOptions, PipelineTable } from "./options.ts";
import { Pipeline } from "./pipeline.ts";
import { openTable } from "./table_file.ts";

/** A table file to serve, and how. */
export interface OpenPipelineTable
  extends Omit<PipelineTable, "table" | "offsetBytes" | "device" | "cacheRows"> {
  /** The table file. */
  path: string;
  /** Share of the rows that the cache holds, above 0 and at most 1; 0.02 by default. */
  cacheShare?: number;
  /**
   * A file for the order of its cache: read at opening, so that the table's rows come back before
   * they are asked for, and written by `saveOrders`. Need not exist. None by default.
   */
  orderPath?: string;
}

/** What {@linkcode openPipeline} opens. */
export interface OpenPipelineOptions extends Omit<PipelineOptions, "tables" | "queue" | "clock"> {
  /** One or more. */
  tables: readonly OpenPipelineTable[];
  /** Row formats beside the library's own. */
  formats?: readonly RowFormat[];
  /** How the files are read; "auto" by default: the fastest way that is to be had. */
  mode?: "auto" | DeviceRung;
  /** Reads in flight; 128 by default. */
  depth?: number;
}

/** A pipeline with the device under it; disposing of it frees the code and closes the files. */
export interface OpenedPipeline extends Disposable {
  /** Ready to stage. */
  readonly pipeline: Pipeline;
  /** How the files are read. */
  readonly rung: DeviceRung;
  /** Why a faster way is not used, in one line; empty when the fastest is. */
  readonly why: string;
  /**
   * A line for each order file that was damaged, of another table file, or not to be read: it is
   * ignored, and its table starts cold.
   */
  readonly ignoredOrders: readonly string[];
  /**
   * Writes the order of each table's cache to its `orderPath`, so that a file of that name is
   * always whole; for now and then, and before the end. Needs `--allow-write`.
   *
   * @throws {DeviceError} when the disk fails; the file is left as it was.
   */
  saveOrders(): Promise<void>;
}

/**
 * Opens table files and serves them from disk. Needs `--allow-read`; with `--allow-ffi` it reads
 * through io_uring.
 *
 * @throws {TableFileError} when a file is cut, flipped or foreign.
 * @throws {UnsupportedTargetError} when an explicit mode is not to be had here, with the reason.
 *
 * @example
 * ```ts
 * import { buildTable, openPipeline } from "@rowtier/rowtier/pipeline";
 *
 * const path = await Deno.makeTempFile({ suffix: ".rows" });
 * await buildTable(path, [Float32Array.of(1, 2), Float32Array.of(3, 4)], { dim: 2 });
 *
 * using opened = openPipeline({ tables: [{ path, cacheShare: 0.5 }], maxBatchKeys: 64 });
 * const keys = Uint32Array.of(0, 1), offsets = Uint32Array.of(0, 2); // one bag of both rows
 * const sum = await opened.pipeline.lookup({ parts: [{ table: 0, keys, offsets }] });
 * if (Math.abs(sum[0] - 4) > 0.01) throw new Error("unreachable");
 * await Deno.remove(path);
 * ```
 *
 * @example Come back warm
 * ```ts
 * import { buildTable, openPipeline } from "@rowtier/rowtier/pipeline";
 *
 * const path = await Deno.makeTempFile({ suffix: ".rows" }), orderPath = `${path}.order`;
 * await buildTable(path, [Float32Array.of(1, 2), Float32Array.of(3, 4)], { dim: 2 });
 * const tables = [{ path, cacheShare: 1, orderPath }];
 * const parts = [{ table: 0, keys: Uint32Array.of(1), offsets: Uint32Array.of(0, 1) }];
 * {
 *   using before = openPipeline({ tables });
 *   await before.pipeline.lookup({ parts });
 *   await before.saveOrders();
 * }
 * using after = openPipeline({ tables });
 * const { pipeline, ignoredOrders } = after;
 * while (pipeline.warming > 0) await pipeline.idle();
 * await pipeline.lookup({ parts });
 * if (pipeline.counters().tables[0].misses > 0) throw new Error(ignoredOrders.join());
 * await Deno.remove(path);
 * await Deno.remove(orderPath);
 * ```
 */
export function openPipeline(options: OpenPipelineOptions): OpenedPipeline {
  const { tables, formats = [], mode = "auto", depth = 128, ...rest } = options;
  checkInteger("Cannot open Pipeline", "tables.length", tables.length, 1);
  const opened = tables.map(({ path }) => openTable(path, { formats }));
  const orderPaths = tables.map(({ orderPath }) => orderPath);
  const orders = orderPaths.map((path, t) => readOrder(opened[t], path));
  const cacheRows = tables.map(({ cacheShare = 0.02 }, t) => {
    if (!(cacheShare > 0 && cacheShare <= 1)) {
      throw new RangeError(
        `Cannot open Pipeline: cacheShare must be above 0 and at most 1: received ${cacheShare}`,
      );
    }
    return Math.max(1, Math.floor(cacheShare * opened[t].rowCount));
  });
  const clock = new RealClock();
  const { device, fileOffsets, rung, why } = openDevice({
    files: tables.map(({ path }) => path),
    mode,
    depth,
  });
  try {
    const queue = createIoQueue({ devices: [device], depth, clock });
    const pipeline = new Pipeline({
      ...rest,
      queue,
      clock,
      tables: tables.map(({ path: _, cacheShare: __, orderPath: ___, ...table }, t) => ({
        ...table,
        table: opened[t],
        offsetBytes: fileOffsets[t],
        cacheRows: cacheRows[t],
      })),
    });
    const close = (): void => {
      pipeline[Symbol.dispose]();
      queue[Symbol.dispose]();
    };
    return {
      pipeline,
      rung,
      why,
      ignoredOrders: warmTables(pipeline, orderPaths, orders),
      saveOrders: () => writeOrders(pipeline, orderPaths),
      [Symbol.dispose]: close,
    };
  } catch (error) {
    device[Symbol.dispose]();
    throw error;
  }
}
