/**
 * Hit ratio against cache size: the lookups replayed through row caches that hold no rows.
 *
 * @module
 */

import { createClaim, EVICTION_POLICIES, NO_SLOT, RowCache } from "@rowtier/rowtier/cache";

/** A point of a curve. */
export interface CurvePoint {
  /** The policy. */
  readonly policy: string;
  /** Cache slots over rows of the table. */
  readonly cacheShare: number;
  /** Hits over lookups. */
  readonly hitRatio: number;
}

/** Replays `keys` one by one under each policy at each share of `rowCount` slots. */
export function hitRatioCurve(
  keys: Uint32Array,
  rowCount: number,
  policies: readonly string[],
  shares: readonly number[],
): CurvePoint[] {
  return policies.flatMap((policy) =>
    shares.map((cacheShare) => ({
      policy,
      cacheShare,
      hitRatio: replay(keys, policy, Math.max(1, Math.floor(cacheShare * rowCount))),
    }))
  );
}

function replay(keys: Uint32Array, policy: string, slotCount: number): number {
  const eviction = EVICTION_POLICIES[policy];
  const cache = new RowCache({ partitions: [{ slotCount, scratchCount: 1, eviction }] });
  const key = new Uint32Array(1), slot = new Int32Array(1), claim = createClaim();
  for (let i = 0; i < keys.length; i++) {
    key[0] = keys[i];
    const batch = cache.begin();
    cache.acquire(0, key, 1, batch, slot);
    if (slot[0] === NO_SLOT) cache.fill(0, cache.claim(0, key[0], batch, claim), claim.generation);
    cache.retire(batch);
  }
  const { hits, lookups } = cache.counters(0);
  return hits / lookups;
}
