import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { createKernel, f32, remapBags, requantise } from "../../kernels/mod.ts";

const bags = {
  bagCount: 2,
  offsets: Uint32Array.of(5, 7, 9),
  slots: Int32Array.of(0, 1, 2, 2),
  slotCount: 4,
  remap: Int32Array.of(0, -1, 1),
};
const room = () => ({ offsets: new Uint32Array(3), slots: new Int32Array(4) });

Deno.test("remapBags() leaves pruned rows and their weights out", () => {
  const output = { ...room(), weights: new Float32Array(4) };
  assertEquals(remapBags({ ...bags, weights: Float32Array.of(1, 2, 3, 4) }, output), 3);
  assertEquals([...output.offsets], [5, 6, 8]);
  assertEquals([...output.slots.subarray(0, 3)], [0, 1, 1]);
  assertEquals([...output.weights.subarray(0, 3)], [1, 3, 4]);
});

Deno.test("remapBags() says where it stopped", () => {
  assertEquals(remapBags({ ...bags, slots: Int32Array.of(0, 1, 3, 2) }, room()), ~2);
  assertEquals(remapBags({ ...bags, slots: Int32Array.of(0, -1, 2, 2) }, room()), ~1);
  assertEquals(remapBags({ ...bags, slotCount: 3 }, room()), ~3);
  assertEquals(remapBags({ ...bags, offsets: Uint32Array.of(5, 7, 6) }, room()), ~4);
});

Deno.test("remapBags() throws when an array is missing or too short", () => {
  const text = (act: () => void): string => assertThrows(act, Error).message;
  const { remap: _, ...bare } = bags;
  assertEquals(
    text(() => remapBags(bare, room())),
    "Cannot remap bags: batch must have offsets and a remap: received one without",
  );
  const short: [Parameters<typeof remapBags>, string][] = [
    [[bags, { ...room(), slots: new Int32Array(3) }], "output.slots.length must be 4, 3"],
    [[bags, { ...room(), offsets: new Uint32Array(2) }], "output.offsets.length must be 3, 2"],
    [[{ ...bags, bagCount: 3 }, room()], "offsets.length must be 4, 3"],
    [[{ ...bags, slotCount: 5 }, room()], "slots.length must be 5, 4"],
    [[{ ...bags, weights: new Float32Array(3) }, room()], "weights.length must be 4, 3"],
    [[{ ...bags, weights: new Float32Array(4) }, room()], "output.weights.length must be 4, 0"],
  ];
  for (const [args, wanted] of short) {
    const [, name, least, received] = /(.*) must be (\d+), (\d+)/.exec(wanted)!;
    assertEquals(
      text(() => remapBags(...args)),
      `Cannot remap bags: ${name} must be an integer of at least ${least}: received ${received}`,
    );
  }
});

Deno.test("a sum over remapped bags is the sum of a kernel that skips, in place too", () => {
  const batch = fc.record({
    lists: fc.array(fc.array(fc.nat(9), { maxLength: 5 }), { minLength: 1, maxLength: 5 }),
    remap: fc.array(fc.integer({ min: -1, max: 6 }), { minLength: 10, maxLength: 10 }),
  });
  const arena = new Uint8Array(Float32Array.from({ length: 14 }, (_, i) => 2 ** i).buffer);
  const rows = { arena, rowStride: 8, rowCount: 7 };
  fc.assert(fc.property(batch, ({ lists, remap }) => {
    const offsets = new Uint32Array(lists.length + 1), slots = Int32Array.from(lists.flat());
    lists.forEach((list, bag) => offsets[bag + 1] = offsets[bag] + list.length);
    const one = { bagCount: lists.length, offsets, slots, slotCount: slots.length };
    const outputs = [0, 1].map(() => new Float32Array(2 * lists.length));
    const remapped = { ...one, remap: Int32Array.from(remap) };
    using skipping = createKernel({ format: f32, dim: 2, pruned: true }, { target: "scalar" });
    assertEquals(skipping.pool({ ...remapped, ...rows }, outputs[0]), -1);
    const slotCount = remapBags(remapped, { offsets, slots });
    using plain = createKernel({ format: f32, dim: 2 }, { target: "scalar" });
    assertEquals(plain.pool({ ...one, slotCount, ...rows }, outputs[1]), -1);
    assertEquals(outputs[0], outputs[1]);
  }));
});

Deno.test("requantise() throws when an array is too short", () => {
  const product = {
    rows: 2,
    columns: 3,
    sums: new Int32Array(6),
    rowSums: new Int32Array(2),
    columnSums: new Int32Array(3),
    bias: new Int32Array(3),
    zeroPoints: { a: 1, b: 2, output: 3 },
    multiplier: 0.1,
    relu: false,
  };
  const output = new Uint8Array(6);
  requantise(product, output);
  for (const name of ["sums", "rowSums", "columnSums", "bias"] as const) {
    const array = product[name], wanted = array.length;
    const error = assertThrows(
      () => requantise({ ...product, [name]: array.subarray(1) }, output),
      RangeError,
    );
    assertEquals(
      error.message,
      `Cannot requantise: ${name}.length must be an integer of at least ${wanted}: ` +
        `received ${wanted - 1}`,
    );
  }
  assertThrows(() => requantise(product, output.subarray(1)), RangeError, "output.length");
});
