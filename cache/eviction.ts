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
  /** Where set, every key is below it, so that a ghost may be looked up in a plain column. */
  readonly keyCount?: number;
  /** False while a row is loading or a live batch uses it; such a slot must not be a victim. */
  evictable(slot: number): boolean;
}

/**
 * An eviction policy over the slots of one partition. Its own state is typed-array columns.
 *
 * A key that is not found and may enter goes through one frame, whatever cache asks: `onMiss(key)`;
 * while no slot is free or the policy is `crowded`, `victim(key)`, then `onRemove` of what it gave;
 * then `onInsert`. The frame ends early, without an insert, when there is no victim.
 */
export interface EvictionPolicy {
  /** Its name: "lru", "sieve". */
  readonly name: string;
  /** Bytes of its columns. */
  readonly bytes: number;
  /**
   * `key` was not found and is about to enter; called before any eviction, so that ghosts are
   * looked up here. No insert follows when no slot can be had.
   */
  onMiss(key: number): void;
  /** `slot` was free and now holds `slots.key[slot]`. */
  onInsert(slot: number): void;
  /**
   * The row in `slot` was used. Returns {@linkcode NO_SLOT}, or a slot that this hit pushed out.
   */
  onHit(slot: number): number;
  /**
   * One more slot that the last hit pushed out, or {@linkcode NO_SLOT}: asked again and again once
   * the one that `onHit` gave is removed. Left out by policies that push out one row at most.
   */
  pushedOut?(): number;
  /** The row in `slot` is leaving. Follows every `victim` too, with cause EVICTED. */
  onRemove(slot: number, cause: RemovalCause): void;
  /**
   * The slot to give to newcomer `key`, or {@linkcode NO_SLOT} when none is evictable, or none for
   * this key. It may move hands; the caller always removes the victim, so state that leaves with it
   * belongs in `onRemove`.
   */
  victim(key: number): number;
  /**
   * Whether a row must leave before `key` may enter although slots are free: its set or segment is
   * full. Left out by policies whose only bound is the slots.
   */
  crowded?(key: number): boolean;
  /**
   * How hot the row in `slot` is, 0 to 255, in the policy's own terms; left out by policies that
   * know order alone. A row that is inserted and hit so many times is about as hot again.
   */
  heat?(slot: number): number;
  /** The held slots in the policy's order, next victim last; for tests and pictures. */
  contents(): Uint32Array;
  /** Throws an Error naming the broken invariant, if there is one. */
  verify(): void;
}

/** Makes the policy of one partition; one policy each, so that ghosts of two tables never meet. */
export type EvictionPolicyFactory = (slots: Slots) => EvictionPolicy;
