/**
 * A device that tries again what another has failed.
 *
 * @module
 */

import { checkInteger } from "../../base/checks.ts";
import { ERRNO } from "../../base/errors.ts";
import type { Clock } from "../clock.ts";
import type { BlockDevice } from "../device.ts";
import { Frame } from "../frame.ts";
import type { Rules } from "../frame.ts";
import { IO_OP } from "../io.ts";
import { MAX_RETRIES, MAX_WRAPPER_NS } from "../limits.ts";

/** What {@linkcode createRetryDevice} takes. */
export interface RetryDeviceOptions {
  /** The device that does the work; the wrapper owns it and disposes of it. */
  readonly device: BlockDevice;
  /** Times that one request is tried again, 1 to 64; 3 when left out. */
  readonly retries?: number;
  /**
   * The wait before the first retry in ns, doubled before each further one; 0 to 2^50, 0 when left
   * out. It is virtual time where the device's is.
   */
  readonly backoffNs?: number;
  /** Such a wait is never longer, in ns; `backoffNs` to 2^50, 2^50 when left out. */
  readonly maxBackoffNs?: number;
  /**
   * The error numbers that are worth another try; when left out EINTR, EIO, EAGAIN and EBADMSG, the
   * last of which is what a checksum device says.
   */
  readonly errnos?: readonly number[];
  /** The device's clock. */
  readonly clock: Clock;
}

const DEFAULT_ERRNOS: readonly number[] = [ERRNO.EINTR, ERRNO.EIO, ERRNO.EAGAIN, ERRNO.EBADMSG];

/**
 * Wraps `device` so that reads and writes that fail with one of `errnos`, or move fewer bytes than
 * asked for, are submitted again, whole. What the last try gave stands: a read at the end of a file
 * is short after all tries. A cancelled request is not tried again.
 *
 * Flushes are never tried again: after a failed fsync(2), Linux may have dropped the pages that it
 * could not write, and the second call succeeds without them.
 *
 * Over a real device `wait` does not wait for what backs off: only steps submit it again.
 *
 * @throws {RangeError} for a wrong number.
 *
 * @example
 * ```ts
 * import { createCompletions, createFaultDevice, createRequests } from "@rowtier/rowtier/tiers";
 * import { createMemoryDevice, createRetryDevice, drive, ERRNO } from "@rowtier/rowtier/tiers";
 * import { memoryMedia, VirtualClock } from "@rowtier/rowtier/tiers";
 *
 * const clock = new VirtualClock();
 * const flaky = createFaultDevice({
 *   device: createMemoryDevice({ media: memoryMedia(4096), clock }),
 *   faults: [{ kind: "error", at: 0, errno: ERRNO.EIO }],
 *   clock,
 * });
 * using device = createRetryDevice({ device: flaky, backoffNs: 1_000, clock });
 * device.attach(new Uint8Array(512));
 * const requests = createRequests(1);
 * requests.bytes[0] = 512;
 * requests.count = 1;
 * device.submit(requests, 0);
 * const completions = createCompletions(1);
 * drive(device, clock, () => device.poll(completions) > 0);
 * if (completions.result[0] !== 512 || clock.now() !== 1_000) throw new Error("unreachable");
 * ```
 */
export function createRetryDevice(options: RetryDeviceOptions): BlockDevice {
  const what = "Cannot create retry device";
  const { device, retries = 3, backoffNs = 0, errnos = DEFAULT_ERRNOS, clock } = options;
  const { maxBackoffNs = MAX_WRAPPER_NS } = options;
  checkInteger(what, "retries", retries, 1, MAX_RETRIES);
  checkInteger(what, "backoffNs", backoffNs, 0, MAX_WRAPPER_NS);
  checkInteger(what, "maxBackoffNs", maxBackoffNs, backoffNs, MAX_WRAPPER_NS);
  errnos.forEach((errno, i) => checkInteger(what, `errnos[${i}]`, errno, 1, 4095));
  const rules = new RetryRules(device.depth, retries, backoffNs, maxBackoffNs, errnos);
  return new Frame(`${device.name} with retries`, device, clock, rules);
}

class RetryRules implements Rules {
  readonly #tries: Uint8Array;
  readonly #retries: number;
  readonly #backoffNs: number;
  readonly #maxBackoffNs: number;
  /** 1 for an error number that is worth another try. */
  readonly #again = new Uint8Array(4096);

  constructor(
    depth: number,
    retries: number,
    backoffNs: number,
    maxBackoffNs: number,
    errnos: readonly number[],
  ) {
    this.#tries = new Uint8Array(depth);
    this.#retries = retries;
    this.#backoffNs = backoffNs;
    this.#maxBackoffNs = maxBackoffNs;
    for (const errno of errnos) this.#again[errno] = 1;
  }

  admit(frame: Frame, slot: number): void {
    this.#tries[slot] = 0;
    frame.forward(slot);
  }

  arrive(frame: Frame, slot: number, result: number): void {
    const { op, bytes } = frame.held;
    const moves = op[slot] === IO_OP.READ || op[slot] === IO_OP.WRITE;
    const failed = result < 0 ? this.#again[-result] === 1 : result < bytes[slot];
    if (!moves || !failed || frame.cancelled[slot] === 1 || this.#tries[slot] === this.#retries) {
      frame.finish(slot, result);
      return;
    }
    const waitNs = Math.min(this.#backoffNs * 2 ** this.#tries[slot]++, this.#maxBackoffNs);
    frame.timeNs[slot] += waitNs;
    if (waitNs === 0) frame.forward(slot);
    else frame.hold(slot);
  }

  due(frame: Frame, slot: number): void {
    frame.forward(slot);
  }
}
