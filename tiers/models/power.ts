/**
 * What a drive draws: idle, while it works, and for each byte that its media moves.
 *
 * @module
 */

import type { StateReader, StateWriter } from "./state.ts";

/** The power of a drive. */
export interface PowerProfile {
  /** Drawn always, in watts. */
  readonly idleWatts: number;
  /** Drawn on top while at least one request is in flight, in watts. */
  readonly activeWatts: number;
  /** For each byte the media reads, in nanojoules; whole granules count. */
  readonly readNanojoules: number;
  /** For each byte the media writes, in nanojoules; whole granules count. */
  readonly writeNanojoules: number;
}

/** Adds up the energy of a drive from 0 ns on; a few numbers, no memory an operation. */
export class PowerMeter {
  readonly #profile: PowerProfile;
  /** Of operations alone. */
  #joules = 0;
  #busyNs = 0;
  #busyUntilNs = 0;
  #lastJoules = 0;

  /** The meter of `profile`. */
  constructor(profile: PowerProfile) {
    this.#profile = profile;
  }

  /** Counts an operation over `[nowNs, dueNs]`, not before the last one's `nowNs`. */
  add(isWrite: boolean, mediaBytes: number, nowNs: number, dueNs: number): void {
    const { activeWatts, readNanojoules, writeNanojoules } = this.#profile;
    const joules = mediaBytes * (isWrite ? writeNanojoules : readNanojoules) * 1e-9;
    this.#joules += joules;
    // As intervals come in the order of their starts, their union grows at its end only.
    const longerNs = Math.max(0, dueNs - Math.max(nowNs, this.#busyUntilNs));
    this.#busyNs += longerNs;
    this.#busyUntilNs = Math.max(this.#busyUntilNs, dueNs);
    this.#lastJoules = joules + activeWatts * longerNs * 1e-9;
  }

  /**
   * What the last operation takes beyond idling, in joules. Not what `add` returns: a fraction that
   * a call gives back is an object on the heap, 16 bytes an operation.
   */
  get lastJoules(): number {
    return this.#lastJoules;
  }

  /** All joules up to `nowNs`; an operation counts from when it is submitted. */
  joules(nowNs: number): number {
    const { idleWatts, activeWatts } = this.#profile;
    // The longest operation covers all that lies between now and the end of the union.
    const busyNs = this.#busyNs - Math.max(0, this.#busyUntilNs - nowNs);
    return this.#joules + (idleWatts * nowNs + activeWatts * busyNs) * 1e-9;
  }

  /** Appends its state. */
  save(to: StateWriter): void {
    to.number(this.#joules);
    to.number(this.#busyNs);
    to.number(this.#busyUntilNs);
  }

  /** Goes on where the saved one was. */
  load(from: StateReader): void {
    this.#joules = from.number();
    this.#busyNs = from.number();
    this.#busyUntilNs = from.number();
  }
}
