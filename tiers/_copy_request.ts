/**
 * Copying one request between columns.
 *
 * @module
 */

import type { IoRequests } from "./io.ts";

/** Copies request `i` of `from` to place `at` of `to`, all columns; counts stay as they are. */
export function copyRequest(to: IoRequests, at: number, from: IoRequests, i: number): void {
  to.op[at] = from.op[i];
  to.device[at] = from.device[i];
  to.offsetBytes[at] = from.offsetBytes[i];
  to.bytes[at] = from.bytes[i];
  to.buffer[at] = from.buffer[i];
  to.table[at] = from.table[i];
  to.priority[at] = from.priority[i];
  to.deadlineNs[at] = from.deadlineNs[i];
  to.user[at] = from.user[i];
}
