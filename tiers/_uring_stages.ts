/**
 * Requests of the io_uring device that take several entries one after the other: reads that do not
 * lie on blocks, widened and trimmed by way of a slot's own memory, and flushes of several files. A
 * slot holds one entry at a time, so that the rings need no more room for them, and no order of
 * completions has to be put right.
 *
 * A vectored read straight to the memory is no way around the copy: direct reads want each of their
 * pieces on the granule, in the file and in memory.
 *
 * @module
 */

import { ERRNO } from "../base/errors.ts";
import { copyBytes } from "./_copy_sides.ts";
import { pushEntry } from "./_uring_enter.ts";
import { BOUNCE_BYTES, KIND } from "./_uring_columns.ts";
import type { Slots } from "./_uring_columns.ts";
import { writeRead, writeSync } from "./_uring_entries.ts";

/** What an entry gives that does not end its request; no errno is as low. */
export const PENDING: number = -(2 ** 31);

/** Begins a read of `bytes` at any `position`. */
export function startWide(
  slots: Slots,
  slot: number,
  file: number,
  position: number,
  buffer: number,
  bytes: number,
): void {
  slots.file[slot] = file;
  slots.position[slot] = position;
  slots.target[slot] = buffer;
  slots.left[slot] = bytes;
  slots.done[slot] = 0;
  pushPiece(slots, slot);
}

/** Bytes of the next piece: whole blocks that cover what is left, as many as the bounce holds. */
function pieceBytes(slots: Slots, slot: number): number {
  const { blockBytes } = slots;
  const wanted = slots.position[slot] % blockBytes + slots.left[slot];
  return Math.min(BOUNCE_BYTES, Math.ceil(wanted / blockBytes) * blockBytes);
}

function pushPiece(slots: Slots, slot: number): void {
  const position = slots.position[slot];
  const first = position - position % slots.blockBytes;
  const address = slots.bounce!.address + slot * BOUNCE_BYTES;
  writeRead(slots, slot, slots.file[slot], first, address, pieceBytes(slots, slot));
  pushEntry(slots.ring, slot);
}

/** Begins a flush at the first file that was written to; there must be one. */
export function startFlush(slots: Slots, slot: number): void {
  slots.file[slot] = slots.written.indexOf(1);
  pushSync(slots, slot);
}

function pushSync(slots: Slots, slot: number): void {
  writeSync(slots, slot, slots.file[slot]);
  pushEntry(slots.ring, slot);
}

/** Takes the end of an entry and pushes the next, or gives the result of the request. */
export function takeStage(
  slots: Slots,
  slot: number,
  result: number,
  isCancelled: boolean,
): number {
  const isFlush = slots.kind[slot] === KIND.FLUSH;
  // As read(2): what has been moved counts before the error, which the next request meets again.
  if (result < 0) {
    if (isCancelled && result === -ERRNO.EINTR) return -ERRNO.ECANCELED;
    return isFlush || slots.done[slot] === 0 ? result : slots.done[slot];
  }
  return isFlush ? takeSync(slots, slot, isCancelled) : takePiece(slots, slot, result, isCancelled);
}

/** A cancellation that came too late for one file still spares the others. */
function takeSync(slots: Slots, slot: number, isCancelled: boolean): number {
  const next = slots.written.indexOf(1, slots.file[slot] + 1);
  if (next < 0) return 0;
  if (isCancelled) return -ERRNO.ECANCELED;
  slots.file[slot] = next;
  pushSync(slots, slot);
  return PENDING;
}

function takePiece(slots: Slots, slot: number, read: number, isCancelled: boolean): number {
  const asked = pieceBytes(slots, slot);
  const skipped = slots.position[slot] % slots.blockBytes;
  const got = Math.min(Math.max(0, read - skipped), slots.left[slot]);
  const { side } = slots.bounce!;
  copyBytes(side, slot * BOUNCE_BYTES + skipped, slots.side!, slots.target[slot], got);
  slots.position[slot] += got;
  slots.target[slot] += got;
  slots.left[slot] -= got;
  slots.done[slot] += got;
  // Fewer bytes than asked for: the file ends there.
  if (slots.left[slot] === 0 || read < asked) return slots.done[slot];
  if (isCancelled) return -ERRNO.ECANCELED;
  pushPiece(slots, slot);
  return PENDING;
}
