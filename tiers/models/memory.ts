/**
 * Time in memory that is addressed like a device: DRAM, DIMMs of 3D XPoint, memory behind CXL. Two
 * latencies, as a read that follows the last one meets a row or a buffer that is open, and one link
 * of a bandwidth, which moves whole media granules.
 *
 * @module
 */

import { IO_OP } from "../io.ts";
import type { MemoryProfile } from "../profile.ts";
import type { StateReader, StateWriter } from "./state.ts";
import type { Timing } from "./timing.ts";

/** The model of `profile`; nothing in it is random. */
export class MemoryModel implements Timing {
  readonly #profile: MemoryProfile;
  /** When the link is free; fractions of a ns are kept, as a line of DRAM takes less than one. */
  #freeNs = 0;
  /** The granule that the last access ended in. */
  #lastGranule = -2;
  #writtenNs = 0;

  /** An idle memory. */
  constructor(profile: MemoryProfile) {
    this.#profile = profile;
  }

  /** When the request is done, in whole ns. */
  dueNs(op: number, offsetBytes: number, bytes: number, nowNs: number): number {
    if (op !== IO_OP.READ && op !== IO_OP.WRITE) return Math.max(nowNs, this.#writtenNs);
    const { granuleBytes, sequentialNs, randomNs } = this.#profile;
    const first = Math.floor(offsetBytes / granuleBytes);
    const last = Math.floor((offsetBytes + bytes - 1) / granuleBytes);
    const isSequential = first === this.#lastGranule || first === this.#lastGranule + 1;
    // What lies in the granule that is open needs no second pass over the media.
    const granules = last - first + (first === this.#lastGranule ? 0 : 1);
    this.#lastGranule = last;
    const { readBytesPerSecond, writeBytesPerSecond } = this.#profile;
    const bytesPerSecond = op === IO_OP.WRITE ? writeBytesPerSecond : readBytesPerSecond;
    const startNs = Math.max(nowNs, this.#freeNs);
    this.#freeNs = startNs + granules * granuleBytes * 1e9 / bytesPerSecond;
    const latencyNs = isSequential ? sequentialNs : randomNs;
    // The first granule's time on the link is part of the published latency.
    const beyondNs = (last - first) * granuleBytes * 1e9 / bytesPerSecond;
    const dueNs = Math.ceil(startNs + latencyNs + beyondNs);
    if (op === IO_OP.WRITE) this.#writtenNs = Math.max(this.#writtenNs, dueNs);
    return dueNs;
  }

  /** Appends its state. */
  save(to: StateWriter): void {
    for (const state of [this.#freeNs, this.#lastGranule, this.#writtenNs]) to.number(state);
  }

  /** Goes on where the saved one was. */
  load(from: StateReader): void {
    this.#freeNs = from.number();
    this.#lastGranule = from.number();
    this.#writtenNs = from.number();
  }
}
