/**
 * What every simulated drive does around its timing model: waits while it is hot, saves on reads of
 * less than a block, and counts operations, bytes and energy.
 *
 * @module
 */

import { IO_OP } from "../io.ts";
import { mediaGranuleBytes } from "../profile.ts";
import type { DeviceProfile } from "../profile.ts";
import type { FlashCounters } from "./ftl.ts";
import { PowerMeter } from "./power.ts";
import type { StateReader, StateWriter } from "./state.ts";
import { ThermalGate } from "./throttle.ts";
import type { Timing } from "./timing.ts";

/** What a simulated drive has done since 0 ns; submitted counts as done. */
export interface DeviceCounters {
  /** Reads. */
  readonly reads: number;
  /** Writes. */
  readonly writes: number;
  /** Bytes that the host asked for, each way: what crosses the bus. */
  readonly busBytes: number;
  /** Bytes that the media read for the host, in whole granules. */
  readonly mediaReadBytes: number;
  /** Bytes that the host made the media write, in whole granules; without what a drive collects. */
  readonly mediaWriteBytes: number;
  /** Energy drawn up to now in joules; null for a profile without `power`. */
  readonly joules: number | null;
  /** Power in watts, the mean from 0 ns to now; null without `power`, and at 0 ns. */
  readonly meanWatts: number | null;
  /** Temperature in degrees Celsius; null for a profile without `thermal`. */
  readonly celsius: number | null;
  /** How long operations have waited, all together, because it was hot; in ns. */
  readonly throttledNs: number;
  /**
   * Share of its endurance that `mediaWriteBytes` used up; null for a profile without `endurance`.
   */
  readonly wornShare: number | null;
  /** Collection, wear and write amplification of a NAND drive; null for other kinds. */
  readonly flash: FlashCounters | null;
}

/** A timing model with gate, savings and counters around it. */
export class MeteredTiming implements Timing {
  readonly #profile: DeviceProfile;
  readonly #model: Timing;
  readonly #granuleBytes: number;
  readonly #meter: PowerMeter | null;
  readonly #gate: ThermalGate | null;
  #reads = 0;
  #writes = 0;
  #busBytes = 0;
  #readBytes = 0;
  #writtenBytes = 0;

  /** `model` is that of `profile`, a checked one. */
  constructor(profile: DeviceProfile, model: Timing) {
    const { power, thermal } = profile;
    this.#profile = profile;
    this.#model = model;
    this.#granuleBytes = mediaGranuleBytes(profile);
    this.#meter = power === undefined ? null : new PowerMeter(power);
    this.#gate = thermal === undefined || power === undefined
      ? null
      : new ThermalGate(thermal, power.idleWatts);
  }

  /** When the request is done, in whole ns; reads may be of less than a block. */
  dueNs(op: number, offsetBytes: number, bytes: number, nowNs: number): number {
    if (op !== IO_OP.READ && op !== IO_OP.WRITE) {
      return this.#model.dueNs(op, offsetBytes, bytes, nowNs);
    }
    const { blockBytes } = this.#profile;
    const granuleBytes = this.#granuleBytes;
    // Blocks are powers of two, so this is exact; % is many times slower beyond 2^31.
    const skipped = offsetBytes - Math.floor(offsetBytes / blockBytes) * blockBytes;
    const spanBytes = Math.ceil((skipped + bytes) / blockBytes) * blockBytes;
    const fromBytes = offsetBytes - skipped;
    const first = Math.floor(fromBytes / granuleBytes);
    const end = Math.ceil((fromBytes + spanBytes) / granuleBytes);
    const mediaBytes = (end - first) * granuleBytes;
    // The media work on whole blocks whatever is asked for: only bus and latency are spared.
    const startNs = this.#gate === null ? nowNs : this.#gate.startNs(mediaBytes, nowNs);
    let dueNs = this.#model.dueNs(op, fromBytes, spanBytes, startNs);
    if (bytes < spanBytes) dueNs = this.#earlier(dueNs, spanBytes - bytes, startNs);
    this.#count(op === IO_OP.WRITE, bytes, mediaBytes);
    if (this.#meter !== null) {
      // From `nowNs`: a drive that holds a request back is not idle.
      this.#meter.add(op === IO_OP.WRITE, mediaBytes, nowNs, dueNs);
      if (this.#gate !== null) this.#gate.heat(this.#meter.lastJoules);
    }
    return dueNs;
  }

  /** All counters; makes one object. `nowNs` is not before the last operation. */
  counters(nowNs: number): DeviceCounters {
    const { endurance } = this.#profile;
    const joules = this.#meter === null ? null : this.#meter.joules(nowNs);
    return {
      reads: this.#reads,
      writes: this.#writes,
      busBytes: this.#busBytes,
      mediaReadBytes: this.#readBytes,
      mediaWriteBytes: this.#writtenBytes,
      joules,
      meanWatts: joules === null || nowNs === 0 ? null : joules / (nowNs * 1e-9),
      celsius: this.#gate === null ? null : this.#gate.celsius(nowNs),
      throttledNs: this.#gate === null ? 0 : this.#gate.throttledNs,
      wornShare: endurance === undefined ? null : this.#writtenBytes /
        (endurance.capacityBytes * endurance.driveWritesPerDay * 365 * endurance.years),
      flash: this.#model.flash ?? null,
    };
  }

  /** Appends its state and the model's. */
  save(to: StateWriter): void {
    for (const count of [this.#reads, this.#writes]) to.number(count);
    for (const bytes of [this.#busBytes, this.#readBytes, this.#writtenBytes]) to.number(bytes);
    this.#meter?.save(to);
    this.#gate?.save(to);
    this.#model.save(to);
  }

  /** Goes on where the saved one was. */
  load(from: StateReader): void {
    this.#reads = from.number();
    this.#writes = from.number();
    this.#busBytes = from.number();
    this.#readBytes = from.number();
    this.#writtenBytes = from.number();
    this.#meter?.load(from);
    this.#gate?.load(from);
    this.#model.load(from);
  }

  /**
   * What a bit bucket saves grows with the bytes left out: the paper gives one point, 3-5 % where
   * 384 of 512 are.
   */
  #earlier(dueNs: number, sparedBytes: number, startNs: number): number {
    const savedNs = this.#profile.subBlock?.savedNs ?? 0;
    return Math.max(startNs, Math.ceil(dueNs - sparedBytes * savedNs));
  }

  #count(isWrite: boolean, bytes: number, mediaBytes: number): void {
    this.#busBytes += bytes;
    if (isWrite) {
      this.#writes++;
      this.#writtenBytes += mediaBytes;
    } else {
      this.#reads++;
      this.#readBytes += mediaBytes;
    }
  }
}
