import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import fc from "fast-check";
import { LOOKUP, type LookupOutcome } from "@rowtier/rowtier/cache";
import { createRandom } from "../../base/random.ts";
import { bucketEnd, bucketOf, BUCKETS, quantile } from "../../cache/explain/_distance_buckets.ts";
import { KeySample, NO_ENTRY, sampleHash } from "../../cache/explain/_key_sample.ts";
import {
  GROUPS,
  MISS_CLASS,
  MISS_CLASSES,
  MissClassifier,
  NO_CLASS,
} from "../../cache/explain/_miss_classifier.ts";
import { Optimum } from "../../cache/explain/_optimum.ts";
import { PositionCounts } from "../../cache/explain/_position_counts.ts";

const { FIRST_TOUCH, CAPACITY, REFUSED, POLICY } = MISS_CLASS;

/** Which lookups Belady's algorithm with bypass hits: it sees all of `keys` before it starts. */
function beladyHits(keys: readonly number[], slotCount: number): boolean[] {
  const nextUse = keys.map((key, i) => {
    const next = keys.indexOf(key, i + 1);
    return next < 0 ? Infinity : next;
  });
  const held = new Map<number, number>();
  return keys.map((key, i) => {
    const hit = held.has(key);
    held.set(key, nextUse[i]);
    if (held.size > slotCount) {
      const [farthest] = [...held].reduce((a, b) => b[1] > a[1] ? b : a);
      held.delete(farthest);
    }
    return hit;
  });
}

interface Event {
  key: number;
  /** What to do; 5 forgets the key, 6 all keys. */
  what: LookupOutcome | 5 | 6;
}

/** What a classifier that sees every key must say, from maps, sets and the future. */
function classesOf(events: readonly Event[], slotCount: number): (number | undefined)[] {
  // A row that is forgotten comes back as another one.
  const lives = new Map<number, number>();
  const rows = events.map(({ key, what }) => {
    const life = lives.get(key) ?? 0;
    if (what === 5) lives.set(key, life + 1);
    if (what === 6) { for (const each of lives.keys()) lives.set(each, lives.get(each)! + 1); }
    if (!lives.has(key)) lives.set(key, 0);
    return what > 4 ? -1 : key + 100 * lives.get(key)!;
  });
  const lookups = rows.filter((row) => row >= 0);
  const hits = beladyHits(lookups, slotCount);
  const outcomes = new Map<number, number>();
  let at = 0;
  return events.map(({ what }) => {
    if (what > 4) return undefined;
    const row = lookups[at];
    const kept = hits[at++];
    const before = outcomes.get(row);
    outcomes.set(row, what);
    if (what !== LOOKUP.MISS && what !== LOOKUP.REFUSED) return NO_CLASS;
    if (before === undefined) return FIRST_TOUCH;
    if (!kept) return CAPACITY;
    return before === LOOKUP.REFUSED ? REFUSED : POLICY;
  });
}

const event: fc.Arbitrary<Event> = fc.record({
  key: fc.nat(11),
  what: fc.constantFrom(0, 1, 1, 1, 1, 1, 2, 2, 3, 4, 5),
}) as fc.Arbitrary<Event>;
const rarely: fc.Arbitrary<Event> = fc.record({ key: fc.nat(11), what: fc.constant(6 as const) });
const events = fc.array(
  fc.oneof({ weight: 60, arbitrary: event }, { weight: 1, arbitrary: rarely }),
  {
    maxLength: 200,
    size: "max",
  },
);

Deno.test("MissClassifier says what Belady says, who sees the future, if it samples all", () => {
  fc.assert(
    fc.property(events, fc.integer({ min: 1, max: 8 }), fc.nat(), (list, slotCount, seed) => {
      // 16 keys have 32 positions: these are numbered anew several times.
      const classifier = new MissClassifier(slotCount, 16, 1);
      const expected = classesOf(list, slotCount);
      const counts = new Array(MISS_CLASSES).fill(0);
      list.forEach(({ key, what }, i) => {
        if (what === 5) classifier.forget(key);
        else if (what === 6) classifier.forgetAll();
        else {
          const found = classifier.observe(key, sampleHash(key, seed), what);
          assertStrictEquals(found, expected[i], `event ${i}`);
          if (found !== NO_CLASS) counts[found]++;
        }
        classifier.verify();
      });
      const told = counts.map((_, missClass) => {
        return classifier.counts.filter((_, at) => at % MISS_CLASSES === missClass)
          .reduce((sum, count) => sum + count, 0);
      });
      assertEquals(told, counts);
      const distances = classifier.distances.reduce((sum, count) => sum + count, 0);
      assertStrictEquals(distances, counts[CAPACITY]);
    }),
    { numRuns: 600 },
  );
});

Deno.test("MissClassifier measures how much LRU would have needed", () => {
  const list = fc.array(fc.nat(11), { maxLength: 120, size: "max" });
  fc.assert(
    fc.property(list, (keys) => {
      const classifier = new MissClassifier(1, 16, 1);
      const expected = new Float64Array(BUCKETS);
      keys.forEach((key, i) => {
        if (classifier.observe(key, sampleHash(key, 1), LOOKUP.MISS) !== CAPACITY) return;
        expected[new Set(keys.slice(keys.lastIndexOf(key, i - 1), i)).size]++;
      });
      assertEquals(classifier.distances, expected);
    }),
    { numRuns: 300 },
  );
});

Deno.test("Optimum keeps what an occupancy vector says it can", () => {
  const list = fc.array(fc.nat(9), { maxLength: 60, size: "max" });
  fc.assert(
    fc.property(list, fc.integer({ min: 1, max: 6 }), (keys, capacity) => {
      const optimum = new Optimum(capacity, Math.max(1, keys.length));
      const occupancy = new Array(keys.length).fill(0);
      keys.forEach((key, now) => {
        const last = keys.lastIndexOf(key, now - 1);
        if (now === 0 || last < 0) return;
        const most = Math.max(...occupancy.slice(last, now));
        assertStrictEquals(optimum.most(last), most);
        assertStrictEquals(optimum.keeps(last, now), most < capacity);
        if (most < capacity) { for (let at = last; at < now; at++) occupancy[at]++; }
      });
    }),
    { numRuns: 500 },
  );
});

Deno.test("Optimum.thin() takes one token, whatever the rank, and none where there is none", () => {
  const optimum = new Optimum(4, 8);
  optimum.thin(5);
  assertStrictEquals(optimum.total, 0);
  optimum.keeps(0, 2);
  optimum.keeps(1, 3);
  assertEquals([0, 1, 2, 3].map((position) => optimum.most(position)), [2, 2, 1, 0]);
  optimum.thin(7);
  assertEquals([0, 1, 2, 3].map((position) => optimum.most(position)), [1, 1, 0, 0]);
});

Deno.test("PositionCounts does what an array does", () => {
  const adds = fc.array(fc.tuple(fc.nat(20), fc.nat(3)), { maxLength: 40 });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 21 }), adds, fc.boolean(), (length, list, assigned) => {
      const counts = new PositionCounts(length);
      const model = new Int32Array(length);
      for (const [position, by] of list) {
        model[position % length] += by;
        if (!assigned) counts.add(position % length, by);
      }
      if (assigned) {
        counts.add(0, 5);
        counts.assign(model);
      }
      const sum = (from: number): number => model.slice(from).reduce((a, b) => a + b, 0);
      for (let at = 0; at <= length; at++) assertStrictEquals(counts.from(at), sum(at));
      assertStrictEquals(counts.total, sum(0));
      for (let rank = 1; rank <= counts.total; rank++) {
        const at = counts.select(rank);
        assert(sum(0) - sum(at) < rank && sum(0) - sum(at + 1) >= rank);
      }
    }),
  );
});

Deno.test("KeySample holds the keys of the smallest hashes, each once", () => {
  const keys = fc.array(fc.nat(200), { maxLength: 150, size: "max" });
  fc.assert(
    fc.property(keys, fc.integer({ min: 1, max: 20 }), fc.nat(), (list, size, seed) => {
      const sample = new KeySample(size, 1);
      for (const key of list) {
        const hash = sampleHash(key, seed);
        if (hash > sample.limit || sample.find(key) !== NO_ENTRY) continue;
        const { rate } = sample;
        const full = sample.count === size;
        const entry = sample.add(key, hash);
        assertStrictEquals(sample.rate < rate, full);
        assertStrictEquals(sample.find(key), entry);
        sample.verify();
      }
      const hashes = [...new Set(list)].map((key) => sampleHash(key, seed)).sort((a, b) => a - b);
      const held = [...sample.key.subarray(0, sample.count)].map((key) => sampleHash(key, seed));
      assertEquals(held.sort((a, b) => a - b), hashes.slice(0, size));
    }),
  );
});

Deno.test("KeySample samples the share of keys that it is told to", () => {
  for (const rate of [1, 0.25, 2 ** -10, 1e-12]) {
    const sample = new KeySample(4, rate);
    assertStrictEquals(sample.rate, Math.max(rate, 2 ** -32), `${rate}`);
  }
  const { limit } = new KeySample(4, 0.1);
  let wanted = 0;
  for (let key = 0; key < 100_000; key++) if (sampleHash(key, 3) <= limit) wanted++;
  assert(Math.abs(wanted - 10_000) < 500, `${wanted} of 100,000`);
  // Groups are dealt by the low bits: these do not follow from the high ones.
  const groups = new Array(GROUPS).fill(0);
  for (let key = 0; key < 100_000; key++) {
    const hash = sampleHash(key, 3);
    if (hash <= limit) groups[hash & (GROUPS - 1)]++;
  }
  for (const count of groups) assert(Math.abs(count - 625) < 150, `${groups}`);
});

Deno.test("bucketOf() numbers distances without a gap, and each ends at most 1/8 above", () => {
  for (let bucket = 1; bucket < BUCKETS; bucket++) {
    const first = bucketEnd(bucket - 1) + 1, last = bucketEnd(bucket);
    assertStrictEquals(bucketOf(first), bucket);
    assertStrictEquals(bucketOf(last), bucket);
    assert(last / first <= 1.125, `${first} to ${last}`);
  }
  assertStrictEquals(bucketEnd(BUCKETS - 1), 2 ** 32 - 1);
});

Deno.test("quantile() gives the end of the bucket in which the part is reached", () => {
  const histogram = new Float64Array(BUCKETS);
  assertStrictEquals(quantile(histogram, 0.5), 0);
  histogram[3] = 2;
  histogram[bucketOf(1000)] = 2;
  assertEquals([0.5, 0.51, 1].map((part) => quantile(histogram, part)), [3, 1023, 1023]);
  // Sums of thirds do not reach their total exactly.
  assertStrictEquals(quantile(Float64Array.of(0, 1 / 3, 1 / 3, 1 / 3, 0.1), 1), 4);
});

Deno.test("MissClassifier keeps its size while keys keep coming", () => {
  const classifier = new MissClassifier(1000, 64, 1);
  const random = createRandom(8);
  const { bytes } = classifier;
  for (let i = 0; i < 50_000; i++) {
    const key = random.below(1 << (1 + random.below(20)));
    const hash = sampleHash(key, 0);
    if (hash > classifier.sample.limit) continue;
    classifier.observe(key, hash, LOOKUP.MISS);
    if (i % 97 === 0) classifier.verify();
  }
  classifier.verify();
  assertStrictEquals(classifier.sample.count, 64);
  assertStrictEquals(classifier.bytes, bytes);
  assert(classifier.sample.rate < 0.05, `${classifier.sample.rate}`);
});
