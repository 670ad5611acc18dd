import { assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  ADMISSION_CASES,
  ADMISSION_POLICIES,
  EVICTION_CASES,
  EVICTION_POLICIES,
  type EvictionPolicy,
  type EvictionPolicyFactory,
  lru,
  NO_SLOT,
  secondAccess,
  WriteBudget,
  writeBudget,
} from "@rowtier/rowtier/cache";

for (const [name, factory] of Object.entries(EVICTION_POLICIES)) {
  for (const each of EVICTION_CASES) {
    Deno.test(`${name}() ${each.name}`, () => {
      fc.assert(fc.property(fc.nat(), (seed) => each.run(factory, seed)), { numRuns: 10 });
    });
  }
}

const admissions = {
  ...ADMISSION_POLICIES,
  "second-access, exact": (count: number) => secondAccess(count, { exact: true }),
  "write-budget": (count: number) => writeBudget(count, { budget: new WriteBudget(100) }),
};

for (const [name, factory] of Object.entries(admissions)) {
  for (const each of ADMISSION_CASES) {
    Deno.test(`admission ${name} ${each.name}`, () => {
      fc.assert(fc.property(fc.nat(), (seed) => each.run(factory, seed)), { numRuns: 10 });
    });
  }
}

/** LRU with one method put out of order. */
function broken(
  change: (policy: EvictionPolicy) => Partial<EvictionPolicy>,
): EvictionPolicyFactory {
  return (slots) => {
    const policy = lru(slots);
    const base: EvictionPolicy = {
      name: policy.name,
      bytes: policy.bytes,
      onMiss: (key) => policy.onMiss(key),
      onInsert: (slot) => policy.onInsert(slot),
      onHit: (slot) => policy.onHit(slot),
      onRemove: (slot, cause) => policy.onRemove(slot, cause),
      victim: (key) => policy.victim(key),
      contents: () => policy.contents(),
      verify: () => policy.verify(),
    };
    return { ...base, ...change(base) };
  };
}

let calls = 0;

const faults: [string, EvictionPolicyFactory][] = [
  ["gives up rows in use", (slots) => lru({ ...slots, key: slots.key, evictable: () => true })],
  ["never gives up a row", broken(() => ({ victim: () => NO_SLOT }))],
  ["forgets a row", broken((policy) => ({ contents: () => policy.contents().slice(1) }))],
  [
    "doubles a row",
    broken((policy) => ({
      contents: () => Uint32Array.of(...policy.contents(), ...policy.contents()),
    })),
  ],
  ["pushes out the row that was hit", broken(() => ({ onHit: (slot) => slot }))],
  [
    "names a victim when it is empty",
    broken((policy) => ({
      victim: (key) => Math.max(0, policy.victim(key)),
    })),
  ],
  ["is hotter than 255", broken(() => ({ heat: () => 256 }))],
  ["has no end of victims", broken(() => ({ crowded: () => true }))],
  [
    "depends on how many were made before it",
    broken((policy) => {
      const shy = (calls++ & 1) === 1;
      let asked = 0;
      return { victim: (key) => shy && asked++ % 3 === 0 ? NO_SLOT : policy.victim(key) };
    }),
  ],
  ["grows", (slots) => Object.defineProperty(lru(slots), "bytes", { get: () => calls++ })],
  ["has no name", broken(() => ({ name: "" }))],
];

for (const [fault, factory] of faults) {
  Deno.test(`EVICTION_CASES find a policy that ${fault}`, () => {
    assertThrows(() => EVICTION_CASES.forEach((each) => each.run(factory, 1)), Error);
  });
}

Deno.test("ADMISSION_CASES find a policy that admits nothing", () => {
  const never = () => ({
    name: "never",
    onAccess: () => {},
    admit: () => false,
    prefers: () => true,
  });
  assertThrows(
    () => ADMISSION_CASES.forEach((each) => each.run(never, 1)),
    Error,
    "never admitted",
  );
  assertStrictEquals(ADMISSION_CASES.length, 3);
});
