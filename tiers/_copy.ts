/**
 * Copies between two memories without a view a copy.
 *
 * @module
 */

/** Two memories, seen as words where they begin at a multiple of four bytes. */
export class Copier {
  readonly #from: Uint8Array;
  readonly #to: Uint8Array;
  readonly #fromWords: Int32Array | null;
  readonly #toWords: Int32Array | null;

  constructor(from: Uint8Array, to: Uint8Array) {
    this.#from = from;
    this.#to = to;
    this.#fromWords = wordsOf(from);
    this.#toWords = wordsOf(to);
  }

  /** Copies `bytes` bytes from `fromAt` on to `toAt` on; four at a time where all are multiples. */
  copy(fromAt: number, toAt: number, bytes: number): void {
    const fromWords = this.#fromWords, toWords = this.#toWords;
    if (fromWords !== null && toWords !== null && (fromAt | toAt | bytes) % 4 === 0) {
      const from = fromAt / 4, to = toAt / 4, count = bytes / 4;
      for (let i = 0; i < count; i++) toWords[to + i] = fromWords[from + i];
      return;
    }
    const from = this.#from, to = this.#to;
    for (let i = 0; i < bytes; i++) to[toAt + i] = from[fromAt + i];
  }
}

function wordsOf(bytes: Uint8Array): Int32Array | null {
  if (bytes.byteOffset % 4 !== 0) return null;
  return new Int32Array(bytes.buffer, bytes.byteOffset, Math.floor(bytes.length / 4));
}
