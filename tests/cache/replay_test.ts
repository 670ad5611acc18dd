import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import fc from "fast-check";
import {
  belady,
  clock,
  createZipf,
  DISPLAY,
  EVICTION_POLICIES,
  generate,
  KeyCache,
  lru,
  NO_SLOT,
  replay,
  type ReplayOptions,
  type ReplayProgress,
  secondAccess,
  type Trace,
} from "@rowtier/rowtier/cache";

const zipf = generate(createZipf({ keyCount: 2000, exponent: 0.9, seed: 3 }), 20_000, "zipf 0.9");

/** Misses of requests from `warmup` on, by single calls. */
function missesOf(options: ConstructorParameters<typeof KeyCache>[0], warmup = 0): number {
  const cache = new KeyCache(options);
  let misses = 0;
  zipf.keys.forEach((key, i) => {
    if (cache.get(key) !== NO_SLOT) return;
    if (i >= warmup) misses++;
    cache.insert(key);
  });
  return misses;
}

const unique = new Set(zipf.keys).size;

Deno.test("replay() counts what bare loops count, in workers and without", async () => {
  const policies = ["lru", "sieve", "belady", "belady-bypass"];
  const { keyCount } = zipf;
  const factories = [
    lru,
    EVICTION_POLICIES.sieve,
    belady(zipf.keys),
    belady(zipf.keys, { bypass: true }),
  ];
  const expected = factories.flatMap((eviction) =>
    [20, Math.floor(0.1 * unique)].map((slotCount) =>
      missesOf({ slotCount, eviction, keyCount: keyCount! })
    )
  );
  for (const workers of [0, 2, 9]) {
    const results = await replay({ trace: zipf, policies, sizes: [20, 0.1], workers });
    assertEquals(results.map(({ misses }) => misses), expected, `${workers} workers`);
    assertEquals(results.map(({ policy }) => policy), policies.flatMap((name) => [name, name]));
    for (const { requests, misses, missRatio, slotCount, share, memoryBytes } of results) {
      assertEquals([requests, missRatio], [zipf.keys.length, misses / requests]);
      assertAlmostEquals(share, slotCount / unique);
      assert(memoryBytes > 4 * zipf.keyCount!);
    }
  }
});

Deno.test("replay() runs every registered policy alike in workers and without", async () => {
  const policies = Object.keys(EVICTION_POLICIES);
  const options = { trace: { ...zipf, keys: zipf.keys.subarray(0, 5000) }, policies, sizes: [64] };
  const [inWorkers, here] = [
    await replay({ ...options, workers: 2 }),
    await replay({ ...options, workers: 0 }),
  ];
  assertEquals([...inWorkers], [...here]);
});

Deno.test("replay() leaves the warm-up out of the counts, not out of the cache", async () => {
  for (const warmup of [1, 7777, zipf.keys.length]) {
    const [result] = await replay({
      trace: zipf,
      policies: ["lru"],
      sizes: [50],
      warmup,
      workers: 0,
    });
    const options = { slotCount: 50, eviction: lru, keyCount: zipf.keyCount! };
    assertEquals([result.requests, result.misses], [
      zipf.keys.length - warmup,
      missesOf(options, warmup),
    ]);
  }
});

Deno.test("replay() asks the admission policy, but never for Belady", async () => {
  const options = { trace: zipf, sizes: [50], policies: ["lru", "belady"] };
  const expected = missesOf({
    slotCount: 50,
    eviction: lru,
    admission: secondAccess,
    keyCount: zipf.keyCount!,
  });
  const [{ misses: bound }] = await replay({ ...options, policies: ["belady"], workers: 0 });
  const own = { name: "mine", factory: (slots: number) => secondAccess(slots) };
  for (const admission of ["second-access", own]) {
    const results = await replay({ ...options, admission, workers: 1 });
    assertEquals(results.map(({ misses }) => misses), [expected, bound]);
    const name = typeof admission === "string" ? admission : admission.name;
    assertEquals(results.map((result) => result.admission), [name, "always"]);
  }
});

Deno.test("replay() takes policies of one's own, as factories and as modules", async () => {
  const two = { name: "clock 2", factory: EVICTION_POLICIES.clock };
  const module = new URL("../../cache/eviction/clock.ts", import.meta.url);
  const policies = ["clock", two, { name: "clock 3", module, export: "clock" }];
  for (const workers of [0, 2]) {
    const results = await replay({ trace: zipf, policies, sizes: [100], workers });
    assertEquals(results.map(({ policy }) => policy), ["clock", "clock 2", "clock 3"]);
    assertEquals(new Set(results.map(({ misses }) => misses)).size, 1);
  }
  const bits = {
    name: "bits",
    factory: (slots: Parameters<typeof clock>[0]) => clock(slots, { bits: 2 }),
  };
  const [result] = await replay({ trace: zipf, policies: [bits], sizes: [100] });
  assertEquals(
    result.misses,
    missesOf({ slotCount: 100, eviction: bits.factory, keyCount: zipf.keyCount! }),
  );
});

Deno.test("replay() splits memory by classes where objects differ in size", async () => {
  const sizes = zipf.keys.map((key) => key % 3 === 0 ? 512 : 64);
  const trace: Trace = { name: "two sizes", keys: zipf.keys, sizes };
  const bytes = [...new Set(zipf.keys)].reduce((sum, key) => sum + (key % 3 === 0 ? 512 : 64), 0);
  for (const workers of [0, 2]) {
    const results = await replay({
      trace,
      policies: ["lru", "belady"],
      sizes: [0.1, 0.5],
      workers,
    });
    for (const result of results) {
      const { budgetBytes = 0, share, missBytes = 0, byteMissRatio } = result;
      assertEquals(
        budgetBytes,
        Math.floor((result === results[0] || result === results[2] ? 0.1 : 0.5) * bytes),
      );
      assertAlmostEquals(share, budgetBytes / bytes);
      assertAlmostEquals(byteMissRatio!, missBytes / sizes.reduce((sum, size) => sum + size, 0));
      // So many bytes for so many misses of two sizes: a whole number of each.
      assert(missBytes >= 64 * result.misses && missBytes <= 512 * result.misses);
      assertEquals((missBytes - 64 * result.misses) % 448, 0);
      assert(result.slotCount * 64 <= budgetBytes);
    }
    assert(results[2].misses <= results[0].misses && results[1].misses < results[0].misses);
  }
  // All of the memory that all objects need: only first requests miss.
  const [all] = await replay({ trace, policies: ["fifo"], sizes: [unique], workers: 0 });
  assertEquals([all.misses, all.missBytes], [unique, bytes]);
});

Deno.test("replay() counts one part of equal objects like a trace without sizes", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 0, max: 30 }), { minLength: 1, maxLength: 200 }),
      fc.integer({ min: 1, max: 12 }),
      async (list, slots) => {
        const keys = Uint32Array.from(list);
        const options = { policies: ["lru", "sieve"], sizes: [slots], workers: 0 };
        const plain = await replay({ ...options, trace: { name: "", keys } });
        const sized = await replay({
          ...options,
          trace: {
            name: "",
            keys,
            sizes: keys.map(() => 8),
          },
        });
        // LRU has no use for the slots that the split leaves out.
        assertEquals(sized[0].misses, plain[0].misses);
        assertEquals(sized[0].missBytes, 8 * plain[0].misses);
      },
    ),
    { numRuns: 40 },
  );
});

Deno.test("replay() tells progress up to the end, also within one long replay", async () => {
  const trace = generate(createZipf({ keyCount: 100, exponent: 1, seed: 1 }), 700_000, "long");
  for (const workers of [0, 2]) {
    const told: ReplayProgress[] = [];
    const onProgress = (progress: ReplayProgress): void => void told.push(progress);
    await replay({ trace, policies: ["fifo", "clock"], sizes: [10], workers, onProgress });
    assert(told.length > 4, `${told.length} reports`);
    told.forEach(({ done }, i) => assert(done > (i === 0 ? 0 : told[i - 1].done)));
    assertEquals(told.at(-1), { done: 1_400_000, total: 1_400_000 });
  }
});

Deno.test("replay() takes time from the given clock alone", async () => {
  let ticks = 0;
  const now = (): number => 20_000 * ticks++;
  for (const workers of [0, 1]) {
    const options = { trace: zipf, policies: ["lru"], sizes: [10], workers };
    const [timed] = await replay({ ...options, now });
    assert(timed.nsPerAccess! >= 1);
    const [untimed] = await replay(options);
    assertEquals(untimed.nsPerAccess, undefined);
  }
});

Deno.test("replay() names the policy that fails", async () => {
  const broken = {
    name: "broken",
    factory: () => {
      throw new Error("no such thing");
    },
  };
  const module = new URL("../../cache/eviction/clock.ts", import.meta.url);
  const cases: [ReplayOptions["policies"][number], string][] = [
    [broken, "Cannot replay broken: no such thing"],
    [{ name: "lost", module, export: "clocks" }, "Cannot replay lost: export clocks of file:"],
    [
      { name: "gone", module: new URL("./no_such_file.ts", import.meta.url) },
      "Cannot replay gone: ",
    ],
  ];
  for (const workers of [0, 3]) {
    for (const [policy, message] of cases) {
      const policies = ["lru", policy, "fifo", "sieve"];
      const options = { trace: zipf, policies, sizes: [10], workers };
      await assertRejects(() => replay(options), Error, message);
    }
  }
});

/** Workers that are counted, and what was sent to them. */
class WatchedWorker extends Worker {
  static running = 0;
  static most = 0;
  static orders: { job: { slots: number[][]; parts: { keys: Uint32Array }[] } }[] = [];

  constructor(url: string | URL, options?: WorkerOptions) {
    super(url, options);
    WatchedWorker.running++;
    WatchedWorker.most = Math.max(WatchedWorker.most, WatchedWorker.running);
  }

  override postMessage(order: typeof WatchedWorker.orders[number]): void {
    WatchedWorker.orders.push(order);
    super.postMessage(order);
  }

  override terminate(): void {
    WatchedWorker.running--;
    super.terminate();
  }
}

async function watchingWorkers(work: () => Promise<void>): Promise<void> {
  const plain = globalThis.Worker;
  WatchedWorker.most = 0;
  WatchedWorker.orders = [];
  globalThis.Worker = WatchedWorker;
  try {
    await work();
  } finally {
    globalThis.Worker = plain;
  }
}

Deno.test("replay() has a fresh worker for each policy, more where there are more workers", () =>
  watchingWorkers(async () => {
    const options = { trace: zipf, policies: ["lru", "fifo", "sieve"], sizes: [10, 20, 30] };
    for (const [workers, jobs] of [[1, 3], [4, 4], [20, 9]]) {
      WatchedWorker.orders = [];
      WatchedWorker.most = 0;
      await replay({ ...options, workers });
      const { orders, running, most } = WatchedWorker;
      assertEquals([orders.length, running, most], [jobs, 0, Math.min(workers, jobs)]);
      const longest = Math.max(...orders.map(({ job }) => job.slots.length));
      assertEquals(longest, Math.ceil(9 / jobs));
      assertEquals(
        orders.flatMap(({ job }) => job.slots).flat().sort().join(),
        "10,10,10,20,20,20,30,30,30",
      );
      // One memory for all.
      const buffers = new Set(orders.map(({ job }) => job.parts[0].keys.buffer));
      assertEquals(buffers.size, 1);
      assert([...buffers][0] instanceof SharedArrayBuffer);
    }
  }));

Deno.test("replay() has ended every worker when it fails or is stopped", () =>
  watchingWorkers(async () => {
    const trace = generate(createZipf({ keyCount: 100, exponent: 1, seed: 1 }), 2_000_000, "long");
    const module = new URL("../../cache/eviction/clock.ts", import.meta.url);
    const policies = ["lru", { name: "lost", module, export: "clocks" }, "fifo", "sieve"];
    const options = { trace, policies, sizes: [10, 20, 30], workers: 2 };
    await assertRejects(() => replay(options), Error, "Cannot replay lost: ");
    assertEquals([WatchedWorker.running, WatchedWorker.most], [0, 2]);
    assert(WatchedWorker.orders.length < policies.length, "no other may have begun since");
    const stop = new AbortController();
    const running = replay({
      ...options,
      policies: ["lru", "fifo", "sieve"],
      signal: stop.signal,
      onProgress: () => stop.abort(),
    });
    await assertRejects(() => running, DOMException);
    assertEquals(WatchedWorker.running, 0);
  }));

Deno.test("replay() ends with the signal's reason", async () => {
  const trace = generate(createZipf({ keyCount: 100, exponent: 1, seed: 1 }), 3_000_000, "long");
  for (const workers of [0, 2]) {
    const stop = new AbortController();
    const reason = new Error("enough");
    const { signal } = stop;
    const options = { trace, policies: ["lru", "fifo", "sieve"], sizes: [10, 20], workers, signal };
    let reports = 0;
    const running = replay({ ...options, onProgress: () => ++reports === 2 && stop.abort(reason) });
    assertEquals(await running.catch((error) => error), reason);
    assertEquals(await replay(options).catch((error) => error), reason);
  }
});

Deno.test("replay() passes on what the listener throws", async () => {
  for (const workers of [0, 1]) {
    const onProgress = (): void => {
      throw new Error("no paper");
    };
    const options = { trace: zipf, policies: ["lru"], sizes: [10], workers, onProgress };
    await assertRejects(() => replay(options), Error, "no paper");
  }
});

Deno.test("replay() checks its options before anything runs", async () => {
  const keys = Uint32Array.of(1, 2, 3);
  const trace = { name: "few", keys };
  const cases: [Partial<ReplayOptions>, string][] = [
    [{ policies: ["lru", "lruu"] }, "policies[1] must be one of adaptive, arc, "],
    [{ policies: ["toString"] }, 'wtinylfu, belady, belady-bypass: received "toString"'],
    [{ admission: "nobody" }, "admission must be one of always, tinylfu, "],
    [
      { sizes: [10, 0] },
      "sizes[1] must be an integer of at least 1 and at most 268435456: received 0",
    ],
    [{ sizes: [1.5] }, "sizes[0] must be an integer"],
    [{ sizes: [-0.5] }, "received -0.5"],
    [{ sizes: [NaN] }, "received NaN"],
    [{ warmup: 4 }, "warmup must be an integer of at least 0 and at most 3: received 4"],
    [{ workers: -1 }, "workers must be an integer of at least 0 and at most 256: received -1"],
    [{ trace: { ...trace, keyCount: 3 } }, "keys must be below 3: received 3"],
    [
      { trace: { ...trace, sizes: keys.slice(1) } },
      "trace.sizes must be as many as keys, 3: received 2",
    ],
  ];
  for (const [wrong, message] of cases) {
    const options = { trace, policies: ["lru"], sizes: [2], ...wrong };
    const error = await assertRejects(() => replay(options), RangeError, message);
    assertStringIncludes(error.message, "Cannot replay: ");
  }
});

Deno.test("replay() gives zeros for an empty trace, nothing for no policies or sizes", async () => {
  const empty = { name: "empty", keys: new Uint32Array(0) };
  for (const workers of [0, 1]) {
    const [result] = await replay({ trace: empty, policies: ["lru"], sizes: [2, 0.5], workers });
    assertEquals([result.requests, result.misses, result.missRatio], [0, 0, 0]);
    assertEquals((await replay({ trace: zipf, policies: [], sizes: [2], workers })).length, 0);
    assertEquals((await replay({ trace: zipf, policies: ["lru"], sizes: [], workers })).length, 0);
  }
});

Deno.test("replay() draws its results for notebooks", async () => {
  const trace = { ...zipf, name: "a < b" };
  const results = await replay({
    trace,
    policies: ["lru", "sieve"],
    sizes: [10, 20, 40],
    workers: 0,
  });
  const { "text/html": html, "text/plain": text } = results[DISPLAY]();
  assertStringIncludes(html, "<svg ");
  assertStringIncludes(html, "a &#60; b");
  assertEquals([...html.matchAll(/<polyline /g)].length, 2);
  const lines = text.split("\n");
  assertEquals(lines.length, 4);
  assert(/^lru +\d+\.\d\d % +\d+\.\d\d % +\d+\.\d\d %$/.test(lines[2]), lines[2]);
  assertEquals(Object.keys(results), ["0", "1", "2", "3", "4", "5"]);
  const few = await replay({ trace, policies: ["lru"], sizes: [10], workers: 0 });
  assert(!few[DISPLAY]()["text/html"].includes("<svg"));
});
