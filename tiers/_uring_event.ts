/**
 * Waiting for a ring without blocking the thread that owns it: an eventfd(2) that the kernel counts
 * completions up on, and a read of it on one of the runtime's own threads.
 *
 * A read in place of poll(2) on the ring itself, as another thread must not enter a ring of a
 * single issuer; and one call at a time, as each occupies a thread.
 *
 * @module
 */

import { DeviceError } from "../base/errors.ts";
import { ringCalls } from "./_uring_calls_ffi.ts";
import { registerEvent } from "./uring_ffi.ts";
import type { Ring } from "./_uring_layout.ts";

const EFD_CLOEXEC = 0o2000000;

/** An eventfd that is registered with a ring. */
export interface RingEvent {
  /** Its descriptor. */
  readonly fd: number;
  /** Where the counter is read to. */
  readonly counter: Uint8Array<ArrayBuffer>;
  /** True while a thread reads it. */
  isReading: boolean;
  /** True once it is to be closed, by whoever comes last. */
  isClosed: boolean;
}

/**
 * Makes an eventfd that tells of `ring`'s completions.
 *
 * @throws {DeviceError} where the system gives none.
 */
export function createRingEvent(ring: Ring): RingEvent {
  const fd = ringCalls().eventfd(0, EFD_CLOEXEC);
  if (fd < 0) throw new DeviceError("Cannot wait for io_uring: no eventfd", ring.libc.errno());
  const errno = registerEvent(ring, fd);
  if (errno < 0) {
    ring.libc.symbols.close(fd);
    throw new DeviceError("Cannot wait for io_uring: the eventfd is refused", -errno);
  }
  return { fd, counter: new Uint8Array(8), isReading: false, isClosed: false };
}

/** Resolves when completions have come since the last read; takes one thread until then. */
export async function nextEvent(ring: Ring, event: RingEvent): Promise<void> {
  event.isReading = true;
  await ringCalls().read(event.fd, event.counter, 8n);
  event.isReading = false;
  if (event.isClosed) ring.libc.symbols.close(event.fd);
}

/** Lets a read that is under way end, then closes the descriptor. */
export function closeRingEvent(ring: Ring, event: RingEvent): void {
  event.isClosed = true;
  if (!event.isReading) {
    ring.libc.symbols.close(event.fd);
    return;
  }
  const one = new Uint8Array(BigUint64Array.of(1n).buffer);
  ring.libc.symbols.write(event.fd, one, 8n);
}
