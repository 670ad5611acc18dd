/**
 * Keys on their way from a decoder to who asked for them.
 *
 * @module
 */

/** Requests of a chunk. */
export const CHUNK_REQUESTS: number = 2 ** 16;

/** Up to {@linkcode CHUNK_REQUESTS} requests, as columns that are filled again and again. */
export class KeyChunk {
  /** Column: the lower 32 bits of each key. */
  readonly low: Uint32Array = new Uint32Array(CHUNK_REQUESTS);
  /** Column: the upper 32 bits of each key. */
  readonly high: Uint32Array = new Uint32Array(CHUNK_REQUESTS);
  /** Column: the size of each object, where the format tells it. */
  readonly sizes: Uint32Array = new Uint32Array(CHUNK_REQUESTS);
  /** Requests held. */
  count = 0;
  /** Whether the keys are the numbers of words. */
  isWords = false;
  /** Whether a key held exceeds 32 bits. */
  isWide = false;
  /** Keys still to come of a run of consecutive ones, and the next of them. */
  #runLeft = 0;
  #runKey = 0;

  /** Whether nothing more can be put. */
  get isFull(): boolean {
    return this.count === CHUNK_REQUESTS;
  }

  /** Adds a key; the caller has seen that there is room. */
  put(low: number, high: number): void {
    this.low[this.count] = low;
    this.high[this.count++] = high;
    if (high !== 0) this.isWide = true;
  }

  /** Adds `count` consecutive keys from `key` on, all below 2^53, the later ones as room comes. */
  putRun(key: number, count: number): void {
    this.#runKey = key;
    this.#runLeft = count;
    this.#goOn();
  }

  /** Makes room, and goes on with the run; the chunk may be full again then. */
  clear(): void {
    this.count = 0;
    this.isWide = false;
    this.#goOn();
  }

  #goOn(): void {
    let key = this.#runKey;
    const end = key + Math.min(this.#runLeft, CHUNK_REQUESTS - this.count);
    this.#runLeft -= end - key;
    for (; key < end; key++) this.put(key >>> 0, Math.floor(key / 2 ** 32));
    this.#runKey = key;
  }
}
