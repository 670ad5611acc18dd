/**
 * The ring behind FIFO and CLOCK: the slots themselves, in the order of their numbers, and a hand.
 *
 * A newcomer takes the place that the hand just emptied and the hand moves on, so it stands right
 * behind the hand, last to be reached: the same order as a queue whose spared rows go back to its
 * young end, without a link. A byte a slot is all there is; a list would take eight more.
 *
 * The price: a row put where a deleted one was is reached when its neighbours are, not last, and a
 * row that the hand had to pass over because a batch held it waits one more turn.
 *
 * @module
 */

import { type EvictionPolicy, NO_SLOT, type Slots } from "../eviction.ts";

/** A ring whose rows are spared once for each use, at most `most` times. */
export class Ring implements EvictionPolicy {
  readonly name: string;
  readonly #slots: Slots;
  /** 0 for an empty slot, else 1 + the times the row is still spared. */
  readonly #marks: Uint8Array;
  /** The highest mark. */
  readonly #limit: number;
  /** The slot looked at next. */
  #hand = 0;

  constructor(name: string, slots: Slots, most: number) {
    this.name = name;
    this.#slots = slots;
    this.#marks = new Uint8Array(slots.count);
    this.#limit = most + 1;
  }

  get bytes(): number {
    return this.#marks.byteLength;
  }

  onMiss(_key: number): void {}

  onInsert(slot: number): void {
    this.#marks[slot] = 1;
  }

  onHit(slot: number): number {
    const limit = this.#limit;
    // A queue spares nothing: its column is not even read.
    if (limit === 1) return NO_SLOT;
    const mark = this.#marks[slot];
    // A hot row is at the limit most of the time, and a write costs more than this branch.
    if (mark < limit) this.#marks[slot] = mark + 1;
    return NO_SLOT;
  }

  onRemove(slot: number): void {
    this.#marks[slot] = 0;
    // Whatever emptied the place under the hand: its next row must not be the next to go.
    if (slot === this.#hand) this.#hand = this.#after(slot);
  }

  victim(_key: number): number {
    const marks = this.#marks;
    let at = this.#hand;
    // Each spared row loses a mark, so this ends: after a whole round without one, none may go.
    for (let left = marks.length; left > 0; left--) {
      const mark = marks[at];
      if (mark !== 0 && this.#slots.evictable(at)) {
        if (mark === 1) {
          this.#hand = at;
          return at;
        }
        marks[at] = mark - 1;
        left = marks.length + 1;
      }
      at = this.#after(at);
    }
    return NO_SLOT;
  }

  heat(slot: number): number {
    return this.#marks[slot] - 1;
  }

  contents(): Uint32Array {
    const { length } = this.#marks;
    // The hand's own slot comes last: from the one before it, backwards.
    const backwards = Uint32Array.from({ length }, (_, i) => {
      return (this.#hand - 1 - i + 2 * length) % length;
    });
    return backwards.filter((slot) => this.#marks[slot] !== 0);
  }

  verify(): void {
    const limit = this.#limit;
    const broken = this.#marks.findIndex((mark) => mark > limit);
    if (broken !== -1) {
      throw new Error(
        `Broken invariant: ${this.name}: mark of slot ${broken} must be at most ${limit}: ` +
          `received ${this.#marks[broken]}`,
      );
    }
    if (this.#hand >= Math.max(1, this.#marks.length)) {
      throw new Error(`Broken invariant: ${this.name}: hand ${this.#hand} must be at a slot`);
    }
  }

  #after(slot: number): number {
    return slot + 1 === this.#marks.length ? 0 : slot + 1;
  }
}
