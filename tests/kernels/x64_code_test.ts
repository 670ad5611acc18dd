import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { UnsupportedTargetError } from "../../base/errors.ts";
import { CheckedKernel } from "../../kernels/_checked_kernel.ts";
import type { CodeCall } from "../../kernels/_code.ts";
import { isasOf } from "../../kernels/_x64_cpu.ts";
import type { Isa } from "../../kernels/_x64_plan.ts";
import { e4m3 } from "../../kernels/fp8.ts";
import type { KernelSpec } from "../../kernels/kernel.ts";
import { q2, q4 } from "../../kernels/nbit.ts";
import { q8 } from "../../kernels/q8.ts";
import { createScalarCode } from "../../kernels/scalar.ts";
import { createX64Code, x64Refusal } from "../../kernels/x64_code_ffi.ts";
import { X64_CASE } from "./_x64_cases.ts";
import { filledArena, numbers } from "./_x64_rows.ts";
import { checkGoldenBag, goldenBags } from "./golden_cases.ts";
import { procLines } from "../base/proc.ts";

const SPEC: KernelSpec = {
  format: q8,
  dim: 64,
  pooling: "sum",
  weighting: "none",
  output: "f32",
  pruned: false,
  numerics: "exact",
};

/** Why tests with this instruction set cannot run here, "" where they can. */
function refusalOf(isa: Isa): string {
  const refusal = x64Refusal();
  if (refusal !== "") return refusal;
  try {
    createX64Code(SPEC, { isa })[Symbol.dispose]();
    return "";
  } catch (error) {
    if (error instanceof UnsupportedTargetError) return error.message;
    throw error;
  }
}

const refusal = x64Refusal();
const ignore = refusal !== "";
if (ignore) console.log(`tests of the x64 target are skipped: ${refusal}`);
const ISAS: readonly Isa[] = ["avx2", "avx512"];
const here = ISAS.filter((isa) => {
  const reason = refusalOf(isa);
  if (reason !== "" && !ignore) console.log(`tests of ${isa} are skipped: ${reason}`);
  return reason === "";
});

/** Bits of every byte of an array. */
function bytesOf(array: ArrayBufferView): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

const PAST_END = 5;

/** An array of the spec's output type, with words past the end that must stay. */
function outputFor(spec: KernelSpec, bags: number): Float32Array | Uint16Array {
  const length = bags * spec.dim + PAST_END;
  return spec.output === "f32"
    ? new Float32Array(length).fill(3.5)
    : new Uint16Array(length).fill(0x5555);
}

/** A small batch of `bags` bags of 20 rows. */
function batchOf(spec: KernelSpec, bags: number, rows = 50): CodeCall {
  const rowStride = spec.format.rowBytes(spec.dim);
  const next = numbers(7);
  const slotCount = bags * 20;
  return {
    bagCount: bags,
    offsets: Uint32Array.from({ length: bags + 1 }, (_, i) => 20 * i),
    slots: Int32Array.from({ length: slotCount }, () => Math.floor(next() * rows)),
    slotCount,
    weights: undefined,
    arena: filledArena(spec.format, spec.dim, rows, rowStride, 3),
    rowStride,
    rowCount: rows,
  };
}

for (const isa of ISAS) {
  Deno.test({
    name: `createX64Code() gives FBGEMM's bits with ${isa}`,
    ignore: !here.includes(isa),
    fn() {
      for (const one of goldenBags()) {
        const { spec } = one;
        const pooled: KernelSpec = spec.pooling === "none" ? { ...spec, pooling: "sum" } : spec;
        using kernel = new CheckedKernel(spec, createX64Code(pooled, { isa, prefetchRows: 2 }));
        checkGoldenBag(one, kernel);
      }
    },
  });

  Deno.test({
    name: `createX64Code() gives the scalar code's bits with ${isa}, whatever the spec and batch`,
    ignore: !here.includes(isa),
    fn() {
      const prefetch = fc.constantFrom(undefined, 0, 0, 1, 40);
      fc.assert(
        fc.property(X64_CASE, prefetch, ({ spec, call, seed }, prefetchRows) => {
          using code = createX64Code(spec, { isa, prefetchRows });
          using twin = createScalarCode(spec);
          const [received, wanted] = [
            outputFor(spec, call.bagCount),
            outputFor(spec, call.bagCount),
          ];
          const result = twin.pool(call, wanted);
          for (const _ of ["told all addresses", "with those of the call before"]) {
            assertStrictEquals(code.pool(call, received), result);
            assertEquals(bytesOf(received), bytesOf(wanted));
          }
          if (spec.pooling === "max" || spec.weighting === "position") return;
          const next = numbers(seed);
          const sums = Float32Array.from({ length: call.bagCount * spec.dim + 3 }, next);
          const twinSums = sums.slice();
          assertStrictEquals(code.accumulate(call, sums), twin.accumulate(call, twinSums));
          assertEquals(bytesOf(sums), bytesOf(twinSums));
        }),
        { numRuns: 600 },
      );
    },
  });

  Deno.test({
    name: `createX64Code() with fast numerics and ${isa} is as near to fp64 as the bound says`,
    ignore: !here.includes(isa),
    fn() {
      for (const format of [q8, q4, q2]) {
        const spec = { ...SPEC, format, dim: 100, numerics: "fast" as const };
        const call = batchOf(spec, 9);
        using code = createX64Code(spec, { isa });
        const output = new Float32Array(9 * spec.dim);
        assertStrictEquals(code.pool(call, output), -1);
        const row = new Float32Array(spec.dim);
        for (let bag = 0; bag < 9; bag++) {
          const sums = new Float64Array(spec.dim);
          const sizes = new Float64Array(spec.dim);
          let bias = 0;
          for (const slot of call.slots.subarray(20 * bag, 20 * bag + 20)) {
            format.dequantise(call.arena, slot * call.rowStride, spec.dim, row, 0);
            const low = row.reduce((a, b) => Math.min(a, b));
            bias += Math.abs(low);
            row.forEach((x, j) => {
              sums[j] += x;
              sizes[j] += Math.abs(x) + 2 * Math.abs(low);
            });
          }
          for (let j = 0; j < spec.dim; j++) {
            const error = Math.abs(output[bag * spec.dim + j] - sums[j]);
            // Each of n additions rounds a sum no greater than the sizes'.
            assert(error <= 23 * 2 ** -24 * (sizes[j] + bias), `${format.name} ${bag} ${j}`);
          }
        }
      }
    },
  });
}

Deno.test({
  name: "createX64Code() reads and writes no byte beyond its arrays",
  ignore,
  async fn() {
    const script = new URL("./_guarded_x64_ffi.ts", import.meta.url);
    const args = ["run", "--allow-ffi", "--no-check", script.pathname, ...here];
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
    const text = new TextDecoder();
    assertEquals([text.decode(stdout), code], ["done\n", 0], text.decode(stderr));
  },
});

Deno.test({
  name: "createX64Code() takes shared memory, small arrays, and arrays that change",
  ignore,
  fn() {
    const spec = { ...SPEC, dim: 2 };
    using code = createX64Code(spec);
    using twin = createScalarCode(spec);
    for (let turn = 0; turn < 50; turn++) {
      const call = batchOf(spec, 1 + turn % 3);
      const shared = new Uint8Array(new SharedArrayBuffer(call.arena.length));
      shared.set(call.arena);
      const [received, wanted] = [new Float32Array(2 * call.bagCount), new Float32Array(6)];
      assertStrictEquals(code.pool({ ...call, arena: shared }, received), -1);
      twin.pool(call, wanted);
      assertEquals(received, wanted.subarray(0, received.length));
    }
  },
});

Deno.test({
  name: "createX64Code() leaves kernels of one shape apart, and lives until the last is disposed",
  ignore,
  fn() {
    const one = createX64Code(SPEC);
    const two = createX64Code(SPEC);
    const call = batchOf(SPEC, 2);
    const [first, second] = [new Float32Array(128), new Float32Array(128)];
    assertStrictEquals(one.pool(call, first), -1);
    one[Symbol.dispose]();
    one[Symbol.dispose]();
    assertStrictEquals(two.pool(call, second), -1);
    assertEquals(first, second);
    two[Symbol.dispose]();
    for (const code of [one, two]) {
      assertThrows(() => code.pool(call, first), RangeError, "disposed");
      assertThrows(() => code.accumulate(call, first), RangeError, "disposed");
    }
  },
});

Deno.test({
  name: "createX64Code() throws for a format without layout, and where a bag cannot go on",
  ignore,
  fn() {
    const format = { ...e4m3, layout: undefined } as unknown as KernelSpec["format"];
    const message = "must have a format with a layout: received e4m3";
    assertThrows(() => createX64Code({ ...SPEC, format }), UnsupportedTargetError, message);
    const other = "riscv" as Isa;
    assertThrows(() => createX64Code(SPEC, { isa: other }), UnsupportedTargetError, "isa must be");
    using code = createX64Code({ ...SPEC, pooling: "max" });
    const wanted = "Cannot accumulate";
    assertThrows(() => code.accumulate(batchOf(SPEC, 1), new Float32Array(64)), RangeError, wanted);
  },
});

/** Open descriptors, and the mappings of generated code. */
function held(): [number, number] {
  const maps = procLines("cat", "maps");
  const own = maps.filter((line) => line.includes("memfd:rowtier"));
  return [procLines("ls", "fd").length, own.length];
}

Deno.test({
  name: "createX64Code() leaks neither descriptors nor mappings over 10,000 kernels",
  ignore,
  fn() {
    const cycle = (times: number) => {
      for (let i = 0; i < times; i++) createX64Code(SPEC)[Symbol.dispose]();
    };
    cycle(1);
    const before = held();
    cycle(10_000);
    const [descriptors, mappings] = held();
    // The runtime opens and closes some descriptors of its own; a leak would be of thousands.
    assert(descriptors < before[0] + 50, `${descriptors} descriptors, ${before[0]} before`);
    assertEquals(mappings, before[1]);
  },
});

Deno.test({
  name: "generated code is never writable and executable at once",
  ignore,
  fn() {
    using _code = createX64Code(SPEC);
    const maps = procLines("cat", "maps");
    const own = maps.filter((line) => line.includes("memfd:rowtier"));
    // Two images: the gate's, and the kernel's.
    const rights = own.map((line) => line.split(" ")[1]).toSorted();
    assertEquals(rights, ["r-xp", "r-xp", "rw-p", "rw-p"]);
    assert(!maps.some((line) => line.includes("[stack]") && line.includes("x")));
  },
});

Deno.test("isasOf() needs every flag, and the system's support", () => {
  const ecx1 = 1 << 12 | 1 << 28 | 1 << 29;
  const avx512 = 1 << 16 | 1 << 17 | 1 << 30 | 1 << 31;
  const isas = (...words: number[]) => isasOf(Uint32Array.from(words));
  assertEquals(isas(13, ecx1, 1 << 5 | avx512, 0, 0xe7), ["avx2", "avx512"]);
  assertEquals(isas(13, ecx1, 1 << 5 | avx512, 0, 0x7), ["avx2"]);
  assertEquals(isas(13, ecx1, 1 << 5 | 1 << 16, 0, 0xe7), ["avx2"]);
  assertEquals(isas(13, ecx1, avx512, 0, 0xe7), []);
  assertEquals(isas(13, ecx1 ^ 1 << 12, 1 << 5, 0, 0x7), []);
  assertEquals(isas(13, ecx1, 1 << 5, 0, 0x1), []);
  assertEquals(isas(0, 0, 0, 0, 0), []);
});
