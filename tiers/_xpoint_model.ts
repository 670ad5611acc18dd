/**
 * Time in a 3D XPoint drive: no block is slower than another and nothing is collected, so that a
 * few equal servers describe it, with a part of the latency that keeps none of them busy.
 *
 * @module
 */

import { createRandom } from "../base/random.ts";
import type { Random } from "../base/random.ts";
import { IO_OP } from "./io.ts";
import type { XpointProfile } from "./profile.ts";
import { drawExponentialNs } from "./_timing.ts";
import type { Timing } from "./_timing.ts";

/** The model of `profile`; `seed` is that of its jitter. */
export class XpointModel implements Timing {
  readonly #profile: XpointProfile;
  readonly #random: Random;
  /**
   * When each unit is free. Fractions of a ns are kept here: 0.3 ns a granule is 0.4 % of the
   * bandwidth.
   */
  readonly #freeNs: Float64Array;
  #writtenNs = 0;

  constructor(profile: XpointProfile, seed: number) {
    this.#profile = profile;
    this.#random = createRandom(seed);
    this.#freeNs = new Float64Array(profile.units);
  }

  dueNs(op: number, offsetBytes: number, bytes: number, nowNs: number): number {
    if (op === IO_OP.FLUSH) return Math.max(nowNs, this.#writtenNs);
    const { granuleBytes, pipeNs } = this.#profile;
    const times = op === IO_OP.WRITE ? this.#profile.write : this.#profile.read;
    const first = Math.floor(offsetBytes / granuleBytes);
    const last = Math.floor((offsetBytes + bytes - 1) / granuleBytes);
    // The operation's own costs fall on the unit of its first granule, the others go on beside it.
    let extraNs = times.delayNs + this.#drawNs();
    let endNs = 0;
    for (let granule = first; granule <= last; granule++) {
      const unit = earliest(this.#freeNs);
      const doneNs = Math.max(nowNs, this.#freeNs[unit]) + extraNs + times.granuleNs;
      this.#freeNs[unit] = doneNs + times.trailingNs;
      endNs = Math.max(endNs, doneNs);
      extraNs = 0;
    }
    const dueNs = Math.ceil(endNs + pipeNs);
    if (op === IO_OP.WRITE) this.#writtenNs = Math.max(this.#writtenNs, dueNs);
    return dueNs;
  }

  #drawNs(): number {
    const { jitterNs, stallShare, stallNs } = this.#profile;
    const ns = drawExponentialNs(this.#random, jitterNs);
    if (stallShare === 0 || this.#random.unit() >= stallShare) return ns;
    return ns + stallNs * this.#random.unit();
  }
}

/**
 * The unit that is free first. Tried: units in turn, as NVMeVirt takes them; one late read then
 * holds up its unit's queue while others idle, and p99 at depth 16 came to 92 us where the drive
 * has 41.
 */
function earliest(freeNs: Float64Array): number {
  let unit = 0;
  for (let i = 1; i < freeNs.length; i++) if (freeNs[i] < freeNs[unit]) unit = i;
  return unit;
}
