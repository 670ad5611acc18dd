import { assert } from "@std/assert";
import {
  type BagBatch,
  bf16,
  createKernel,
  f16,
  f32,
  type KernelSpec,
  q2,
  q4,
  q8,
  type RowFormat,
  tbe8,
} from "../../kernels/mod.ts";

// In a file of its own: batches with a fractional count, as other tests make them, teach the engine
// to box the counts of all batches.

/**
 * The middle of what the heap grew by in eleven tries: a collection in between makes a few of them
 * negative.
 */
function growthBytes(act: () => void): number {
  const growths: number[] = [];
  for (let i = 0; i < 11; i++) {
    const before = Deno.memoryUsage().heapUsed;
    act();
    growths.push(Deno.memoryUsage().heapUsed - before);
  }
  return growths.sort((a, b) => a - b)[5];
}

Deno.test("Kernel.pool() allocates nothing once it is warm", () => {
  const dim = 16, rowCount = 64, bagCount = 32, length = 8;
  const kinds: [RowFormat, Partial<KernelSpec>, remapped: boolean][] = [
    ...[f32, q8, q4, f16].flatMap((format): [RowFormat, Partial<KernelSpec>, boolean][] => [
      [format, { pooling: "mean" }, false],
      [format, { pooling: "mean", weighting: "sample" }, false],
    ]),
    [tbe8, { pruned: true, output: "f16", weighting: "position" }, true],
    [bf16, { pooling: "none", output: "bf16" }, false],
    [q2, { pooling: "max" }, false],
  ];
  for (const [format, changes, remapped] of kinds) {
    const rowStride = format.rowBytes(dim);
    const arena = new Uint8Array(rowCount * rowStride);
    // Values of very different size, so that the bags take the careful loop too.
    for (let slot = 0; slot < rowCount; slot++) {
      const size = slot % 3 === 0 ? 2 ** -40 : 1;
      const values = Float32Array.from({ length: dim }, (_, j) => size * Math.sin(slot + j));
      format.quantise(values, 0, dim, arena, slot * rowStride);
    }
    const slotCount = bagCount * length;
    using kernel = createKernel({ format, dim, ...changes }, { target: "scalar" });
    const { pooling, weighting, output: type } = kernel.spec;
    const batch: BagBatch = {
      bagCount,
      ...(pooling !== "none" && { lengths: new Int32Array(bagCount).fill(length) }),
      slots: Int32Array.from({ length: slotCount }, (_, i) => (i * 37) % rowCount),
      slotCount,
      arena,
      rowStride,
      rowCount,
      ...(weighting !== "none" && { weights: new Float32Array(slotCount).fill(0.7) }),
      ...(remapped && { remap: Int32Array.from({ length: rowCount }, (_, i) => i % 5 - 1) }),
    };
    const vectors = pooling === "none" ? slotCount : bagCount;
    const output = type === "f32"
      ? new Float32Array(vectors * dim)
      : new Uint16Array(vectors * dim);
    const many = () => {
      for (let i = 0; i < 200; i++) kernel.pool(batch, output);
    };
    // One number boxed a row would be 800 KB, a view a call 20 KB. Warm is when the compiler is
    // done, which other work on the machine delays; a kernel that allocates never gets there.
    let grown = Infinity;
    for (let i = 0; i < 40 && grown >= 8_192; i++) grown = growthBytes(many);
    assert(grown < 8_192, `${format.name}, ${JSON.stringify(changes)}: ${grown} bytes`);
  }
});
