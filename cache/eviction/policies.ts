/**
 * The eviction policies by name, for options that a person types.
 *
 * @module
 */

import type { EvictionPolicyFactory } from "../eviction.ts";
import { adaptive } from "./adaptive.ts";
import { arc } from "./arc.ts";
import { clock } from "./clock.ts";
import { fifo } from "./fifo.ts";
import { lfu } from "./lfu.ts";
import { lfuda } from "./lfuda.ts";
import { lirs } from "./lirs.ts";
import { lru } from "./lru.ts";
import { random } from "./random.ts";
import { s3fifo } from "./s3_fifo.ts";
import { setLfu, setLru } from "./set_associative.ts";
import { sieve } from "./sieve.ts";
import { slru } from "./slru.ts";
import { twoq } from "./two_q.ts";
import { wtinylfu } from "./w_tiny_lfu.ts";

/**
 * Every eviction policy of this room that needs no more than slots, with its defaults, under its
 * name.
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
export const EVICTION_POLICIES: Readonly<Record<string, EvictionPolicyFactory>> = {
  adaptive,
  arc,
  clock,
  fifo,
  lfu,
  lfuda,
  lirs,
  lru,
  random,
  s3fifo,
  setlfu: setLfu,
  setlru: setLru,
  sieve,
  slru,
  twoq,
  wtinylfu,
};
