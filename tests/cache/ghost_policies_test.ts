import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  arc,
  type EvictionPolicyFactory,
  lirs,
  NO_SLOT,
  REMOVAL,
  s3fifo,
  twoq,
} from "@rowtier/rowtier/cache";
import {
  KEY_STEPS,
  type KeyTwin,
  playKeyTwins,
  twinArc,
  twinLirs,
  twinS3Fifo,
  twinTwoQ,
} from "./_ghost_twins.ts";
import { createSlots } from "./bare_frame.ts";

type Twins = [name: string, create: EvictionPolicyFactory, twin: (count: number) => KeyTwin];

const TWINS: Twins[] = [
  ["twoq", twoq, twinTwoQ],
  ["arc", arc, twinArc],
  ["s3fifo", s3fifo, (count) => twinS3Fifo(count, false)],
  [
    "s3fifo with warmMain",
    (slots) => s3fifo(slots, { warmMain: true }),
    (count) => twinS3Fifo(count, true),
  ],
  ["lirs", lirs, (count) => twinLirs(count, 2 * count)],
  [
    "lirs with one ghost",
    (slots) => lirs(slots, { ghostCount: 1 }),
    (count) => twinLirs(count, 1),
  ],
];

for (const [name, create, createTwin] of TWINS) {
  Deno.test(`${name}() does what its twin does, with deletions and rows in use`, () => {
    const options = fc.record({
      count: fc.integer({ min: 1, max: 12 }),
      isDense: fc.boolean(),
      scale: fc.constantFrom(1, 0x9e3779b1, 0xd8a4f8d1),
    });
    fc.assert(
      fc.property(options, KEY_STEPS, (option, steps) => {
        playKeyTwins(create, createTwin(option.count), option, steps);
      }),
      { numRuns: 150 },
    );
  });
}

/** Fills a policy with keys 0, 1, ... in slots of the same numbers. */
function filled(create: EvictionPolicyFactory, count: number) {
  const slots = createSlots(count);
  const policy = create(slots);
  for (let slot = 0; slot < count; slot++) {
    slots.key[slot] = slot;
    policy.onMiss(slot);
    policy.onInsert(slot);
  }
  /** A miss of `key`, whose victim is removed for it; the victim. */
  const enter = (key: number): number => {
    policy.onMiss(key);
    const slot = policy.victim(key);
    policy.onRemove(slot, REMOVAL.EVICTED);
    slots.key[slot] = key;
    policy.onInsert(slot);
    return slot;
  };
  return { slots, policy, enter };
}

Deno.test("twoq() lets only what comes back into the main part, and drops a row for it", () => {
  const { policy, enter, slots } = filled(twoq, 8);
  assertStrictEquals(enter(100), 0);
  assertStrictEquals(enter(0), 1);
  // Slot 1 holds key 0 again, in the main part now: 2, the next newest arrival, goes first.
  assertStrictEquals(enter(101), 2);
  assert(!policy.crowded!(102));
  assertEquals([...policy.contents()].at(0), 1);
  // Six rows in the main part of eight slots: a seventh pushes one out though slots are free.
  for (const key of [1, 2, 3, 4, 5]) enter(key);
  for (const slot of policy.contents().slice(6)) policy.onRemove(slot, REMOVAL.DELETED);
  policy.verify();
  const inMain = policy.contents().length;
  assert(inMain <= 6, `${inMain} rows`);
  assertStrictEquals(slots.pinned.size, 0);
});

Deno.test("s3fifo() keeps what was hit twice, and what comes back", () => {
  const { policy, enter } = filled(s3fifo, 20);
  policy.onHit(0);
  policy.onHit(0);
  policy.onHit(1);
  assertStrictEquals(policy.heat!(0), 2);
  // 0 was hit twice and moves to the main queue; 1, hit once, leaves.
  assertStrictEquals(enter(100), 1);
  assertEquals(policy.contents().at(0), 0);
  // Key 1 is a ghost and enters the main queue at once.
  assertStrictEquals(enter(1), 2);
  assertEquals([...policy.contents().slice(0, 2)], [2, 0]);
});

Deno.test("arc() moves its target by the ghosts that are missed", () => {
  const { policy, enter } = filled(arc, 4);
  for (const slot of [0, 1]) policy.onHit(slot);
  assertStrictEquals(enter(100), 2);
  // A ghost of the list seen once: more of it is wanted, and the row goes to the other list.
  assertStrictEquals(enter(2), 3);
  assertStrictEquals(enter(101), 0);
  policy.verify();
});

Deno.test("lirs() keeps a loop larger than the cache in part, where LRU never hits", () => {
  const count = 100;
  const { policy, enter, slots } = filled(lirs, count);
  let hits = 0;
  for (let turn = 0; turn < 5; turn++) {
    for (let key = 0; key < 110; key++) {
      const slot = slots.key.indexOf(key);
      if (slot === -1) enter(key);
      else {
        hits++;
        assertStrictEquals(policy.onHit(slot), NO_SLOT);
      }
    }
  }
  policy.verify();
  assert(hits >= 5 * 97, `${hits} hits`);
});

Deno.test("lirs() changes nothing when a row is used twice at once", () => {
  const { policy } = filled(lirs, 6);
  policy.onHit(0);
  const before = policy.contents();
  policy.onHit(0);
  assertEquals(policy.contents(), before);
});

Deno.test("twoq(), arc(), s3fifo() and lirs() say what they cost", () => {
  const bytes = (create: EvictionPolicyFactory, keyCount?: number) => {
    const slots = createSlots(1000);
    return create(keyCount === undefined ? slots : { ...slots, keyCount }).bytes / 1000;
  };
  const costs = [twoq, arc, s3fifo, lirs].map((create) => [bytes(create), bytes(create, 5000)]);
  assertEquals(costs.map((row) => row.map(Math.round)), [[21, 37], [34, 45], [34, 45], [90, 77]]);
});

Deno.test("twoq(), s3fifo() and lirs() throw on options out of range", () => {
  const slots = createSlots(10);
  for (const ratio of [-0.1, 1.1, NaN]) {
    const what = "must be in [0, 1]: received";
    assertThrows(
      () => twoq(slots, { inRatio: ratio }),
      RangeError,
      `Cannot create twoq: inRatio ${what}`,
    );
    assertThrows(() => twoq(slots, { outRatio: ratio }), RangeError, `outRatio ${what}`);
    assertThrows(
      () => s3fifo(slots, { smallRatio: ratio }),
      RangeError,
      `Cannot create s3fifo: smallRatio ${what}`,
    );
  }
  assertThrows(
    () => s3fifo(slots, { ghostRatio: 1.5 }),
    RangeError,
    "ghostRatio must be in [0, 1]",
  );
  for (const threshold of [0, 4, 1.5]) {
    assertThrows(() => s3fifo(slots, { threshold }), RangeError, "threshold must be an integer");
  }
  for (const ghostCount of [0, 0.5, NaN]) {
    assertThrows(
      () => lirs(slots, { ghostCount }),
      RangeError,
      "Cannot create lirs: ghostCount must be an integer of at least 1",
    );
  }
});
