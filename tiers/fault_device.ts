/**
 * A device that fails on purpose: a wrapper that makes chosen requests of another device fail, come
 * short, come late, come wrong, or not come at all. Which ones follows from rules and a seed, so
 * that a run can be repeated.
 *
 * @module
 */

import type { Clock } from "./clock.ts";
import type { BlockDevice } from "./device.ts";
import { checkFaults, FaultRules } from "./fault.ts";
import type { Fault } from "./fault.ts";
import { Frame } from "./frame.ts";
import type { Rules } from "./frame.ts";
import { IO_OP } from "./io.ts";
import { isWellFormed } from "./_transfer.ts";

/** What {@linkcode createFaultDevice} takes. */
export interface FaultDeviceOptions {
  /** The device that does the work; the wrapper owns it and disposes of it. */
  readonly device: BlockDevice;
  /** At most 256 rules; the first that meets a request decides what happens to it. */
  readonly faults: readonly Fault[];
  /** The device's clock: late completions are timed by it. */
  readonly clock: Clock;
  /**
   * Of the rules that go by `share`, and of the byte that is corrupted: a safe integer, 1 when left
   * out.
   */
  readonly seed?: number;
}

/**
 * Wraps `device` so that requests fail by `faults`. Reads, writes and flushes are numbered from 0
 * each, in the order they are submitted; what no rule meets passes untouched.
 *
 * @throws {RangeError} for a rule with a wrong number, or a wrong `seed`.
 * @throws {TypeError} for a rule of unknown kind or `op`, one whose kind its `op` cannot meet, or
 * one without exactly one of `at` and `share`.
 *
 * @example
 * ```ts
 * import {
 *   createCompletions,
 *   createFaultDevice,
 *   createMemoryDevice,
 *   createRequests,
 *   ERRNO,
 *   memoryMedia,
 *   VirtualClock,
 * } from "@rowtier/rowtier/tiers";
 *
 * const clock = new VirtualClock();
 * using device = createFaultDevice({
 *   device: createMemoryDevice({ media: memoryMedia(4096), clock }),
 *   faults: [{ kind: "error", at: 1, errno: ERRNO.EIO }],
 *   clock,
 * });
 * device.attach(new Uint8Array(512));
 * const requests = createRequests(2);
 * requests.bytes.fill(512);
 * requests.user.set([10, 11]);
 * requests.count = 2;
 * device.submit(requests, 0);
 * const completions = createCompletions(2);
 * device.poll(completions);
 * const failed = completions.user.indexOf(11);
 * if (completions.result[failed] !== -ERRNO.EIO) throw new Error("unreachable");
 * ```
 */
export function createFaultDevice(options: FaultDeviceOptions): BlockDevice {
  const { device, faults, clock, seed = 1 } = options;
  checkFaults("Cannot create fault device", faults);
  const rules = new FaultDeviceRules(device.depth, new FaultRules(faults, seed));
  return new Frame(`${device.name} with faults`, device, clock, rules);
}

class FaultDeviceRules implements Rules {
  readonly #choice: FaultRules;
  readonly #fault: (Fault | null)[];
  /** What a late completion will say. */
  readonly #result: Int32Array;
  /** What a short read must leave as it was; the only allocation, one a short read. */
  readonly #tail: (Uint8Array | null)[];

  constructor(depth: number, choice: FaultRules) {
    this.#choice = choice;
    this.#fault = new Array(depth).fill(null);
    this.#result = new Int32Array(depth);
    this.#tail = new Array(depth).fill(null);
  }

  admit(frame: Frame, slot: number): void {
    const { held } = frame;
    const fault = this.#choice.next(held.op[slot]);
    this.#fault[slot] = fault;
    this.#tail[slot] = null;
    if (fault === null) frame.forward(slot);
    else if (fault.kind === "error") frame.finish(slot, -fault.errno);
    else if (fault.kind === "lost") frame.park(slot);
    else {
      // A request that the device refuses stays one that it refuses.
      const sound = isSound(frame, slot);
      if (sound && fault.kind === "misplaced") this.#misplace(frame, slot);
      if (sound && fault.kind === "short") this.#beginShort(frame, slot);
      // A write of one block has no shorter form: it moves nothing.
      if (sound && fault.kind === "short" && held.bytes[slot] === 0) frame.finish(slot, 0);
      else frame.forward(slot);
    }
  }

  arrive(frame: Frame, slot: number, result: number): void {
    const fault = this.#fault[slot];
    if (fault === null || (fault.kind !== "late" && result <= 0)) {
      frame.finish(slot, result);
    } else if (fault.kind === "late" && result >= 0) {
      this.#result[slot] = result;
      frame.timeNs[slot] += fault.delayNs;
      frame.hold(slot);
    } else if (fault.kind === "short" && frame.held.op[slot] === IO_OP.READ) {
      frame.finish(slot, this.#shorten(frame, slot, result));
    } else if (fault.kind === "corrupt") {
      frame.finish(slot, this.#corrupt(frame, slot, result));
    } else frame.finish(slot, result);
  }

  due(frame: Frame, slot: number): void {
    frame.finish(slot, this.#result[slot]);
  }

  /** Makes it a read of as many bytes elsewhere, if there is an elsewhere. */
  #misplace(frame: Frame, slot: number): void {
    const { offsetBytes, bytes } = frame.held;
    const { blockBytes } = frame;
    const places = frame.blockCount - bytes[slot] / blockBytes;
    if (places < 1) return;
    const own = offsetBytes[slot] / blockBytes;
    const other = this.#choice.random.below(Math.min(places, 2 ** 32));
    // The last place stands for its own, so that each other one is as likely.
    offsetBytes[slot] = (other === own ? places : other) * blockBytes;
  }

  /** A read is cut when it has come; a write moves whole blocks, and only those are sent on. */
  #beginShort(frame: Frame, slot: number): void {
    const { op, bytes, buffer } = frame.held;
    const part = partOf(bytes[slot]);
    if (op[slot] === IO_OP.WRITE) bytes[slot] = part - part % frame.blockBytes;
    else this.#tail[slot] = frame.memory.slice(buffer[slot] + part, buffer[slot] + bytes[slot]);
  }

  /** Puts back what lay behind the part that is said to have come. */
  #shorten(frame: Frame, slot: number, result: number): number {
    const part = partOf(frame.held.bytes[slot]);
    const tail = this.#tail[slot];
    this.#tail[slot] = null;
    if (tail !== null) frame.memory.set(tail, frame.held.buffer[slot] + part);
    return Math.min(result, part);
  }

  #corrupt(frame: Frame, slot: number, result: number): number {
    const { random } = this.#choice;
    const at = frame.held.buffer[slot] + random.below(result);
    frame.memory[at] ^= 1 + random.below(255);
    return result;
  }
}

function isSound(frame: Frame, slot: number): boolean {
  const { op, offsetBytes, bytes, buffer } = frame.held;
  const { blockBytes, blockCount, memory } = frame;
  return isWellFormed(
    op[slot],
    offsetBytes[slot],
    bytes[slot],
    buffer[slot],
    blockBytes,
    blockBytes * blockCount,
    memory.length,
  );
}

/** What a short read brings: about half, and not a whole block of most sizes. */
function partOf(bytes: number): number {
  return Math.floor(bytes / 2);
}
