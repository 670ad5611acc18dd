import { assertEquals, assertStrictEquals } from "@std/assert";
import fc from "fast-check";
import {
  type AdmissionPolicy,
  createClaim,
  DualRowCache,
  EVICTION_POLICIES,
  lru,
  NO_BATCH,
  NO_SLOT,
  type PartitionCounters,
  SLOT_STATE,
  SLOT_STATE_MASK,
} from "@rowtier/rowtier/cache";
import { createRandom } from "../../base/random.ts";
import { logged, ModelPartition, type ModelRow, type PolicyLog } from "./model.ts";

/** Refuses by number alone, so that cache and model need no common state. */
function picky(onAccess: () => void): AdmissionPolicy {
  return {
    name: "picky",
    onAccess,
    admit: (key) => key % 4 !== 3,
    prefers: (candidate, victimKey) => (candidate + victimKey) % 5 !== 0,
  };
}

/** Compact partitions of one bucket each, whose order can be told. */
const COMPACT: Record<string, { rowBytes: number; keyCount: number; order: "lru" | "clock" }> = {
  "compact-lru": { rowBytes: 255, keyCount: 14, order: "lru" },
  "compact-clock": { rowBytes: 255, keyCount: 1000, order: "clock" },
};

interface Shape {
  policy: string;
  slotCount: number;
  scratchCount: number;
  picky: boolean;
}

/** What an operation does is told by its name; the numbers pick among what there is. */
interface Operation {
  what: string;
  partition: number;
  keys: number[];
  pick: number;
}

/** Cache and model side by side. */
class Twins {
  readonly live = new Set<number>();
  readonly models: ModelPartition[];
  readonly cache: DualRowCache;
  readonly outcomes: number[][][];
  readonly accesses: number[];
  /** Every claim ever made; ended ones are filled and abandoned again, in vain. */
  readonly claims: { partition: number; row: ModelRow; generation: number }[] = [];
  readonly #claim = createClaim();
  readonly #logs: PolicyLog[];
  #begun = 0;

  constructor(shapes: Shape[]) {
    this.#logs = shapes.map(() => ({ pushed: [], victims: [] }));
    this.models = shapes.map((shape, p) => {
      const admission = shape.picky ? picky(() => {}) : undefined;
      return new ModelPartition(shape, admission, this.live, this.#logs[p]);
    });
    this.outcomes = shapes.map(() => []);
    this.accesses = shapes.map(() => 0);
    this.cache = new DualRowCache({
      partitions: shapes.map(({ policy, slotCount, scratchCount, picky: choosy }, p) => ({
        slotCount,
        scratchCount,
        ...(COMPACT[policy] ?? { rowBytes: 256 }),
        eviction: logged(EVICTION_POLICIES[policy] ?? lru, this.#logs[p]),
        ...(choosy && { admission: () => picky(() => this.accesses[p]++) }),
      })),
      onPrefetch: (partition, key, outcome) => this.outcomes[partition].push([key, outcome]),
    });
    for (const [p, { policy }] of shapes.entries()) {
      assertStrictEquals(this.cache.isCompact(p), policy in COMPACT);
    }
  }

  run({ what, partition, keys, pick }: Operation): void {
    for (const { pushed, victims } of this.#logs) pushed.length = victims.length = 0;
    const batches = [...this.live];
    const batch = batches[pick % Math.max(1, batches.length)];
    if (what === "begin") this.#begin();
    else if (what === "retire" && batch !== undefined) this.#retire(batch);
    else if (what === "batch" && batch !== undefined) this.#batch(partition, keys, batch, pick);
    else if (what === "prefetch") this.#claimOne(partition, keys[0], NO_BATCH);
    else if (what === "fill" || what === "abandon") this.#end(what, pick);
    else if (what === "delete") this.#delete(partition, keys[0]);
    else if (what === "clear" && pick % 4 === 0) this.#clear(partition);
    else if (what === "clear") this.#switch(partition, pick % 4 !== 1);
  }

  #begin(): void {
    const oldest = Math.min(...this.live, this.#begun);
    const full = this.#begun - oldest >= 254;
    assertStrictEquals(this.cache.begin(), full ? NO_BATCH : this.#begun);
    if (!full) this.live.add(this.#begun++);
  }

  #retire(batch: number): void {
    this.cache.retire(batch);
    this.live.delete(batch);
  }

  #batch(partition: number, keys: number[], batch: number, pick: number): void {
    const model = this.models[partition];
    const slots = new Int32Array(keys.length + 1).fill(77);
    const { cache } = this;
    const absent = cache.acquire(partition, Uint32Array.from(keys), keys.length, batch, slots);
    const expected = keys.map((key) => model.acquire(key, batch));
    assertEquals([...slots], [...expected, 77]);
    assertStrictEquals(absent, expected.filter((slot) => slot === NO_SLOT).length);
    // Between the two phases a prefetch, or another batch, may claim what this one is about to.
    const other = [...this.live].at(-1)!;
    if (pick % 5 === 0) this.#claimOne(partition, keys[0], NO_BATCH);
    else if (pick % 5 === 1 && slots[0] === NO_SLOT) this.#batch(partition, [keys[0]], other, 2);
    keys.forEach((key, i) => {
      if (slots[i] !== NO_SLOT) return;
      this.#claimOne(partition, key, batch);
      // Some rows arrive at once, so that a key that repeats may find its row ready.
      if ((pick >> i) % 3 === 0) this.#end("fill", this.claims.length - 1);
    });
  }

  #claimOne(partition: number, key: number, batch: number): void {
    const claim = this.#claim;
    const slot = this.cache.claim(partition, key, batch, claim);
    const evicted = this.models[partition].rows.get(claim.evictedKey);
    // A compact partition has no policy to be asked what it gave up.
    if (evicted !== undefined && this.cache.isCompact(partition)) {
      this.#logs[partition].victims.push(evicted.slot);
    }
    const expected = this.models[partition].claim(key, batch, slot, claim.generation);
    assertStrictEquals(claim.fresh, expected.fresh);
    assertStrictEquals(claim.evictedKey, expected.evictedKey);
    assertStrictEquals(slot, expected.row?.slot ?? NO_SLOT);
    if (expected.row !== undefined) {
      // A claim that is not fresh has the generation of a read under way.
      if (claim.fresh || expected.row.state === SLOT_STATE.LOADING) {
        assertStrictEquals(claim.generation, expected.row.generation);
      }
      if (claim.fresh) {
        this.claims.push({ partition, row: expected.row, generation: claim.generation });
      }
    }
  }

  #end(what: "fill" | "abandon", pick: number): void {
    if (this.claims.length === 0) return;
    const { partition, row, generation } = this.claims[pick % this.claims.length];
    const open = row.state === SLOT_STATE.LOADING;
    assertStrictEquals(this.cache[what](partition, row.slot, generation), open);
    if (!open) return;
    if (what === "fill") row.state = SLOT_STATE.READY;
    else {
      this.models[partition].counters.failures++;
      this.models[partition].remove(row);
    }
  }

  #delete(partition: number, key: number): void {
    const model = this.models[partition];
    const row = model.find(key);
    assertStrictEquals(this.cache.delete(partition, key), row !== undefined);
    if (row === undefined) return;
    model.counters.deletions++;
    model.remove(row);
  }

  #switch(partition: number, admitting: boolean): void {
    this.cache.setAdmitting(partition, admitting);
    this.models[partition].admitting = admitting;
    assertStrictEquals(this.cache.isAdmitting(partition), admitting);
  }

  #clear(partition: number): void {
    this.cache.clear(partition);
    const model = this.models[partition];
    // In the order of the slots: outcomes are told in that order.
    for (const row of [...model.rows.values()].sort((a, b) => a.slot - b.slot)) {
      if (model.find(row.key) === undefined) continue;
      model.counters.deletions++;
      model.remove(row);
    }
  }

  check(): void {
    this.cache.verify();
    this.models.forEach((model, p) => {
      const counters = this.cache.counters(p);
      for (const [name, count] of Object.entries(model.counters)) {
        assertStrictEquals(counters[name as keyof PartitionCounters], count, name);
      }
      const keys = [...this.cache.contents(p)];
      const expected = model.policy.rows.map(({ key }) => key);
      if (model.policy.ordered) assertEquals(keys, expected);
      else assertEquals(keys.sort(), expected.sort());
      assertEquals(this.outcomes[p], model.outcomes);
      if (model.admission !== undefined) {
        assertStrictEquals(this.accesses[p], model.counters.lookups);
      }
      const states = this.cache.states(p);
      for (const [slot, row] of model.last) {
        // Live batches see their slot as their row left it, whether it is still in the cache or
        // not.
        const current = model.rows.get(row.key) === row;
        if (current || model.held(row)) {
          assertStrictEquals(states[slot] & SLOT_STATE_MASK, row.state);
        }
      }
      for (let key = 0; key <= MAX_KEY; key++) {
        const row = model.rows.get(key);
        const there = row !== undefined && (model.isCached(row) || model.held(row));
        assertStrictEquals(this.cache.has(p, key), there);
      }
    });
  }
}

const MAX_KEY = 13;

const anyShape: fc.Arbitrary<Shape> = fc.record({
  policy: fc.constantFrom(...Object.keys(EVICTION_POLICIES), ...Object.keys(COMPACT)),
  slotCount: fc.integer({ min: 1, max: 6 }),
  scratchCount: fc.nat(4),
  picky: fc.boolean(),
});

// Begins and retires about balance, reads end more often than they fail.
const WHATS = [
  ...["begin", "begin", "retire", "retire", "batch", "batch", "batch", "fill", "fill", "fill"],
  ...["abandon", "prefetch", "delete", "clear"],
];

// What CLOCK chose, and the admission then kept, nobody tells the model.
const shape = anyShape.filter((each) => each.policy !== "compact-clock" || !each.picky);

const operation: fc.Arbitrary<Operation> = fc.record({
  what: fc.constantFrom(...WHATS),
  partition: fc.nat(1),
  keys: fc.array(fc.nat(MAX_KEY), { minLength: 1, maxLength: 8 }),
  pick: fc.nat(1 << 16),
});

Deno.test("Row caches do what a model of maps and arrays does, whatever the order of calls", () => {
  const operations = fc.array(operation, { maxLength: 120, size: "max" });
  fc.assert(
    fc.property(fc.tuple(shape, shape), operations, (shapes, list) => {
      const twins = new Twins(shapes);
      for (const each of list) {
        twins.run(each);
        twins.check();
      }
    }),
    { numRuns: 1500 },
  );
});

Deno.test("Row caches do what the model does while stamps wrap round several times", () => {
  const run = (shapes: Shape[], seed: number, longest: number): void => {
    const twins = new Twins(shapes);
    const random = createRandom(seed);
    let begun = 0;
    while (begun < 1100) {
      const what = WHATS[random.below(WHATS.length)];
      const keys = Array.from({ length: 1 + random.below(6) }, () => random.below(MAX_KEY + 1));
      // Mostly the youngest batches end; from time to time all but the newest do.
      const ages = twins.live.size;
      const pick = what === "retire"
        ? ages - 1 - random.below(Math.min(ages, 3) + 1)
        : random.u32();
      if (what === "begin") begun++;
      twins.run({ what, partition: random.below(shapes.length), keys, pick: Math.max(0, pick) });
      const limit = random.below(longest);
      while (twins.live.size > 0 && begun - Math.min(...twins.live) > 2 * limit + 200) {
        twins.run({ what: "retire", partition: 0, keys, pick: 0 });
      }
      if (random.below(8) === 0) twins.check();
    }
    twins.check();
  };
  fc.assert(
    fc.property(fc.tuple(shape, shape), fc.nat(), fc.constantFrom(1, 30, 200), run),
    { numRuns: 40 },
  );
});
