/**
 * What the scalar kernel is made of: a way to gather the rows of one bag.
 *
 * @module
 */

import type { CodeCall } from "./_code.ts";

/**
 * Gathers the `count` rows from `call.slots[first]` on in `acc`, one fp64 number for each column,
 * which is always an fp32 value. Slots must be valid; those of -1 are skipped. `view` is over the
 * arena, and `begun` tells that `acc` is not all zeros.
 */
export type BagAdder = (
  call: CodeCall,
  view: DataView,
  first: number,
  count: number,
  acc: Float64Array,
  begun: boolean,
) => void;
