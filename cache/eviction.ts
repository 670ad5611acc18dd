/**
 * The contract of eviction policies: which row leaves when a new one needs its slot. A policy knows
 * slots and order, no bytes and no time.
 *
 * @module
 */

/**
 * No such slot. Not -1: a loading slot is written as ~slot, and ~0 is -1.
 */
export const NO_SLOT: number = -(2 ** 31);

/** Why a row left its slot. */
export const REMOVAL: {
  /** The policy's `victim`, or pushed out by a hit. */
  readonly EVICTED: 0;
  /** Deleted by the user, or its table's epoch ended. */
  readonly DELETED: 1;
  /** Its read failed; the row never arrived. */
  readonly FAILED: 2;
} = { EVICTED: 0, DELETED: 1, FAILED: 2 };

/** One of {@linkcode REMOVAL}. */
export type RemovalCause = 0 | 1 | 2;

/** What a policy sees of the partition it serves. */
export interface Slots {
  /** Slots 0 to `count` - 1 hold rows. */
  readonly count: number;
  /** Column: the key in each slot. */
  readonly key: Uint32Array;
  /** False while a row is loading or a live batch uses it; such a slot must not be a victim. */
  evictable(slot: number): boolean;
}

/** An eviction policy over the slots of one partition. Its own state is typed-array columns. */
export interface EvictionPolicy {
  /** Its name: "lru", "sieve". */
  readonly name: string;
  /** Bytes of its columns. */
  readonly bytes: number;
  /** A key was not found; called before any eviction, so that ghosts are looked up here. */
  onMiss(key: number): void;
  /** `slot` was free and now holds `slots.key[slot]`. */
  onInsert(slot: number): void;
  /**
   * The row in `slot` was used. Returns {@linkcode NO_SLOT}, or a slot that this hit pushed out.
   */
  onHit(slot: number): number;
  /** The row in `slot` is leaving. Follows every `victim` too, with cause EVICTED. */
  onRemove(slot: number, cause: RemovalCause): void;
  /**
   * The slot to give to newcomer `key`, or {@linkcode NO_SLOT} when none is evictable. It may move
   * hands; the caller always removes the victim, so state that leaves with it belongs in
   * `onRemove`.
   */
  victim(key: number): number;
  /** The held slots in the policy's order, next victim last; for tests and pictures. */
  contents(): Uint32Array;
  /** Throws an Error naming the broken invariant, if there is one. */
  verify(): void;
}

/** Makes the policy of one partition; one policy each, so that ghosts of two tables never meet. */
export type EvictionPolicyFactory = (slots: Slots) => EvictionPolicy;
