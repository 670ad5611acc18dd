/**
 * Submission entries of the io_uring device, word by word (io_uring_enter(2)): 0 opcode and flags,
 * 1 file, 2-3 offset, 4-5 address, 6 length, 7 flags of the operation, 8-9 tag, 10 buffer index.
 *
 * @module
 */

import { DISCARD_MODE, FDATASYNC, FIXED_BUFFER_BYTES, OP, SQE_WORDS } from "./_uring_layout.ts";
import type { Slots } from "./_uring_columns.ts";

/**
 * Writes the words of entry `index` that differ from use to use; the tag stays. All of them each
 * time: a slot's entry was of another operation before, and the kernel refuses leftovers in words
 * that an operation has no use for. Stores of numbers beyond 2^32 keep their low half.
 */
function fill(
  sqes: Uint32Array,
  index: number,
  word0: number,
  file: number,
  position: number,
  address: number,
  length: number,
  flags: number,
  buffer: number,
): void {
  const at = index * SQE_WORDS;
  sqes[at] = word0;
  sqes[at + 1] = file;
  sqes[at + 2] = position;
  sqes[at + 3] = position / 2 ** 32;
  sqes[at + 4] = address;
  sqes[at + 5] = address / 2 ** 32;
  sqes[at + 6] = length;
  sqes[at + 7] = flags;
  sqes[at + 10] = buffer;
}

/** Entry `slot` moves `bytes` between `position` of a file and the attached memory. */
export function writeMove(
  slots: Slots,
  slot: number,
  reads: boolean,
  file: number,
  position: number,
  buffer: number,
  bytes: number,
): void {
  const chunk = (buffer / FIXED_BUFFER_BYTES) >>> 0;
  // A move over the seam of two registered buffers belongs to neither.
  const fixed = slots.fixed && ((buffer + bytes - 1) / FIXED_BUFFER_BYTES) >>> 0 === chunk;
  const op = fixed ? (reads ? OP.READ_FIXED : OP.WRITE_FIXED) : (reads ? OP.READ : OP.WRITE);
  const { sqes } = slots.ring;
  const address = slots.address + buffer;
  const index = fixed ? chunk : 0;
  fill(sqes, slot, slots.flags | op, slots.files[file], position, address, bytes, 0, index);
}

/** Entry `slot` reads to an address outside of the attached memory. */
export function writeRead(
  slots: Slots,
  slot: number,
  file: number,
  position: number,
  address: number,
  bytes: number,
): void {
  const word0 = slots.flags | OP.READ;
  fill(slots.ring.sqes, slot, word0, slots.files[file], position, address, bytes, 0, 0);
}

/** Entry `slot` punches a hole; fallocate(2) has its length where others have an address. */
export function writeDiscard(
  slots: Slots,
  slot: number,
  file: number,
  position: number,
  bytes: number,
): void {
  const word0 = slots.flags | OP.FALLOCATE;
  fill(slots.ring.sqes, slot, word0, slots.files[file], position, bytes, DISCARD_MODE, 0, 0);
}

/** Entry `index` makes all of a file durable: fdatasync(2). */
export function writeSync(slots: Slots, index: number, file: number): void {
  const word0 = slots.flags | OP.FSYNC;
  fill(slots.ring.sqes, index, word0, slots.files[file], 0, 0, 0, FDATASYNC, 0);
}
