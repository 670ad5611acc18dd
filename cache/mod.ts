/**
 * Order: which rows stay in memory. Eviction and admission policies, and the row cache that they
 * steer. It knows no bytes, no files and no time.
 *
 * @example
 * ```ts
 * import { createClaim, RowCache, sieve } from "@rowtier/rowtier/cache";
 *
 * const cache = new RowCache({ partitions: [{ slotCount: 9, scratchCount: 8, eviction: sieve }] });
 * const claim = createClaim();
 * const slots = new Int32Array(1);
 * for (const key of [5, 6, 5]) {
 *   const batch = cache.begin();
 *   if (cache.acquire(0, Uint32Array.of(key), 1, batch, slots) === 1) {
 *     const slot = cache.claim(0, key, batch, claim);
 *     cache.fill(0, slot, claim.generation); // once the row is in that slot
 *   }
 *   cache.retire(batch);
 * }
 * if (cache.counters(0).hits !== 1) throw new Error("unreachable");
 * ```
 *
 * @module
 */

export { type AdmissionPolicy, type AdmissionPolicyFactory, admitAlways } from "./admission.ts";
export { type Claim, createClaim, NO_BATCH } from "./claim.ts";
export type { PartitionBytes, PartitionCounters } from "./counters.ts";
export {
  type EvictionPolicy,
  type EvictionPolicyFactory,
  NO_SLOT,
  REMOVAL,
  type RemovalCause,
  type Slots,
} from "./eviction.ts";
export { KeyIndex } from "./key_index.ts";
export { MAX_BATCH_WINDOW, MAX_PARTITION_SLOTS, MAX_PARTITIONS } from "./limits.ts";
export { lru } from "./lru.ts";
export type { PartitionOptions, PrefetchListener, RowCacheOptions } from "./options.ts";
export { EVICTION_POLICIES } from "./policies.ts";
export { PREFETCH, type PrefetchOutcome } from "./prefetch_outcome.ts";
export { RowCache } from "./row_cache.ts";
export { sieve } from "./sieve.ts";
export { SLOT_STATE } from "./slot_state.ts";
