/**
 * The prefetcher that does nothing.
 *
 * @module
 */

import type { Prefetcher } from "./prefetcher.ts";

/**
 * Predicts nothing: rows are read when a batch asks for them. What others are measured against.
 *
 * @example
 * ```ts
 * import { none } from "@rowtier/rowtier/prefetch";
 *
 * const prefetcher = none();
 * prefetcher.announce(0, Uint32Array.of(1, 2), 2);
 * const predicted = prefetcher.predict(new Uint32Array(4), new Uint32Array(4));
 * if (predicted !== 0) throw new Error("unreachable");
 * ```
 */
export function none(): Prefetcher {
  return {
    name: "none",
    announce: () => {},
    observe: () => {},
    predict: () => 0,
    settle: () => {},
  };
}
