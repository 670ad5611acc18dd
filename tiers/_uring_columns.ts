/**
 * The columns of the io_uring device: what is known of each request in flight.
 *
 * @module
 */

import { addressOf } from "../base/libc_ffi.ts";
import { copySide } from "./_copy_sides.ts";
import type { CopySide } from "./_copy_sides.ts";
import type { FileSpace } from "./_file_space.ts";
import { WIDENS } from "./_file_space.ts";
import { createReadyRing } from "./_ready_ring.ts";
import type { ReadyRing } from "./_ready_ring.ts";
import { ADDRESS_WORD, FIXED_FILE, OP, SQE_WORDS, TAG_WORD } from "./_uring_layout.ts";
import type { Ring } from "./_uring_layout.ts";

/** Bits of a slot's state; it is free when none is set. This one: the request's own entry. */
export const MOVING = 1;

/** The entry that cancels it. */
export const CANCELLING = 2;

/** The entry that makes its write durable. */
export const SYNCING = 4;

/** What a slot does, where one entry's result is not the request's. */
export const KIND: {
  readonly PLAIN: 0;
  readonly DISCARD: 1;
  readonly FLUSH: 2;
  readonly WIDE: 3;
  readonly DURABLE: 4;
} = { PLAIN: 0, DISCARD: 1, FLUSH: 2, WIDE: 3, DURABLE: 4 };

/**
 * Bytes of a slot's own memory for reads that do not lie on blocks; longer ones go through it piece
 * by piece. A row of 4 KB or less over a seam of 4 KB blocks fits in one.
 */
export const BOUNCE_BYTES = 8192;

/** Memory of {@linkcode BOUNCE_BYTES} a slot, on pages. */
export interface Bounce {
  /** The bytes. */
  readonly side: CopySide;
  /** The address of the first. */
  readonly address: number;
}

/** The columns; memory is named by address, and `fixed` says that it is registered. */
export interface Slots {
  /** Number of slots. */
  readonly depth: number;
  /** The granule of the device. */
  readonly blockBytes: number;
  /** Where the files lie. */
  readonly space: FileSpace;
  /** The rings. */
  readonly ring: Ring;
  /** Requests that were answered without the kernel, or completed while waiting. */
  readonly ready: ReadyRing;
  /** What is allowed: the bits that `answerEarly` takes. */
  readonly allowed: number;
  /** Whether each write is followed by a sync that is linked to it. */
  readonly durable: boolean;
  /** Flags of an entry: whether files are registered. */
  readonly flags: number;
  /** What an entry names each file by: its position when registered, else its descriptor. */
  readonly files: Int32Array;
  /** The request's tag, by slot. */
  readonly user: Float64Array;
  /** When it was submitted, by slot. */
  readonly submitNs: Float64Array;
  /** MOVING, CANCELLING and SYNCING, by slot. */
  readonly state: Uint8Array;
  /** One of {@linkcode KIND}, by slot. */
  readonly kind: Uint8Array;
  /** Of slots that are not plain: the file that is read or synced. */
  readonly file: Uint16Array;
  /** Where in that file the rest begins. */
  readonly position: Float64Array;
  /** Where in memory the rest goes. */
  readonly target: Uint32Array;
  /** Bytes asked for, or still to come. */
  readonly left: Uint32Array;
  /** Bytes that have been read or written, or what a sync gave. */
  readonly done: Int32Array;
  /** By file: 1 once a write or a discard went to it, so that a flush has it to sync. */
  readonly written: Uint8Array;
  /** What reads that do not lie on blocks land in; null where all must. */
  readonly bounce: Bounce | null;
  /** Free slots, a stack; the last freed is the first used, as its lines are in cache. */
  readonly free: Uint16Array;
  /** Height of that stack. */
  freeCount: number;
  /** Requests in flight, those in the completion ring included. */
  moving: number;
  /** Entries in flight that complete no request: cancellations, and writes before their sync. */
  extra: number;
  /** Slots in flight that take several entries one after the other. */
  staged: number;
  /** The attached memory: the reference keeps it alive under the kernel's writes. */
  memory: Uint8Array | null;
  /** The same for copies, where reads are widened. */
  side: CopySide | null;
  /** The address of its first byte. */
  address: number;
  /** True when it is registered. */
  fixed: boolean;
}

/** What {@linkcode createSlots} takes. */
export interface SlotsOptions {
  /** Descriptors of the files. */
  readonly fds: readonly number[];
  /** Where the files lie. */
  readonly space: FileSpace;
  /** The granule of the device. */
  readonly blockBytes: number;
  /** Number of slots. */
  readonly depth: number;
  /** Whether the files are registered with the ring. */
  readonly registered: boolean;
  /** What is allowed. */
  readonly allowed: number;
  /** Whether writes are durable. */
  readonly durable: boolean;
}

/** Columns for `depth` slots, with the constant words of all entries written. */
export function createSlots(ring: Ring, options: SlotsOptions): Slots {
  const { fds, depth, registered, durable } = options;
  for (let slot = 0; slot < depth; slot++) {
    ring.sqes[slot * SQE_WORDS + TAG_WORD] = slot;
    const cancel = (depth + slot) * SQE_WORDS;
    ring.sqes[cancel] = OP.ASYNC_CANCEL;
    ring.sqes[cancel + ADDRESS_WORD] = slot; // the tag to look for
    ring.sqes[cancel + TAG_WORD] = depth + slot;
    if (durable) ring.sqes[(2 * depth + slot) * SQE_WORDS + TAG_WORD] = 2 * depth + slot;
  }
  return {
    depth,
    blockBytes: options.blockBytes,
    space: options.space,
    ring,
    ready: createReadyRing(depth),
    allowed: options.allowed,
    durable,
    flags: registered ? FIXED_FILE : 0,
    files: Int32Array.from(fds, (fd, position) => registered ? position : fd),
    user: new Float64Array(depth),
    submitNs: new Float64Array(depth),
    state: new Uint8Array(depth),
    kind: new Uint8Array(depth),
    file: new Uint16Array(depth),
    position: new Float64Array(depth),
    target: new Uint32Array(depth),
    left: new Uint32Array(depth),
    done: new Int32Array(depth),
    written: new Uint8Array(fds.length),
    bounce: (options.allowed & WIDENS) === 0 ? null : createBounce(depth),
    free: Uint16Array.from({ length: depth }, (_, i) => depth - 1 - i),
    freeCount: depth,
    moving: 0,
    extra: 0,
    staged: 0,
    memory: null,
    side: null,
    address: 0,
    fixed: false,
  };
}

function createBounce(depth: number): Bounce {
  const pages = Math.ceil(depth * BOUNCE_BYTES / 65_536);
  const memory = new Uint8Array(
    new WebAssembly.Memory({ initial: pages, maximum: pages }).buffer,
  );
  return { side: copySide(memory), address: addressOf(memory) };
}
