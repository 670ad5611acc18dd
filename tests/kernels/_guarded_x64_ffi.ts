/**
 * Runs x64 kernels on an arena, slots, and an output that end where memory does, and on others that
 * begin where it does: a byte read or written beyond them ends the process. Prints "done".
 *
 * @module
 */

import { mapBytes, openLibc } from "../../base/libc_ffi.ts";
import type { Isa } from "../../kernels/_x64_plan.ts";
import { ROW_FORMATS } from "../../kernels/formats.ts";
import type { KernelSpec, OutputType } from "../../kernels/kernel.ts";
import { createX64Code } from "../../kernels/x64_code_ffi.ts";
import { filledArena } from "./_x64_rows.ts";

const PAGE = 4096;
const PRIVATE_ANONYMOUS = 0x22;
const libc = openLibc();

/** `bytes` bytes with no memory in front (`atStart`) or behind. */
function guarded(bytes: number, atStart: boolean): Uint8Array<ArrayBuffer> {
  const room = Math.ceil(Math.max(bytes, 1) / PAGE) * PAGE;
  const whole = mapBytes(libc, room + 2 * PAGE, 0, PRIVATE_ANONYMOUS, -1, 0);
  if (typeof whole === "number") throw new Error(`mmap: ${whole}`);
  const inner = Deno.UnsafePointer.offset(whole.pointer, PAGE);
  const place = libc.symbols.mmap(inner, BigInt(room), 3, PRIVATE_ANONYMOUS | 0x10, -1, 0n);
  const buffer = Deno.UnsafePointerView.getArrayBuffer(place!, room);
  return new Uint8Array(buffer, atStart ? 0 : room - bytes, bytes);
}

function run(spec: KernelSpec, isa: Isa, atStart: boolean, prefetchRows: number): void {
  const rows = 3;
  const { dim } = spec;
  const rowStride = spec.format.rowBytes(dim);
  const arena = guarded(rows * rowStride, atStart);
  arena.set(filledArena(spec.format, dim, rows, rowStride, 1));
  const slotBytes = guarded(4 * 7, atStart);
  const slots = new Int32Array(slotBytes.buffer, slotBytes.byteOffset, 7);
  slots.set([0, 2, 1, 2, 2, 0, 1]);
  const bytes = (spec.output === "f32" ? 4 : 2) * dim * 3;
  const outBytes = guarded(bytes, atStart);
  const output = spec.output === "f32"
    ? new Float32Array(outBytes.buffer, outBytes.byteOffset, 3 * dim)
    : new Uint16Array(outBytes.buffer, outBytes.byteOffset, 3 * dim);
  const weightBytes = guarded(4 * 7, atStart);
  const weights = new Float32Array(weightBytes.buffer, weightBytes.byteOffset, 7).fill(0.5);
  using code = createX64Code(spec, { isa, prefetchRows });
  const call = {
    bagCount: 3,
    offsets: new Uint32Array([0, 4, 7, 7]),
    slots,
    slotCount: 7,
    weights: spec.weighting === "none" ? undefined : weights,
    arena,
    rowStride,
    rowCount: rows,
  };
  const result = code.pool(call, output);
  if (result !== -1) throw new Error(`pool() gave ${result}`);
}

const isas = Deno.args as Isa[];
for (const isa of isas) {
  for (const format of ROW_FORMATS.filter(({ layout }) => layout !== undefined)) {
    // Every tail of a vector, and the borders of a panel.
    for (const dim of [...Array(34).keys(), 63, 79, 80, 81, 95, 383, 384, 385, 399].slice(1)) {
      const output = (["f32", "f16", "bf16"] as OutputType[])[dim % 3];
      const spec: KernelSpec = {
        format,
        dim,
        pooling: dim % 5 === 0 ? "max" : "sum",
        weighting: dim % 5 === 1 ? "sample" : dim % 5 === 2 ? "position" : "none",
        output,
        pruned: false,
        numerics: "exact",
      };
      run(spec, isa, false, 2);
      run(spec, isa, true, 0);
    }
  }
}
console.log("done");
