/**
 * The rows of a compact partition that are being read into cache slots: which claim each is in.
 *
 * @module
 */

/** Knuth's multiplicative hash (TAOCP 3, 6.4), as in KeyIndex. */
const MULTIPLIER = 0x9e3779b1 | 0;

/**
 * A bounded table from slots to generations, open addressing with linear probing, at most half
 * full. 24 to 48 bytes a row that may be loading, none a slot. Generations are never used again:
 * they count up to 2^53.
 */
export class LoadingRows {
  /** Most rows. */
  readonly capacity: number;
  /** Slot + 1; 0 for an empty place. */
  readonly #slot: Int32Array;
  readonly #generation: Float64Array;
  readonly #mask: number;
  readonly #shift: number;
  #size = 0;

  constructor(capacity: number) {
    this.capacity = capacity;
    let bits = 1;
    while (2 ** bits < 2 * capacity) bits++;
    this.#slot = new Int32Array(2 ** bits);
    this.#generation = new Float64Array(2 ** bits);
    this.#mask = 2 ** bits - 1;
    this.#shift = 32 - bits;
  }

  /** Rows in it. */
  get size(): number {
    return this.#size;
  }

  /** Bytes of the columns. */
  get bytes(): number {
    return this.#slot.byteLength + this.#generation.byteLength;
  }

  /** The generation of the row in `slot`; 0, which is none, when it is not loading. */
  get(slot: number): number {
    const at = this.#find(slot);
    return this.#slot[at] === 0 ? 0 : this.#generation[at];
  }

  /** Notes a row; `slot` must not be there, and `size` below `capacity`. */
  add(slot: number, generation: number): void {
    const at = this.#find(slot);
    this.#slot[at] = slot + 1;
    this.#generation[at] = generation;
    this.#size++;
  }

  /** Forgets the row in `slot`, which must be there. */
  remove(slot: number): void {
    const column = this.#slot, mask = this.#mask;
    let hole = this.#find(slot);
    for (let at = (hole + 1) & mask; column[at] !== 0; at = (at + 1) & mask) {
      const home = Math.imul(column[at] - 1, MULTIPLIER) >>> this.#shift;
      // It may fill the hole unless its home lies (cyclically) after the hole.
      if (((at - home) & mask) < ((at - hole) & mask)) continue;
      column[hole] = column[at];
      this.#generation[hole] = this.#generation[at];
      hole = at;
    }
    column[hole] = 0;
    this.#size--;
  }

  /** Where `slot` is, or the empty place where it would be. */
  #find(slot: number): number {
    let at = Math.imul(slot, MULTIPLIER) >>> this.#shift;
    while (this.#slot[at] !== 0 && this.#slot[at] !== slot + 1) at = (at + 1) & this.#mask;
    return at;
  }
}
