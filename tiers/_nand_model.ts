/**
 * Time in a NAND drive: controller, die (tR), channel, bus, each a server that takes one page at a
 * time. What waits at depth are reads that meet at one die; the tail are reads that land behind an
 * erase or a program.
 *
 * @module
 */

import { createRandom } from "../base/random.ts";
import type { Random } from "../base/random.ts";
import { IO_OP } from "./io.ts";
import type { NandProfile } from "./profile.ts";
import { drawExponentialNs } from "./_timing.ts";
import type { Timing } from "./_timing.ts";

/** The model of `profile`; `seed` is that of its jitter and its stalls. */
export class NandModel implements Timing {
  readonly #profile: NandProfile;
  readonly #random: Random;
  /** When each die, each channel and the bus are free of reads. */
  readonly #dieFreeNs: Float64Array;
  readonly #channelFreeNs: Float64Array;
  #busFreeNs = 0;
  /** When each die has programmed all that was written to it. */
  readonly #programmedNs: Float64Array;
  /** When each die's next erase begins, or its current one began. */
  readonly #eraseNs: Float64Array;
  /** Writes go to the dies in turn, wherever they are addressed: the drive writes a log. */
  #nextDie = 0;
  #writtenNs = 0;

  constructor(profile: NandProfile, seed: number) {
    const dies = profile.channels * profile.diesPerChannel;
    this.#profile = profile;
    this.#random = createRandom(seed);
    this.#dieFreeNs = new Float64Array(dies);
    this.#channelFreeNs = new Float64Array(profile.channels);
    this.#programmedNs = new Float64Array(dies);
    this.#eraseNs = new Float64Array(dies);
    for (let die = 0; die < dies; die++) this.#eraseNs[die] = this.#nextEraseNs(0);
  }

  dueNs(op: number, offsetBytes: number, bytes: number, nowNs: number): number {
    if (op === IO_OP.FLUSH) return Math.max(nowNs, this.#writtenNs);
    const { pageBytes, controllerNs } = this.#profile;
    const first = Math.floor(offsetBytes / pageBytes);
    const last = Math.floor((offsetBytes + bytes - 1) / pageBytes);
    const startNs = nowNs + controllerNs;
    let endNs = 0;
    for (let page = first; page <= last; page++) {
      const doneNs = op === IO_OP.WRITE ? this.#writePage(startNs) : this.#readPage(page, startNs);
      endNs = Math.max(endNs, doneNs);
    }
    const dueNs = Math.ceil(endNs);
    if (op === IO_OP.WRITE) this.#writtenNs = Math.max(this.#writtenNs, dueNs);
    return dueNs;
  }

  /**
   * Bus, channel, die: a page really takes them the other way round. Its total is the same, but so
   * each server is asked in the order of time. Tried: the real order; a page that waits for its die
   * then books the bus before others that are ready sooner, and one behind an erase held up all.
   */
  #readPage(page: number, startNs: number): number {
    const { channels, diesPerChannel, senseNs, channelNs, busNs, suspendNs } = this.#profile;
    const channel = page % channels;
    const die = channel + channels * (Math.floor(page / channels) % diesPerChannel);
    this.#busFreeNs = Math.max(startNs, this.#busFreeNs) + busNs;
    const leftNs = Math.max(this.#busFreeNs, this.#channelFreeNs[channel]) + channelNs;
    this.#channelFreeNs[channel] = leftNs;
    let beginNs = this.#afterErase(die, Math.max(leftNs, this.#dieFreeNs[die]));
    const serviceNs = senseNs + drawExponentialNs(this.#random, this.#profile.jitterNs);
    const programmedNs = this.#programmedNs[die];
    if (programmedNs > beginNs) {
      // The program stops for the read and ends later by as much.
      beginNs += Math.min(suspendNs, programmedNs - beginNs);
      this.#programmedNs[die] = Math.max(programmedNs, beginNs) + serviceNs;
    }
    this.#dieFreeNs[die] = beginNs + serviceNs;
    return beginNs + serviceNs;
  }

  /**
   * When a read that could begin at `beginNs` does. Erases come by themselves, as collection and
   * refreshing make them: a process in time, so that the share of reads that meet one does not grow
   * with the depth. A chance for each read would hold up the reads behind it as well.
   */
  #afterErase(die: number, beginNs: number): number {
    const { eraseNs } = this.#profile;
    while (this.#eraseNs[die] + eraseNs <= beginNs) {
      this.#eraseNs[die] = this.#nextEraseNs(this.#eraseNs[die] + eraseNs);
    }
    return beginNs < this.#eraseNs[die] ? beginNs : this.#eraseNs[die] + eraseNs;
  }

  #nextEraseNs(fromNs: number): number {
    const { eraseEveryNs } = this.#profile;
    return eraseEveryNs === 0 ? Infinity : fromNs + drawExponentialNs(this.#random, eraseEveryNs);
  }

  #writePage(startNs: number): number {
    const { busNs, programNs, bufferPages } = this.#profile;
    const die = this.#nextDie;
    this.#nextDie = die + 1 === this.#programmedNs.length ? 0 : die + 1;
    this.#busFreeNs = Math.max(startNs, this.#busFreeNs) + busNs;
    const arrivedNs = this.#busFreeNs;
    const programmedNs = Math.max(arrivedNs, this.#programmedNs[die]) + programNs;
    this.#programmedNs[die] = programmedNs;
    // The buffer survives a loss of power: a write is done when it has a place there.
    return Math.max(arrivedNs, programmedNs - bufferPages * programNs);
  }
}
