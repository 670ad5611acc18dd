/**
 * The bytes of a snapshot: what a simulated device writes its state to, and reads it back from, in
 * the same order.
 *
 * @module
 */

/** The typed arrays that state is kept in. */
export type StateColumn =
  | Uint8Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | Float32Array
  | Float64Array;

/** Collects state; grows by doubling, as a snapshot is taken outside of the steady state. */
export class StateWriter {
  #bytes = new Uint8Array(1024);
  #length = 0;

  /** Appends one number: 8 bytes. */
  number(value: number): void {
    this.column(Float64Array.of(value));
  }

  /**
   * Appends the elements of `column` without their count, which its reader knows or has read before
   * as a number; in the byte order of the machine.
   */
  column(column: StateColumn): void {
    const bytes = new Uint8Array(column.buffer, column.byteOffset, column.byteLength);
    const needed = this.#length + bytes.length;
    if (needed > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(needed, 2 * this.#bytes.length));
      grown.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = grown;
    }
    this.#bytes.set(bytes, this.#length);
    this.#length = needed;
  }

  /** A copy of all that was written. */
  bytes(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }
}

/** Gives out what a {@linkcode StateWriter} collected. */
export class StateReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  /** Reads `bytes` from their first. */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /**
   * The next number.
   *
   * @throws {RangeError} when the bytes end before it.
   */
  number(): number {
    const column = new Float64Array(1);
    this.column(column);
    return column[0];
  }

  /**
   * Fills `column`, all of it.
   *
   * @throws {RangeError} when the bytes end before it is full.
   */
  column(column: StateColumn): void {
    const end = this.#at + column.byteLength;
    if (end > this.#bytes.length) {
      throw new RangeError(
        `Cannot restore snapshot: it must hold ${end} bytes: received ${this.#bytes.length}`,
      );
    }
    new Uint8Array(column.buffer, column.byteOffset, column.byteLength)
      .set(this.#bytes.subarray(this.#at, end));
    this.#at = end;
  }

  /**
   * Says that all has been read.
   *
   * @throws {RangeError} when bytes are left over.
   */
  end(): void {
    if (this.#at === this.#bytes.length) return;
    throw new RangeError(
      `Cannot restore snapshot: it must hold ${this.#at} bytes: received ${this.#bytes.length}`,
    );
  }
}
