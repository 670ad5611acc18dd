/**
 * The row caches that the cases run on.
 *
 * @module
 */

import { CompactRowCache, DualRowCache, lru, RowCache, sieve } from "@rowtier/rowtier/cache";
import type { Kind } from "./row_cache_cases.ts";

/** As the tests make it, a compact cache has keys below this one. */
export const KEY_COUNT = 1000;

/** Every class, with each order it knows itself. */
export const KINDS: Readonly<Record<string, Kind>> = {
  "RowCache": {
    name: "RowCache",
    create: (partitions, watch) =>
      new RowCache({
        partitions: partitions.map((each) => ({ ...each, eviction: lru })),
        ...watch,
      }),
  },
  "RowCache with SIEVE": {
    name: "RowCache",
    create: (partitions, watch) =>
      new RowCache({
        partitions: partitions.map((each) => ({ ...each, eviction: sieve })),
        ...watch,
      }),
  },
  "CompactRowCache": {
    name: "CompactRowCache",
    create: (partitions, watch) =>
      new CompactRowCache({
        partitions: partitions.map((each) => ({ ...each, keyCount: KEY_COUNT })),
        ...watch,
      }),
  },
  "CompactRowCache with CLOCK": {
    name: "CompactRowCache",
    create: (partitions, watch) =>
      new CompactRowCache({
        partitions: partitions.map((each) => ({ ...each, keyCount: KEY_COUNT, order: "clock" })),
        ...watch,
      }),
  },
  "DualRowCache": {
    name: "DualRowCache",
    create: (partitions, watch) =>
      new DualRowCache({
        partitions: partitions.map((each, p) => ({
          ...each,
          keyCount: KEY_COUNT,
          eviction: lru,
          rowBytes: p % 2 === 0 ? 256 : 255,
        })),
        ...watch,
      }),
  },
};
