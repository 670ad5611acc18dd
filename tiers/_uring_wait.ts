/**
 * The calls of the io_uring device that reach the kernel: handing entries over, and the ways to
 * wait for completions.
 *
 * Chosen by measurement: 4 KB reads at depth 128 on a virtual disk with two processors, best of
 * three rounds, processor time of the whole machine a read: blocking in `enter` 2.5 us, an eventfd
 * read by a thread of the runtime 4.6 (32 completions a wait), spinning 9.9, a submitting thread of
 * the kernel 11.2; all within 8 % of each other's IOPS. So a device blocks unless it is asked for
 * something else.
 *
 * @module
 */

import { DeviceError, ERRNO } from "../base/errors.ts";
import { enterRing, enterRingFor, hasDeferred, readyEntries, unsubmitted } from "./_uring_enter.ts";
import type { Ring } from "./_uring_layout.ts";
import type { Slots } from "./_uring_columns.ts";

const ETIME = 62;

/**
 * Hands what was pushed to the kernel. What it has no memory for now stays, and goes with a later
 * call.
 */
export function pushOut(ring: Ring): void {
  // A kernel without SUBMIT_ALL stops behind an entry that it refuses: each turn takes one at
  // least.
  while (unsubmitted(ring) > 0) {
    const result = enterRing(ring, 0);
    if (result < 0 && !passes(result)) throw new DeviceError("Cannot submit to io_uring", -result);
    // A thread of the kernel takes them when it comes to it.
    if (ring.threaded || result === -ERRNO.EAGAIN || result === -ERRNO.EBUSY) return;
  }
}

/**
 * Lets completions appear that need a call to: entries left over, or what the kernel holds back.
 */
export function pump(slots: Slots): void {
  const ring = slots.ring;
  if (unsubmitted(ring) > 0 && !ring.threaded) pushOut(ring);
  else if (readyEntries(ring) === 0 && (hasDeferred(ring) || (ring.polled && slots.moving > 0))) {
    enterRing(ring, 0);
  }
}

/** True for errors of io_uring_enter(2) that the next call need not have. */
function passes(result: number): boolean {
  return result === -ERRNO.EINTR || result === -ERRNO.EAGAIN || result === -ERRNO.EBUSY;
}

/**
 * Blocks until the completion ring holds `wanted` entries. They must be in flight: the kernel does
 * not wait when it could not take all that was pushed, but else it does for ever.
 */
export function waitEntries(slots: Slots, wanted: number): void {
  while (readyEntries(slots.ring) < wanted) {
    const result = enterRing(slots.ring, wanted);
    if (result < 0 && !passes(result)) throw new DeviceError("Cannot wait for io_uring", -result);
  }
}

/** Looks until the completion ring holds `wanted` entries, which must be in flight. */
export function spinEntries(slots: Slots, wanted: number): void {
  // Entries held back come one `enter` at a time, so that those that are there do not end the look.
  while (readyEntries(slots.ring) < wanted) {
    if (unsubmitted(slots.ring) > 0 && !slots.ring.threaded) pushOut(slots.ring);
    else if (isHeldBack(slots)) enterRing(slots.ring, 0);
  }
}

function isHeldBack(slots: Slots): boolean {
  return hasDeferred(slots.ring) || slots.ring.polled;
}

/**
 * As {@linkcode waitEntries}, for at most `limitNs`; true when that was reached and nothing had
 * come. It may return early.
 */
export function waitEntriesFor(slots: Slots, wanted: number, limitNs: number): boolean {
  const { ring } = slots;
  if (!ring.timed) {
    pump(slots); // the caller looks at its clock, and comes again
    return false;
  }
  const result = enterRingFor(ring, wanted, limitNs);
  if (result === -ETIME) return true;
  if (result < 0 && !passes(result)) throw new DeviceError("Cannot wait for io_uring", -result);
  return false;
}
