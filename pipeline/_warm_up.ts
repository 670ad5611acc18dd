/**
 * Bringing rows back that a cache held before: which ones are still to be read, and the bytes that
 * say so.
 *
 * Little-endian: the 16 bytes of the table file's id, then the order as the cache exports it, which
 * has a checksum of its own. An order of another file, or one whose id has flipped, is foreign.
 *
 * @module
 */

import { type AnyRowCache, createClaim, type RowOrder } from "../cache/mod.ts";
import { PRIORITY } from "../tiers/mod.ts";
import type { Loader } from "./_loader.ts";
import type { TableHeader } from "./table_header.ts";

/** Bytes of the id before the order. */
const ID_BYTES = 16;

/** The order of partition `t` of `cache`, which is that of `table`. */
export function encodeTableOrder(cache: AnyRowCache, t: number, table: TableHeader): Uint8Array {
  const order = cache.exportOrder(t);
  const bytes = new Uint8Array(ID_BYTES + order.length);
  bytes.set(table.id);
  bytes.set(order, ID_BYTES);
  return bytes;
}

/** What `encodeTableOrder` wrote; throws a RangeError unless it is that, whole and of `table`. */
function decodeTableOrder(
  cache: AnyRowCache,
  t: number,
  table: TableHeader,
  bytes: Uint8Array,
): RowOrder {
  if (bytes.length < ID_BYTES || table.id.some((byte, i) => byte !== bytes[i])) {
    throw new RangeError(
      `Cannot warm table ${t}: bytes must begin with the id of its file: received ${
        bytes.length < ID_BYTES ? `${bytes.length} bytes` : "another"
      }`,
    );
  }
  const order = cache.importOrder(t, bytes.subarray(ID_BYTES));
  const beyond = order.keys.find((key) => key >= table.rowCount);
  if (beyond !== undefined) {
    throw new RangeError(
      `Cannot warm table ${t}: keys must be below ${table.rowCount}: received ${beyond}`,
    );
  }
  return order;
}

/** An order, and how far its rows have been claimed. */
interface Warming {
  readonly table: number;
  readonly order: RowOrder;
  next: number;
}

/** The orders that a pipeline has been given: one a table at most, first come, first read. */
export class WarmUp {
  readonly #cache: AnyRowCache;
  readonly #loader: Loader;
  readonly #claim = createClaim();
  #orders: Warming[] = [];

  constructor(cache: AnyRowCache, loader: Loader) {
    this.#cache = cache;
    this.#loader = loader;
  }

  /** Rows that have not been claimed yet. */
  get left(): number {
    return this.#orders.reduce((sum, { order, next }) => sum + order.keys.length - next, 0);
  }

  /** Adds an order, in place of what is left of an earlier one of its table; returns its rows. */
  add(t: number, table: TableHeader, bytes: Uint8Array): number {
    const order = decodeTableOrder(this.#cache, t, table, bytes);
    this.#orders = this.#orders.filter((other) => other.table !== t);
    this.#orders.push({ table: t, order, next: 0 });
    return order.keys.length;
  }

  /** Has up to `most` rows read that are not in the cache; returns how many. */
  request(most: number): number {
    let requested = 0;
    while (requested < most && this.#orders.length > 0) {
      const warming = this.#orders[0];
      const { table, order: { keys, heat } } = warming;
      for (; requested < most && warming.next < keys.length; warming.next++) {
        const key = keys[warming.next];
        const slot = this.#cache.warm(table, key, heat[warming.next], this.#claim);
        // It is there by now, or has no place: all are held, or the table is switched off.
        if (!this.#claim.fresh) continue;
        this.#loader.request(table, key, slot, this.#claim.generation, PRIORITY.BACKGROUND);
        requested++;
      }
      if (warming.next === keys.length) this.#orders.shift();
    }
    return requested;
  }
}
