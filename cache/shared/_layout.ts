/**
 * Where everything of a shared row cache lies in its memory, in 32-bit words.
 *
 * A header: magic, version, lock timeout, number of partitions, XXH32 of the words that describe
 * the layout, attachments so far; from word 16 on four words a partition: slots, shards, order, row
 * bytes. Then the partitions, each a run of shards, and a shard is: 16 words of its own, 16
 * words of counters, the heads of its hash chains, a record a slot.
 *
 * A record is 4 words (key, claim and state, pins, next of its chain or of the free list), and with
 * LRU two links more. It has all that a hit needs in one cache line, most of the time: a hit costs
 * that line and the one of its chain's head, where columns would cost one each.
 *
 * @module
 */

import { checkInteger } from "../../base/checks.ts";
import { xxh32 } from "../../base/xxh32.ts";
import { MAX_PARTITION_SLOTS, MAX_PARTITIONS } from "../limits.ts";
import type { BucketOrder } from "../rows/options.ts";
import type {
  SharedPartitionOptions,
  SharedRegion,
  SharedRowCacheOptions,
} from "./shared_options.ts";

/** Words of the header. */
export const HEADER = {
  MAGIC: 0,
  VERSION: 1,
  LOCK_TIMEOUT: 2,
  PARTITIONS: 3,
  CHECKSUM: 4,
  ATTACHED: 5,
} as const;

/** Words of a shard, relative to its first. */
export const SHARD = {
  /** 0: free; 1: held; 2: held, and waited for. */
  LOCK: 0,
  /** The attachment that took the lock last. */
  OWNER: 1,
  /** The first free slot, or END. */
  FREE: 2,
  /** CLOCK's hand. */
  HAND: 3,
  /** Slots in the index. */
  SIZE: 4,
  /** Of these, the loading ones. */
  LOADING: 5,
  /** 1 from a search that found no victim until a row may be one again. */
  EXHAUSTED: 6,
  /** Counters, in 64-bit floats from here on. */
  COUNTERS: 16,
  /** Heads of the chains, then the records. */
  HEADS: 32,
} as const;

/** Counters of a shard, in 64-bit floats relative to the first. */
export const COUNTER = {
  HITS: 0,
  DELAYED: 1,
  MISSES: 2,
  ADMISSIONS: 3,
  EVICTIONS: 4,
  DELETIONS: 5,
  FAILURES: 6,
  UNPLACED: 7,
} as const;

/** Words of a record. */
export const RECORD = {
  /** The key's bits. */
  KEY: 0,
  /** The claim's generation, WAITED, and the state. Waited on, so nothing else may change it. */
  CLAIM: 1,
  /** Pins, GONE and USED. */
  PINS: 2,
  /** The next slot of the chain or the free list, or END. */
  NEXT: 3,
  /** The slot used right after this one; LRU alone. */
  NEWER: 4,
  /** The slot used right before this one; LRU alone. */
  OLDER: 5,
} as const;

/** Bit of the claim word: some thread waits for it to change. */
export const WAITED = 4;
/** The generation's place in the claim word, above it. */
export const GENERATION_SHIFT = 3;

/** Bit of the pins word: used since CLOCK's hand last came by. */
export const USED = 1;
/** Bit of the pins word: its row has left the index, and the slot is free after the last pin. */
export const GONE = 2;
/** One pin. */
export const PIN = 4;

/**
 * Knuth's multiplier picks a key's chain, as in the other indexes: the high bits of the product.
 */
export const CHAIN_MULTIPLIER: number = 0x9e3779b1 | 0;

/** Ends chains and lists. */
export const END = -1;

/** A region begins with a cache line, so that shards do not share one. */
const ALIGN_BYTES = 64;

const MAGIC = 0x53525452;
const VERSION = 1;
/** Words of the header before those of the partitions. */
const FIXED_WORDS = 16;
const PARTITION_WORDS = 4;
/** Shards begin at multiples of two cache lines: neighbouring lines are fetched together. */
const ALIGN_WORDS = 32;
/** 4 GiB: every place in words is below 2^30, where the engine computes with small integers. */
const MAX_WORDS = 2 ** 30;
const MAX_SHARDS = 1024;
/** The default number of shards leaves at least so many slots to each. */
const DEFAULT_SHARD_SLOTS = 512;
/** More make small batches slower: of 64 keys each took 49 ns with 1 shard, 104 with 32. */
const DEFAULT_MAX_SHARDS = 32;
const DEFAULT_LOCK_TIMEOUT_MS = 5000;
const MAX_INT = 2 ** 31 - 1;

/** A partition's numbers and places. */
export interface PartitionLayout {
  readonly slotCount: number;
  readonly shardCount: number;
  readonly order: BucketOrder;
  readonly rowBytes: number;
  /** Chains of a shard: a power of two, at least 2 and at least its slots. */
  readonly chainCount: number;
  /** Most slots of a shard. */
  readonly capacity: number;
  /** Words of a record. */
  readonly recordWords: number;
  /** Words of a shard. */
  readonly shardWords: number;
  /** The partition's first word, relative to the cache's. */
  readonly origin: number;
}

/** A whole cache. */
export interface Layout {
  readonly partitions: readonly PartitionLayout[];
  readonly lockTimeoutMs: number;
  readonly byteLength: number;
}

/** The layout that options ask for; throws when they are wrong. */
export function layoutOf(what: string, options: SharedRowCacheOptions): Layout {
  const { partitions, lockTimeoutMs = DEFAULT_LOCK_TIMEOUT_MS } = options;
  checkInteger(what, "number of partitions", partitions.length, 1, MAX_PARTITIONS);
  checkInteger(what, "lockTimeoutMs", lockTimeoutMs, 1, MAX_INT);
  let origin = roundUp(FIXED_WORDS + PARTITION_WORDS * partitions.length, ALIGN_WORDS);
  const layouts = partitions.map((each, number) => {
    const layout = layOut(`${what}: partition ${number}`, each, origin);
    origin += layout.shardCount * layout.shardWords;
    return layout;
  });
  checkInteger(what, "words of memory", origin, 1, MAX_WORDS);
  return { partitions: layouts, lockTimeoutMs, byteLength: 4 * origin };
}

function layOut(which: string, options: SharedPartitionOptions, origin: number): PartitionLayout {
  const { slotCount, order = "clock", rowBytes = 0 } = options;
  checkInteger(which, "slotCount", slotCount, 1, MAX_PARTITION_SLOTS);
  checkInteger(which, "rowBytes", rowBytes, 0, MAX_INT);
  const shardCount = options.shardCount ?? defaultShards(slotCount);
  checkInteger(which, "shardCount", shardCount, 1, Math.min(slotCount, MAX_SHARDS));
  if (shardCount !== powerOfTwo(shardCount)) {
    throw new RangeError(`${which}: shardCount must be a power of two: received ${shardCount}`);
  }
  if (order !== "lru" && order !== "clock") {
    throw new TypeError(`${which}: order must be "lru" or "clock": received ${order}`);
  }
  const capacity = Math.ceil(slotCount / shardCount);
  const chainCount = Math.max(2, powerOfTwo(2 * capacity - 1));
  const recordWords = order === "lru" ? 6 : 4;
  // LRU's ring of links goes through one record that has no row.
  const records = recordWords * (capacity + Number(order === "lru"));
  const shardWords = roundUp(SHARD.HEADS + chainCount + records, ALIGN_WORDS);
  const sizes = { chainCount, capacity, recordWords, shardWords };
  return { slotCount, shardCount, order, rowBytes, ...sizes, origin };
}

function defaultShards(slotCount: number): number {
  return Math.min(DEFAULT_MAX_SHARDS, powerOfTwo(Math.max(1, slotCount / DEFAULT_SHARD_SLOTS)));
}

/** The largest power of two that is at most `value`, which is at least 1. */
function powerOfTwo(value: number): number {
  return 2 ** (31 - Math.clz32(value));
}

function roundUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}

/** Writes the header over whatever was there; the words of the partitions are the caller's. */
export function writeHeader(words: Int32Array, layout: Layout): void {
  words[HEADER.MAGIC] = MAGIC;
  words[HEADER.VERSION] = VERSION;
  words[HEADER.LOCK_TIMEOUT] = layout.lockTimeoutMs;
  words[HEADER.PARTITIONS] = layout.partitions.length;
  layout.partitions.forEach(({ slotCount, shardCount, order, rowBytes }, p) => {
    words.set([slotCount, shardCount, Number(order === "lru"), rowBytes], partitionAt(p));
  });
  words[HEADER.CHECKSUM] = checksum(words, layout.partitions.length);
}

/** Reads a header back; throws a RangeError unless it is one, whole and unchanged. */
export function readHeader(what: string, words: Int32Array): Layout {
  const refuse = (name: string, must: number | string, received: number): RangeError =>
    new RangeError(`${what}: ${name} of the memory must be ${must}: received ${received}`);
  if (words[HEADER.MAGIC] !== MAGIC) throw refuse("magic", MAGIC, words[HEADER.MAGIC]);
  if (words[HEADER.VERSION] !== VERSION) throw refuse("version", VERSION, words[HEADER.VERSION]);
  const count = words[HEADER.PARTITIONS];
  if (count < 1 || partitionAt(count) > words.length) {
    throw refuse("number of partitions", "that of a whole header", count);
  }
  const sum = checksum(words, count), stored = words[HEADER.CHECKSUM];
  if (sum !== stored) throw refuse("checksum", stored, sum);
  const partitions = Array.from({ length: count }, (_, p): SharedPartitionOptions => {
    const [slotCount, shardCount, isLru, rowBytes] = words.subarray(partitionAt(p));
    return { slotCount, shardCount, order: isLru === 1 ? "lru" : "clock", rowBytes };
  });
  const layout = layoutOf(what, { partitions, lockTimeoutMs: words[HEADER.LOCK_TIMEOUT] });
  if (layout.byteLength !== 4 * words.length) {
    throw refuse("byteLength", layout.byteLength, 4 * words.length);
  }
  return layout;
}

function partitionAt(partition: number): number {
  return FIXED_WORDS + PARTITION_WORDS * partition;
}

/** Over what never changes: the words up to PARTITIONS, and those of the partitions. */
function checksum(words: Int32Array, partitionCount: number): number {
  const at = 4 * FIXED_WORDS;
  // A copy: it is small, and checksums are not made to be read from memory that others write.
  const bytes = new Uint8Array(words.slice(0, partitionAt(partitionCount)).buffer);
  return xxh32(bytes, at, bytes.length, xxh32(bytes, 0, 4 * (HEADER.PARTITIONS + 1), 0));
}

/** Throws unless `byteLength` bytes of shared memory begin at the region's place. */
export function checkRegion(
  what: string,
  { buffer, byteOffset }: SharedRegion,
  byteLength: number,
): void {
  if (!(buffer instanceof SharedArrayBuffer)) {
    const kind = Object.prototype.toString.call(buffer);
    throw new TypeError(`${what}: buffer must be a SharedArrayBuffer: received ${kind}`);
  }
  checkInteger(what, "byteLength", byteLength, 0, buffer.byteLength);
  checkInteger(what, "byteOffset", byteOffset, 0, buffer.byteLength - byteLength);
  for (const [name, value] of [["byteOffset", byteOffset], ["byteLength", byteLength]] as const) {
    if (value % ALIGN_BYTES !== 0) {
      throw new RangeError(
        `${what}: ${name} must be a multiple of ${ALIGN_BYTES}: received ${value}`,
      );
    }
  }
}
