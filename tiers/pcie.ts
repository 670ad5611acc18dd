/**
 * What a PCI Express link carries: the bus that a host model needs to know.
 *
 * @module
 */

import { checkInteger } from "../base/checks.ts";

/** What {@linkcode pcieBytesPerSecond} takes. */
export interface PcieLink {
  /** Generation, 1 to 5: 2.5, 5, 8, 16 and 32 GT/s a lane. */
  readonly generation: number;
  /** Lanes, 1 to 16. */
  readonly lanes: number;
  /** Bytes of payload in a packet, 128 to 4,096; 256, what hosts commonly set, when left out. */
  readonly payloadBytes?: number;
}

/** Bits a second and lane: 8b/10b up to generation 2, 128b/130b from 3 on (PCIe base). */
const TRANSFERS_PER_SECOND: readonly number[] = [
  2.5e9 * 8 / 10,
  5e9 * 8 / 10,
  8e9 * 128 / 130,
  16e9 * 128 / 130,
  32e9 * 128 / 130,
];

/** Framing, sequence number, header of a 64-bit address, link CRC (PCIe base: 4 + 2 + 16 + 4). */
const PACKET_BYTES = 26;

/**
 * Bytes of payload a second and direction that a PCI Express link carries, its acknowledgements and
 * flow control not counted: 3.6e9 for generation 3 with 4 lanes.
 *
 * @throws {RangeError} for a wrong `generation`, `lanes` or `payloadBytes`.
 *
 * @example
 * ```ts
 * import { pcieBytesPerSecond } from "@rowtier/rowtier/tiers";
 *
 * const bytes = pcieBytesPerSecond({ generation: 3, lanes: 4 });
 * if (Math.round(bytes / 1e8) !== 36) throw new Error("unreachable");
 * ```
 */
export function pcieBytesPerSecond(link: PcieLink): number {
  const what = "Cannot compute PCIe bytes per second";
  const { generation, lanes, payloadBytes = 256 } = link;
  checkInteger(what, "generation", generation, 1, TRANSFERS_PER_SECOND.length);
  checkInteger(what, "lanes", lanes, 1, 16);
  checkInteger(what, "payloadBytes", payloadBytes, 128, 4096);
  const rawBytes = TRANSFERS_PER_SECOND[generation - 1] / 8 * lanes;
  return rawBytes * payloadBytes / (payloadBytes + PACKET_BYTES);
}
