/**
 * The flash translation layer of a NAND drive: which physical page holds each logical one, and
 * which blocks are collected. Page-mapped and log-structured; it knows no time: what it does to the
 * flash it tells {@linkcode FlashWork}.
 *
 * @module
 */

import { checkInteger } from "../../base/checks.ts";
import { BlockPool } from "./_block_pool.ts";
import { MAX_STRIPE_PAGES } from "../limits.ts";
import { PageTable } from "./_page_table.ts";
import { StateReader, StateWriter } from "./state.ts";

/** How the block to collect is chosen. */
export type Collection = "greedy" | "cost-benefit";

/** Told what the translation layer does to the flash, as it does it. */
export interface FlashWork {
  /** A page of the host is programmed at physical page `to`. */
  program(to: number): void;
  /** A page is read at `from` and programmed at `to`. */
  copy(from: number, to: number): void;
  /** A block is erased, which gave `freedPages` pages that held nothing valid. */
  erase(block: number, freedPages: number): void;
}

/** What {@linkcode createFtl} takes. */
export interface FtlOptions {
  /** Pages that the host sees, 1 to 2^43. */
  readonly logicalPages: number;
  /** Blocks of flash, up to 2^24: those that the logical pages fill, and at least 4 more. */
  readonly blocks: number;
  /** Pages of one block, 2 to 2^24. */
  readonly pagesPerBlock: number;
  /**
   * Pages, from 0 on, that were written in order before the start; they need no memory until they
   * change. 0 when left out: an erased drive.
   */
  readonly filledPages?: number;
  /**
   * "greedy", the default, collects the block with the fewest valid pages; "cost-benefit" weighs
   * these with the time since the block was filled (Kawaguchi et al., USENIX '95), which is better
   * where some pages are hot.
   */
  readonly collection?: Collection;
  /**
   * Static wear levelling: when the block erased most is this many erases ahead of the one erased
   * least, the latter's pages are moved, so that it takes its share. 0 when left out: none. Among
   * free blocks the one erased least is always taken first (dynamic wear levelling).
   */
  readonly wearSpread?: number;
  /** Reads of a block until its pages are moved, against read disturb. 0 when left out: never. */
  readonly disturbReads?: number;
  /** Who is told; nobody when left out. */
  readonly work?: FlashWork;
}

/** What a translation layer has done so far. */
export interface FlashCounters {
  /** Pages that the host wrote. */
  readonly hostPages: number;
  /** Pages that were moved. */
  readonly copiedPages: number;
  /** Blocks that were erased. */
  readonly erases: number;
  /** Pages programmed for each that the host wrote; 1 before the first. */
  readonly writeAmplification: number;
  /** Erases of the block that has the most. */
  readonly maxErases: number;
  /** Erased blocks that nothing is written to. */
  readonly freeBlocks: number;
}

/**
 * Collection starts when no more free blocks than this are left. Other simulators start at 5 % free
 * blocks: of 7 % spare that leaves 2 %, and steady random writes cost three times as much.
 */
const RESERVE_BLOCKS = 2;

/**
 * Blocks beyond the logical pages that collection needs to make progress whatever is valid: the
 * reserve, the block it copies to, and one whose pages are not all valid.
 */
export const SPARE_BLOCKS = 4;

const HOST = 0;
const MOVED = 1;
const TRIMMED = -1;
const NO_WORK: FlashWork = { program() {}, copy() {}, erase() {} };

/**
 * Makes a translation layer. It holds 17 bytes for each page written (552 at worst, alone in its
 * 64 pages), the pages of two blocks, and 20 bytes a block, however large the drive. Each page that
 * is written or copied takes about 0.1 us.
 *
 * @throws {RangeError} for a number out of its range, or too few blocks.
 * @throws {TypeError} for an unknown `collection`.
 *
 * @example The write amplification of random writes
 * ```ts
 * import { createFtl, steadyWriteAmplification } from "@rowtier/rowtier/tiers";
 *
 * const logicalPages = 256 * 200;
 * const ftl = createFtl({ logicalPages, blocks: 256, pagesPerBlock: 256 });
 * let page = 1;
 * for (let i = 0; i < 4 * logicalPages; i++) {
 *   page = (page * 16_807) % 2_147_483_647;
 *   ftl.write(page % logicalPages);
 * }
 * const expected = steadyWriteAmplification(256 / 200 - 1); // 2.48
 * if (ftl.counters().writeAmplification > expected) throw new Error("unreachable");
 * ```
 */
export function createFtl(options: FtlOptions): Ftl {
  const what = "Cannot create FTL";
  const { logicalPages, blocks, pagesPerBlock, filledPages = 0 } = options;
  const { collection = "greedy", wearSpread = 0, disturbReads = 0, work = NO_WORK } = options;
  checkInteger(what, "logicalPages", logicalPages, 1, 2 ** 43);
  checkInteger(what, "pagesPerBlock", pagesPerBlock, 2, MAX_STRIPE_PAGES);
  const fewest = Math.ceil(logicalPages / pagesPerBlock) + SPARE_BLOCKS;
  checkInteger(what, "blocks", blocks, fewest, 2 ** 24);
  checkInteger(what, "filledPages", filledPages, 0, logicalPages);
  checkInteger(what, "wearSpread", wearSpread, 0, 2 ** 31);
  checkInteger(what, "disturbReads", disturbReads, 0, 2 ** 31);
  if (collection !== "greedy" && collection !== "cost-benefit") {
    throw new TypeError(
      `${what}: collection must be "greedy" or "cost-benefit": received ${collection}`,
    );
  }
  return new MappedFtl(
    { logicalPages, blocks, pagesPerBlock, filledPages, collection, wearSpread, disturbReads },
    work,
  );
}

/** A translation layer; pages are numbers from 0 on. */
export interface Ftl {
  /** The physical page that holds `page`, or -1 for one that holds nothing. */
  lookup(page: number): number;
  /** Writes `page` to a new place, which it returns; collects first where free blocks run out. */
  write(page: number): number;
  /** `page` holds nothing from now on. */
  trim(page: number): void;
  /**
   * Counts a read at the physical page `at` against its block; true when that moved the block's
   * pages.
   */
  noteRead(at: number): boolean;
  /** What it has done so far. */
  counters(): FlashCounters;
  /** Erases of block `block`. */
  erasesOf(block: number): number;
  /** Bytes that its maps hold. */
  readonly memoryBytes: number;
  /**
   * Checks every map against the others; for tests.
   *
   * @throws {Error} for the first thing that is wrong.
   */
  verify(): void;
  /** All of its state; 8.5 bytes for each page in its maps, and 20 a block in use. */
  snapshot(): Uint8Array;
  /**
   * Goes on from a snapshot.
   *
   * @throws {RangeError} where that was not taken from one with the same options, or is cut short;
   * nothing has changed then.
   */
  restore(snapshot: Uint8Array): void;
}

type Checked = Required<Omit<FtlOptions, "work">>;

class MappedFtl implements Ftl {
  readonly #options: Checked;
  readonly #work: FlashWork;
  /** Physical page + 1, TRIMMED, or 0 for a page that is as it was at the start. */
  readonly #table = new PageTable();
  readonly #pool: BlockPool;
  /** The block that each stream appends to, or -1, and how many pages it has. */
  readonly #open = Int32Array.of(-1, -1);
  readonly #fill = Int32Array.of(0, 0);
  #hostPages = 0;
  #copiedPages = 0;
  #erased = 0;

  constructor(options: Checked, work: FlashWork) {
    const { blocks, pagesPerBlock, filledPages } = options;
    this.#options = options;
    this.#work = work;
    this.#pool = new BlockPool(blocks, pagesPerBlock, filledPages, options.disturbReads > 0);
  }

  get memoryBytes(): number {
    return this.#table.memoryBytes + this.#pool.ownerBytes;
  }

  lookup(page: number): number {
    const value = this.#table.get(page);
    if (value !== 0) return value === TRIMMED ? -1 : value - 1;
    return page < this.#options.filledPages ? page : -1;
  }

  write(page: number): number {
    // First, so that collection does not move what is about to change.
    this.#pool.invalidate(this.lookup(page));
    this.#table.set(page, TRIMMED);
    while (this.#open[HOST] < 0 && this.#pool.freeBlocks <= RESERVE_BLOCKS) this.#collect();
    this.#hostPages++;
    const at = this.#append(HOST, page);
    this.#work.program(at);
    return at;
  }

  trim(page: number): void {
    const at = this.lookup(page);
    if (at < 0) return;
    this.#pool.invalidate(at);
    this.#table.set(page, TRIMMED);
  }

  noteRead(at: number): boolean {
    const { disturbReads, pagesPerBlock } = this.#options;
    if (disturbReads === 0) return false;
    const block = Math.floor(at / pagesPerBlock);
    if (++this.#pool.reads[block] < disturbReads || this.#open.includes(block)) return false;
    this.#empty(block);
    return true;
  }

  counters(): FlashCounters {
    const hostPages = this.#hostPages, copiedPages = this.#copiedPages;
    return {
      hostPages,
      copiedPages,
      erases: this.#erased,
      writeAmplification: hostPages === 0 ? 1 : (hostPages + copiedPages) / hostPages,
      maxErases: this.#pool.maxErases,
      freeBlocks: this.#pool.freeBlocks,
    };
  }

  erasesOf(block: number): number {
    return this.#pool.erases[block];
  }

  #append(stream: number, page: number): number {
    const { pagesPerBlock } = this.#options;
    if (this.#open[stream] < 0) {
      this.#open[stream] = this.#pool.take();
      this.#fill[stream] = 0;
    }
    const block = this.#open[stream];
    const place = this.#fill[stream]++;
    this.#pool.setOwner(block, place, page);
    this.#table.set(page, block * pagesPerBlock + place + 1);
    if (place + 1 === pagesPerBlock) {
      this.#open[stream] = -1;
      this.#pool.filledAt[block] = this.#hostPages;
    }
    return block * pagesPerBlock + place;
  }

  #collect(): void {
    const { collection, wearSpread } = this.#options;
    const pool = this.#pool;
    if (wearSpread > 0) {
      // Tried: every eighth time only; 80 cold blocks beside 16 hot ones were then 19 erases apart
      // where 8 were asked for. It moves no more in the end: each block must have its turn.
      const block = pool.leastErased(this.#open[HOST], this.#open[MOVED]);
      if (block >= 0 && pool.maxErases - pool.erases[block] >= wearSpread) this.#empty(block);
    }
    const host = this.#open[HOST], moved = this.#open[MOVED];
    const victim = collection === "greedy"
      ? pool.fewestValid(host, moved)
      : pool.bestBenefit(host, moved, this.#hostPages + 1);
    this.#empty(victim);
  }

  /** Moves what is valid in `block`, and erases it. */
  #empty(block: number): void {
    const { pagesPerBlock, logicalPages } = this.#options;
    const freedPages = this.#pool.invalid[block];
    const first = block * pagesPerBlock;
    for (let place = 0; place < pagesPerBlock; place++) {
      const page = this.#pool.ownerOf(block, place);
      if (page >= logicalPages || this.lookup(page) !== first + place) continue;
      this.#copiedPages++;
      this.#work.copy(first + place, this.#append(MOVED, page));
    }
    this.#pool.erase(block);
    this.#erased++;
    this.#work.erase(block, freedPages);
  }

  verify(): void {
    const { pagesPerBlock, filledPages } = this.#options;
    let valid = 0;
    for (const block of this.#pool.blocksInUse()) {
      const stream = this.#open.indexOf(block);
      const written = stream < 0 ? pagesPerBlock : this.#fill[stream];
      const held = this.#validIn(block, written);
      if (written - held !== this.#pool.invalid[block]) {
        throw new Error(
          `block ${block} counts ${this.#pool.invalid[block]}, not ${written - held}`,
        );
      }
      valid += held;
    }
    let mapped = filledPages;
    this.#table.forEach((page, value) => {
      mapped += (value === TRIMMED ? 0 : 1) - (page < filledPages ? 1 : 0);
    });
    if (mapped !== valid) throw new Error(`${mapped} pages are mapped, ${valid} are held`);
  }

  #validIn(block: number, written: number): number {
    const { pagesPerBlock, logicalPages } = this.#options;
    let held = 0;
    for (let place = 0; place < written; place++) {
      const page = this.#pool.ownerOf(block, place);
      if (page < logicalPages && this.lookup(page) === block * pagesPerBlock + place) held++;
    }
    return held;
  }

  snapshot(): Uint8Array {
    const to = new StateWriter();
    const head = this.#head();
    to.column(head);
    to.number(0);
    this.#save(to);
    const bytes = to.bytes();
    // Its length, in the place kept for it: what is cut short must be found before it is taken.
    new DataView(bytes.buffer).setFloat64(head.byteLength, bytes.length);
    return bytes;
  }

  restore(snapshot: Uint8Array): void {
    const from = new StateReader(snapshot);
    const head = this.#head();
    const found = new Float64Array(head.length);
    from.column(found);
    const differs = head.findIndex((value, i) => value !== found[i]);
    if (differs >= 0) {
      throw new RangeError(
        `Cannot restore FTL: the snapshot must be of the same options: ` +
          `received ${found[differs]} for ${head[differs]}`,
      );
    }
    from.number();
    const view = new DataView(snapshot.buffer, snapshot.byteOffset + head.byteLength, 8);
    const bytes = view.getFloat64(0);
    if (bytes !== snapshot.length) {
      throw new RangeError(
        `Cannot restore FTL: the snapshot must hold ${bytes} bytes: received ${snapshot.length}`,
      );
    }
    this.#load(from);
  }

  /** What two must have in common to take each other's snapshots. */
  #head(): Float64Array {
    const { logicalPages, blocks, pagesPerBlock, filledPages } = this.#options;
    const { collection, wearSpread, disturbReads } = this.#options;
    const choices = [collection === "greedy" ? 0 : 1, wearSpread, disturbReads];
    return Float64Array.of(logicalPages, blocks, pagesPerBlock, filledPages, ...choices);
  }

  #save(to: StateWriter): void {
    this.#table.save(to);
    this.#pool.save(to);
    to.column(this.#open);
    to.column(this.#fill);
    const { hostPages, copiedPages } = this.counters();
    to.column(Float64Array.of(hostPages, copiedPages, this.#erased));
  }

  #load(from: StateReader): void {
    this.#table.load(from);
    this.#pool.load(from);
    from.column(this.#open);
    from.column(this.#fill);
    this.#hostPages = from.number();
    this.#copiedPages = from.number();
    this.#erased = from.number();
  }
}
