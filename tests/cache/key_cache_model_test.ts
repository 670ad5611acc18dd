import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import fc from "fast-check";
import {
  EVICTION_POLICIES,
  KeyCache,
  type KeyCacheOptions,
  NO_SLOT,
  secondAccess,
} from "@rowtier/rowtier/cache";

/** Keys of the hashed form: few enough to come again, and some that collide in the high bits. */
const scattered = fc.oneof(
  fc.nat(40),
  fc.constantFrom(0x7fffffff, 0x80000000, 0xffffffff),
  fc.nat(12).map((i) => (i * 0x144cbc89) >>> 0),
);
const KEY_COUNT = 60;

const operation = (key: fc.Arbitrary<number>) =>
  fc.tuple(fc.constantFrom("use", "use", "use", "get", "insert", "delete", "replay", "clear"), key);

/** What a program knows of its cache: a Map from key to slot, kept in step by looking. */
class Model {
  readonly cache: KeyCache;
  readonly slotOf = new Map<number, number>();
  hits = 0;
  misses = 0;
  deletions = 0;
  admissions = 0;
  evictions = 0;

  constructor(options: KeyCacheOptions) {
    this.cache = new KeyCache(options);
  }

  get(key: number): number {
    const slot = this.cache.get(key);
    assertStrictEquals(slot, this.slotOf.get(key) ?? NO_SLOT);
    if (slot === NO_SLOT) this.misses++;
    else this.hits++;
    this.#forgetEvicted(NO_SLOT);
    return slot;
  }

  insert(key: number): void {
    const known = this.slotOf.get(key);
    const slot = this.cache.insert(key);
    if (known !== undefined) return assertStrictEquals(slot, known);
    this.#forgetEvicted(key);
    if (slot === NO_SLOT) return assertStrictEquals(this.cache.has(key), false);
    this.admissions++;
    assert(slot >= 0 && slot < this.cache.slotCount, `slot ${slot}`);
    assert(![...this.slotOf.values()].includes(slot), `slot ${slot} is held twice`);
    this.slotOf.set(key, slot);
    assertStrictEquals(this.cache.has(key), true);
  }

  /** Whatever left did so by the policy; only the number of them is known beforehand. */
  #forgetEvicted(newcomer: number): void {
    for (const key of [...this.slotOf.keys()]) {
      if (key === newcomer || this.cache.has(key)) continue;
      this.slotOf.delete(key);
      this.evictions++;
    }
  }

  delete(key: number): void {
    const there = this.slotOf.delete(key);
    assertStrictEquals(this.cache.delete(key), there);
    if (there) this.deletions++;
  }

  clear(): void {
    this.cache.clear();
    this.deletions += this.slotOf.size;
    this.slotOf.clear();
  }

  check(): void {
    const { cache, slotOf, hits, misses, admissions, evictions, deletions } = this;
    cache.verify();
    assertStrictEquals(cache.size, slotOf.size);
    assert(cache.size <= cache.slotCount);
    assertEquals([...cache.contents()].sort(), [...slotOf.keys()].sort());
    const { refusals: _, ...counted } = cache.counters();
    assertEquals(counted, { hits, misses, admissions, evictions, deletions });
  }
}

function play(options: KeyCacheOptions, operations: [string, number][]): void {
  const model = new Model(options);
  for (const [what, key] of operations) {
    if (what === "delete") model.delete(key);
    else if (what === "clear" && key % 8 === 0) model.clear();
    else if (what === "insert") model.insert(key);
    else if (model.get(key) === NO_SLOT && what !== "get") model.insert(key);
    model.check();
  }
}

for (const [name, eviction] of Object.entries(EVICTION_POLICIES)) {
  Deno.test(`KeyCache does with ${name} what a Map does`, () => {
    const lists = fc.array(operation(scattered), { maxLength: 80 });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 30 }),
        fc.boolean(),
        lists,
        (slotCount, second, list) =>
          play({ slotCount, eviction, ...(second ? { admission: secondAccess } : {}) }, list),
      ),
      { numRuns: 30 },
    );
    const dense = fc.array(operation(fc.nat(KEY_COUNT - 1)), { maxLength: 80 });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 30 }),
        dense,
        (slotCount, list) => play({ slotCount, eviction, keyCount: KEY_COUNT }, list),
      ),
      { numRuns: 20 },
    );
  });
}
