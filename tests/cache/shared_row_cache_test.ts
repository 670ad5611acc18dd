import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import {
  createClaim,
  NO_SLOT,
  SharedRowCache,
  type SharedRowCacheHandle,
  type SharedRowCacheOptions,
  SLOT_STATE,
} from "@rowtier/rowtier/cache";
import { createRandom } from "../../base/random.ts";
import { type Job, ROW_WORDS, wordOf } from "./shared_hammer.ts";
import { runWorkers } from "./shared_workers.ts";

const { FREE, LOADING, READY, FAILED } = SLOT_STATE;

/** Words of a small cache of one partition: the first shard's lock, its records, of CLOCK. */
const LOCK_AT = 32;
const CHAIN_AT = LOCK_AT + 32;

function create(slotCount: number, shardCount = 1, order: "clock" | "lru" = "clock") {
  return SharedRowCache.create({
    partitions: [{ slotCount, shardCount, order, rowBytes: 10 }],
    lockTimeoutMs: 20,
  });
}

/** Claims and fills the keys; their slots, pinned. */
function bring(cache: SharedRowCache, ...keys: number[]): Int32Array {
  const claim = createClaim();
  const slots = new Int32Array(keys.length);
  cache.acquire(0, Uint32Array.from(keys), keys.length, slots);
  keys.forEach((key, i) => {
    if (slots[i] === NO_SLOT) slots[i] = cache.claim(0, key, claim);
    if (slots[i] !== NO_SLOT && claim.fresh) cache.fill(0, slots[i], claim.generation);
  });
  return slots;
}

function wordsOf({ handle }: SharedRowCache): Int32Array {
  return new Int32Array(handle.buffer, handle.byteOffset, handle.byteLength / 4);
}

Deno.test("SharedRowCache.acquire() shows another attachment what is there", () => {
  const cache = create(8, 2);
  const other = SharedRowCache.attach(cache.handle);
  const claim = createClaim();
  const [ready] = bring(cache, 5);
  const loading = cache.claim(0, 6, claim);
  assert(claim.fresh);
  const slots = new Int32Array(5).fill(99);
  assertStrictEquals(other.acquire(0, Uint32Array.of(5, 6, 7, 5), 4, slots), 1);
  assertEquals([...slots], [ready, ~loading, NO_SLOT, ready, 99]);
  assertStrictEquals(cache.pinCount(0), 5);
  const second = createClaim();
  assertStrictEquals(other.claim(0, 6, second), loading);
  assertEquals(second, { fresh: false, generation: claim.generation, evictedKey: -1 });
  assert(cache.fill(0, loading, claim.generation));
  assert(!cache.fill(0, loading, claim.generation));
  assertStrictEquals(other.state(0, loading), READY);
  other.release(0, slots, 4);
  assertStrictEquals(cache.pinCount(0), 3);
  assertEquals([cache.attachment, other.attachment], [1, 2]);
});

Deno.test("SharedRowCache.claim() gives no slot while all are pinned or loading", () => {
  for (const order of ["clock", "lru"] as const) {
    const cache = create(2, 1, order);
    const claim = createClaim();
    const pinned = bring(cache, 1);
    const loading = cache.claim(0, 2, claim);
    const { generation } = claim;
    assertStrictEquals(cache.claim(0, 3, claim), NO_SLOT);
    assertStrictEquals(cache.claim(0, 3, claim), NO_SLOT);
    // Unpinned it is still loading; filled, it may leave.
    cache.release(0, Int32Array.of(loading), 1);
    assertStrictEquals(cache.claim(0, 3, claim), NO_SLOT);
    cache.fill(0, loading, generation);
    assertStrictEquals(cache.claim(0, 3, claim), loading);
    assertEquals([claim.fresh, claim.evictedKey], [true, 2]);
    assertStrictEquals(cache.claim(0, 4, claim), NO_SLOT);
    const [slot] = pinned;
    cache.release(0, pinned, 1);
    assertStrictEquals(cache.claim(0, 4, claim), slot);
    assertStrictEquals(cache.counters(0).unplaced, 4);
    cache.verify();
  }
});

Deno.test("SharedRowCache keeps keys up to 2^32 - 1", () => {
  const cache = create(2);
  const keys = [2 ** 32 - 1, 2 ** 31];
  cache.release(0, bring(cache, ...keys), 2);
  assertEquals([...cache.contents(0)].sort(), [...keys].sort());
  const slots = new Int32Array(2);
  assertStrictEquals(cache.acquire(0, Uint32Array.from(keys), 2, slots), 0);
  cache.release(0, slots, 2);
  const claim = createClaim();
  cache.claim(0, 3, claim);
  assert(keys.includes(claim.evictedKey));
  assert(!cache.has(0, claim.evictedKey));
  cache.verify();
});

Deno.test("SharedRowCache.delete() leaves a pinned slot alone until its last pin is gone", () => {
  const cache = create(1);
  const claim = createClaim();
  const first = bring(cache, 1);
  const second = bring(cache, 1);
  assert(cache.delete(0, 1));
  assert(!cache.delete(0, 1));
  assertStrictEquals(cache.state(0, 0), READY);
  assertStrictEquals(cache.claim(0, 1, claim), NO_SLOT);
  cache.release(0, first, 1);
  assertStrictEquals(cache.claim(0, 1, claim), NO_SLOT);
  cache.release(0, second, 1);
  assertStrictEquals(cache.state(0, 0), FREE);
  assertStrictEquals(cache.claim(0, 1, claim), 0);
  assert(cache.delete(0, 1), "a loading row");
  assertStrictEquals(cache.state(0, 0), FAILED);
  assertStrictEquals(cache.waitReady(0, 0, Infinity), FAILED);
  assert(!cache.fill(0, 0, claim.generation));
  assert(!cache.abandon(0, 0, claim.generation));
  cache.release(0, Int32Array.of(0), 1);
  assertStrictEquals(cache.claim(0, 1, claim), 0);
  cache.clear(0);
  assertEquals([...cache.contents(0)], []);
  cache.verify();
});

Deno.test("SharedRowCache.counters() adds up what all attachments did", () => {
  const cache = create(4, 2);
  const other = SharedRowCache.attach(cache.handle);
  bring(cache, 1, 2, 1);
  bring(other, 1, 3);
  const { lookups, hits, misses, admissions, hitBytes, lookupBytes } = other.counters(0);
  assertEquals([lookups, hits, misses, admissions], [5, 2, 3, 3]);
  assertEquals([hitBytes, lookupBytes], [20, 50]);
  assertEquals(cache.counters(0), other.counters(0));
});

Deno.test("SharedRowCache costs at most 24 bytes a slot with CLOCK and 32 with LRU", () => {
  const options = (order: "clock" | "lru"): SharedRowCacheOptions => ({
    partitions: [{ slotCount: 100_000, order }, { slotCount: 1 << 17, order }],
  });
  for (const [order, bytes] of [["clock", 24], ["lru", 32]] as const) {
    const cache = SharedRowCache.create(options(order));
    const sizes = options(order).partitions.map(({ slotCount }, p) => {
      const { indexBytes, policyBytes, columnBytes } = cache.memoryBytes(p);
      const size = indexBytes + policyBytes + columnBytes;
      assert(size <= bytes * slotCount + 64 * 512, `${size / slotCount} bytes a slot`);
      return size;
    });
    const { byteLength } = cache.handle;
    assertStrictEquals(byteLength, SharedRowCache.bytesFor(options(order)));
    // The header and the partitions.
    assertStrictEquals(byteLength, 128 + sizes[0] + sizes[1]);
  }
});

Deno.test("SharedRowCache.create() uses a region of a shared memory and nothing beside it", () => {
  const { buffer } = new WebAssembly.Memory({ initial: 2, maximum: 2, shared: true });
  assert(buffer instanceof SharedArrayBuffer);
  const bytes = new Uint8Array(buffer).fill(0xa5);
  const options = { partitions: [{ slotCount: 100 }] };
  const length = SharedRowCache.bytesFor(options);
  const cache = SharedRowCache.create({ ...options, region: { buffer, byteOffset: 4096 } });
  const claim = createClaim();
  for (let key = 0; key < 200; key++) {
    const slot = cache.claim(0, key, claim);
    cache.fill(0, slot, claim.generation);
    cache.release(0, Int32Array.of(slot), 1);
  }
  cache.verify();
  assertEquals([cache.handle.byteOffset, cache.handle.byteLength], [4096, length]);
  const isUntouched = (byte: number): boolean => byte === 0xa5;
  assert(bytes.subarray(0, 4096).every(isUntouched));
  assert(bytes.subarray(4096 + length).every(isUntouched));
  assert(SharedRowCache.attach(cache.handle).has(0, 199));
});

Deno.test("SharedRowCache.create() refuses wrong options before it touches anything", () => {
  const buffer = new SharedArrayBuffer(4096);
  const partition = { slotCount: 4 };
  const wrong: [SharedRowCacheOptions, string][] = [
    [{ partitions: [] }, "number of partitions must be an integer of at least 1"],
    [{ partitions: [{ slotCount: 0 }] }, "partition 0: slotCount must be"],
    [{ partitions: [{ slotCount: 4, shardCount: 8 }] }, "shardCount must be an integer"],
    [{ partitions: [{ slotCount: 4, shardCount: 3 }] }, "a power of two: received 3"],
    [{ partitions: [{ slotCount: 4, rowBytes: -1 }] }, "rowBytes must be"],
    [{ partitions: [partition], lockTimeoutMs: 0 }, "lockTimeoutMs must be"],
    [{ partitions: [{ slotCount: 2 ** 28, order: "lru" }] }, "words of memory must be"],
    [{ partitions: [partition], region: { buffer, byteOffset: 4 } }, "a multiple of 64"],
    [{ partitions: [partition], region: { buffer, byteOffset: 4032 } }, "byteOffset must be"],
    [{ partitions: [{ slotCount: 400 }], region: { buffer, byteOffset: 0 } }, "byteLength must be"],
  ];
  for (const [options, message] of wrong) {
    assertThrows(() => SharedRowCache.create(options), RangeError, message);
  }
  assert(new Uint8Array(buffer).every((byte) => byte === 0));
  const order = "fifo" as "lru";
  assertThrows(
    () => SharedRowCache.create({ partitions: [{ slotCount: 4, order }] }),
    TypeError,
    'partition 0: order must be "lru" or "clock": received fifo',
  );
});

Deno.test("SharedRowCache.attach() refuses a handle that does not fit, and damaged memory", () => {
  const { handle } = create(8);
  const { buffer, byteOffset, byteLength } = handle;
  const attach = (changes: Partial<SharedRowCacheHandle>) => () =>
    SharedRowCache.attach({ ...handle, ...changes });
  const plain: unknown = new ArrayBuffer(byteLength);
  assertThrows(
    attach({ buffer: plain as SharedArrayBuffer }),
    TypeError,
    "buffer must be a SharedArrayBuffer: received [object ArrayBuffer]",
  );
  assertThrows(attach({ byteOffset: 4 }), RangeError, "byteOffset must be");
  assertThrows(attach({ byteOffset: -64 }), RangeError, "byteOffset must be");
  assertThrows(attach({ byteLength: byteLength + 64 }), RangeError, "byteLength must be");
  assertThrows(attach({ byteLength: byteLength - 32 }), RangeError, "a multiple of 64");
  assertThrows(attach({ byteLength: byteLength - 64 }), RangeError, "byteLength of the memory");
  assertThrows(attach({ byteLength: 0 }), RangeError, "byteLength must be");
  const words = new Int32Array(buffer, byteOffset, byteLength / 4);
  for (const [at, name] of [[0, "magic"], [1, "version"], [3, "number of partitions"]] as const) {
    const kept = words[at];
    words[at] = -1;
    assertThrows(attach({}), RangeError, `${name} of the memory must be`);
    words[at] = kept;
  }
  // Lock timeout, checksum, and the partition's four numbers.
  for (const at of [2, 4, 16, 17, 18, 19]) {
    words[at] ^= 4;
    assertThrows(attach({}), RangeError, "checksum of the memory must be");
    words[at] ^= 4;
  }
  SharedRowCache.attach(handle);
});

Deno.test("SharedRowCache refuses wrong arguments before it touches anything", () => {
  const cache = create(4, 2);
  const claim = createClaim();
  const keys = new Uint32Array(2);
  const slots = new Int32Array(2);
  const wrong: [() => unknown, string][] = [
    [() => cache.acquire(1, keys, 1, slots), "Cannot acquire: partition must be"],
    [() => cache.acquire(0, keys, 3, slots), "Cannot acquire: count must be"],
    [() => cache.acquire(0, keys, 2, new Int32Array(1)), "Cannot acquire: slots.length must be"],
    [() => cache.claim(-1, 3, claim), "Cannot claim: partition must be"],
    [() => cache.fill(0, 4, 1), "Cannot fill: slot must be"],
    [() => cache.abandon(0, -1, 1), "Cannot abandon: slot must be"],
    [() => cache.release(0, slots, 3), "Cannot release: count must be"],
    [() => cache.release(0, Int32Array.of(4), 1), "Cannot release: slot must be"],
    [() => cache.release(0, Int32Array.of(~4), 1), "Cannot release: slot must be"],
    [() => cache.waitReady(0, 4, 0), "Cannot wait: slot must be"],
    [() => cache.waitReady(0, 0, NaN), "Cannot wait: timeoutMs must be at least 0: received NaN"],
    [() => cache.state(0, 4), "Cannot show state: slot must be"],
    [() => cache.delete(1, 0), "Cannot delete: partition must be"],
    [() => cache.clear(1), "Cannot clear: partition must be"],
    [() => cache.has(1, 0), "Cannot look up: partition must be"],
    [() => cache.pinCount(1), "Cannot count pins: partition must be"],
    [() => cache.counters(1), "Cannot count: partition must be"],
    [() => cache.memoryBytes(1), "Cannot measure memory: partition must be"],
    [() => cache.contents(1), "Cannot list contents: partition must be"],
  ];
  for (const [call, message] of wrong) assertThrows(call, RangeError, message);
  assertStrictEquals(cache.counters(0).lookups, 0);
});

Deno.test("SharedRowCache.release() releases all but a slot without a pin", () => {
  const cache = create(4, 2);
  const slots = bring(cache, 1, 2);
  const twice = Int32Array.of(...slots, slots[0]);
  const error = assertThrows(() => cache.release(0, twice, 3), Error);
  assertStrictEquals(
    error.message,
    `Cannot release: slots must be pinned: received ${slots[0]}, which is not`,
  );
  assertStrictEquals(cache.pinCount(0), 0);
  assertEquals([...twice], [NO_SLOT, NO_SLOT, NO_SLOT]);
  cache.release(0, twice, 3);
  cache.verify();
});

Deno.test("SharedRowCache names the shard whose lock nobody gives up", () => {
  const cache = create(64, 4);
  const other = SharedRowCache.attach(cache.handle);
  const keys = Uint32Array.from({ length: 40 }, (_, key) => key);
  const slots = bring(other, ...keys);
  const words = wordsOf(cache);
  words[LOCK_AT] = 1;
  const message = "shard 0 of partition 0 must be unlocked within 20 ms: received no lock, " +
    "held by attachment 2";
  const got = new Int32Array(40);
  assertThrows(() => cache.acquire(0, keys, 40, got), Error, `Cannot acquire: ${message}`);
  // It began behind its own shard, so that two were pinned, and the out-array says so.
  const pinned = got.filter((slot) => slot !== NO_SLOT).length;
  assert(pinned > 0 && pinned < 40);
  assert(got.every((slot, i) => slot === NO_SLOT || slot === slots[i]));
  assertThrows(() => cache.release(0, slots, 40), Error, `Cannot release: ${message}`);
  assertThrows(() => cache.verify(), Error, `Cannot verify: ${message}`);
  assertThrows(() => cache.counters(0), Error, `Cannot count: ${message}`);
  words[LOCK_AT] = 0;
  cache.release(0, slots, 40);
  assertStrictEquals(cache.pinCount(0), pinned);
  cache.release(0, got, 40);
  assertStrictEquals(cache.pinCount(0), 0);
  cache.verify();
});

/** A job of one batch over few keys. */
function createJob(cache: SharedRowCache, keyCount: number): Job {
  const shared = (words: number): Int32Array => new Int32Array(new SharedArrayBuffer(4 * words));
  const arena = shared(ROW_WORDS * 64);
  const { handle } = cache;
  const [reading, present] = [shared(keyCount), shared(1)];
  const size = { workers: 1, batches: 1, batchKeys: 8 };
  return { handle, arena, reading, present, seed: 1, deletes: false, ...size };
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
}

Deno.test("SharedRowCache wakes a worker that sleeps until a lock is free", async () => {
  const cache = SharedRowCache.create({ partitions: [{ slotCount: 64, shardCount: 1 }] });
  const words = wordsOf(cache);
  words[LOCK_AT] = 1;
  const done = runWorkers([createJob(cache, 8)]);
  await until(() => Atomics.load(words, LOCK_AT) === 2);
  // What giving it back is: the cache does so at the end of each call.
  Atomics.store(words, LOCK_AT, 0);
  Atomics.notify(words, LOCK_AT, 1);
  const [{ lookups }] = await done;
  assertEquals([lookups, Atomics.load(words, LOCK_AT)], [8, 0]);
});

Deno.test("SharedRowCache.fill() wakes a worker that waits for the row", async () => {
  const cache = SharedRowCache.create({ partitions: [{ slotCount: 64, shardCount: 1 }] });
  const job = createJob(cache, 2);
  const claims = [0, 1].map((key) => {
    const claim = createClaim();
    return { key, slot: cache.claim(0, key, claim), generation: claim.generation };
  });
  const words = wordsOf(cache);
  const wordAt = CHAIN_AT + 64 + 1;
  const done = runWorkers([job]);
  // Bit 2 of a claim's word: somebody waits.
  await until(() => claims.some(({ slot }) => (Atomics.load(words, wordAt + 4 * slot) & 4) !== 0));
  for (const { key, slot, generation } of claims) {
    for (let i = 0; i < ROW_WORDS; i++) job.arena[ROW_WORDS * slot + i] = wordOf(key, i);
    assert(cache.fill(0, slot, generation));
  }
  const [{ checked, fresh }] = await done;
  assertEquals([checked, fresh], [16, 0]);
});

Deno.test("SharedRowCache.waitReady() gives up after its time", () => {
  const cache = create(2);
  const slot = cache.claim(0, 1, createClaim());
  assertStrictEquals(cache.waitReady(0, slot, 1), LOADING);
  assertStrictEquals(cache.waitReady(0, ~slot, 0), LOADING);
});

Deno.test("SharedRowCache works on a thread that may not block, but for waitReady()", () => {
  const { wait } = Atomics;
  Atomics.wait = () => {
    throw new TypeError("Atomics.wait cannot be called in this context");
  };
  try {
    const cache = create(4);
    const slots = bring(cache, 1);
    assertStrictEquals(cache.waitReady(0, slots[0], 0), READY);
    const loading = cache.claim(0, 2, createClaim());
    assertThrows(
      () => cache.waitReady(0, loading, 0),
      TypeError,
      "Cannot wait: the thread must be one that may block: received slot 1",
    );
    wordsOf(cache)[LOCK_AT] = 1;
    assertThrows(() => cache.has(0, 1), Error, "within the spins of a thread that may not sleep");
    wordsOf(cache)[LOCK_AT] = 0;
    assert(cache.has(0, 1));
  } finally {
    Atomics.wait = wait;
  }
});

Deno.test("SharedRowCache.verify() finds every word of a shard that is wrong", () => {
  for (const order of ["clock", "lru"] as const) {
    const cache = create(4, 1, order);
    const slots = bring(cache, 1, 2, 3);
    cache.delete(0, 3);
    cache.release(0, slots, 1);
    const words = wordsOf(cache);
    const records = CHAIN_AT + 4;
    const stride = order === "lru" ? 6 : 4;
    const places = [
      // Free list, size, loading, and each record's pins and next.
      ...[2, 4, 5].map((word) => LOCK_AT + word),
      ...[0, 1, 2, 3].map((local) => records + local * stride + 2),
      ...[0, 1].map((local) => records + local * stride + 3),
      ...(order === "lru" ? [4, 5, 10, 11, 28, 29].map((word) => records + word) : []),
    ];
    for (const at of places) {
      const kept = words[at];
      words[at] ^= 2;
      const broken = "Broken invariant: partition 0: shard 0: ";
      assertThrows(() => cache.verify(), Error, broken, `${order}: word ${at - LOCK_AT}`);
      words[at] = kept;
    }
    // States: FREE, LOADING, READY, FAILED in turn, all but the right one.
    for (const local of [0, 1]) {
      for (const state of [0, 1, 3]) {
        const at = records + local * stride + 1;
        const kept = words[at];
        words[at] = kept & ~3 | state;
        assertThrows(() => cache.verify(), Error, "Broken invariant");
        words[at] = kept;
      }
    }
    // The key's highest bit is the chain's highest: it is in another one now.
    words[records] ^= 1 << 31;
    assertThrows(() => cache.verify(), Error, "in the chain of its key");
    words[records] ^= 1 << 31;
    words[LOCK_AT + 3] ^= 4;
    assertThrows(() => cache.verify(), Error, "the hand must be at a slot");
    words[LOCK_AT + 3] ^= 4;
    const counters = new Float64Array(words.buffer, 4 * (LOCK_AT + 16), 8);
    counters[4]++;
    assertThrows(() => cache.verify(), Error, "counters must add up");
    counters[4]--;
    words[LOCK_AT + 6] = 1;
    assertThrows(() => cache.verify(), Error, "must not seem exhausted");
    words[LOCK_AT + 6] = 0;
    cache.verify();
  }
});

Deno.test("SharedRowCache spreads keys evenly, rows in sequence and rows far apart", () => {
  const slotCount = 64 * 100;
  for (const stride of [1, 64, 1000, 4096, 65_536]) {
    const cache = SharedRowCache.create({ partitions: [{ slotCount, shardCount: 64 }] });
    const claim = createClaim();
    let unplaced = 0;
    for (let i = 0; i < slotCount; i++) {
      if (cache.claim(0, i * stride, claim) === NO_SLOT) unplaced++;
    }
    // At random some 4 % find their shard full: the mean excess of a Poisson variable of mean 100.
    assert(unplaced < 0.06 * slotCount, `${unplaced} at stride ${stride}`);
  }
});

Deno.test("SharedRowCache allocates nothing in two million lookups", () => {
  const cache = SharedRowCache.create({ partitions: [{ slotCount: 2000, shardCount: 4 }] });
  const random = createRandom(7);
  const batches = Array.from(
    { length: 64 },
    () => Uint32Array.from({ length: 500 }, () => Math.floor(5000 * random.unit() ** 2)),
  );
  const slots = new Int32Array(500);
  const claim = createClaim();
  const run = (rounds: number): void => {
    for (let round = 0; round < rounds; round++) {
      const keys = batches[round % batches.length];
      cache.acquire(0, keys, keys.length, slots);
      for (let i = 0; i < keys.length; i++) {
        if (slots[i] !== NO_SLOT) continue;
        slots[i] = cache.claim(0, keys[i], claim);
        if (claim.fresh && i % 16 === 0) cache.abandon(0, slots[i], claim.generation);
        else if (claim.fresh) cache.fill(0, slots[i], claim.generation);
      }
      cache.delete(0, keys[0]);
      cache.release(0, slots, keys.length);
    }
  };
  run(2000);
  const growths = Array.from({ length: 11 }, () => {
    const before = Deno.memoryUsage().heapUsed;
    run(200);
    return Deno.memoryUsage().heapUsed - before;
  });
  cache.verify();
  // The median, as the engine or a collection may come in between. An object a lookup would show as
  // more than a megabyte.
  const growth = growths.sort((a, b) => a - b)[5];
  assert(growth < 50_000, `the heap grew by ${growth} bytes in 100,000 lookups`);
});
