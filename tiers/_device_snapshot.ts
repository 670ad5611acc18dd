/**
 * A snapshot of a simulated device: a head that says what it belongs to, the state, and a checksum
 * over both, so that all is checked before anything is restored.
 *
 * @module
 */

import { xxh32 } from "../base/xxh32.ts";
import type { EventHeap } from "./_event_heap.ts";
import type { ReadyRing } from "./_ready_ring.ts";
import { type StateColumn, StateReader, StateWriter } from "./models/state.ts";

/** Raised with every change of what any model saves. */
const VERSION = 1;

/** Requests in flight, by slot; the heap's events are slots. */
export interface Flying {
  /** Of {@linkcode IO_OP}. */
  readonly op: Uint8Array;
  /** Where on the device. */
  readonly offsetBytes: Float64Array;
  /** How much. */
  readonly bytes: Uint32Array;
  /** Where in memory. */
  readonly buffer: Uint32Array;
  /** Tags. */
  readonly user: Float64Array;
  /** When each came. */
  readonly submitNs: Float64Array;
  /** Slots not in flight, a stack. */
  readonly free: Uint16Array;
  /** How many. */
  freeCount: number;
  /** Requests taken so far: what orders those due at one time. */
  sequence: number;
}

/** No requests, for up to `depth` of them. */
export function createFlying(depth: number): Flying {
  return {
    op: new Uint8Array(depth),
    offsetBytes: new Float64Array(depth),
    bytes: new Uint32Array(depth),
    buffer: new Uint32Array(depth),
    user: new Float64Array(depth),
    submitNs: new Float64Array(depth),
    free: Uint16Array.from({ length: depth }, (_, i) => depth - 1 - i),
    freeCount: depth,
    sequence: 0,
  };
}

/** What a snapshot is checked against: it must be of the same drive, at the same time. */
export interface SnapshotHead {
  /** Says which profile, depth and media; a checksum. */
  readonly drive: number;
  /** The time of the clock. */
  readonly nowNs: number;
  /** Bytes of the attached memory; at least as many must be attached where it is restored. */
  readonly memoryBytes: number;
}

/** A checksum of `parts`, which JSON can hold. */
export function fingerprint(parts: readonly unknown[]): number {
  const bytes = new TextEncoder().encode(JSON.stringify(parts));
  return xxh32(bytes, 0, bytes.length, VERSION);
}

/** Begins a snapshot. */
export function beginSnapshot(head: SnapshotHead): StateWriter {
  const to = new StateWriter();
  for (const value of [VERSION, head.drive, head.nowNs, head.memoryBytes]) to.number(value);
  return to;
}

/** Ends a snapshot: all its bytes. */
export function endSnapshot(to: StateWriter): Uint8Array {
  const body = to.bytes();
  to.number(xxh32(body, 0, body.length, VERSION));
  return to.bytes();
}

/**
 * Checks a snapshot and returns the reader of what follows its head.
 *
 * @throws {RangeError} when it is damaged, of another drive, or of another time.
 */
export function openSnapshot(bytes: Uint8Array, head: SnapshotHead): StateReader {
  const what = "Cannot restore simulated device";
  const end = bytes.length - 8;
  const sum = end < 0 ? -1 : new StateReader(bytes.subarray(end)).number();
  if (end < 0 || sum !== xxh32(bytes, 0, end, VERSION)) {
    throw new RangeError(`${what}: snapshot must be whole: received ${bytes.length} damaged bytes`);
  }
  const from = new StateReader(bytes.subarray(0, end));
  const [version, drive, nowNs, memoryBytes] = [0, 0, 0, 0].map(() => from.number());
  if (version !== VERSION || drive !== head.drive) {
    throw new RangeError(
      `${what}: snapshot must be of the same profile, depth and media size: received another`,
    );
  }
  if (nowNs !== head.nowNs) {
    throw new RangeError(`${what}: the clock must stand at ${nowNs} ns: received ${head.nowNs}`);
  }
  if (memoryBytes > head.memoryBytes) {
    throw new RangeError(
      `${what}: attached memory must be at least ${memoryBytes} bytes: ` +
        `received ${head.memoryBytes}`,
    );
  }
  return from;
}

/** Appends what is in flight and what waits to be polled. */
export function saveRequests(
  to: StateWriter,
  flying: Flying,
  heap: EventHeap,
  ready: ReadyRing,
): void {
  for (const count of [flying.freeCount, flying.sequence, heap.count]) to.number(count);
  for (const count of [ready.head, ready.count]) to.number(count);
  for (const column of columnsOf(flying, heap, ready)) to.column(column);
}

/** Takes what {@linkcode saveRequests} has written. */
export function loadRequests(
  from: StateReader,
  flying: Flying,
  heap: EventHeap,
  ready: ReadyRing,
): void {
  flying.freeCount = from.number();
  flying.sequence = from.number();
  heap.count = from.number();
  ready.head = from.number();
  ready.count = from.number();
  for (const column of columnsOf(flying, heap, ready)) from.column(column);
}

function columnsOf(flying: Flying, heap: EventHeap, ready: ReadyRing): StateColumn[] {
  const { op, offsetBytes, bytes, buffer, user, submitNs, free } = flying;
  const { result, latencyNs } = ready;
  const requests = [op, offsetBytes, bytes, buffer, user, submitNs, free];
  return [...requests, heap.dueNs, heap.sequence, heap.order, ready.user, result, latencyNs];
}
