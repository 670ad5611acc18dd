/**
 * The order of each table's cache in a file, from one run to the next.
 *
 * @module
 */

import { readFileSync, statSync } from "node:fs";
import { writeDurably } from "./_durable_file.ts";
import type { Pipeline } from "./pipeline.ts";
import type { TableHeader } from "./table_header.ts";

/** The order file of each table; undefined: none. */
export type OrderPaths = readonly (string | undefined)[];

/** What a table's order file holds; or why it is ignored; undefined where there is none. */
export type FoundOrder = Uint8Array | { readonly ignored: string } | undefined;

/**
 * Reads the order file of a table. It is not worth a failed start: a refused permission alone is.
 */
export function readOrder({ rowCount }: TableHeader, path: string | undefined): FoundOrder {
  if (path === undefined) return undefined;
  try {
    const { size } = statSync(path);
    // No order has more than 5 bytes a row, and 32 before them.
    if (size > 5 * rowCount + 32) {
      return ignore(path, `${size} bytes are more than its table needs`);
    }
    return readFileSync(path);
  } catch (error) {
    const { code, message } = error as Error & { code?: string };
    if (code === "ENOENT") return undefined;
    // A refused permission is the caller's to mend: it names its flag.
    if (code === undefined) throw error;
    return ignore(path, message);
  }
}

/** Warms the tables up; returns a line for each order that is ignored, damaged or foreign too. */
export function warmTables(
  pipeline: Pipeline,
  paths: OrderPaths,
  orders: readonly FoundOrder[],
): string[] {
  return orders.flatMap((order, t) => {
    const path = paths[t];
    if (order === undefined || path === undefined) return [];
    if (!(order instanceof Uint8Array)) return [order.ignored];
    try {
      pipeline.warm(t, order);
      return [];
    } catch (error) {
      return [ignore(path, (error as Error).message).ignored];
    }
  });
}

function ignore(path: string, why: string): { ignored: string } {
  return { ignored: `Order file ${path} is ignored: ${why}` };
}

/** Writes the order of each table that has a path. */
export async function writeOrders(pipeline: Pipeline, paths: OrderPaths): Promise<void> {
  // All at one moment; only then is anything awaited.
  const orders = paths.map((path, t) => path === undefined ? undefined : pipeline.exportOrder(t));
  for (const [t, path] of paths.entries()) {
    const order = orders[t];
    if (path === undefined || order === undefined) continue;
    await writeDurably(`Cannot save order ${path}`, path, order);
  }
}
