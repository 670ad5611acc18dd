/**
 * The future: which rows to read before a batch asks for them.
 *
 * @example
 * ```ts
 * import { lookahead, none, type Prefetcher } from "@rowtier/rowtier/prefetch";
 *
 * const names = [none(), lookahead({ capacity: 8 })].map((each: Prefetcher) => each.name);
 * if (names.join() !== "none,lookahead") throw new Error("unreachable");
 * ```
 *
 * @module
 */

export { MAX_LOOKAHEAD_ROWS } from "./limits.ts";
export {
  Lookahead,
  lookahead,
  type LookaheadCounters,
  type LookaheadOptions,
} from "./lookahead.ts";
export { none } from "./none.ts";
export type { Prefetcher } from "./prefetcher.ts";
