/**
 * The row cache: which row is in which slot. It knows no bytes, no files and no time; reading rows
 * into the slots is the caller's part.
 *
 * @module
 */

import { checkInteger } from "../base/checks.ts";
import { BatchWindow, stampOf } from "./_batch_window.ts";
import { claimSlot, PREFETCH_STAMP } from "./_claim.ts";
import { lookUp } from "./_lookup.ts";
import { Partition } from "./_partition.ts";
import { type Claim, NO_BATCH } from "./claim.ts";
import type { PartitionBytes, PartitionCounters } from "./counters.ts";
import { NO_SLOT, REMOVAL } from "./eviction.ts";
import { MAX_PARTITION_SLOTS, MAX_PARTITIONS } from "./limits.ts";
import type { PartitionOptions, RowCacheOptions } from "./options.ts";

/**
 * A cache of rows over partitions, for batches of lookups.
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
 * Costs 23 bytes a slot with LRU and 13 to 26 for its index entry. Looking up takes about 17 ns a
 * key with SIEVE and 25 with LRU at 131,072 slots, a miss and its eviction 100 to 200 more. Nothing
 * is allocated after construction but by `counters`, `memoryBytes` and `contents`.
 *
 * @example
 * ```ts
 * import { createClaim, lru, NO_SLOT, RowCache } from "@rowtier/rowtier/cache";
 *
 * const cache = new RowCache({ partitions: [{ slotCount: 2, scratchCount: 2, eviction: lru }] });
 * const claim = createClaim();
 * const keys = Uint32Array.of(7, 9, 7);
 * const slots = new Int32Array(3);
 *
 * const batch = cache.begin();
 * cache.acquire(0, keys, 3, batch, slots); // 3: all absent
 * for (let i = 0; i < 3; i++) {
 *   if (slots[i] !== NO_SLOT) continue;
 *   slots[i] = cache.claim(0, keys[i], batch, claim);
 *   if (!claim.fresh) continue; // the second 7: already claimed
 *   // ... read row keys[i] into slot slots[i], then:
 *   cache.fill(0, slots[i], claim.generation);
 * }
 * // ... pool the rows, then:
 * cache.retire(batch);
 * if (slots[0] !== slots[2] || !cache.has(0, 9)) throw new Error("unreachable");
 * ```
 */
export class RowCache {
  /** How many partitions it has. */
  readonly partitionCount: number;
  readonly #partitions: readonly Partition[];
  readonly #window: BatchWindow;

  /**
   * An empty cache; all its memory is allocated here.
   *
   * @throws {RangeError} when there is no partition or too many, a `slotCount` is below 1, a
   * `scratchCount` below 0, or both together are more than 2^28.
   */
  constructor(options: RowCacheOptions) {
    const { partitions, onPrefetch } = options;
    const what = "Cannot create RowCache";
    this.partitionCount = checkInteger(
      what,
      "number of partitions",
      partitions.length,
      1,
      MAX_PARTITIONS,
    );
    partitions.forEach((partition, number) => checkPartition(number, partition));
    const window = new BatchWindow();
    this.#window = window;
    this.#partitions = partitions.map((each, p) => new Partition(p, each, window, onPrefetch));
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
   * @throws {RangeError} when the partition is out of range, `batch` is not live, or an array is
   * shorter than `count`; nothing is touched then.
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
    return lookUp(found, keys, count, stampOf(batch), slots);
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
   * @throws {RangeError} when the partition is out of range or `batch` is not live.
   */
  claim(partition: number, key: number, batch: number, claim: Claim): number {
    const what = "Cannot claim";
    const found = this.#partition(what, partition);
    if (batch === NO_BATCH) return claimSlot(found, key, PREFETCH_STAMP, claim);
    this.#checkBatch(what, batch);
    return claimSlot(found, key, stampOf(batch), claim);
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
    checkInteger(what, "slot", slot, 0, found.key.length - 1);
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
    checkInteger(what, "slot", slot, 0, found.key.length - 1);
    return found.abandon(slot, generation);
  }

  /**
   * Deletes a row; false when it is not there. Live batches that use it keep a READY row's bytes; a
   * row that is loading is FAILED for them, and its claim is over.
   *
   * @throws {RangeError} when the partition is out of range.
   */
  delete(partition: number, key: number): boolean {
    const found = this.#partition("Cannot delete", partition);
    const slot = found.find(key);
    if (slot === NO_SLOT) return false;
    found.release(slot, REMOVAL.DELETED);
    return true;
  }

  /**
   * Deletes every row of a partition, as `delete` does: its table has a new epoch.
   *
   * @throws {RangeError} when the partition is out of range.
   */
  clear(partition: number): void {
    this.#partition("Cannot clear", partition).clear();
  }

  /**
   * Whether a row is there or being read. Touches nothing.
   *
   * @throws {RangeError} when the partition is out of range.
   */
  has(partition: number, key: number): boolean {
    const found = this.#partition("Cannot look up", partition);
    const slot = found.index.get(key);
    return slot !== NO_SLOT && (slot < found.count || found.held[found.stamp[slot]] !== 0);
  }

  /**
   * The column of {@linkcode SLOT_STATE}, one byte a slot, scratch slots last. It is the cache's
   * own: read it as often as you like, and never write it.
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
    return { ...this.#partition("Cannot count", partition).tally };
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
   * The cached keys in the policy's order, scratch rows left out; for tests and pictures.
   *
   * @throws {RangeError} when the partition is out of range.
   */
  contents(partition: number): Uint32Array {
    const { policy, key } = this.#partition("Cannot list contents", partition);
    return policy.contents().map((slot) => key[slot]);
  }

  /** Throws an Error naming the broken invariant, if there is one; takes a while. */
  verify(): void {
    for (const partition of this.#partitions) partition.verify();
  }

  #partition(what: string, partition: number): Partition {
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

function checkPartition(number: number, options: PartitionOptions): void {
  const what = `Cannot create RowCache: partition ${number}`;
  const slotCount = checkInteger(what, "slotCount", options.slotCount, 1, MAX_PARTITION_SLOTS);
  checkInteger(what, "scratchCount", options.scratchCount, 0, MAX_PARTITION_SLOTS - slotCount);
}
