import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  type EvictionPolicyFactory,
  FrequencySketch,
  lru,
  NO_SLOT,
  wtinylfu,
  type WTinyLfuOptions,
} from "@rowtier/rowtier/cache";
import { HillClimber } from "../../cache/eviction/_hill_climber.ts";
import { CountingBloom, hashInto } from "../../cache/admission/counting_bloom.ts";
import { KEY_STEPS, type KeyTwin, playKeyTwins } from "./_ghost_twins.ts";
import { createSlots, missesOf } from "./bare_frame.ts";

type MayGo = (slot: number) => boolean;

/** Window, lower and upper segment of main, newest first. */
function threeQueues() {
  const queues: number[][] = [[], [], []];
  const take = (slot: number): number => {
    const from = queues.findIndex((queue) => queue.includes(slot));
    if (from !== -1) queues[from].splice(queues[from].indexOf(slot), 1);
    return from;
  };
  const move = (slot: number, to: number): void => {
    take(slot);
    queues[to].unshift(slot);
  };
  const oldest = (from: number, mayGo: MayGo) => queues[from].findLast(mayGo);
  return { queues, take, move, oldest };
}

/** The default, with a window that stays as it is; the chance of a loser to get in is none here. */
function twinFixed(count: number, windowRatio: number): KeyTwin {
  const { queues, take, move, oldest } = threeQueues();
  const sketch = new FrequencySketch(count);
  const keys = new Map<number, number>();
  const windowRoom = Math.max(1, Math.floor(count * windowRatio));
  const topRoom = Math.floor((count - windowRoom) * 0.8);
  const heat = (slot: number) => sketch.estimate(keys.get(slot)!);
  return {
    miss: (key) => sketch.record(key),
    insert(slot, key) {
      keys.set(slot, key);
      queues[0].unshift(slot);
      for (let i = 0; i < 2 && queues[0].length > windowRoom; i++) move(queues[0].at(-1)!, 1);
    },
    hit(slot) {
      sketch.record(keys.get(slot)!);
      move(slot, [0, 2, 2][queues.findIndex((queue) => queue.includes(slot))]);
      if (queues[2].length > topRoom && queues[2][0] === slot) move(queues[2].at(-1)!, 1);
    },
    remove: (slot) => void take(slot),
    victim(mayGo) {
      const loser = oldest(1, mayGo) ?? oldest(2, mayGo);
      const candidate = oldest(0, mayGo);
      if (loser !== undefined && queues[0].length < windowRoom) return loser;
      if (candidate === undefined) return loser;
      if (loser === undefined || heat(candidate) <= heat(loser)) return candidate;
      move(candidate, 1);
      return loser;
    },
    contents: () => queues.toReversed().flat(),
  };
}

Deno.test("wtinylfu() does what its twin does, with deletions and rows in use", () => {
  const options = fc.record({
    count: fc.integer({ min: 1, max: 12 }),
    isDense: fc.boolean(),
    scale: fc.constantFrom(1, 0x9e3779b1),
  });
  const few = KEY_STEPS.filter((steps) => {
    // So that no key is counted often enough for chance to play.
    const uses = new Map<number, number>();
    for (const [, key] of steps) uses.set(key, (uses.get(key) ?? 0) + 1);
    return Math.max(...uses.values()) <= 5;
  });
  for (const windowRatio of [0.01, 0.3]) {
    const create: EvictionPolicyFactory = (slots) => wtinylfu(slots, { windowRatio, climb: false });
    fc.assert(
      fc.property(options, few.map((steps) => steps.slice(0, 80)), (option, steps) => {
        playKeyTwins(create, twinFixed(option.count, windowRatio), option, steps);
      }),
      { numRuns: 100 },
    );
  }
});

/** libCacheSim's rules: an eviction goes on until a row of the window loses or none is left. */
function twinCounting(count: number, windowRatio: number): KeyTwin {
  const { queues, take, move, oldest } = threeQueues();
  const pairs = new Int32Array(2 * count);
  const room = count - Math.max(1, Math.floor(count * windowRatio));
  const lowRoom = Math.max(1, Math.floor(room / 5));
  const highRoom = Math.max(1, Math.floor(4 / 5 * room));
  const sketch = new CountingBloom(Math.max(1, room));
  const heat = (slot: number) => sketch.estimate(pairs, 2 * slot, 0);
  let hits = 0, unfinished = false, winner = NO_SLOT, beaten = NO_SLOT;
  const admit = (slot: number): void => {
    const low = queues[1].length < lowRoom || queues[2].length >= highRoom;
    move(slot, low ? 1 : 2);
    sketch.add(pairs, 2 * slot);
  };
  const calm = (): void => {
    unfinished = false;
    winner = NO_SLOT;
  };
  return {
    miss: calm,
    insert(slot, key) {
      calm();
      queues[0].unshift(slot);
      hashInto(key, pairs, 2 * slot);
      sketch.add(pairs, 2 * slot);
    },
    hit(slot) {
      const from = queues.findIndex((queue) => queue.includes(slot));
      move(slot, from === 0 ? 0 : 2);
      if (from === 0) return;
      sketch.add(pairs, 2 * slot);
      if (++hits === 32 * room) {
        hits = 0;
        sketch.halve();
      }
      if (from === 1 && queues[2].length > highRoom) move(queues[2].at(-1)!, 1);
    },
    remove(slot, isEvicted) {
      take(slot);
      if (winner !== NO_SLOT && slot === beaten && isEvicted) admit(winner);
      winner = NO_SLOT;
    },
    victim(mayGo) {
      calm();
      let candidate = oldest(0, mayGo);
      while (candidate !== undefined && queues[1].length + queues[2].length < room) {
        admit(candidate);
        candidate = oldest(0, mayGo);
      }
      const loser = oldest(1, mayGo) ?? oldest(2, mayGo);
      if (candidate === undefined) return loser;
      if (loser === undefined || heat(candidate) <= heat(loser)) {
        sketch.add(pairs, 2 * candidate);
        return candidate;
      }
      winner = candidate;
      beaten = loser;
      unfinished = true;
      return loser;
    },
    crowded: () => unfinished,
    contents: () => queues.toReversed().flat(),
  };
}

Deno.test("wtinylfu() with a counting Bloom filter does what its twin does", () => {
  const options = fc.record({
    // Multiples of 5 and the window: no spare place in main, so no hit pushes a row out.
    count: fc.constantFrom(6, 11, 16),
    isDense: fc.boolean(),
    scale: fc.constantFrom(1, 0x9e3779b1),
  });
  const create: EvictionPolicyFactory = (slots) => wtinylfu(slots, { sketch: "counting-bloom" });
  fc.assert(
    fc.property(options, KEY_STEPS, (option, steps) => {
      playKeyTwins(create, twinCounting(option.count, 0.01), option, steps);
    }),
    { numRuns: 150 },
  );
});

Deno.test("wtinylfu() with a counting Bloom filter pushes a row out of a full main part", () => {
  // Window 1, lower segment 1 and upper 7 of 9: one row more than the segments have room for.
  const slots = createSlots(10);
  const policy = wtinylfu(slots, { sketch: "counting-bloom", windowRatio: 0.1 });
  for (let slot = 0; slot < 10; slot++) {
    slots.key[slot] = slot;
    policy.onInsert(slot);
  }
  policy.onRemove(policy.victim(10), 0);
  let out = NO_SLOT;
  for (let slot = 0; slot < 9 && out === NO_SLOT; slot++) out = policy.onHit(slot);
  assert(out !== NO_SLOT, "no row was pushed out");
  assertStrictEquals(policy.contents().includes(out), true);
  policy.onRemove(out, 0);
  policy.verify();
  assertStrictEquals(policy.contents().includes(out), false);
});

/** Zipf-like keys between long scans of keys that never come back. */
function mixed(requests: number): Uint32Array {
  let x = 1;
  return new Uint32Array(requests).map((_, i) => {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
    return i % 1000 < 500 ? 5000 + i : 2 ** ((x >>> 8) % 13) + ((x >>> 20) & 7);
  });
}

Deno.test("wtinylfu() misses far less than lru() where scans pass by", () => {
  const keys = mixed(100_000);
  const misses = missesOf({ eviction: wtinylfu }, keys.map((key) => key % 100_000), 100);
  const lruMisses = missesOf({ eviction: lru }, keys.map((key) => key % 100_000), 100);
  assert(misses < 0.97 * lruMisses, `${misses} and ${lruMisses}`);
});

Deno.test("wtinylfu() widens its window where recency is all", () => {
  // Each key is used four times within 60 others, then never again: frequency says nothing.
  const keys = new Uint32Array(200_000).map((_, i) => {
    return 20 * Math.floor(i / 80) + i % 20;
  });
  const fixed: WTinyLfuOptions = { climb: false };
  const climbing = missesOf({ eviction: wtinylfu }, keys, 64);
  const still = missesOf({ eviction: (slots) => wtinylfu(slots, fixed) }, keys, 64);
  assert(climbing < still, `${climbing} and ${still}`);
});

Deno.test("wtinylfu() counts hits when it climbs: a window that costs hits shrinks again", () => {
  let x = 1;
  const keys = new Uint32Array(150_000).map(() => {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
    // Close to p ~ 1 / key.
    return Math.floor(2 ** ((x >>> 8) / 2 ** 24 * 11));
  });
  const climbing = missesOf({ eviction: wtinylfu }, keys, 64);
  const still = missesOf({ eviction: (slots) => wtinylfu(slots, { climb: false }) }, keys, 64);
  assert(climbing < 1.05 * still, `${climbing} and ${still}`);
});

Deno.test("wtinylfu() drops a called-off eviction when its rows go", () => {
  const slots = createSlots(6);
  const policy = wtinylfu(slots, { sketch: "counting-bloom" });
  const enter = (slot: number, key: number): void => {
    slots.key[slot] = key;
    policy.onMiss(key);
    policy.onInsert(slot);
  };
  for (let slot = 0; slot < 6; slot++) enter(slot, slot);
  const victim = policy.victim(9);
  policy.onRemove(victim, 0);
  enter(victim, 9);
  // Hot in the window, and so the winner over the next to leave main; nobody removes that one.
  for (let i = 0; i < 3; i++) {
    policy.onRemove(victim, 1);
    enter(victim, 9);
  }
  const loser = policy.victim(10);
  assert(loser !== victim && policy.crowded!(10));
  policy.onRemove(victim, 1);
  policy.onRemove(loser, 0);
  policy.verify();
  assertStrictEquals(policy.contents().length, 4);
});

Deno.test("wtinylfu() lets a loser in now and then, unless it was hardly used", () => {
  const asked = 2000;
  const letIn = (uses: number): number => {
    const slots = createSlots(4);
    const policy = wtinylfu(slots, { climb: false });
    for (let slot = 0; slot < 4; slot++) {
      slots.key[slot] = slot;
      policy.onMiss(slot);
      policy.onInsert(slot);
    }
    // Key 3 is in the window, 0 next to leave main; a miss counts a key and moves no row.
    for (let i = 1; i < uses; i++) for (const key of [0, 3]) policy.onMiss(key);
    for (let i = 0; i < asked; i++) if (policy.victim(9) === 0) return i;
    return asked;
  };
  const turn = letIn(8);
  assert(turn > 0 && turn < asked, `after ${turn}`);
  assertStrictEquals(letIn(5), asked);
});

Deno.test("HillClimber goes on while hits rise, and turns round when they fall", () => {
  const climber = new HillClimber(100);
  const run = (ratio: number): number => {
    let isStep = false;
    for (let i = 0; i < 1000; i++) isStep = climber.sample(i < 1000 * ratio ? 1 : 0);
    return isStep ? climber.step : 0;
  };
  // A jump starts anew at 6.25 % of the slots; small changes make the steps 2 % shorter.
  assertEquals([0.3, 0.31, 0.32].map(run), [6, 6, 6]);
  assertEquals([0.31, 0.32].map(run), [-6, -5]);
  assertEquals([0.6, 0.5].map(run), [-5, 6]);
});

Deno.test("wtinylfu() says how hot rows are, and what it costs", () => {
  const slots = createSlots(1024);
  const policy = wtinylfu(slots);
  slots.key[0] = 9;
  policy.onMiss(9);
  policy.onInsert(0);
  for (let i = 0; i < 4; i++) policy.onHit(0);
  assertStrictEquals(policy.heat!(0), 5);
  assertStrictEquals(Math.floor(policy.bytes / 1024), 17);
  const counting = wtinylfu(slots, { sketch: "counting-bloom" });
  assertStrictEquals(Math.floor(counting.bytes / 1024), 73);
});

Deno.test("wtinylfu() throws on options out of range", () => {
  const slots = createSlots(10);
  const what = "Cannot create wtinylfu: ";
  for (const windowRatio of [-0.1, 1.1, NaN]) {
    assertThrows(() => wtinylfu(slots, { windowRatio }), RangeError, `${what}windowRatio must be`);
  }
  for (const seed of [-1, 0.5, NaN]) {
    assertThrows(() => wtinylfu(slots, { seed }), RangeError, `${what}seed must be an integer`);
  }
  const sketch = JSON.parse('"none"');
  assertThrows(() => wtinylfu(slots, { sketch }), RangeError, `${what}sketch must be "four-bit"`);
});
