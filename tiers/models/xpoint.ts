/**
 * Time in a 3D XPoint drive: no block is slower than another and nothing is collected, so that a
 * few equal servers describe it, with a part of the latency that keeps none of them busy. The rules
 * of "Towards an unwritten contract of Intel Optane SSD" (HotStorage '19) come out of granules and
 * chunks: what is smaller than a granule or lies across two costs whole ones, and two requests in
 * one chunk follow one another.
 *
 * @module
 */

import { IO_OP } from "../io.ts";
import type { XpointProfile } from "../profile.ts";
import type { StateReader, StateWriter } from "./state.ts";
import { drawExponentialNs, Noise } from "./timing.ts";
import type { Timing } from "./timing.ts";

/**
 * Places that remember which chunk was served last, by the low bits of its number. Two chunks that
 * share one forget a conflict: at depth 128 fewer than one in a hundred.
 */
const CHUNK_PLACES = 16_384;

/** The model of `profile`; `seed` is that of its jitter. */
export class XpointModel implements Timing {
  readonly #profile: XpointProfile;
  readonly #random: Noise;
  /**
   * When each unit is free. Fractions of a ns are kept here: 0.3 ns a granule is 0.4 % of the
   * bandwidth.
   */
  readonly #freeNs: Float64Array;
  /** By place: the chunk served last, until when, and by which unit. Empty without chunks. */
  readonly #chunk: Float64Array;
  readonly #chunkFreeNs: Float64Array;
  readonly #chunkUnit: Uint16Array;
  #writtenNs = 0;

  /** 0 for a drive without chunks. */
  readonly #granulesPerChunk: number;

  /** An idle drive. */
  constructor(profile: XpointProfile, seed: number) {
    const { chunkBytes = 0, granuleBytes } = profile;
    const places = chunkBytes === 0 ? 0 : CHUNK_PLACES;
    this.#granulesPerChunk = chunkBytes / granuleBytes;
    this.#profile = profile;
    this.#random = new Noise(seed);
    this.#freeNs = new Float64Array(profile.units);
    this.#chunk = new Float64Array(places);
    this.#chunkFreeNs = new Float64Array(places);
    this.#chunkUnit = new Uint16Array(places);
  }

  /** When the request is done, in whole ns. */
  dueNs(op: number, offsetBytes: number, bytes: number, nowNs: number): number {
    if (op !== IO_OP.READ && op !== IO_OP.WRITE) return Math.max(nowNs, this.#writtenNs);
    const { granuleBytes, pipeNs } = this.#profile;
    const times = op === IO_OP.WRITE ? this.#profile.write : this.#profile.read;
    const first = Math.floor(offsetBytes / granuleBytes);
    const last = Math.floor((offsetBytes + bytes - 1) / granuleBytes);
    // The operation's own costs fall on the unit of its first granule, the others go on beside it.
    let serviceNs = times.delayNs + this.#drawNs() + times.granuleNs;
    let endNs = 0;
    // In one piece: a call that is not inlined makes an object of each fraction it gives back.
    for (let granule = first; granule <= last; granule++) {
      const place = this.#placeOf(granule);
      const unit = this.#unitOf(granule, place, nowNs);
      const doneNs = Math.max(nowNs, this.#freeNs[unit]) + serviceNs;
      this.#freeNs[unit] = doneNs + times.trailingNs;
      if (doneNs > endNs) endNs = doneNs;
      serviceNs = times.granuleNs;
      if (place < 0) continue;
      this.#chunk[place] = Math.floor(granule / this.#granulesPerChunk);
      this.#chunkFreeNs[place] = doneNs;
      this.#chunkUnit[place] = unit;
    }
    const dueNs = Math.ceil(endNs + pipeNs);
    if (op === IO_OP.WRITE) this.#writtenNs = Math.max(this.#writtenNs, dueNs);
    return dueNs;
  }

  /** Appends its state. */
  save(to: StateWriter): void {
    this.#random.save(to);
    to.number(this.#writtenNs);
    for (const column of this.#columns()) to.column(column);
  }

  /** Goes on where the saved one was. */
  load(from: StateReader): void {
    this.#random.load(from);
    this.#writtenNs = from.number();
    for (const column of this.#columns()) from.column(column);
  }

  #columns(): (Float64Array | Uint16Array)[] {
    return [this.#freeNs, this.#chunk, this.#chunkFreeNs, this.#chunkUnit];
  }

  /** Where the granule's chunk is remembered; -1 for a drive without chunks. */
  #placeOf(granule: number): number {
    const granules = this.#granulesPerChunk;
    return granules === 0 ? -1 : Math.floor(granule / granules) & (CHUNK_PLACES - 1);
  }

  /** Behind the one it conflicts with, on its unit: the other units stay free for others. */
  #unitOf(granule: number, place: number, nowNs: number): number {
    const waits = place >= 0 && this.#chunkFreeNs[place] > nowNs &&
      this.#chunk[place] === Math.floor(granule / this.#granulesPerChunk);
    return waits ? this.#chunkUnit[place] : earliest(this.#freeNs);
  }

  /** What comes on top of an operation, in whole ns. */
  #drawNs(): number {
    const { jitterNs, stallShare, stallNs } = this.#profile;
    const ns = drawExponentialNs(this.#random, jitterNs);
    if (stallShare === 0 || (this.#random.i32() >>> 0) >= stallShare * 2 ** 32) return ns;
    return ns + this.#random.below(stallNs);
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
