/**
 * A row cache in shared memory, for several workers at once.
 *
 * @module
 */

import { checkInteger } from "../../base/checks.ts";
import { NO_SLOT } from "../eviction.ts";
import type { Claim } from "../rows/claim.ts";
import type { PartitionBytes } from "../rows/counters.ts";
import { ShardRuns } from "./_shard_runs.ts";
import {
  bytesOf,
  COUNTERS,
  countPins,
  findBreak,
  interleave,
  listShard,
  readCounters,
  sumCounters,
} from "./_check.ts";
import {
  checkRegion,
  COUNTER,
  END,
  HEADER,
  type Layout,
  layoutOf,
  readHeader,
  SHARD,
  WAITED,
  writeHeader,
} from "./_layout.ts";
import { mayWait } from "./_lock.ts";
import { acquireRows, releaseRows, rowSlot } from "./_lookup.ts";
import { SharedPartition } from "./_partition.ts";
import type {
  SharedPartitionCounters,
  SharedRowCacheHandle,
  SharedRowCacheOptions,
} from "./shared_options.ts";
import { SLOT_STATE, SLOT_STATE_MASK } from "../rows/slot_state.ts";

/**
 * A row cache that lies in a `SharedArrayBuffer` and that several workers use at once, each through
 * an attachment of its own: the one that creates it posts `handle`, the others `attach` it. As in
 * {@linkcode RowCache}, the bytes of the rows are the caller's: put them in shared memory too.
 *
 * Pins take the place of batches. `acquire` and `claim` pin the slots that they give, a slot once
 * for each time; a slot that is pinned or loading stays as it is, whoever pinned it, until
 * `release` has taken every pin off. Whoever misses a row claims it; of several workers one gets a
 * fresh claim and reads the row, straight into the slot if it likes, and the others find it loading
 * and wait for it with `waitReady`. End your own claims before you wait for those of others, or two
 * workers may wait for each other. There is no admission policy, and there are no scratch slots:
 * when a claim gets no slot, read its row elsewhere.
 *
 * Each partition is divided into shards by a hash of the key, and each shard has a lock, which a
 * batch takes once for all of its keys there; `state` and `waitReady` take none. The methods are
 * synchronous, and all but `waitReady` block for the short time that another worker holds a lock.
 *
 * *When a worker dies.* Its pins stay, and hold their rows for good; rows it was loading stay
 * loading. The cache works on with what is left; no worker can tell such pins from live ones. Ended
 * in the middle of a call, as `Worker.terminate` may do it, it can leave a lock taken: each call
 * that needs it throws after `lockTimeoutMs`, naming the shard and the attachment. Ask workers to
 * end by a message; after a crash make a new cache.
 *
 * Costs 20 to 24 bytes a slot with CLOCK and 28 to 32 with LRU, index included, and 256 bytes a
 * shard at most; each attachment has 32 KiB and 4 bytes a shard of its own. To look a key up, pin
 * and release it takes 30 ns with CLOCK at 8,192 slots, 38 to 52 at 131,072 and 66 at 1,048,576,
 * where a {@linkcode RowCache} takes 9, 17 to 20 and 32; with LRU 39, 57 to 83 and 107, where that
 * takes 13, 24 to 26 and 55: batches of 4,096 keys of zipf 0.9 on one shared AMD EPYC core.
 * Nothing is allocated after construction but by `counters`, `memoryBytes`, `contents`, `verify`.
 *
 * @example
 * ```ts
 * import { createClaim, NO_SLOT, SharedRowCache } from "@rowtier/rowtier/cache";
 *
 * const cache = SharedRowCache.create({ partitions: [{ slotCount: 1000 }] });
 * // worker.postMessage(cache.handle), and in the worker:
 * const other = SharedRowCache.attach(cache.handle);
 *
 * const claim = createClaim();
 * const keys = Uint32Array.of(7, 9);
 * const slots = new Int32Array(2);
 * cache.acquire(0, keys, 2, slots); // 2: both absent
 * for (let i = 0; i < 2; i++) {
 *   slots[i] = cache.claim(0, keys[i], claim);
 *   // ... if the claim is fresh, read row keys[i] into slot slots[i], then:
 *   if (claim.fresh) cache.fill(0, slots[i], claim.generation);
 * }
 * // ... pool the rows, then:
 * cache.release(0, slots, 2);
 * if (other.acquire(0, keys, 2, slots) !== 0) throw new Error("unreachable");
 * other.release(0, slots, 2);
 * if (slots[0] !== NO_SLOT || cache.pinCount(0) !== 0) throw new Error("unreachable");
 * ```
 */
export class SharedRowCache {
  /** What other workers attach; may be posted. */
  readonly handle: SharedRowCacheHandle;
  /** How many partitions it has. */
  readonly partitionCount: number;
  /** The number of this attachment: 1 for the one that created the cache, then in their order. */
  readonly attachment: number;
  readonly #partitions: readonly SharedPartition[];
  readonly #words: Int32Array;
  readonly #canWait: boolean;
  readonly #runs: ShardRuns;

  private constructor(handle: SharedRowCacheHandle, layout: Layout) {
    const { buffer, byteOffset, byteLength } = handle;
    const words = new Int32Array(buffer, byteOffset, byteLength / 4);
    const floats = new Float64Array(buffer, byteOffset, byteLength / 8);
    this.handle = { buffer, byteOffset, byteLength };
    this.partitionCount = layout.partitions.length;
    this.attachment = Atomics.add(words, HEADER.ATTACHED, 1) + 1;
    this.#words = words;
    this.#canWait = mayWait(words, HEADER.MAGIC);
    this.#runs = new ShardRuns(Math.max(...layout.partitions.map((each) => each.shardCount)));
    const { lockTimeoutMs } = layout;
    const attachment = { number: this.attachment, canWait: this.#canWait, lockTimeoutMs };
    this.#partitions = layout.partitions.map((each, p) =>
      new SharedPartition(p, each, words, floats, attachment)
    );
  }

  /**
   * An empty cache in memory of its own, or in the region that `options` name.
   *
   * @throws {RangeError} when there is no partition or too many, a number is out of its range, the
   * cache takes more than 4 GiB, or the region is misaligned or too short; nothing is touched then.
   * @throws {TypeError} when an order is unknown or the region's buffer is not shared.
   */
  static create(options: SharedRowCacheOptions): SharedRowCache {
    const what = "Cannot create SharedRowCache";
    const layout = layoutOf(what, options);
    const { byteLength } = layout;
    const { region = { buffer: new SharedArrayBuffer(byteLength), byteOffset: 0 } } = options;
    const { buffer, byteOffset } = region;
    checkRegion(what, region, byteLength);
    const words = new Int32Array(buffer, byteOffset, byteLength / 4);
    words.fill(0);
    writeHeader(words, layout);
    const cache = new SharedRowCache({ buffer, byteOffset, byteLength }, layout);
    for (const partition of cache.#partitions) partition.format();
    return cache;
  }

  /**
   * The cache that `handle` names, for the thread that calls; it may attach several times.
   *
   * @throws {RangeError} when the handle's numbers do not fit its buffer, or the memory there holds
   * no cache of this version, whole and of that length.
   * @throws {TypeError} when the handle's buffer is not shared.
   */
  static attach(handle: SharedRowCacheHandle): SharedRowCache {
    const what = "Cannot attach SharedRowCache";
    const { buffer, byteOffset, byteLength } = handle;
    checkRegion(what, handle, checkInteger(what, "byteLength", byteLength, 4 * SHARD.HEADS));
    const words = new Int32Array(buffer, byteOffset, byteLength >>> 2);
    return new SharedRowCache(handle, readHeader(what, words));
  }

  /**
   * Bytes that a cache made from `options` takes, whatever their region.
   *
   * @throws {RangeError | TypeError} when the options are wrong.
   */
  static bytesFor(options: SharedRowCacheOptions): number {
    return layoutOf("Cannot measure SharedRowCache", options).byteLength;
  }

  /**
   * Looks the first `count` of `keys` up and pins what is there, a slot once for each key that is
   * in it. Keys of one shard are looked up in their order, shards in any.
   *
   * @param partition The partition.
   * @param keys Row numbers, u32; they may repeat.
   * @param count How many of them.
   * @param slots Out: for each key its slot, `~slot` while its row is being read, or {@linkcode
   * NO_SLOT} when it is absent: claim it then.
   * @returns How many are absent.
   * @throws {RangeError} when the partition is out of range or an array is shorter than `count`;
   * nothing is touched then.
   * @throws {Error} when a lock is not to be had; `slots` then holds what was pinned before, and
   * NO_SLOT for the rest: release it.
   */
  acquire(partition: number, keys: Uint32Array, count: number, slots: Int32Array): number {
    const what = "Cannot acquire";
    const found = this.#partition(what, partition);
    checkInteger(what, "count", count, 0, keys.length);
    checkInteger(what, "slots.length", slots.length, count);
    return acquireRows(found, this.#runs, this.attachment, keys, count, slots);
  }

  /**
   * Claims a slot for a key that `acquire` did not find, and pins it. A fresh claim must end in
   * `fill` or `abandon` with its generation; keep its pin until then, as only pins keep the slot
   * from going to another row when this one is deleted.
   *
   * A key that is there by now, as it repeats in the batch or another worker claimed it, is a use
   * of that row and its lookup is no miss any more: the claim is not fresh, and `state` says
   * whether the row is loading.
   *
   * @param partition The partition.
   * @param key The row number, u32.
   * @param claim Out: whether the claim is fresh, its generation, below 2^29, and which key was
   * evicted for it.
   * @returns The slot; {@linkcode NO_SLOT} when every slot of the key's shard is pinned or loading.
   * @throws {RangeError} when the partition is out of range.
   * @throws {Error} when the lock is not to be had; nothing is touched then.
   */
  claim(partition: number, key: number, claim: Claim): number {
    const what = "Cannot claim";
    const found = this.#partition(what, partition);
    const shard = found.shardOf(key);
    found.lock(what, shard);
    const slot = found.claim(shard, key, claim);
    found.unlock(shard);
    return slot;
  }

  /**
   * The claimed row is in its slot: LOADING becomes READY, and whoever waits for it goes on. What
   * this thread wrote before is seen by every thread that sees it READY. False when the claim is
   * over: filled, abandoned, or its row deleted; then nothing changes.
   *
   * @throws {RangeError} when the partition or the slot is out of range.
   * @throws {Error} when the lock is not to be had; nothing is touched then.
   */
  fill(partition: number, slot: number, generation: number): boolean {
    return this.#end("Cannot fill", partition, slot, generation, true);
  }

  /**
   * The claimed row cannot be read: LOADING becomes FAILED, for those who pin the slot, and its key
   * is absent at once. False when the claim is over.
   *
   * @throws {RangeError} when the partition or the slot is out of range.
   * @throws {Error} when the lock is not to be had; nothing is touched then.
   */
  abandon(partition: number, slot: number, generation: number): boolean {
    return this.#end("Cannot abandon", partition, slot, generation, false);
  }

  /**
   * Takes a pin off each of the first `count` of `slots`, as `acquire` and `claim` gave them: slot,
   * `~slot`, or NO_SLOT for none. Writes NO_SLOT in their place, so that to release them twice does
   * no harm.
   *
   * @throws {RangeError} when the partition or a slot is out of range, or `slots` is shorter than
   * `count`; nothing is touched then.
   * @throws {Error} when a slot had no pin, after the others lost theirs; or when a lock is not to
   * be had: `slots` then holds what is still pinned.
   */
  release(partition: number, slots: Int32Array, count: number): void {
    const what = "Cannot release";
    const found = this.#partition(what, partition);
    checkInteger(what, "count", count, 0, slots.length);
    const { slotCount } = found.layout;
    for (let i = 0; i < count; i++) {
      const slot = slots[i];
      if (slot !== NO_SLOT && rowSlot(slot) >= slotCount) {
        checkInteger(what, "slot", rowSlot(slot), 0, slotCount - 1);
      }
    }
    const unpinned = releaseRows(found, this.#runs, this.attachment, slots, count);
    if (unpinned !== NO_SLOT) {
      throw new Error(`${what}: slots must be pinned: received ${unpinned}, which is not`);
    }
  }

  /**
   * Blocks until a slot that the caller pins is no longer loading, or `timeoutMs` are over.
   *
   * @param partition The partition.
   * @param slot The slot, plain or as `~slot`.
   * @param timeoutMs Milliseconds, at least 0; Infinity to wait for as long as it takes.
   * @returns One of {@linkcode SLOT_STATE}: READY, FAILED, or LOADING when the time is over.
   * @throws {RangeError} when the partition or the slot is out of range, or the time is no number
   * of at least 0.
   * @throws {TypeError} when the row is loading and this thread may not block, as the main thread
   * of a browser may not: look at `state` from time to time there.
   */
  waitReady(partition: number, slot: number, timeoutMs: number): number {
    const what = "Cannot wait";
    const found = this.#partitionOf(what, partition, rowSlot(slot));
    if (!(timeoutMs >= 0)) {
      throw new RangeError(`${what}: timeoutMs must be at least 0: received ${timeoutMs}`);
    }
    const words = this.#words;
    const at = found.claimAt(rowSlot(slot));
    for (;;) {
      const word = Atomics.load(words, at);
      const state = word & SLOT_STATE_MASK;
      if (state !== SLOT_STATE.LOADING) return state;
      if (!this.#canWait) {
        throw new TypeError(
          `${what}: the thread must be one that may block: received slot ${slot}`,
        );
      }
      // Whoever ends the claim looks for this bit, and wakes nobody without it. If the word has
      // changed meanwhile, it is looked at again.
      const waited = word | WAITED;
      if (Atomics.compareExchange(words, at, word, waited) !== word) continue;
      if (Atomics.wait(words, at, waited, timeoutMs) === "timed-out") {
        return Atomics.load(words, at) & SLOT_STATE_MASK;
      }
    }
  }

  /**
   * Deletes a row; false when it is not there. Who pins its slot keeps a READY row's bytes; a row
   * that is loading is FAILED for them, and its claim is over.
   *
   * @throws {RangeError} when the partition is out of range.
   * @throws {Error} when the lock is not to be had; nothing is touched then.
   */
  delete(partition: number, key: number): boolean {
    const what = "Cannot delete";
    const found = this.#partition(what, partition);
    const shard = found.shardOf(key);
    const head = found.shardAt(shard);
    found.lock(what, shard);
    const local = found.find(head, key);
    if (local !== END) found.remove(head, shard, local, COUNTER.DELETIONS);
    found.unlock(shard);
    return local !== END;
  }

  /**
   * Deletes every row of a partition, as `delete` does, shard by shard: what others claim meanwhile
   * may stay.
   *
   * @throws {RangeError} when the partition is out of range.
   * @throws {Error} when a lock is not to be had, after the shards before it were cleared.
   */
  clear(partition: number): void {
    const what = "Cannot clear";
    const found = this.#partition(what, partition);
    for (let shard = 0; shard <= found.shardMask; shard++) {
      found.lock(what, shard);
      found.clear(shard);
      found.unlock(shard);
    }
  }

  /**
   * Whether a row is there or being read. Pins nothing, and is no use: another worker may evict the
   * row before the caller looks.
   *
   * @throws {RangeError} when the partition is out of range.
   * @throws {Error} when the lock is not to be had.
   */
  has(partition: number, key: number): boolean {
    const what = "Cannot look up";
    const found = this.#partition(what, partition);
    const shard = found.shardOf(key);
    found.lock(what, shard);
    const local = found.find(found.shardAt(shard), key);
    found.unlock(shard);
    return local !== END;
  }

  /**
   * The state of a slot, one of {@linkcode SLOT_STATE}, by a single atomic load. It is that of the
   * caller's row only while the caller pins the slot.
   *
   * @throws {RangeError} when the partition or the slot is out of range.
   */
  state(partition: number, slot: number): number {
    const found = this.#partitionOf("Cannot show state", partition, slot);
    return Atomics.load(this.#words, found.claimAt(slot)) & SLOT_STATE_MASK;
  }

  /**
   * Pins held now, by all workers together; a few ns a slot.
   *
   * @throws {RangeError} when the partition is out of range.
   * @throws {Error} when a lock is not to be had.
   */
  pinCount(partition: number): number {
    const what = "Cannot count pins";
    const found = this.#partition(what, partition);
    let pins = 0;
    for (let shard = 0; shard <= found.shardMask; shard++) {
      found.lock(what, shard);
      pins += countPins(found, shard);
      found.unlock(shard);
    }
    return pins;
  }

  /**
   * What a partition counted so far, all workers together, as a fresh object. The shards are read
   * one after the other, each with its lock, so that `lookups` = `hits` + `delayedHits` + `misses`
   * whatever goes on meanwhile.
   *
   * @throws {RangeError} when the partition is out of range.
   * @throws {Error} when a lock is not to be had.
   */
  counters(partition: number): SharedPartitionCounters {
    const what = "Cannot count";
    const found = this.#partition(what, partition);
    const sums = new Float64Array(COUNTERS);
    for (let shard = 0; shard <= found.shardMask; shard++) {
      found.lock(what, shard);
      sumCounters(found, shard, sums);
      found.unlock(shard);
    }
    return readCounters(sums, found.layout.rowBytes);
  }

  /**
   * Bytes that a partition takes of the shared memory.
   *
   * @throws {RangeError} when the partition is out of range.
   */
  memoryBytes(partition: number): PartitionBytes {
    return bytesOf(this.#partition("Cannot measure memory", partition).layout);
  }

  /**
   * The cached keys in the order of eviction, next victim last, as far as there is one: the
   * youngest row of each shard, then the second of each, and so on. The shards are read one after
   * the other, each with its lock. For tests and pictures.
   *
   * @throws {RangeError} when the partition is out of range.
   * @throws {Error} when a lock is not to be had.
   */
  contents(partition: number): Uint32Array {
    const what = "Cannot list contents";
    const found = this.#partition(what, partition);
    const lists: Uint32Array[] = [];
    for (let shard = 0; shard <= found.shardMask; shard++) {
      const keys = new Uint32Array(found.slotsOf(shard));
      found.lock(what, shard);
      const count = listShard(found, shard, keys);
      found.unlock(shard);
      lists.push(keys.subarray(0, count));
    }
    return interleave(lists);
  }

  /**
   * Throws an Error naming the broken invariant, if there is one. Takes a while, with each shard
   * locked in turn: others may go on.
   *
   * @throws {Error} also when a lock is not to be had.
   */
  verify(): void {
    this.#partitions.forEach((partition, p) => {
      for (let shard = 0; shard <= partition.shardMask; shard++) {
        partition.lock("Cannot verify", shard);
        const broken = findBreak(partition, shard);
        partition.unlock(shard);
        if (broken !== undefined) {
          throw new Error(`Broken invariant: partition ${p}: shard ${shard}: ${broken}`);
        }
      }
    });
  }

  /** Ends a claim, with its row or without; false when it was over already. */
  #end(
    what: string,
    partition: number,
    slot: number,
    generation: number,
    isFilled: boolean,
  ): boolean {
    const found = this.#partitionOf(what, partition, slot);
    const shard = slot & found.shardMask;
    const local = slot >>> found.shardBits;
    const head = found.shardAt(shard);
    found.lock(what, shard);
    const isOpen = found.isOpen(head, local, generation);
    if (isOpen && isFilled) found.fill(head, local);
    else if (isOpen) found.remove(head, shard, local, COUNTER.FAILURES);
    found.unlock(shard);
    return isOpen;
  }

  #partition(what: string, partition: number): SharedPartition {
    const found = this.#partitions[partition];
    if (found === undefined) {
      // Says so and throws: no partition has that number.
      checkInteger(what, "partition", partition, 0, this.partitionCount - 1);
    }
    return found;
  }

  #partitionOf(what: string, partition: number, slot: number): SharedPartition {
    const found = this.#partition(what, partition);
    checkInteger(what, "slot", slot, 0, found.layout.slotCount - 1);
    return found;
  }
}
