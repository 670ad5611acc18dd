/**
 * Batch stamps: which batches may still be using a slot, told from one byte on the slot.
 *
 * A slot carries the stamp of the youngest batch that used it, (batch mod 255) + 1, and is *held*
 * while any batch at least as old as that one lives: the window from the oldest live batch to the
 * newest begun. So a slot that a newer batch stamped again stays safe for the older one, whatever
 * the order they retire in. Tried instead: reference counts; 4 bytes a slot and a second pass over
 * a batch's slots, twice the time a row.
 *
 * @module
 */

import { NO_BATCH } from "./claim.ts";
import { MAX_BATCH_WINDOW } from "../limits.ts";

/** Values of a stamp in use, 1 to 255; 0 is "never used", and is never held. */
const STAMPS = 255;

/** The stamp of `batch`. */
export function stampOf(batch: number): number {
  return batch % STAMPS + 1;
}

/** The live batches of a cache. */
export class BatchWindow {
  /** By stamp: 1 while slots that carry it must stay as they are. */
  readonly held: Uint8Array = new Uint8Array(STAMPS + 1);
  /** How often `held` lost a stamp: until it changes, no held slot comes free. */
  releases = 0;
  /** By stamp: 1 from begin to retire. */
  readonly #live = new Uint8Array(STAMPS + 1);
  #newest = -1;
  /** The oldest live batch; one beyond the newest when none lives. */
  #oldest = 0;
  /** Slots last used by a batch below this one carry 0 by now. */
  #swept = 0;

  /** True when the next batch's stamp may still be on slots of the batch that had it before. */
  get mustSweep(): boolean {
    return this.#newest + 1 - STAMPS >= this.#swept;
  }

  /**
   * The caller has set every stamp that is not held to 0.
   *
   * Sweeping whenever the stamp returns to 1 would not do: a slot held at that moment and released
   * later would look held again one turn later. Told from the oldest batch of the last sweep, it is
   * exact, and rare: once in 255 batches, less those that live at once.
   */
  swept(): void {
    this.#swept = this.#oldest;
  }

  /** Begins a batch: its number, one more than the last, or NO_BATCH while the window is full. */
  begin(): number {
    if (this.#newest + 2 - this.#oldest > MAX_BATCH_WINDOW) return NO_BATCH;
    const stamp = stampOf(++this.#newest);
    this.#live[stamp] = this.held[stamp] = 1;
    return this.#newest;
  }

  /** The stamp of the newest batch begun; no other stamp is younger. */
  get newestStamp(): number {
    return this.#newest < 0 ? 0 : stampOf(this.#newest);
  }

  /** Whether `stamp`, of a live batch, is older than a slot's stamp `other`. */
  isOlder(stamp: number, other: number): boolean {
    if (this.held[other] === 0) return false;
    const newest = this.newestStamp;
    return (newest - stamp + STAMPS) % STAMPS > (newest - other + STAMPS) % STAMPS;
  }

  /** Whether `batch` has begun and is not retired. */
  isLive(batch: number): boolean {
    return batch >= this.#oldest && batch <= this.#newest && this.#live[stampOf(batch)] === 1;
  }

  /** Ends a live batch; returns after releasing every stamp that only retired batches held. */
  retire(batch: number): void {
    this.#live[stampOf(batch)] = 0;
    const oldest = this.#oldest;
    while (this.#oldest <= this.#newest && this.#live[stampOf(this.#oldest)] === 0) {
      this.held[stampOf(this.#oldest++)] = 0;
    }
    if (this.#oldest > oldest) this.releases++;
  }
}
