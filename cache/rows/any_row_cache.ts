/**
 * What every row cache does: which row is in which slot. It knows no bytes, no files and no time;
 * reading rows into the slots is the caller's part.
 *
 * @module
 */

import { checkInteger } from "../../base/checks.ts";
import { type BatchWindow, stampOf } from "./_batch_window.ts";
import type { LookupWatch } from "./_lookup_watch.ts";
import { decodeOrder, encodeOrder } from "./_order_bytes.ts";
import { type PartitionStore, PREFETCH_STAMP } from "./_partition_store.ts";
import { type Claim, NO_BATCH } from "./claim.ts";
import { type PartitionBytes, type PartitionCounters, readTally } from "./counters.ts";
import type { RowOrder } from "./row_order.ts";

/** Heat is one byte. */
const MAX_HEAT = 255;

/**
 * A cache of rows over partitions, for batches of lookups: what {@linkcode RowCache}, {@linkcode
 * CompactRowCache} and {@linkcode DualRowCache} have in common.
 *
 * A batch goes through it in two phases, so that no row of the batch is evicted for another one of
 * it: first `acquire` finds, and holds, every row that is there; then the caller claims a slot for
 * every key that is not, reads the row into it, and says `fill` or `abandon`. `retire` lets the
 * batch's rows go. Several batches live at once; a row that one of them is reading is a *delayed
 * hit* of the next.
 *
 * When the admission policy refuses a row, or every row is held, the claim gets a scratch slot: for
 * its users it is like any other, and it lives as long as they do.
 *
 * Nothing is allocated after construction but by `counters`, `memoryBytes`, `contents` and the
 * order's export and import.
 *
 * @example
 * ```ts
 * import { type AnyRowCache, CompactRowCache, lru, RowCache } from "@rowtier/rowtier/cache";
 *
 * const size = { slotCount: 8, scratchCount: 2 };
 * const caches: AnyRowCache[] = [
 *   new RowCache({ partitions: [{ ...size, eviction: lru }] }),
 *   new CompactRowCache({ partitions: [{ ...size, keyCount: 1000 }] }),
 * ];
 * if (caches.some((cache) => cache.has(0, 5))) throw new Error("unreachable");
 * ```
 */
export abstract class AnyRowCache {
  /** How many partitions it has. */
  readonly partitionCount: number;
  readonly #partitions: readonly PartitionStore[];
  readonly #window: BatchWindow;
  readonly #watch: LookupWatch | undefined;

  /**
   * Called by the caches of this library alone.
   *
   * @internal
   */
  protected constructor(
    partitions: readonly PartitionStore[],
    window: BatchWindow,
    watch: LookupWatch | undefined,
  ) {
    this.partitionCount = partitions.length;
    this.#partitions = partitions;
    this.#window = window;
    this.#watch = watch;
  }

  /**
   * Begins a batch: its number, one more than the last; or {@linkcode NO_BATCH} while the oldest
   * live batch is 253 batches old: retire that one first. Once in about 250 batches it takes a
   * byte's work a slot.
   */
  begin(): number {
    if (this.#window.mustSweep) {
      for (const partition of this.#partitions) partition.sweep();
      this.#window.swept();
    }
    return this.#window.begin();
  }

  /**
   * Ends `batch`: the rows it used may be evicted once no older batch lives.
   *
   * @throws {RangeError} when `batch` is not live.
   */
  retire(batch: number): void {
    this.#checkBatch("Cannot retire", batch);
    this.#window.retire(batch);
  }

  /**
   * Looks the first `count` of `keys` up for `batch`, and holds what is there until the batch is
   * retired.
   *
   * @param partition The partition.
   * @param keys Row numbers, u32; they may repeat.
   * @param count How many of them.
   * @param batch A live batch.
   * @param slots Out: for each key its slot, `~slot` while its row is being read, or {@linkcode
   * NO_SLOT} when it is absent: claim it then, once for each such position.
   * @returns How many are absent.
   * @throws {RangeError} when the partition is out of range, `batch` is not live, an array is
   * shorter than `count`, or a key is beyond the partition's `keyCount`; nothing is touched then.
   */
  acquire(
    partition: number,
    keys: Uint32Array,
    count: number,
    batch: number,
    slots: Int32Array,
  ): number {
    const what = "Cannot acquire";
    const found = this.#partition(what, partition);
    this.#checkBatch(what, batch);
    checkInteger(what, "count", count, 0, keys.length);
    checkInteger(what, "slots.length", slots.length, count);
    found.checkKeys(what, keys, count);
    const absent = found.lookUp(keys, count, stampOf(batch), slots);
    this.#watch?.acquired(partition, keys, count, slots);
    return absent;
  }

  /**
   * Claims a slot for a key that `acquire` did not find. A fresh claim must end in `fill` or
   * `abandon` with its generation. A key that is there by now, because it repeats within the batch,
   * is a use of that row, and its lookup is no miss any more: see whether it is loading in
   * `states`.
   *
   * With {@linkcode NO_BATCH} it is a prefetch: held by nobody, given cache slots only, and neither
   * a lookup nor a use. A key that is there is left as it is.
   *
   * @param partition The partition.
   * @param key The row number, u32.
   * @param batch A live batch, or NO_BATCH.
   * @param claim Out: whether the claim is fresh, its generation, and which key was evicted for it.
   * @returns The slot; {@linkcode NO_SLOT} when a prefetch gets none, or no scratch slot is left.
   * @throws {RangeError} when the partition is out of range, `batch` is not live, or the key is
   * beyond the partition's `keyCount`.
   */
  claim(partition: number, key: number, batch: number, claim: Claim): number {
    const what = "Cannot claim";
    const found = this.#partition(what, partition);
    if (batch !== NO_BATCH) this.#checkBatch(what, batch);
    found.checkKey(what, key);
    if (batch === NO_BATCH) return found.claim(key, PREFETCH_STAMP, claim);
    const slot = found.claim(key, stampOf(batch), claim);
    this.#watch?.claimed(partition, key, slot, claim, found);
    return slot;
  }

  /**
   * The claimed row is in its slot: LOADING becomes READY. False when the claim is over (abandoned,
   * deleted, or its scratch slot was no longer held and went to another row): then nothing changes,
   * and the slot's bytes must not have been touched, so read elsewhere and copy after this said
   * true.
   *
   * @throws {RangeError} when the partition or the slot is out of range.
   */
  fill(partition: number, slot: number, generation: number): boolean {
    const what = "Cannot fill";
    const found = this.#partition(what, partition);
    checkInteger(what, "slot", slot, 0, found.state.length - 1);
    return found.fill(slot, generation);
  }

  /**
   * The claimed row cannot be read: LOADING becomes FAILED, and its key is absent at once. Batches
   * that use the slot still see it FAILED; it is used again after them. False when the claim is
   * over.
   *
   * @throws {RangeError} when the partition or the slot is out of range.
   */
  abandon(partition: number, slot: number, generation: number): boolean {
    const what = "Cannot abandon";
    const found = this.#partition(what, partition);
    checkInteger(what, "slot", slot, 0, found.state.length - 1);
    return found.abandon(slot, generation);
  }

  /**
   * Deletes a row; false when it is not there. Live batches that use it keep a READY row's bytes; a
   * row that is loading is FAILED for them, and its claim is over.
   *
   * @throws {RangeError} when the partition is out of range.
   */
  delete(partition: number, key: number): boolean {
    const deleted = this.#partition("Cannot delete", partition).delete(key);
    if (deleted) this.#watch?.deleted(partition, key);
    return deleted;
  }

  /**
   * Deletes every row of a partition, as `delete` does: its table has a new epoch.
   *
   * @throws {RangeError} when the partition is out of range.
   */
  clear(partition: number): void {
    this.#partition("Cannot clear", partition).clear();
    this.#watch?.cleared(partition);
  }

  /**
   * Whether a row is there or being read. Touches nothing.
   *
   * @throws {RangeError} when the partition is out of range.
   */
  has(partition: number, key: number): boolean {
    return this.#partition("Cannot look up", partition).has(key);
  }

  /**
   * The column of states, one byte a slot, scratch slots last: `states[slot] & SLOT_STATE_MASK` is
   * one of {@linkcode SLOT_STATE}. It is the cache's own: read it as often as you like, and never
   * write it.
   *
   * @throws {RangeError} when the partition is out of range.
   */
  states(partition: number): Uint8Array {
    return this.#partition("Cannot show states", partition).state;
  }

  /**
   * What a partition counted so far, as a fresh object.
   *
   * @throws {RangeError} when the partition is out of range.
   */
  counters(partition: number): PartitionCounters {
    const { tally, rowBytes } = this.#partition("Cannot count", partition);
    return readTally(tally, rowBytes);
  }

  /**
   * Bytes that a partition holds, from its arrays.
   *
   * @throws {RangeError} when the partition is out of range.
   */
  memoryBytes(partition: number): PartitionBytes {
    return this.#partition("Cannot measure memory", partition).bytes();
  }

  /**
   * The cached keys in the order of eviction, next victim last, scratch rows left out; for tests
   * and pictures. A compact partition knows the order inside its buckets alone: it lists the
   * youngest row of each bucket, then the second of each, and so on.
   *
   * @throws {RangeError} when the partition is out of range.
   */
  contents(partition: number): Uint32Array {
    const found = this.#partition("Cannot list contents", partition);
    return found.contents().map((slot) => found.keyOf(slot));
  }

  /**
   * Switches a partition off or on: off, nothing enters its cache slots. Its misses get scratch
   * slots, its prefetches and warm-ups none. What is in the cache stays, is hit and counted as
   * before, and leaves by `delete` and `clear` alone: `clear` it as well to have none of it. On
   * from the start.
   *
   * @throws {RangeError} when the partition is out of range.
   */
  setAdmitting(partition: number, admitting: boolean): void {
    this.#partition("Cannot switch", partition).admitting = admitting;
  }

  /**
   * Whether rows may enter a partition's cache slots.
   *
   * @throws {RangeError} when the partition is out of range.
   */
  isAdmitting(partition: number): boolean {
    return this.#partition("Cannot tell whether it admits", partition).admitting;
  }

  /**
   * The keys of `contents` with their order and heat, as bytes for a later `importOrder`: 16 bytes
   * and 4 a row, or 5 where the policy knows heat. Rows that are loading are among them.
   *
   * @throws {RangeError} when the partition is out of range.
   */
  exportOrder(partition: number): Uint8Array {
    const found = this.#partition("Cannot export order", partition);
    const slots = found.contents().reverse();
    const keys = slots.map((slot) => found.keyOf(slot));
    if (!found.hasHeat) return encodeOrder(keys, undefined);
    return encodeOrder(keys, Uint8Array.from(slots, (slot) => found.heat(slot)));
  }

  /**
   * Reads what `exportOrder` wrote, of this cache or of another: the rows to read, next victim
   * first, no more than the partition has cache slots: the hindmost of them. Changes nothing; the
   * caller then warms each in this order:
   *
   * ```ts ignore
   * const { keys, heat } = cache.importOrder(0, bytes);
   * for (let i = 0; i < keys.length; i++) {
   *   const slot = cache.warm(0, keys[i], heat[i], claim);
   *   if (claim.fresh) read(keys[i], slot, claim.generation); // ends in fill or abandon
   * }
   * ```
   *
   * @throws {RangeError} when the partition is out of range, or the bytes are not whole: too short
   * or long, of another kind or version, or changed since they were written; or a key is beyond the
   * partition's `keyCount`.
   */
  importOrder(partition: number, bytes: Uint8Array): RowOrder {
    const what = "Cannot import order";
    const found = this.#partition(what, partition);
    const order = decodeOrder(bytes);
    found.checkKeys(what, order.keys, order.keys.length);
    const first = Math.max(0, order.keys.length - found.count);
    return { keys: order.keys.subarray(first), heat: order.heat.subarray(first) };
  }

  /**
   * Claims a cache slot for a row that `importOrder` gave, and lets the policy see it used `heat`
   * times. It is no lookup, no prefetch and no matter for the admission policy; the row was in the
   * cache before. Like a prefetch it is held by nobody. A key that is there is left as it is.
   *
   * @param partition The partition.
   * @param key The row number, u32.
   * @param heat Uses to tell the policy, 0 to 255.
   * @param claim Out: as of `claim`.
   * @returns The slot; {@linkcode NO_SLOT} when there is none.
   * @throws {RangeError} when the partition, the key or the heat is out of range.
   */
  warm(partition: number, key: number, heat: number, claim: Claim): number {
    const what = "Cannot warm";
    const found = this.#partition(what, partition);
    found.checkKey(what, key);
    checkInteger(what, "heat", heat, 0, MAX_HEAT);
    return found.warm(key, heat, claim);
  }

  /** Throws an Error naming the broken invariant, if there is one; takes a while. */
  verify(): void {
    for (const partition of this.#partitions) partition.verify();
  }

  #partition(what: string, partition: number): PartitionStore {
    const found = this.#partitions[partition];
    if (found === undefined) {
      // Says so and throws: no partition has that number.
      checkInteger(what, "partition", partition, 0, this.partitionCount - 1);
    }
    return found;
  }

  #checkBatch(what: string, batch: number): void {
    if (!this.#window.isLive(batch)) {
      throw new RangeError(`${what}: batch must be live: received ${batch}`);
    }
  }
}
