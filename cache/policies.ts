/**
 * The eviction policies by name, for options that a person types.
 *
 * @module
 */

import type { EvictionPolicyFactory } from "./eviction.ts";
import { lru } from "./lru.ts";
import { sieve } from "./sieve.ts";

/**
 * Every eviction policy of this room under its name.
 *
 * @example
 * ```ts
 * import { EVICTION_POLICIES, RowCache } from "@rowtier/rowtier/cache";
 *
 * const eviction = EVICTION_POLICIES["sieve"];
 * const cache = new RowCache({ partitions: [{ slotCount: 4, scratchCount: 0, eviction }] });
 * if (cache.partitionCount !== 1) throw new Error("unreachable");
 * ```
 */
export const EVICTION_POLICIES: Readonly<Record<string, EvictionPolicyFactory>> = { lru, sieve };
