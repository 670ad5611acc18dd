/**
 * Temperature and what a drive does about it: a body of one heat capacity behind one thermal
 * resistance, and a limit on bytes a second from when it is hot until it has cooled down.
 *
 * @module
 */

import { exp } from "../../base/math.ts";
import type { StateReader, StateWriter } from "./state.ts";

/** A first-order thermal model; its time constant is `kelvinPerWatt * joulesPerKelvin` seconds. */
export interface ThermalProfile {
  /** Of the air around it, in degrees Celsius. */
  readonly ambientCelsius: number;
  /** How much warmer than the air each watt makes it in the long run. */
  readonly kelvinPerWatt: number;
  /** Heat capacity: joules that warm it by one kelvin. */
  readonly joulesPerKelvin: number;
  /** From here on it throttles. */
  readonly throttleCelsius: number;
  /** Having throttled, it runs free again from here on; at most `throttleCelsius`. */
  readonly resumeCelsius: number;
  /** What it moves at most while it throttles, in bytes a second; 1 or more. */
  readonly throttledBytesPerSecond: number;
}

/** Where operations wait while a drive is too hot. */
export class ThermalGate {
  readonly #profile: ThermalProfile;
  /** Where the temperature goes when nothing is done. */
  readonly #idleCelsius: number;
  #celsius: number;
  #atNs = 0;
  #isHot = false;
  #openNs = 0;
  #throttledNs = 0;

  /** The gate of a drive that draws `idleWatts` and has the temperature of idling. */
  constructor(profile: ThermalProfile, idleWatts: number) {
    this.#profile = profile;
    this.#idleCelsius = profile.ambientCelsius + profile.kelvinPerWatt * idleWatts;
    this.#celsius = this.#idleCelsius;
  }

  /** When an operation of `bytes` that arrives at `nowNs` may start, in whole ns. */
  startNs(bytes: number, nowNs: number): number {
    this.#cool(nowNs);
    const { throttleCelsius, resumeCelsius, throttledBytesPerSecond } = this.#profile;
    this.#isHot = this.#celsius >= (this.#isHot ? resumeCelsius : throttleCelsius);
    // What queued up while it was hot still goes first: models want the order of time.
    const startNs = Math.max(nowNs, this.#openNs);
    this.#throttledNs += startNs - nowNs;
    this.#openNs = this.#isHot
      ? startNs + Math.ceil(bytes / throttledBytesPerSecond * 1e9)
      : startNs;
    return startNs;
  }

  /** Warms it by the energy of an operation, at the time of the last `startNs`. */
  heat(joules: number): void {
    this.#celsius += joules / this.#profile.joulesPerKelvin;
  }

  /** The temperature at `nowNs`, not before the last operation. */
  celsius(nowNs: number): number {
    this.#cool(nowNs);
    return this.#celsius;
  }

  /** How long operations have waited here, all together, in ns. */
  get throttledNs(): number {
    return this.#throttledNs;
  }

  /** Appends its state. */
  save(to: StateWriter): void {
    to.column(Float64Array.of(this.#celsius, this.#atNs, this.#openNs, this.#throttledNs));
    to.number(this.#isHot ? 1 : 0);
  }

  /** Goes on where the saved one was. */
  load(from: StateReader): void {
    this.#celsius = from.number();
    this.#atNs = from.number();
    this.#openNs = from.number();
    this.#throttledNs = from.number();
    this.#isHot = from.number() === 1;
  }

  /** Newton's law of cooling, exact for any step. */
  #cool(nowNs: number): void {
    if (nowNs <= this.#atNs) return;
    const { kelvinPerWatt, joulesPerKelvin } = this.#profile;
    const steps = (nowNs - this.#atNs) * 1e-9 / (kelvinPerWatt * joulesPerKelvin);
    this.#celsius = this.#idleCelsius + (this.#celsius - this.#idleCelsius) * exp(-steps);
    this.#atNs = nowNs;
  }
}
