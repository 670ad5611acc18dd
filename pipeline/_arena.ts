/**
 * One piece of memory per pipeline: the aligned bounce buffers that direct reads land in, then each
 * table's rows. A `WebAssembly.Memory`, because its base is page-aligned (O_DIRECT and registered
 * buffers need that), it can be shared with workers, and SIMD kernels can read it in place.
 *
 * @module
 */

import { hugePages } from "../base/libc_ffi.ts";
import { MAX_ARENA_BYTES } from "./limits.ts";
import type { Table } from "./table_file.ts";

const PAGE_BYTES = 65_536;

/** Where the rows of one table lie. */
export interface ArenaPlace {
  /** Bytes from one row to the next. */
  readonly rowStride: number;
  /** Cache slots, then scratch slots, then one row of zeros. */
  readonly slotCount: number;
  /** The slot of the row of zeros: what a missing row is pooled from. */
  readonly zeroSlot: number;
  /** First byte in the arena. */
  readonly start: number;
  /** The table's bytes of the arena. */
  readonly rows: Uint8Array;
}

/** The arena of a pipeline. */
export interface Arena {
  /** What all of it is a view of. */
  readonly memory: WebAssembly.Memory;
  /** All of it. */
  readonly bytes: Uint8Array;
  /** Its first part, the bounce buffers. */
  readonly bounce: Uint8Array;
  /** By table. */
  readonly places: readonly ArenaPlace[];
}

/** Lays out `bounceBytes` and one place per entry of `tables`. */
export function createArena(
  bounceBytes: number,
  tables: readonly { table: Table; cacheRows: number; scratchRows: number }[],
): Arena {
  let end = Math.ceil(bounceBytes / 64) * 64;
  const layout = tables.map(({ table: { rowBytes }, cacheRows, scratchRows }) => {
    // Rows start at multiples of 4, so that their floats can be read as words.
    const rowStride = Math.ceil(rowBytes / 4) * 4;
    const zeroSlot = cacheRows + scratchRows;
    const start = end;
    end = Math.ceil((start + (zeroSlot + 1) * rowStride) / 64) * 64;
    return { rowStride, slotCount: zeroSlot + 1, zeroSlot, start };
  });
  if (end > MAX_ARENA_BYTES) {
    throw new RangeError(
      `Cannot create Pipeline: the arena must be at most ${MAX_ARENA_BYTES} bytes: received ${end}`,
    );
  }
  const pages = Math.ceil(end / PAGE_BYTES);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  const { buffer } = memory;
  // Before anything is written: rows are read at random, and a page is looked up for each.
  hugePages(new Uint8Array(buffer));
  const places = layout.map((place) => ({
    ...place,
    rows: new Uint8Array(buffer, place.start, place.slotCount * place.rowStride),
  }));
  tables.forEach(({ table: { format, dim } }, t) => {
    // Bytes of zero are zeros in the library's formats, but perhaps not in a user's own.
    const { rows, zeroSlot, rowStride } = places[t];
    format.quantise(new Float32Array(dim), 0, dim, rows, zeroSlot * rowStride);
  });
  return {
    memory,
    bytes: new Uint8Array(buffer, 0, end),
    bounce: new Uint8Array(buffer, 0, bounceBytes),
    places,
  };
}
