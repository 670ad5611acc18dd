/**
 * Bags that were pooled before: found when their batch is staged, so that none of their rows is
 * looked up, and handed out when it is pooled.
 *
 * @module
 */

import { BAG_OUTCOME, PooledCache } from "../cache/mod.ts";
import type { PartRecord, TicketRecord } from "./_tickets.ts";
import type { PooledOptions } from "./options.ts";

/** The pooled cache, and what takes the found bags out of a batch. */
export class PooledBags {
  readonly cache: PooledCache;
  readonly #dims: readonly number[];
  /** The keys of a part that are left to look up. */
  readonly #keys: Uint32Array;

  constructor(options: PooledOptions, dims: readonly number[], maxKeys: number) {
    this.cache = new PooledCache({ ...options, tables: dims.map((dim) => ({ dim })) });
    this.#dims = dims;
    this.#keys = new Uint32Array(maxKeys);
  }

  /** Bytes of its arrays. */
  get bytes(): number {
    const { rowBytes, columnBytes, indexBytes, policyBytes } = this.cache.memoryBytes();
    return rowBytes + columnBytes + indexBytes + policyBytes + this.#keys.byteLength;
  }

  /**
   * Floats of the bags that may be found in one batch, and room for one more, which a lookup asks
   * for before it knows.
   */
  maxFloats(maxKeys: number): number {
    return (Math.floor(maxKeys / this.cache.minimumLength) + 1) * Math.max(...this.#dims);
  }

  /**
   * Looks the bags of a staged part up. Those that are found are copied at once, as they may be
   * gone when the batch is pooled, and left empty in the part; returns the keys of the others.
   */
  find(record: TicketRecord, part: PartRecord, keys: Uint32Array): Uint32Array {
    const { tickets, vectors } = record.found;
    const { table, offsets, weights = null, firstBag } = part;
    const dim = this.#dims[table];
    part.foundStart = record.foundFloats;
    let start = 0, left = 0;
    for (let b = 0; b < part.bagCount; b++) {
      const end = offsets[b + 1];
      const to = record.foundFloats, bag = firstBag + b;
      if (this.cache.find(table, keys, start, end, weights, vectors, to, tickets, bag)) {
        record.foundFloats += dim;
      } else {
        for (let i = start; i < end; i++, left++) {
          this.#keys[left] = keys[i];
          if (weights !== null) weights[left] = weights[i];
        }
      }
      offsets[b + 1] = left;
      start = end;
    }
    record.keys -= part.keyCount - left;
    part.keyCount = left;
    return this.#keys;
  }

  /**
   * Puts the found bags of a part in their places of `output`, which holds the part's pooled bags,
   * and keeps those that were not found, if all of the part's are `whole`.
   */
  finish(record: TicketRecord, part: PartRecord, output: Float32Array, whole: boolean): void {
    const { tickets, vectors } = record.found;
    const dim = this.#dims[part.table];
    let from = part.foundStart;
    for (let b = 0; b < part.bagCount; b++) {
      const bag = part.firstBag + b;
      if (tickets.outcome[bag] === BAG_OUTCOME.HIT) {
        for (let i = 0; i < dim; i++) output[b * dim + i] = vectors[from + i];
        from += dim;
      } else if (whole) this.cache.store(part.table, output, b * dim, tickets, bag);
    }
  }
}
