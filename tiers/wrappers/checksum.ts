/**
 * A device that notices when another gives wrong bytes: rot, a flipped bit on the way, a read of
 * the wrong block, a write that never reached the media.
 *
 * @module
 */

import { checkInteger } from "../../base/checks.ts";
import { ERRNO } from "../../base/errors.ts";
import { xxh32 } from "../../base/xxh32.ts";
import type { Clock } from "../clock.ts";
import type { BlockDevice } from "../device.ts";
import { Frame } from "../frame.ts";
import type { Rules } from "../frame.ts";
import { IO_OP } from "../io.ts";
import { MAX_CHECKED_BLOCKS } from "../limits.ts";

/** What {@linkcode createChecksumDevice} takes. */
export interface ChecksumDeviceOptions {
  /** The device that does the work; the wrapper owns it and disposes of it. */
  readonly device: BlockDevice;
  /**
   * The sums of the device's first blocks, by {@linkcode blockSum}, as they are on it now; copied.
   * Blocks that it does not cover are checked once they have been written. None when left out.
   */
  readonly sums?: Int32Array | Uint32Array;
  /** Of the sums: a 32-bit number that tells devices apart, 0 to 2^32 - 1; 0 when left out. */
  readonly seed?: number;
  /** The device's clock. */
  readonly clock: Clock;
}

/**
 * The sum of a block: XXH32 of its bytes, seeded by its number and `seed`, so that the right bytes
 * of another block are wrong. A signed 32-bit integer.
 *
 * @param bytes What holds the block.
 * @param at Its first byte there.
 * @param blockBytes Its size.
 * @param block Its number on the device.
 * @param seed Tells devices apart.
 *
 * @example
 * ```ts
 * import { blockSum } from "@rowtier/rowtier/tiers";
 *
 * const zeros = new Uint8Array(512);
 * if (blockSum(zeros, 0, 512, 0, 9) === blockSum(zeros, 0, 512, 1, 9)) throw new
 * Error("unreachable");
 * ```
 */
export function blockSum(
  bytes: Uint8Array,
  at: number,
  blockBytes: number,
  block: number,
  seed: number,
): number {
  // Knuth's multiplier spreads neighbouring numbers; devices of 2^32 blocks are beyond what is
  // kept.
  return xxh32(bytes, at, at + blockBytes, Math.imul(block, 0x9e3779b1) ^ seed);
}

/**
 * Wraps `device` so that reads are checked, block by block, against the sums of what was written; a
 * read that does not match completes with -EBADMSG, and its memory holds the wrong bytes. Sums are
 * kept in memory, 15 bytes a block. Over it a retry device can read again.
 *
 * A block is not checked while it is unknown which bytes are right: when a write to it was in
 * flight at any time during the read, when two writes to it overlapped, and after a write that
 * failed or was cut short.
 *
 * @throws {RangeError} for a device of more than 2^26 blocks, `sums` longer than the device, or a
 * wrong `seed`.
 *
 * @example
 * ```ts
 * import { blockSum, createChecksumDevice, createCompletions } from "@rowtier/rowtier/tiers";
 * import { createMemoryDevice, createRequests, ERRNO } from "@rowtier/rowtier/tiers";
 * import { memoryMedia, VirtualClock } from "@rowtier/rowtier/tiers";
 *
 * const content = new Uint8Array(1024);
 * const sums = Int32Array.of(blockSum(content, 0, 512, 0, 0), blockSum(content, 512, 512, 1, 0));
 * content[700] ^= 1; // rot
 * const clock = new VirtualClock();
 * const inner = createMemoryDevice({ media: memoryMedia(content), clock });
 * using device = createChecksumDevice({ device: inner, sums, clock });
 * device.attach(new Uint8Array(1024));
 * const requests = createRequests(1);
 * requests.bytes[0] = 1024;
 * requests.count = 1;
 * device.submit(requests, 0);
 * const completions = createCompletions(1);
 * device.poll(completions);
 * if (completions.result[0] !== -ERRNO.EBADMSG) throw new Error("unreachable");
 * ```
 */
export function createChecksumDevice(options: ChecksumDeviceOptions): BlockDevice {
  const what = "Cannot create checksum device";
  const { device, sums = new Int32Array(0), seed = 0, clock } = options;
  checkInteger(what, "device.blockCount", device.blockCount, 0, MAX_CHECKED_BLOCKS);
  checkInteger(what, "sums.length", sums.length, 0, device.blockCount);
  checkInteger(what, "seed", seed, 0, 2 ** 32 - 1);
  return new Frame(`${device.name} checked`, device, clock, new ChecksumRules(device, sums, seed));
}

class ChecksumRules implements Rules {
  readonly #blockBytes: number;
  readonly #blockCount: number;
  readonly #seed: number;
  readonly #sum: Int32Array;
  /** 1 where the sum is right. */
  readonly #known: Uint8Array;
  /** Writes in flight. */
  readonly #writers: Uint16Array;
  /** When a write last began or ended there, in the count of such events. */
  readonly #changed: Float64Array;
  /** When the request of a slot began. */
  readonly #began: Float64Array;
  #events = 0;

  constructor(device: BlockDevice, sums: ArrayLike<number>, seed: number) {
    const { blockBytes, blockCount, depth } = device;
    this.#blockBytes = blockBytes;
    this.#blockCount = blockCount;
    this.#seed = seed;
    this.#sum = new Int32Array(blockCount);
    this.#sum.set(sums);
    this.#known = new Uint8Array(blockCount).fill(1, 0, sums.length);
    this.#writers = new Uint16Array(blockCount);
    this.#changed = new Float64Array(blockCount);
    this.#began = new Float64Array(depth);
  }

  admit(frame: Frame, slot: number): void {
    this.#began[slot] = ++this.#events;
    if (this.#changes(frame, slot)) {
      const first = this.#firstOf(frame, slot), end = this.#endOf(frame, slot);
      for (let block = first; block < end; block++) {
        this.#writers[block]++;
        this.#changed[block] = this.#events;
      }
    }
    frame.forward(slot);
  }

  arrive(frame: Frame, slot: number, result: number): void {
    if (this.#changes(frame, slot)) this.#settle(frame, slot, result);
    const isRead = frame.held.op[slot] === IO_OP.READ;
    const wrong = isRead && result > 0 && !this.#matches(frame, slot, result);
    frame.finish(slot, wrong ? -ERRNO.EBADMSG : result);
  }

  dropped(frame: Frame, slot: number): void {
    if (this.#changes(frame, slot)) this.#settle(frame, slot, -ERRNO.ECANCELED);
  }

  /** Whether it can change blocks: a write or a discard that a device can take. */
  #changes(frame: Frame, slot: number): boolean {
    const { op, offsetBytes, bytes } = frame.held;
    const isChange = op[slot] === IO_OP.WRITE || op[slot] === IO_OP.DISCARD;
    return isChange && offsetBytes[slot] >= 0 && offsetBytes[slot] + bytes[slot] <=
        this.#blockCount * this.#blockBytes;
  }

  #firstOf(frame: Frame, slot: number): number {
    return Math.floor(frame.held.offsetBytes[slot] / this.#blockBytes);
  }

  #endOf(frame: Frame, slot: number): number {
    const { offsetBytes, bytes } = frame.held;
    return Math.ceil((offsetBytes[slot] + bytes[slot]) / this.#blockBytes);
  }

  /** Ends a write: the blocks that it alone has changed are known now. */
  #settle(frame: Frame, slot: number, result: number): void {
    const { op, bytes, buffer } = frame.held;
    const first = this.#firstOf(frame, slot), end = this.#endOf(frame, slot);
    const whole = op[slot] === IO_OP.WRITE && result === bytes[slot];
    const began = this.#began[slot];
    const event = ++this.#events;
    for (let block = first; block < end; block++) {
      this.#writers[block]--;
      const alone = this.#writers[block] === 0 && this.#changed[block] === began;
      this.#changed[block] = event;
      this.#known[block] = whole && alone ? 1 : 0;
      if (!whole || !alone) continue;
      const at = buffer[slot] + (block - first) * this.#blockBytes;
      this.#sum[block] = blockSum(frame.memory, at, this.#blockBytes, block, this.#seed);
    }
  }

  /** Whether the whole blocks that were read are the right ones, as far as is known. */
  #matches(frame: Frame, slot: number, result: number): boolean {
    const size = this.#blockBytes;
    const first = this.#firstOf(frame, slot);
    const began = this.#began[slot];
    for (let i = 0; (i + 1) * size <= result; i++) {
      const block = first + i;
      const quiet = this.#writers[block] === 0 && this.#changed[block] < began;
      if (this.#known[block] === 0 || !quiet) continue;
      const at = frame.held.buffer[slot] + i * size;
      if (blockSum(frame.memory, at, size, block, this.#seed) !== this.#sum[block]) return false;
    }
    return true;
  }
}
