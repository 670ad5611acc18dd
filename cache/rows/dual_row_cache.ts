/**
 * The row cache that picks by row size.
 *
 * @module
 */

import { checkInteger } from "../../base/checks.ts";
import { BatchWindow } from "./_batch_window.ts";
import { createWatch } from "./_lookup_watch.ts";
import { checkCompact, checkPartitions } from "./_check_options.ts";
import { maxKeyCount } from "./_compact_keys.ts";
import { CompactPartition } from "./_compact_partition.ts";
import { Partition } from "./_partition.ts";
import { AnyRowCache } from "./any_row_cache.ts";
import type { DualPartitionOptions, DualRowCacheOptions } from "./options.ts";

/** Rows of at most so many bytes are kept compactly unless the options say otherwise. */
const COMPACT_ROW_BYTES = 255;

/**
 * A row cache that keeps tables of small rows compactly, as {@linkcode CompactRowCache} does, and
 * those of large rows as {@linkcode RowCache} does: some 35 bytes a row weigh much beside a row of
 * 64 bytes and little beside one of 512, where a better order of eviction is worth more. After
 * "Supporting Massive DLRM Inference Through Software Defined Memory" (Ardestani et al., ICDCS
 * 2022), with its border of 255 bytes.
 *
 * A partition with too few slots to tell its keys apart compactly is kept as large rows are.
 *
 * @example
 * ```ts
 * import { DualRowCache, lru } from "@rowtier/rowtier/cache";
 *
 * const size = { slotCount: 10_000, scratchCount: 100, eviction: lru };
 * const cache = new DualRowCache({
 *   partitions: [{ ...size, rowBytes: 72 }, { ...size, rowBytes: 512 }],
 * });
 * if (!cache.isCompact(0) || cache.isCompact(1)) throw new Error("unreachable");
 * ```
 */
export class DualRowCache extends AnyRowCache {
  readonly #compact: readonly boolean[];

  /**
   * An empty cache; all its memory is allocated here.
   *
   * @throws {RangeError} as {@linkcode RowCache} and {@linkcode CompactRowCache} do, or when
   * `compactRowBytes` is below 0.
   * @throws {TypeError} when an `order` is neither "lru" nor "clock".
   */
  constructor(options: DualRowCacheOptions) {
    const { partitions, compactRowBytes = COMPACT_ROW_BYTES } = options;
    const what = "Cannot create DualRowCache";
    checkPartitions(what, partitions);
    checkInteger(what, "compactRowBytes", compactRowBytes, 0);
    const compact = partitions.map((each) => isSmall(each, compactRowBytes));
    partitions.forEach((each, p) => {
      if (compact[p]) checkCompact(`${what}: partition ${p}`, each);
    });
    const window = new BatchWindow();
    const watch = createWatch(options);
    const onPrefetch = watch?.onPrefetch ?? options.onPrefetch;
    const stores = partitions.map((each, p) =>
      compact[p]
        ? new CompactPartition(p, each, window, onPrefetch)
        : new Partition(p, each, window, onPrefetch)
    );
    super(stores, window, watch);
    this.#compact = compact;
  }

  /**
   * Whether a partition's rows are kept compactly.
   *
   * @throws {RangeError} when the partition is out of range.
   */
  isCompact(partition: number): boolean {
    checkInteger(
      "Cannot tell whether it is compact",
      "partition",
      partition,
      0,
      this.partitionCount - 1,
    );
    return this.#compact[partition];
  }
}

function isSmall(options: DualPartitionOptions, compactRowBytes: number): boolean {
  const { rowBytes, slotCount, keyCount = 2 ** 32 } = options;
  return rowBytes <= compactRowBytes && keyCount <= maxKeyCount(slotCount);
}
