/**
 * The one way to a kernel.
 *
 * @module
 */

import { UnsupportedTargetError } from "../base/errors.ts";
import { CheckedKernel } from "./_checked_kernel.ts";
import { checkDim } from "./_check_row.ts";
import type { KernelCode } from "./_code.ts";
import type { Kernel, KernelSpec, KernelTarget } from "./kernel.ts";
import { createScalarCode } from "./scalar.ts";
import { createWasmCode } from "./wasm_code.ts";
import { createX64Code } from "./x64_code_ffi.ts";

const WHAT = "Cannot create kernel";
const CHOICES = {
  pooling: ["sum", "mean", "max", "none"],
  weighting: ["none", "sample", "position"],
  output: ["f32", "f16", "bf16"],
  pruned: [false, true],
  numerics: ["exact", "fast"],
} as const;

/**
 * What a kernel shall compute: the rows' format and dim, and what differs from unweighted exact
 * sums in fp32 without pruned rows.
 */
export type KernelShape = Pick<KernelSpec, "format" | "dim"> & Partial<KernelSpec>;

/** Options of {@linkcode createKernel}. */
export interface CreateKernelOptions {
  /** Where the kernel runs; "auto", the default, takes the fastest target there is here. */
  readonly target?: "auto" | KernelTarget;
  /** The memory that every arena will be a view of; the wasm target needs it. */
  readonly memory?: WebAssembly.Memory;
  /** How many rows ahead memory is asked for; a measured default is taken where it is left out. */
  readonly prefetchRows?: number;
}

/**
 * Makes the kernel for `shape`. With exact numerics every target gives the same bits: those of
 * FBGEMM's SIMD code, where each multiply-add is rounded once, the bias is added first, and a mean
 * multiplies by the rounded inverse. (NaN is NaN, whatever its bits.)
 *
 * "fast" numerics may sum biases apart, in another order, in several sums. Then, as in any order,
 * the sum of n rows is within (2 n + 8) * 2^-24 * S of the exact one, where S is the sum over the
 * rows of
 * |weight| * (|scale| * code + |bias|), or of |weight * value| (Higham, "Accuracy and Stability of
 * Numerical Algorithms", 2002, section 4.2; both while nothing overflows or falls below 2^-126).
 * The scalar target's fast numerics are its exact ones.
 *
 * "auto" takes "x64" where FFI is granted already and the processor fits, else "wasm" where a
 * memory is given, else "scalar"; it never prompts. The scalar target takes about 1 ns for each
 * value of a q8 row in cache (2 to 3 where a bag mixes scales or biases 2^20 apart). Calls allocate
 * nothing once the kernel has seen its largest batch.
 *
 * @param shape The rows' format and dim, how rows are pooled and weighted, what comes out.
 * @param options Where it shall run.
 * @returns A kernel; dispose of it to free its code.
 * @throws {RangeError} when `shape` names a dim or a way of pooling that there is not.
 * @throws {UnsupportedTargetError} when the target is not to be had here; the message says why.
 *
 * @example
 * ```ts
 * import { createKernel, q8 } from "@rowtier/rowtier/kernels";
 * import { assertAlmostEquals } from "@std/assert";
 *
 * // Three rows of two values, at slots 0 to 2 of an arena.
 * const rowStride = q8.rowBytes(2);
 * const arena = new Uint8Array(3 * rowStride);
 * [[0, 1], [10, 20], [-5, 5]].forEach((row, slot) =>
 *   q8.quantise(new Float32Array(row), 0, 2, arena, slot * rowStride)
 * );
 *
 * using kernel = createKernel({ format: q8, dim: 2 });
 * const output = new Float32Array(4);
 * kernel.pool({
 *   bagCount: 2, // slots 0 and 1, then slot 2
 *   lengths: new Int32Array([2, 1]),
 *   slots: new Int32Array([0, 1, 2]),
 *   slotCount: 3,
 *   arena,
 *   rowStride,
 *   rowCount: 3,
 * }, output);
 * assertAlmostEquals(output[0], 10, 1e-5);
 * assertAlmostEquals(output[3], 5, 1e-5);
 * ```
 */
export function createKernel(shape: KernelShape, options: CreateKernelOptions = {}): Kernel {
  const spec = checkedSpec(shape);
  // Rows as they are come to code as bags of one.
  const pooled: KernelSpec = spec.pooling === "none" ? { ...spec, pooling: "sum" } : spec;
  return new CheckedKernel(spec, createCode(pooled, options));
}

function checkedSpec(shape: KernelShape): KernelSpec {
  const { format, dim, pooling = "sum", weighting = "none" } = shape;
  const { output = "f32", pruned = false, numerics = "exact" } = shape;
  if (typeof format?.rowBytes !== "function") {
    throw new RangeError(`${WHAT}: format must be a RowFormat: received ${format}`);
  }
  checkDim(WHAT, dim);
  const spec: KernelSpec = { format, dim, pooling, weighting, output, pruned, numerics };
  for (const field of ["pooling", "weighting", "output", "pruned", "numerics"] as const) {
    const choices: readonly unknown[] = CHOICES[field];
    if (!choices.includes(spec[field])) {
      const wanted = choices.join(", ");
      throw new RangeError(`${WHAT}: ${field} must be one of ${wanted}: received ${spec[field]}`);
    }
  }
  if (pooling === "max" && weighting !== "none" || pooling === "none" && weighting === "position") {
    const wanted = pooling === "max" ? "none" : "none or sample";
    throw new RangeError(
      `${WHAT}: weighting must be ${wanted} for pooling ${pooling}: received ${weighting}`,
    );
  }
  return Object.freeze(spec);
}

function createCode(spec: KernelSpec, options: CreateKernelOptions): KernelCode {
  const { target = "auto", memory, prefetchRows } = options;
  switch (target) {
    case "auto":
      return createFastest(spec, options);
    case "scalar":
      return createScalarCode(spec);
    case "wasm":
      if (memory === undefined) {
        throw new UnsupportedTargetError(
          `${WHAT}: memory must be given for target wasm: received undefined`,
        );
      }
      return createWasmCode(spec, memory, { prefetchRows });
    case "x64":
      return createNative(spec, prefetchRows);
    default:
      throw new UnsupportedTargetError(
        `${WHAT}: target must be one of auto, scalar, wasm, x64: received ${target}`,
      );
  }
}

function createNative(spec: KernelSpec, prefetchRows: number | undefined): KernelCode {
  try {
    return createX64Code(spec, { prefetchRows });
  } catch (error) {
    if (!(error instanceof UnsupportedTargetError)) throw error;
    throw new UnsupportedTargetError(`${WHAT}: target x64 is not to be had here: ${error.message}`);
  }
}

/** The first of x64, wasm and scalar that is to be had without asking for a permission. */
function createFastest(
  spec: KernelSpec,
  { memory, prefetchRows }: CreateKernelOptions,
): KernelCode {
  const makers: (() => KernelCode)[] = [];
  if (mayUseFfi()) makers.push(() => createX64Code(spec, { prefetchRows }));
  if (memory !== undefined) makers.push(() => createWasmCode(spec, memory, { prefetchRows }));
  for (const make of makers) {
    try {
      return make();
    } catch (error) {
      if (!(error instanceof UnsupportedTargetError)) throw error;
    }
  }
  return createScalarCode(spec);
}

/** Whether FFI is granted already; engines other than Deno have no such query. */
function mayUseFfi(): boolean {
  if (typeof Deno === "undefined") return false;
  return Deno.permissions.querySync({ name: "ffi" }).state === "granted";
}
