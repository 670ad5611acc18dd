/**
 * Media behind a write cache that loses power: what was written and not flushed is gone, or torn.
 *
 * @module
 */

import { checkInteger } from "../../base/checks.ts";
import { ERRNO } from "../../base/errors.ts";
import { createRandom } from "../../base/random.ts";
import type { Random } from "../../base/random.ts";
import { MAX_BOUNCE_BYTES, SECTOR_BYTES } from "../limits.ts";
import type { Media } from "../media.ts";

/** Media whose writes are durable only once flushed. */
export interface VolatileMedia extends Media {
  /** Blocks in the cache. */
  readonly dirtyBlocks: number;
  /** False between `cut` and `restore`: reads and writes give -EIO. */
  readonly powered: boolean;
  /** Makes all that is in the cache durable. */
  flush(): void;
  /**
   * Loses power: each block in the cache is durable by chance, and else gone. Returns those lost.
   */
  cut(): number;
  /** Brings power back. */
  restore(): void;
}

/** What {@linkcode volatileMedia} takes. */
export interface VolatileMediaOptions {
  /** What is durable. */
  readonly media: Media;
  /** Blocks that the cache holds, 1 to 2^24, below 1 GiB; 4,096 when left out. */
  readonly cacheBlocks?: number;
  /** What is durable or lost as one, in bytes: 1 to 2^20; 512 when left out. */
  readonly blockBytes?: number;
  /**
   * The chance of a block in the cache to have become durable when power goes, from 0 to 1: a drive
   * may have written any of them, in any order, so that a write of several blocks tears. 0 when
   * left out: only what was flushed is kept.
   */
  readonly keptShare?: number;
  /** Of that chance: a safe integer, 1 when left out. */
  readonly seed?: number;
}

/**
 * Puts a write cache of fixed size before `media`. A cache that is full makes its oldest block
 * durable. Costs `blockBytes` and 24 bytes a cached block, allocated here.
 *
 * @throws {RangeError} for a wrong number.
 *
 * @example
 * ```ts
 * import { memoryMedia, volatileMedia } from "@rowtier/rowtier/tiers";
 *
 * const media = volatileMedia({ media: memoryMedia(4096) });
 * const bytes = new Uint8Array(512).fill(7);
 * media.write(0, bytes, 0, 512);
 * media.flush();
 * media.write(512, bytes, 0, 512);
 * media.cut();
 * media.restore();
 * const read = new Uint8Array(1024);
 * media.read(0, read, 0, 1024);
 * if (read[511] !== 7 || read[512] !== 0) throw new Error("unreachable");
 * ```
 */
export function volatileMedia(options: VolatileMediaOptions): VolatileMedia {
  const what = "Cannot create volatile media";
  const { media, blockBytes = SECTOR_BYTES, cacheBlocks = 4096, keptShare = 0, seed = 1 } = options;
  checkInteger(what, "blockBytes", blockBytes, 1, 2 ** 20);
  const most = Math.min(2 ** 24, Math.floor(MAX_BOUNCE_BYTES / blockBytes));
  checkInteger(what, "cacheBlocks", cacheBlocks, 1, most);
  if (!(keptShare >= 0 && keptShare <= 1)) {
    throw new RangeError(`${what}: keptShare must be from 0 to 1: received ${keptShare}`);
  }
  return new CachedMedia(media, blockBytes, cacheBlocks, keptShare, createRandom(seed));
}

class CachedMedia implements VolatileMedia {
  readonly bytes: number;
  powered = true;
  readonly #media: Media;
  readonly #blockBytes: number;
  readonly #keptShare: number;
  readonly #random: Random;
  /**
   * A ring of cached blocks, the oldest at `head`; a place holds the same block until it leaves.
   */
  readonly #block: Float64Array;
  readonly #content: Uint8Array;
  #head = 0;
  #count = 0;
  /** Open addressing with linear probing: place + 1, or 0. At most half full. */
  readonly #index: Int32Array;

  constructor(
    media: Media,
    blockBytes: number,
    cacheBlocks: number,
    keptShare: number,
    random: Random,
  ) {
    this.bytes = media.bytes;
    this.#media = media;
    this.#blockBytes = blockBytes;
    this.#keptShare = keptShare;
    this.#random = random;
    this.#block = new Float64Array(cacheBlocks);
    this.#content = new Uint8Array(cacheBlocks * blockBytes);
    this.#index = new Int32Array(2 ** Math.ceil(Math.log2(2 * cacheBlocks)));
  }

  get dirtyBlocks(): number {
    return this.#count;
  }

  read(offsetBytes: number, memory: Uint8Array, at: number, bytes: number): number {
    if (!this.powered) return -ERRNO.EIO;
    const result = this.#media.read(offsetBytes, memory, at, bytes);
    if (result <= 0 || this.#count === 0) return result;
    const size = this.#blockBytes;
    const end = offsetBytes + result;
    for (let block = Math.floor(offsetBytes / size); block * size < end; block++) {
      const place = this.#find(block);
      if (place < 0) continue;
      const from = Math.max(block * size, offsetBytes);
      const to = Math.min((block + 1) * size, end);
      const source = (place - block) * size + from;
      for (let i = 0; i < to - from; i++) {
        memory[at + from - offsetBytes + i] = this.#content[source + i];
      }
    }
    return result;
  }

  write(offsetBytes: number, memory: Uint8Array, at: number, bytes: number): number {
    if (!this.powered) return -ERRNO.EIO;
    const size = this.#blockBytes;
    const end = Math.min(offsetBytes + bytes, this.bytes);
    for (let block = Math.floor(offsetBytes / size); block * size < end; block++) {
      const from = Math.max(block * size, offsetBytes);
      const to = Math.min((block + 1) * size, end);
      const place = this.#placeFor(block, to - from < size);
      if (place < 0) return place;
      const target = (place - block) * size + from;
      for (let i = 0; i < to - from; i++) {
        this.#content[target + i] = memory[at + from - offsetBytes + i];
      }
    }
    return Math.max(0, end - offsetBytes);
  }

  flush(): void {
    while (this.#count > 0) this.#retire(true);
  }

  cut(): number {
    let lost = 0;
    while (this.#count > 0) {
      const kept = this.#random.unit() < this.#keptShare;
      this.#retire(kept);
      if (!kept) lost++;
    }
    this.powered = false;
    return lost;
  }

  restore(): void {
    this.powered = true;
  }

  /** The place of `block`, or -1. */
  #find(block: number): number {
    const mask = this.#index.length - 1;
    for (let i = hashOf(block) & mask;; i = (i + 1) & mask) {
      const place = this.#index[i] - 1;
      if (place < 0 || this.#block[place] === block) return place;
    }
  }

  /** A place for `block`, with what it holds now where only a part is written; or an error. */
  #placeFor(block: number, partly: boolean): number {
    const found = this.#find(block);
    if (found >= 0) return found;
    const capacity = this.#block.length;
    if (this.#count === capacity) this.#retire(true);
    const place = (this.#head + this.#count) % capacity;
    if (partly) {
      const { bytes } = this;
      const from = block * this.#blockBytes;
      const length = Math.min(this.#blockBytes, bytes - from);
      const result = this.#media.read(from, this.#content, place * this.#blockBytes, length);
      if (result < 0) return result;
    }
    this.#block[place] = block;
    this.#count++;
    const mask = this.#index.length - 1;
    let i = hashOf(block) & mask;
    while (this.#index[i] !== 0) i = (i + 1) & mask;
    this.#index[i] = place + 1;
    return place;
  }

  /** Takes the oldest block out, to the media or to nowhere. */
  #retire(kept: boolean): void {
    const place = this.#head;
    const from = this.#block[place] * this.#blockBytes;
    if (kept) {
      const length = Math.min(this.#blockBytes, this.bytes - from);
      this.#media.write(from, this.#content, place * this.#blockBytes, length);
    }
    this.#forget(this.#block[place]);
    this.#head = (place + 1) % this.#block.length;
    this.#count--;
  }

  /** Takes `block` out of the index; those behind it move up (Knuth, algorithm 6.4R). */
  #forget(block: number): void {
    const index = this.#index;
    const mask = index.length - 1;
    let hole = hashOf(block) & mask;
    while (this.#block[index[hole] - 1] !== block) hole = (hole + 1) & mask;
    for (let i = (hole + 1) & mask; index[i] !== 0; i = (i + 1) & mask) {
      const home = hashOf(this.#block[index[i] - 1]) & mask;
      // Stays where its home lies behind the hole, round the end of the index.
      if (((i - home) & mask) < ((i - hole) & mask)) continue;
      index[hole] = index[i];
      hole = i;
    }
    index[hole] = 0;
  }
}

function hashOf(block: number): number {
  return Math.imul((block ^ Math.floor(block / 2 ** 32)) | 0, 0x9e3779b1) >>> 8;
}
