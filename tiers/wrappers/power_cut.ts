/**
 * A device that can lose power: what is in flight fails, what was not flushed may be gone.
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
import type { VolatileMedia } from "./volatile_media.ts";

/** What {@linkcode createPowerCutDevice} takes. */
export interface PowerCutDeviceOptions {
  /** A device over `media`; the wrapper owns it and disposes of it. */
  readonly device: BlockDevice;
  /** What loses its cache: the wrapper flushes it when a flush of the device completes. */
  readonly media: VolatileMedia;
  /** Power goes when the request with this number, from 0 on, is taken; never when left out. */
  readonly cutAt?: number;
  /** The device's clock. */
  readonly clock: Clock;
}

/** A device with a switch. */
export interface PowerCutDevice extends BlockDevice {
  /** False between a cut and `restore`. */
  readonly powered: boolean;
  /** Cuts the power; nothing happens without it. */
  cut(): void;
  /**
   * Brings power back.
   *
   * @throws {TypeError} while requests from before are still to be polled.
   */
  restore(): void;
}

/**
 * Wraps `device` so that its power can be cut. From then on, until `restore`, each request that is
 * in flight or submitted completes with -EIO, and the media keep what was flushed; of what was
 * written since, they keep what their `keptShare` says.
 *
 * @throws {RangeError} for a wrong `cutAt`.
 *
 * @example
 * ```ts
 * import { createCompletions, createMemoryDevice, createRequests } from "@rowtier/rowtier/tiers";
 * import { createPowerCutDevice, IO_OP, memoryMedia } from "@rowtier/rowtier/tiers";
 * import { VirtualClock, volatileMedia } from "@rowtier/rowtier/tiers";
 *
 * const clock = new VirtualClock();
 * const content = new Uint8Array(4096);
 * const media = volatileMedia({ media: memoryMedia(content) });
 * const inner = createMemoryDevice({ media, clock });
 * using device = createPowerCutDevice({ device: inner, media, clock });
 * device.attach(new Uint8Array(512).fill(7));
 * const requests = createRequests(3), completions = createCompletions(4);
 * requests.op.set([IO_OP.WRITE, IO_OP.FLUSH, IO_OP.WRITE]);
 * requests.offsetBytes.set([0, 0, 512]);
 * requests.bytes.fill(512);
 * for (requests.count = 1; requests.count <= 3; requests.count++) {
 *   device.submit(requests, requests.count - 1);
 *   device.poll(completions);
 * }
 * device.cut();
 * if (content[0] !== 7 || content[512] !== 0) throw new Error("unreachable");
 * ```
 */
export function createPowerCutDevice(options: PowerCutDeviceOptions): PowerCutDevice {
  const { device, media, cutAt = Infinity, clock } = options;
  if (cutAt !== Infinity) checkInteger("Cannot create power cut device", "cutAt", cutAt, 0);
  return new CuttableDevice(device, clock, new PowerRules(device.depth, media, cutAt));
}

class PowerRules implements Rules {
  readonly media: VolatileMedia;
  readonly #cutAt: number;
  /** 1 where the request of a slot was taken while there was power, and it has not gone since. */
  readonly #sound: Uint8Array;
  #taken = 0;

  constructor(depth: number, media: VolatileMedia, cutAt: number) {
    this.media = media;
    this.#cutAt = cutAt;
    this.#sound = new Uint8Array(depth);
  }

  cut(): void {
    if (!this.media.powered) return;
    this.media.cut();
    this.#sound.fill(0);
  }

  admit(frame: Frame, slot: number): void {
    if (this.#taken++ === this.#cutAt) this.cut();
    if (!this.media.powered) {
      frame.finish(slot, -ERRNO.EIO);
      return;
    }
    this.#sound[slot] = 1;
    frame.forward(slot);
  }

  arrive(frame: Frame, slot: number, result: number): void {
    if (this.#sound[slot] === 0) {
      frame.finish(slot, -ERRNO.EIO);
      return;
    }
    // What completed before the flush was submitted is in the cache now, and perhaps more.
    if (frame.held.op[slot] === IO_OP.FLUSH && result >= 0) this.media.flush();
    frame.finish(slot, result);
  }
}

class CuttableDevice extends Frame implements PowerCutDevice {
  readonly #rules: PowerRules;

  constructor(device: BlockDevice, clock: Clock, rules: PowerRules) {
    super(`${device.name} with a power switch`, device, clock, rules);
    this.#rules = rules;
  }

  get powered(): boolean {
    return this.#rules.media.powered;
  }

  cut(): void {
    this.#rules.cut();
  }

  restore(): void {
    if (this.inFlight > 0) {
      throw new TypeError(
        `Cannot restore power: requests in flight must be 0: received ${this.inFlight}`,
      );
    }
    this.#rules.media.restore();
  }
}
