/**
 * A mirror: several devices that hold the same (RAID 1). Reads go to one of them, writes to all.
 *
 * @module
 */

import { checkInteger } from "../base/checks.ts";
import type { Clock } from "./clock.ts";
import type { BlockDevice } from "./device.ts";
import { IO_OP } from "./io.ts";
import { MAX_MEDIA_BYTES } from "./limits.ts";
import { checkDevices, createSpread, spreadDepth } from "./_spread.ts";
import type { Layout, Place } from "./_spread.ts";

/** Which device of a mirror a read goes to. */
export type MirrorChoice = "least-loaded" | "round-robin";

/** What {@linkcode createMirror} takes. */
export interface MirrorOptions {
  /**
   * 1 to 64 devices of the same content, all simulated or all real; the mirror owns them and
   * disposes of them.
   */
  readonly devices: readonly BlockDevice[];
  /** The clock of the devices: what waits for a full device counts in a request's latency. */
  readonly clock: Clock;
  /**
   * "least-loaded", the default: where the fewest of the mirror's requests are, in turn where
   * several have as few. "round-robin": in turn.
   */
  readonly choose?: MirrorChoice;
  /** Requests it can hold in flight, 1 to 4,096; what the devices hold together when left out. */
  readonly depth?: number;
}

/**
 * Makes one device out of `devices` of the same content; it is as long as the shortest and its
 * block is the largest of theirs.
 *
 * A read that fails on one device is tried on the others in turn, and fails only where all do, with
 * the first one's errno. Writes and flushes go to all devices and complete when the last has, with
 * the errno of the first that failed. Costs as much memory and time as a stripe
 * ({@linkcode createStripe}) of as many pieces.
 *
 * @throws {RangeError} for wrong `devices`, `choose` or `depth`.
 * @throws {TypeError} where simulated and real devices are mixed.
 *
 * @example A read survives a device that fails
 * ```ts
 * import { createCompletions, createFaultDevice, createRequests } from "@rowtier/rowtier/tiers";
 * import { createMemoryDevice, createMirror, memoryMedia } from "@rowtier/rowtier/tiers";
 * import { ERRNO, VirtualClock } from "@rowtier/rowtier/tiers";
 *
 * const clock = new VirtualClock();
 * const good = createMemoryDevice({ media: memoryMedia(4096), clock });
 * const bad = createFaultDevice({
 *   device: createMemoryDevice({ media: memoryMedia(4096), clock }),
 *   faults: [{ kind: "error", share: 1, errno: ERRNO.EIO }],
 *   clock,
 * });
 * using mirror = createMirror({ devices: [bad, good], choose: "round-robin", clock });
 * mirror.attach(new Uint8Array(512));
 * const requests = createRequests(1);
 * requests.bytes[0] = 512;
 * requests.count = 1;
 * mirror.submit(requests, 0);
 * const completions = createCompletions(1);
 * while (mirror.poll(completions) === 0) mirror.step(clock.now());
 * if (completions.result[0] !== 512) throw new Error("unreachable");
 * ```
 */
export function createMirror(options: MirrorOptions): BlockDevice {
  const what = "Cannot create mirror";
  const { devices, clock, choose = "least-loaded" } = options;
  const blockBytes = checkDevices(what, devices);
  if (choose !== "least-loaded" && choose !== "round-robin") {
    throw new RangeError(
      `${what}: choose must be "least-loaded" or "round-robin": received ${choose}`,
    );
  }
  const shortest = Math.min(...devices.map((device) => device.blockBytes * device.blockCount));
  checkInteger(what, "bytes of the shortest device", shortest, blockBytes, MAX_MEDIA_BYTES);
  const load = new Uint32Array(devices.length);
  return createSpread({
    name: `mirror of ${devices.length} x ${devices[0].name}`,
    devices,
    layout: new MirrorLayout(devices.length, choose === "least-loaded" ? load : null),
    blockBytes,
    blockCount: Math.floor(shortest / blockBytes),
    depth: spreadDepth(what, devices, options.depth),
    clock,
    load,
  });
}

class MirrorLayout implements Layout {
  readonly #devices: number;
  /** Requests by device; null where they do not matter. */
  readonly #load: Uint32Array | null;
  #turn = 0;

  constructor(devices: number, load: Uint32Array | null) {
    this.#devices = devices;
    this.#load = load;
  }

  count(op: number, _offsetBytes: number, _bytes: number): number {
    return op === IO_OP.READ ? 1 : this.#devices;
  }

  locate(place: Place, op: number, offsetBytes: number, bytes: number, index: number): void {
    place.device = op === IO_OP.READ ? this.#choose() : index;
    place.offsetBytes = offsetBytes;
    place.at = 0;
    place.bytes = op === IO_OP.FLUSH ? 0 : bytes;
  }

  spares(op: number): number {
    return op === IO_OP.READ ? this.#devices - 1 : 0;
  }

  #choose(): number {
    const devices = this.#devices, load = this.#load;
    let chosen = this.#turn;
    if (load !== null) {
      for (let i = 1; i < devices; i++) {
        const device = (this.#turn + i) % devices;
        if (load[device] < load[chosen]) chosen = device;
      }
    }
    this.#turn = (chosen + 1) % devices;
    return chosen;
  }
}
