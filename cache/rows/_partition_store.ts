/**
 * What a row cache asks of a partition, however that keeps its rows. Arguments are checked by then:
 * batches are live and told by their stamps, slots are in range.
 *
 * @module
 */

import type { Claim } from "./claim.ts";
import type { PartitionBytes, Tally } from "./counters.ts";

/** A claim for no batch: 0 is "never used", and held by nobody. */
export const PREFETCH_STAMP = 0;

/** One partition of a row cache. */
export interface PartitionStore {
  /** Column: the state of each slot in its low bits, scratch slots last. */
  readonly state: Uint8Array;
  /** Cache slots. */
  readonly count: number;
  /** Bytes of a row, for the counters. */
  readonly rowBytes: number;
  /** Counts. */
  readonly tally: Tally;
  /** False while switched off: nothing enters the cache slots. */
  admitting: boolean;
  /** Throws for the first of `keys` that cannot be one of this partition. */
  checkKeys(what: string, keys: Uint32Array, count: number): void;
  /** Throws for a key that cannot be one of this partition. */
  checkKey(what: string, key: number): void;
  /** See AnyRowCache.acquire. */
  lookUp(keys: Uint32Array, count: number, stamp: number, slots: Int32Array): number;
  /** See AnyRowCache.claim; `stamp` is PREFETCH_STAMP for a prefetch. */
  claim(key: number, stamp: number, claim: Claim): number;
  /** See AnyRowCache.warm. */
  warm(key: number, heat: number, claim: Claim): number;
  /** See AnyRowCache.fill. */
  fill(slot: number, generation: number): boolean;
  /** See AnyRowCache.abandon. */
  abandon(slot: number, generation: number): boolean;
  /** See AnyRowCache.delete. */
  delete(key: number): boolean;
  /** See AnyRowCache.clear. */
  clear(): void;
  /** See AnyRowCache.has. */
  has(key: number): boolean;
  /** Cache slots that hold or await a row, next victim last. */
  contents(): Uint32Array;
  /** The key in a cache slot of `contents`. */
  keyOf(slot: number): number;
  /** Whether `heat` says more than 0. */
  readonly hasHeat: boolean;
  /** How hot a slot of `contents` is, 0 to 255. */
  heat(slot: number): number;
  /** Bytes of the arrays. */
  bytes(): PartitionBytes;
  /** Forgets every stamp that is not held; see BatchWindow. */
  sweep(): void;
  /** Throws an Error naming the first broken invariant. */
  verify(): void;
}
