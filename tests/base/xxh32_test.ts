import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { xxh32 } from "../../base/xxh32.ts";

// From the reference implementation, through the PyPI package xxhash 3.
const KNOWN: [string, number, number][] = [
  ["", 0, 0x02cc5d05],
  ["a", 0, 0x550d7456],
  ["abc", 0, 0x32d153ff],
  ["Nobody inspects the spammish repetition", 0, 0xe2293b2f],
  ["Nobody inspects the spammish repetition", 0x9e3779b1, 0xc9e89e68],
];

Deno.test("xxh32() gives the reference's sums", () => {
  for (const [text, seed, sum] of KNOWN) {
    const bytes = new TextEncoder().encode(text);
    assertEquals(xxh32(bytes, 0, bytes.length, seed) >>> 0, sum, text);
  }
});

Deno.test("xxh32() depends on the bytes alone, not on where they lie", () => {
  fc.assert(fc.property(
    fc.uint8Array({ maxLength: 100 }),
    fc.nat(17),
    fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    (bytes, start, seed) => {
      const moved = new Uint8Array(start + bytes.length + 3).fill(0xaa);
      moved.set(bytes, start);
      assertEquals(
        xxh32(moved, start, start + bytes.length, seed),
        xxh32(bytes, 0, bytes.length, seed),
      );
    },
  ));
});
