/**
 * The columns behind a device made of several: whole requests by slot, and the pieces they were cut
 * into.
 *
 * @module
 */

/** Whole requests, by slot. */
export interface Wholes {
  /** Free, live, or ready to be polled. */
  readonly state: Uint8Array;
  /** 1 once it was cancelled: what fails from then on is not tried elsewhere. */
  readonly cancelled: Uint8Array;
  /** Pieces it has. */
  readonly count: Uint32Array;
  /** Pieces made so far. */
  readonly issued: Uint32Array;
  /** Pieces made and not come back. */
  readonly outstanding: Uint32Array;
  /** Bytes without a gap from its first on, or the first error: a negative errno. */
  readonly result: Float64Array;
  /** When it was submitted. */
  readonly submitNs: Float64Array;
  /** The latest of its pieces so far. */
  readonly latencyNs: Float64Array;
  /** Free slots, as a stack. */
  readonly free: Uint16Array;
  freeCount: number;
  /** A ring of slots that still have pieces to make, in order. */
  readonly queue: Uint16Array;
  head: number;
  queued: number;
}

/** Columns for `depth` requests, all free: 42 bytes each. */
export function createWholes(depth: number): Wholes {
  return {
    state: new Uint8Array(depth),
    cancelled: new Uint8Array(depth),
    count: new Uint32Array(depth),
    issued: new Uint32Array(depth),
    outstanding: new Uint32Array(depth),
    // As doubles, so that a request of 2 GiB and more, which no completion can report, is not an
    // error in between.
    result: new Float64Array(depth),
    submitNs: new Float64Array(depth),
    latencyNs: new Float64Array(depth),
    free: Uint16Array.from({ length: depth }, (_, i) => depth - 1 - i),
    freeCount: depth,
    queue: new Uint16Array(depth),
    head: 0,
    queued: 0,
  };
}

/** Pieces, by number; the number is the tag that devices know a piece by. */
export interface Pieces {
  /** Free, in a lane, or at a device. */
  readonly state: Uint8Array;
  /** The slot of its request. */
  readonly whole: Uint16Array;
  /** Position of its device. */
  readonly device: Uint8Array;
  /** First byte on the device. */
  readonly offsetBytes: Float64Array;
  /** First byte within its request. */
  readonly at: Uint32Array;
  readonly bytes: Uint32Array;
  /** When its device took it. */
  readonly sentNs: Float64Array;
  /** How many devices have failed it. */
  readonly failures: Uint8Array;
  /** What the first of them said. */
  readonly error: Int32Array;
  /** Free numbers, as a stack. */
  readonly free: Uint16Array;
  freeCount: number;
}

/** Columns for `count` pieces, all free: 35 bytes each. */
export function createPieces(count: number): Pieces {
  return {
    state: new Uint8Array(count),
    whole: new Uint16Array(count),
    device: new Uint8Array(count),
    offsetBytes: new Float64Array(count),
    at: new Uint32Array(count),
    bytes: new Uint32Array(count),
    sentNs: new Float64Array(count),
    failures: new Uint8Array(count),
    error: new Int32Array(count),
    free: Uint16Array.from({ length: count }, (_, i) => count - 1 - i),
    freeCount: count,
  };
}
