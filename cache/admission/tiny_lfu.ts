/**
 * TinyLFU admission.
 *
 * @module
 */

import type { AdmissionPolicy } from "../admission.ts";
import { FrequencySketch } from "./frequency_sketch.ts";

/**
 * Counts every lookup in a {@linkcode FrequencySketch}, and lets a missed row in only where it was
 * looked up more often of late than the row that the eviction policy would give up for it; on a
 * draw the old row stays. With LRU behind it, this is TinyLFU (Einziger, Friedman, Manes, 2017); it
 * keeps scans out, and is slow to follow when the hot rows change: `wtinylfu` adds a window for
 * that. 8 to 16 bytes a slot.
 *
 * @example
 * ```ts
 * import { KeyCache, lru, NO_SLOT, tinyLfu } from "@rowtier/rowtier/cache";
 *
 * const cache = new KeyCache({ slotCount: 1, eviction: lru, admission: tinyLfu });
 * for (const key of [7, 7, 9]) if (cache.get(key) === NO_SLOT) cache.insert(key);
 * if (!cache.has(7) || cache.has(9)) throw new Error("unreachable");
 * ```
 */
export function tinyLfu(slotCount: number): AdmissionPolicy {
  const sketch = new FrequencySketch(slotCount);
  return {
    name: "tinylfu",
    onAccess: (key) => sketch.record(key),
    admit: () => true,
    prefers: (candidate, victimKey) => sketch.estimate(candidate) > sketch.estimate(victimKey),
  };
}
