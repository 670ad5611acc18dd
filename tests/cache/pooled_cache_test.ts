import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  BAG_OUTCOME,
  type Bags,
  createBagTickets,
  EVICTION_POLICIES,
  type EvictionPolicyFactory,
  lru,
  NO_SLOT,
  PooledCache,
  type PooledCacheOptions,
  type PooledCounters,
} from "@rowtier/rowtier/cache";
import { heapGrowth } from "../tiers/allocation.ts";
import { createRandom } from "../../base/random.ts";
import { BagHasher } from "../../cache/pooled/_bag_hash.ts";
import { PooledSlab } from "../../cache/pooled/_pooled_slab.ts";

const { MISS, HIT, SHORT } = BAG_OUTCOME;

function createCache(options: Partial<PooledCacheOptions> = {}): PooledCache {
  return new PooledCache({ tables: [{ dim: 2 }], bytes: 4096, minimumLength: 2, ...options });
}

function toBags(lists: number[][], weights?: number[][]): Bags {
  const offsets = new Uint32Array(lists.length + 1);
  lists.forEach(({ length }, b) => offsets[b + 1] = offsets[b] + length);
  return {
    keys: Uint32Array.from(lists.flat()),
    offsets,
    ...(weights && { weights: Float32Array.from(weights.flat()) }),
  };
}

const tickets = createBagTickets(64);

/** Looks one bag up and stores `value` where it misses; its outcome. */
function look(cache: PooledCache, table: number, list: number[], value = 1): number {
  const output = new Float32Array(64);
  cache.findBags(table, toBags([list]), output, tickets);
  const outcome = tickets.outcome[0];
  if (outcome === HIT) assertStrictEquals(output[0], value);
  else assertStrictEquals(output[0], 0);
  cache.storeBags(table, 1, output.fill(value), tickets);
  return outcome;
}

Deno.test("PooledCache throws on options out of range", () => {
  const what = "Cannot create PooledCache";
  const cases: [Partial<PooledCacheOptions>, string][] = [
    [
      { tables: [] },
      `${what}: number of tables must be an integer of at least 1 and at most 65536`,
    ],
    [
      { tables: [{ dim: 0 }] },
      `${what}: table 0: dim must be an integer of at least 1: received 0`,
    ],
    [{ tables: [{ dim: 1 }, { dim: 1, version: -1 }] }, `${what}: table 1: version must be`],
    [{ minimumLength: 0 }, `${what}: minimumLength must be an integer of at least 1: received 0`],
    [{ bytes: 0 }, `${what}: bytes must be an integer of at least 1: received 0`],
    [{ bytes: 30 }, `${what}: bytes must hold an entry of each dim: received 30`],
    [{ seed: 0.5 }, `${what}: seed must be`],
  ];
  for (const [options, message] of cases) {
    assertThrows(() => createCache(options), RangeError, message);
  }
  assertThrows(() => createBagTickets(0), RangeError, "Cannot create BagTickets: bagCount must");
});

Deno.test("PooledCache throws on arguments out of range and counts nothing", () => {
  const cache = createCache();
  const keys = Uint32Array.of(1, 2, 3);
  const output = new Float32Array(4);
  const few = createBagTickets(2);
  const find = (table: number, start: number, end: number, to: number, bag: number): void => {
    cache.find(table, keys, start, end, null, output, to, few, bag);
  };
  const what = "Cannot find bag";
  assertThrows(() => find(1, 0, 3, 0, 0), RangeError, `${what}: table must be`);
  assertThrows(() => find(0, 0, 4, 0, 0), RangeError, `${what}: end must be`);
  assertThrows(() => find(0, 3, 2, 0, 0), RangeError, `${what}: start must be`);
  assertThrows(() => find(0, 0, 3, 3, 0), RangeError, `${what}: outputOffset must be`);
  assertThrows(() => find(0, 0, 3, 0, 2), RangeError, `${what}: bag must be`);
  const short = new Float32Array(2);
  assertThrows(
    () => cache.find(0, keys, 0, 3, short, output, 0, few, 0),
    RangeError,
    `${what}: weights.length must be`,
  );
  const findBags = (offsets: number[], bags: Partial<Bags> = {}, to = output): void => {
    cache.findBags(0, { keys, offsets: Uint32Array.from(offsets), ...bags }, to, few);
  };
  assertThrows(() => findBags([]), RangeError, "Cannot find bags: offsets.length must be");
  assertThrows(
    () => findBags([0, 2, 1]),
    RangeError,
    "offsets must not decrease: received 1 after 2",
  );
  assertThrows(() => findBags([0, 4]), RangeError, "keys.length must be");
  assertThrows(() => findBags([0, 3], { weights: short }), RangeError, "weights.length must be");
  assertThrows(() => findBags([0, 1, 2], {}, short), RangeError, "output.length must be");
  assertThrows(
    () => findBags([0, 1, 2, 3], {}, new Float32Array(6)),
    RangeError,
    "tickets must be",
  );
  assertThrows(() => cache.findBags(9, toBags([]), output, few), RangeError, "table must be");
  assertThrows(
    () => cache.store(0, output, 3, few, 0),
    RangeError,
    "Cannot store bag: offset must",
  );
  assertThrows(() => cache.store(0, output, 0, few, -1), RangeError, "Cannot store bag: bag must");
  assertThrows(() => cache.store(2, output, 0, few, 0), RangeError, "Cannot store bag: table must");
  assertThrows(() => cache.storeBags(0, 3, output, few), RangeError, "bagCount must be");
  assertThrows(() => cache.storeBags(0, 2, short, few), RangeError, "values.length must be");
  assertThrows(() => cache.storeBags(1, 2, output, few), RangeError, "table must be");
  assertThrows(() => cache.setVersion(1, 0), RangeError, "Cannot set version: table must be");
  assertThrows(() => cache.setVersion(0, 2 ** 32), RangeError, "version must be");
  assertThrows(() => cache.counters(1), RangeError, "Cannot count: table must be");
  assertThrows(() => cache.version(1), RangeError, "Cannot tell version: table must be");
  assertThrows(() => cache.capacity(1), RangeError, "Cannot tell capacity: table must be");
  assert(Object.values(cache.counters(0)).every((count) => count === 0));
});

Deno.test("PooledCache answers a permuted bag, and no bag of other multiplicities", () => {
  const cache = createCache();
  assertStrictEquals(look(cache, 0, [5, 7, 7], 3), MISS);
  assertStrictEquals(look(cache, 0, [7, 5, 7], 3), HIT);
  assertStrictEquals(look(cache, 0, [5, 5, 7]), MISS);
  assertStrictEquals(look(cache, 0, [5, 7]), MISS);
  assertStrictEquals(look(cache, 0, [7]), SHORT);
  assertStrictEquals(look(cache, 0, [7]), SHORT);
  assertEquals({ ...cache.counters(0) }, {
    lookups: 6,
    hits: 1,
    misses: 3,
    tooShort: 2,
    keysSaved: 3,
    keysHashed: 11,
    stores: 3,
    storesSkipped: 0,
    evictions: 0,
    invalidations: 0,
    entries: 3,
    bytes: 24,
  });
  cache.verify();
});

Deno.test("PooledCache skips bags of fewer than 8 keys by default", () => {
  const cache = new PooledCache({ tables: [{ dim: 1 }], bytes: 4096 });
  assertStrictEquals(look(cache, 0, [1, 2, 3, 4, 5, 6, 7]), SHORT);
  assertStrictEquals(look(cache, 0, [1, 2, 3, 4, 5, 6, 7, 8]), MISS);
});

Deno.test("PooledCache keys a weighted bag by its pairs", () => {
  const cache = createCache();
  const output = new Float32Array(8);
  const outcomes = (weights: number[] | undefined, keys = [1, 2]): number => {
    const bags = toBags([keys], weights && [weights]);
    cache.findBags(0, bags, output, tickets);
    cache.storeBags(0, 1, output, tickets);
    return tickets.outcome[0];
  };
  assertStrictEquals(outcomes([0.5, 2]), MISS);
  assertStrictEquals(outcomes([2, 0.5]), MISS);
  assertStrictEquals(outcomes(undefined), MISS);
  assertStrictEquals(outcomes([1, 1]), MISS);
  assertStrictEquals(outcomes([0.5, 2], [2, 1]), HIT);
  assertStrictEquals(outcomes([2, 0.5], [2, 1]), HIT);
});

Deno.test("PooledCache drops the entries of one table when its version changes", () => {
  const cache = createCache({ tables: [{ dim: 2, version: 4 }, { dim: 2 }] });
  look(cache, 0, [1, 2]);
  look(cache, 0, [1, 3]);
  look(cache, 1, [1, 2]);
  cache.setVersion(0, 4);
  assertStrictEquals(look(cache, 0, [2, 1]), HIT);
  // A bag that was looked up before the change and is stored after it is out of reach.
  cache.findBags(0, toBags([[8, 9]]), new Float32Array(2), tickets);
  cache.setVersion(0, 5);
  assertStrictEquals(cache.version(0), 5);
  assertStrictEquals(cache.storeBags(0, 1, new Float32Array(2), tickets), 1);
  for (const list of [[8, 9], [1, 2], [1, 3]]) assertStrictEquals(look(cache, 0, list), MISS);
  assertStrictEquals(look(cache, 1, [2, 1]), HIT);
  assertStrictEquals(cache.counters(0).invalidations, 2);
  assertStrictEquals(cache.counters(1).invalidations, 0);
  // The entry out of reach goes with the next version at the latest.
  cache.setVersion(0, 6);
  assertStrictEquals(cache.counters(0).invalidations, 6);
  assertStrictEquals(cache.counters(0).entries, 0);
  cache.verify();
});

Deno.test("PooledCache stores a bag once when it repeats within a batch", () => {
  const cache = createCache();
  const bags = toBags([[1, 2], [3, 4], [2, 1]]);
  const output = Float32Array.of(1, 1, 2, 2, 3, 3);
  assertStrictEquals(cache.findBags(0, bags, output, tickets), 0);
  assertStrictEquals(cache.storeBags(0, 3, output, tickets), 2);
  assertStrictEquals(cache.findBags(0, bags, output, tickets), 3);
  assertEquals(output, Float32Array.of(1, 1, 2, 2, 1, 1));
  assertStrictEquals(cache.storeBags(0, 3, output, tickets), 0);
  assertStrictEquals(cache.counters(0).storesSkipped, 1);
});

Deno.test("PooledCache.find() and store() work on one bag anywhere in larger arrays", () => {
  const cache = createCache();
  const keys = Uint32Array.of(9, 1, 2, 9);
  const output = new Float32Array(6);
  assert(!cache.find(0, keys, 1, 3, null, output, 2, tickets, 5));
  assertStrictEquals(tickets.outcome[5], MISS);
  assert(cache.store(0, Float32Array.of(0, 6, 7), 1, tickets, 5));
  assert(cache.find(0, keys, 1, 3, null, output, 2, tickets, 6));
  assertEquals(output, Float32Array.of(0, 0, 6, 7, 0, 0));
  assert(!cache.store(0, output, 0, tickets, 6));
});

Deno.test("PooledCache holds its budget, whatever the policy and the dims", () => {
  for (const eviction of Object.values(EVICTION_POLICIES)) {
    for (const bytes of [2 ** 20 + 1, 2 ** 22]) {
      const tables = [{ dim: 64 }, { dim: 16 }, { dim: 64 }, { dim: 1 }];
      const cache = createCache({ tables, bytes, eviction });
      const total = Object.values(cache.memoryBytes()).reduce((sum, part) => sum + part, 0);
      assert(total <= bytes && total > 0.8 * bytes, `${total} of ${bytes}`);
      assertStrictEquals(cache.capacity(0), cache.capacity(2));
      const [two, one] = [cache.capacity(0), cache.capacity(1)];
      assert(Math.abs(two / (2 * one) - 1) < 0.4, `${two} and ${one} entries`);
    }
  }
});

Deno.test("PooledCache replaces an entry when only a quarter of two hashes is the same", () => {
  const hasher = new BagHasher(0);
  const lanes = new Int32Array(4);
  hasher.tableLanes(0, 0, lanes, 0);
  const out = new Int32Array(4);
  const byLane = new Map<number, number[]>();
  const keys = new Uint32Array(2);
  let twins: number[][] = [];
  for (let key = 0; twins.length === 0; key++) {
    // Both keys differ from bag to bag: with one alone, no lane ever meets another's.
    keys.set([key, key * key]);
    hasher.hash(keys, 0, 2, null, lanes, 0, out, 0);
    const other = byLane.get(out[0]);
    if (other !== undefined) twins = [other, [...keys]];
    byLane.set(out[0], [...keys]);
  }
  const cache = createCache();
  assertStrictEquals(look(cache, 0, twins[0]), MISS);
  assertStrictEquals(look(cache, 0, twins[1], 2), MISS);
  assertStrictEquals(look(cache, 0, twins[1], 2), HIT);
  assertStrictEquals(cache.counters(0).evictions, 1);
  assertStrictEquals(look(cache, 0, twins[0]), MISS);
  cache.verify();
});

Deno.test("PooledSlab finds an entry by all four lanes of its hash", () => {
  const slab = new PooledSlab(1, 2, lru, [{ ...createCache().counters(0) }]);
  const hash = Int32Array.of(5, -6, 7, -8);
  assert(slab.write(hash, 0, 0, Float32Array.of(1), 0));
  for (let lane = 0; lane < 4; lane++) {
    const other = hash.with(lane, 9);
    assertStrictEquals(slab.find(other, 0), NO_SLOT);
  }
  assertStrictEquals(slab.find(hash, 0), 0);
});

/** LRU that gives up nothing, or lets its hits push the oldest out. */
function odd(what: "stubborn" | "pushing"): EvictionPolicyFactory {
  return (slots) => {
    const policy = lru(slots);
    const { victim, onHit } = policy;
    policy.victim = (key) => what === "stubborn" ? NO_SLOT : victim.call(policy, key);
    policy.onHit = (slot) => {
      onHit.call(policy, slot);
      const oldest = policy.contents().at(-1)!;
      return what === "pushing" && oldest !== slot ? oldest : NO_SLOT;
    };
    return policy;
  };
}

Deno.test("PooledCache skips a store when its policy gives nothing up", () => {
  const cache = createCache({ bytes: 200, eviction: odd("stubborn") });
  const room = cache.capacity(0);
  for (let key = 0; key < room; key++) assertStrictEquals(look(cache, 0, [key, 1]), MISS);
  for (let key = room; key < 9; key++) assertStrictEquals(look(cache, 0, [key, 1]), MISS);
  assertStrictEquals(cache.counters(0).storesSkipped, 9 - room);
  assertStrictEquals(look(cache, 0, [0, 1]), HIT);
  cache.verify();
});

Deno.test("PooledCache frees what a hit pushes out", () => {
  const cache = createCache({ eviction: odd("pushing") });
  for (const list of [[1, 1], [2, 2], [3, 3]]) look(cache, 0, list);
  assertStrictEquals(look(cache, 0, [3, 3]), HIT);
  assertStrictEquals(cache.counters(0).evictions, 1);
  assertStrictEquals(look(cache, 0, [1, 1]), MISS);
  cache.verify();
});

/** What the cache is, with a map: oldest first, keyed by what the hash stands for. */
class Model {
  readonly #slabs = new Map<number, Map<string, number[]>>();
  readonly counters: Record<keyof PooledCounters, number>[];
  readonly #dims: number[];
  readonly #capacity: number[];
  readonly versions: number[];

  constructor(dims: number[], cache: PooledCache) {
    this.#dims = dims;
    this.#capacity = dims.map((_, table) => cache.capacity(table));
    this.versions = dims.map(() => 0);
    this.counters = dims.map((_, table) => ({ ...cache.counters(table) }));
    for (const dim of dims) this.#slabs.set(dim, new Map());
  }

  name(table: number, list: number[], weights?: number[]): string {
    const items = list.map((key, i) => weights === undefined ? `${key}` : `${key} x ${weights[i]}`);
    return [table, this.versions[table], ...items.sort()].join(", ");
  }

  find(table: number, name: string, length: number): number[] | undefined {
    const counters = this.counters[table];
    counters.lookups++;
    if (length < 3) counters.tooShort++;
    else {
      counters.keysHashed += length;
      const slab = this.#slabs.get(this.#dims[table])!;
      const values = slab.get(name);
      if (values === undefined) counters.misses++;
      else {
        counters.hits++;
        counters.keysSaved += length;
        slab.delete(name);
        slab.set(name, values);
        return values;
      }
    }
    return undefined;
  }

  store(table: number, name: string, values: number[]): void {
    const slab = this.#slabs.get(this.#dims[table])!;
    if (slab.has(name)) {
      this.counters[table].storesSkipped++;
      return;
    }
    if (slab.size === this.#capacity[table]) {
      const [oldest] = slab.keys();
      slab.delete(oldest);
      this.#left(Number(oldest.split(",")[0]), "evictions");
    }
    slab.set(name, values);
    this.counters[table].stores++;
    this.counters[table].entries++;
    this.counters[table].bytes += 4 * this.#dims[table];
  }

  setVersion(table: number, version: number): void {
    if (version === this.versions[table]) return;
    this.versions[table] = version;
    const slab = this.#slabs.get(this.#dims[table])!;
    for (const name of [...slab.keys()]) {
      if (!name.startsWith(`${table},`)) continue;
      slab.delete(name);
      this.#left(table, "invalidations");
    }
  }

  #left(table: number, cause: "evictions" | "invalidations"): void {
    this.counters[table][cause]++;
    this.counters[table].entries--;
    this.counters[table].bytes -= 4 * this.#dims[table];
  }
}

const list = fc.array(fc.nat(3), { maxLength: 5 });
const step = fc.record({
  table: fc.nat(2),
  lists: fc.array(list, { maxLength: 4 }),
  weighted: fc.boolean(),
  version: fc.option(fc.nat(2), { freq: 8 }),
});

Deno.test("PooledCache does what a map from sorted bags does, whatever the order of calls", () => {
  const dims = [1, 2, 1];
  let pooled = 0;
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: "max" }), fc.nat(), (steps, seed) => {
      const tables = dims.map((dim) => ({ dim }));
      const cache = createCache({ tables, bytes: 700, minimumLength: 3, seed });
      const model = new Model(dims, cache);
      for (const { table, lists, weighted, version } of steps) {
        if (version !== null) {
          cache.setVersion(table, version);
          model.setVersion(table, version);
        }
        const weights = weighted ? lists.map((keys) => keys.map((key) => key & 1)) : undefined;
        const dim = dims[table];
        const output = new Float32Array(lists.length * dim).fill(-1);
        cache.findBags(table, toBags(lists, weights), output, tickets);
        const names = lists.map((keys, b) => model.name(table, keys, weights?.[b]));
        const values = lists.map((keys, b) => model.find(table, names[b], keys.length));
        lists.forEach((keys, b) => {
          const outcome = keys.length < 3 ? SHORT : values[b] === undefined ? MISS : HIT;
          assertStrictEquals(tickets.outcome[b], outcome);
          const expected = values[b] ?? new Array(dim).fill(-1);
          assertEquals([...output.subarray(b * dim, (b + 1) * dim)], expected);
          if (outcome !== MISS) return;
          const fresh = Array.from({ length: dim }, () => ++pooled % 2 ** 20);
          output.set(fresh, b * dim);
          values[b] = fresh;
        });
        const missed = tickets.outcome.slice(0, lists.length);
        cache.storeBags(table, lists.length, output, tickets);
        lists.forEach((_, b) => {
          if (missed[b] === MISS) model.store(table, names[b], values[b]!);
        });
        cache.verify();
        dims.forEach((_, t) => assertEquals({ ...cache.counters(t) }, model.counters[t]));
      }
    }),
    { numRuns: 400 },
  );
});

Deno.test("PooledCache works with every policy of the registry", () => {
  for (const eviction of Object.values(EVICTION_POLICIES)) {
    const cache = createCache({ tables: [{ dim: 4 }, { dim: 4 }], bytes: 2 ** 17, eviction });
    const random = createRandom(2);
    for (let i = 0; i < 20_000; i++) {
      const a = random.below(1 << (1 + random.below(15)));
      look(cache, i & 1, [a, a + 1], a);
      if (i % 6000 === 0) cache.setVersion(i & 1, i);
    }
    cache.verify();
    assert(cache.counters(0).hits > 200 && cache.counters(0).evictions > 0);
  }
});

Deno.test("PooledCache allocates nothing in two million lookups and stores", () => {
  const cache = createCache({ tables: [{ dim: 8 }], bytes: 2 ** 17 });
  let state = 6;
  const keys = new Uint32Array(160), offsets = new Uint32Array(17).map((_, b) => 10 * b);
  const weights = new Float32Array(160).fill(0.5);
  const plain = { keys, offsets };
  const weighted = { keys, offsets, weights };
  const output = new Float32Array(128);
  const run = (bags: number): void => {
    for (let done = 0; done < bags; done += 16) {
      for (let b = 0; b < 16; b++) {
        // Integers below 2^31 are no objects: what grows here is not the test's.
        state = Math.imul(state, 1664525) + 1013904223 | 0;
        keys.fill((state >>> 8) & (state >>> 20), 10 * b, 10 * b + 10);
      }
      cache.findBags(0, (done & 16) === 0 ? plain : weighted, output, tickets);
      cache.storeBags(0, 16, output, tickets);
    }
  };
  const growth = heapGrowth(run, 16_000);
  assert(growth < 50_000, `the heap grew by ${growth} bytes in 16,000 bags`);
});
