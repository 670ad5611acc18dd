/**
 * The admission policies by name, for options that a person types.
 *
 * @module
 */

import { type AdmissionPolicyFactory, admitAlways } from "../admission.ts";
import { probabilistic } from "./probabilistic.ts";
import { secondAccess } from "./second_access.ts";
import { tinyLfu } from "./tiny_lfu.ts";

/**
 * The admission policies that need no more than a number of slots, under their names; a write
 * budget needs one who starts its windows.
 *
 * @example
 * ```ts
 * import { ADMISSION_POLICIES, lru, RowCache } from "@rowtier/rowtier/cache";
 *
 * const admission = ADMISSION_POLICIES["tinylfu"];
 * new RowCache({ partitions: [{ slotCount: 4, scratchCount: 4, eviction: lru, admission }] });
 * ```
 */
export const ADMISSION_POLICIES: Readonly<Record<string, AdmissionPolicyFactory>> = {
  always: admitAlways,
  tinylfu: tinyLfu,
  "second-access": secondAccess,
  probabilistic,
};
