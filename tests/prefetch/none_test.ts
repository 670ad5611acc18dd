import { assertEquals, assertStrictEquals } from "@std/assert";
import { PREFETCH } from "@rowtier/rowtier/cache";
import { none } from "@rowtier/rowtier/prefetch";

Deno.test("none() predicts nothing, whatever it is told", () => {
  const prefetcher = none();
  const keys = Uint32Array.of(1, 2, 3);
  prefetcher.announce(0, keys, 3);
  prefetcher.observe(0, keys, 3);
  prefetcher.settle(0, 1, PREFETCH.USED);
  const out = Uint32Array.of(9);
  assertStrictEquals(prefetcher.predict(out, out), 0);
  assertEquals(out, Uint32Array.of(9));
  assertStrictEquals(prefetcher.name, "none");
});
