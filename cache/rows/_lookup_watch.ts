/**
 * Tells an observer how each lookup ended, beside the loops that look up: who has no observer pays
 * nothing for it.
 *
 * @module
 */

import type { PartitionStore } from "./_partition_store.ts";
import type { Claim } from "./claim.ts";
import { NO_SLOT } from "../eviction.ts";
import { LOOKUP, type LookupObserver, type LookupOutcome } from "../explain/lookup_outcome.ts";
import type { PrefetchListener, WatchOptions } from "./options.ts";
import { PREFETCH } from "../prefetch_outcome.ts";
import { SLOT_STATE, SLOT_STATE_MASK } from "./slot_state.ts";

/** Stands between the partitions of a cache and its observer. */
export class LookupWatch {
  /** What the partitions are to call when a prefetch ends. */
  readonly onPrefetch: PrefetchListener;
  readonly #observer: LookupObserver;
  /** Keys whose prefetch was late, in the order of their lookups in the call under way. */
  readonly #late: number[] = [];

  constructor(observer: LookupObserver, onPrefetch: PrefetchListener | undefined) {
    this.#observer = observer;
    this.onPrefetch = (partition, key, outcome) => {
      if (outcome === PREFETCH.LATE) this.#late.push(key);
      onPrefetch?.(partition, key, outcome);
    };
  }

  /** `acquire` has returned; how an absent key ends is known when it is claimed. */
  acquired(partition: number, keys: Uint32Array, count: number, slots: Int32Array): void {
    let late = 0;
    for (let i = 0; i < count; i++) {
      if (slots[i] === NO_SLOT) continue;
      let outcome: LookupOutcome = slots[i] >= 0 ? LOOKUP.HIT : LOOKUP.DELAYED;
      if (outcome === LOOKUP.DELAYED && late < this.#late.length && this.#late[late] === keys[i]) {
        outcome = LOOKUP.LATE;
        late++;
      }
      this.#observer.observe(partition, keys[i], outcome);
    }
    this.#late.length = 0;
  }

  /** `claim` has returned for a batch. */
  claimed(partition: number, key: number, slot: number, claim: Claim, store: PartitionStore): void {
    const late = this.#late.length > 0;
    this.#late.length = 0;
    if (slot === NO_SLOT || (claim.fresh && slot >= store.count)) {
      this.#observer.observe(partition, key, LOOKUP.REFUSED);
    } else if (claim.fresh) this.#observer.observe(partition, key, LOOKUP.MISS);
    else if ((store.state[slot] & SLOT_STATE_MASK) !== SLOT_STATE.LOADING) {
      this.#observer.observe(partition, key, LOOKUP.HIT);
    } else this.#observer.observe(partition, key, late ? LOOKUP.LATE : LOOKUP.DELAYED);
  }

  /** A row was deleted. */
  deleted(partition: number, key: number): void {
    this.#observer.forget(partition, key);
  }

  /** All rows of a partition were deleted. */
  cleared(partition: number): void {
    this.#observer.forgetAll(partition);
  }
}

/** The watch of a cache whose options name an observer. */
export function createWatch(
  { observer, onPrefetch }: WatchOptions,
): LookupWatch | undefined {
  return observer === undefined ? undefined : new LookupWatch(observer, onPrefetch);
}
