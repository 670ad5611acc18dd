/**
 * What the devices over {@linkcode Media} share: which requests they refuse, and moving the bytes.
 *
 * @module
 */

import { ERRNO } from "../base/errors.ts";
import { IO_OP } from "./io.ts";
import type { Media } from "./media.ts";

/**
 * True for a request that lies on the device's blocks and in the attached memory. NaN is nowhere.
 */
export function isWellFormed(
  op: number,
  offsetBytes: number,
  bytes: number,
  buffer: number,
  blockBytes: number,
  deviceBytes: number,
  memoryBytes: number,
): boolean {
  if (op === IO_OP.FLUSH) return true;
  const usesMemory = op === IO_OP.READ || op === IO_OP.WRITE;
  return (usesMemory || op === IO_OP.DISCARD) && bytes !== 0 && bytes % blockBytes === 0 &&
    offsetBytes >= 0 && offsetBytes % blockBytes === 0 && offsetBytes + bytes <= deviceBytes &&
    (!usesMemory || buffer + bytes <= memoryBytes);
}

/** What is written over discarded bytes, in pieces: they read as zeros, as holes in a file do. */
const ZEROS: Uint8Array = new Uint8Array(65_536);

function discard(media: Media, offsetBytes: number, bytes: number): number {
  for (let done = 0; done < bytes; done += ZEROS.length) {
    const piece = Math.min(ZEROS.length, bytes - done);
    const result = media.write(offsetBytes + done, ZEROS, 0, piece);
    if (result < 0) return result;
  }
  return bytes;
}

/** Moves the bytes of a well-formed request; the result of its completion. */
export function transfer(
  media: Media,
  memory: Uint8Array,
  op: number,
  offsetBytes: number,
  bytes: number,
  buffer: number,
): number {
  if (op === IO_OP.READ) return media.read(offsetBytes, memory, buffer, bytes);
  if (op === IO_OP.WRITE) return media.write(offsetBytes, memory, buffer, bytes);
  if (op === IO_OP.DISCARD) return discard(media, offsetBytes, bytes);
  return 0;
}

/** Refuses a second memory: what is in flight names places in the first. */
export function checkNotAttached(memory: Uint8Array | null): void {
  if (memory === null) return;
  throw new TypeError("Cannot attach memory: the device must have none: received a second one");
}

/**
 * Whole blocks that cover `bytes`; a read that passes the end of the media is short, as it is for
 * files.
 */
export function blocksOf(bytes: number, blockBytes: number): number {
  return Math.ceil(bytes / blockBytes);
}

/** Stands for the memory of a device that has none attached: no request fits in it. */
export const NO_MEMORY: Uint8Array = new Uint8Array(0);

/** What a request that is not well-formed completes with. */
export const REFUSED: number = -ERRNO.EINVAL;
