import { assert, assertEquals, assertThrows } from "@std/assert";
import { parseSoak } from "../soak.ts";
import { createSoakCounts, soak } from "./soak_run.ts";

// `deno task soak` runs 10,000 others.
for (let slice = 0; slice < 4; slice++) {
  Deno.test(`createIoQueue() keeps its promises over random stacks, slice ${slice}`, () => {
    const counts = createSoakCounts();
    for (let seed = 0; seed < 100; seed++) soak(1e6 + 100 * slice + seed, counts);
    // Runs that lose nothing and fail nothing would show nothing.
    const { requests, succeeded, short, failed, cancelled, expired } = counts;
    assertEquals(requests, succeeded + short + failed + cancelled + expired);
    assert(Math.min(succeeded, failed, cancelled, expired) > 50, JSON.stringify(counts));
  });
}

Deno.test("soak() gives the same counts for the same seed", () => {
  const [a, b, c] = [7, 7, 8].map((seed) => {
    const counts = createSoakCounts();
    soak(seed, counts);
    return JSON.stringify(counts);
  });
  assertEquals(a, b);
  assert(a !== c);
});

Deno.test("soak() names the seed and the stacks of a run that fails", () => {
  const counts = createSoakCounts();
  Object.defineProperty(counts, "requests", {
    set: () => {
      throw new Error("made up");
    },
    get: () => 0,
  });
  assertThrows(() => soak(12, counts), Error, "seed 12, [");
});

Deno.test("parseSoak() reads its options and refuses others", () => {
  assertEquals(parseSoak([]), { runs: 10_000, seed: 1 });
  assertEquals(parseSoak(["--seed", "5", "--runs", "20"]), { runs: 20, seed: 5 });
  assertEquals(
    parseSoak(["--run", "5"]),
    "Cannot run soak: options must be --runs N or --seed S: received --run",
  );
  for (const wrong of ["-1", "1.5", "x", "1e99"]) {
    assertEquals(
      parseSoak(["--runs", wrong]),
      `Cannot run soak: --runs must be a whole number: received ${wrong}`,
    );
  }
  assertEquals(
    parseSoak(["--seed"]),
    "Cannot run soak: --seed must be a whole number: received undefined",
  );
});
