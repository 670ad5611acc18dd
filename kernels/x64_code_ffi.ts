/**
 * The x64 target: machine code made at run time for one spec, loaded as a shared object through
 * FFI.
 *
 * @module
 */

import { UnsupportedTargetError } from "../base/errors.ts";
import { addressOf, currentPlatform, libcRefusal } from "../base/libc_ffi.ts";
import type { CodeCall, KernelCode } from "./_code.ts";
import { loadImage } from "./_elf_image_ffi.ts";
import { Assembler } from "./_x64_assembler.ts";
import { BLOCK, emitBags, type EntryPositions } from "./_x64_bag.ts";
import { type Bytes, type Gate, openGate } from "./_x64_gate_ffi.ts";
import { type Isa, planFor } from "./_x64_plan.ts";
import type { KernelSpec } from "./kernel.ts";

/** Options of {@linkcode createX64Code}. */
export interface X64Options {
  /**
   * Rows that prefetching is ahead of the sums; 0 for none. Left out: about 4 KiB of rows, from 16
   * to 64 of them, where the rows take more than {@linkcode NEAR_BYTES}, else none.
   */
  readonly prefetchRows?: number | undefined;
  /** The instruction set; left out, the best there is. */
  readonly isa?: Isa | undefined;
}

const WHAT = "Cannot create kernel";
/** Rows that take less lie in the processor's cache, where prefetching costs and gives nothing. */
export const NEAR_BYTES: number = 2 ** 20;
/**
 * The distance where nothing is said. Uniform rows over 2 GiB, 2 MB pages, exact q8, ns a row at 8,
 * 16, 32 and 64 rows: dim 64 30.9, 28.7, 24.6, 22.8; dim 128 34.5, 33.4, 31.9, 35.8; dim 256 65.7,
 * 63.1, 64.5. More would push lines out of a level-1 cache of 32 KiB before they are used.
 */
function prefetchDistance(rowStride: number): number {
  return Math.min(64, Math.max(16, Math.round(4096 / rowStride)));
}

/** Slots are fewer: beyond it there is nothing to fetch. */
const MOST_AHEAD = 2 ** 29;

/** Addresses of a function's two entries. */
interface Entries {
  readonly fresh: number;
  readonly again: number;
}

/** Code in memory, for all kernels of one shape. */
interface LoadedCode {
  readonly key: string;
  readonly pool: Entries;
  /** Null for poolings and weightings that cannot go on with a bag. */
  readonly accumulate: Entries | null;
  readonly close: () => void;
  users: number;
}

const loaded: Map<string, LoadedCode> = new Map();

/**
 * Why there is no x64 code here: one clause for people, "" where there is. Asks for no permission;
 * the first call where FFI is granted runs CPUID.
 */
export function x64Refusal(): string {
  const refusal = libcRefusal(currentPlatform());
  if (refusal !== "") return refusal;
  if (Deno.build.arch !== "x86_64") return `the processor is ${Deno.build.arch}, not x86_64`;
  try {
    return openGate().isas.length === 0 ? "the processor lacks AVX2, FMA, or F16C" : "";
  } catch (error) {
    if (error instanceof UnsupportedTargetError) return error.message;
    throw error;
  }
}

/**
 * Code for `spec`, shared by all kernels of its shape; the last one disposed unloads it. Making it
 * takes 0.2 ms (the first time 2), a call 15 to 35 ns beyond the work when its arrays are those of
 * the call before, else 80 to 120. Holds the arrays of its last call until it is disposed.
 *
 * @throws {UnsupportedTargetError} where machine code is not to be had, or the format has no
 * layout; the message says why.
 */
export function createX64Code(spec: KernelSpec, options: X64Options = {}): KernelCode {
  const refusal = x64Refusal();
  if (refusal !== "") {
    throw new UnsupportedTargetError(`${WHAT}: target x64 is not to be had here: ${refusal}`);
  }
  const { isas } = openGate();
  const isa = options.isa ?? isas[isas.length - 1];
  if (!isas.includes(isa)) {
    throw new UnsupportedTargetError(
      `${WHAT}: isa must be one of ${isas.join(", ")}: received ${isa}`,
    );
  }
  if (spec.format.layout === undefined) {
    throw new UnsupportedTargetError(
      `${WHAT}: target x64 must have a format with a layout: received ${spec.format.name}`,
    );
  }
  try {
    return new X64Code(acquire(spec, isa), options.prefetchRows);
  } catch (error) {
    if (!(error instanceof UnsupportedTargetError)) throw error;
    throw new UnsupportedTargetError(`${WHAT}: target x64 is not to be had here: ${error.message}`);
  }
}

/** The loaded code of the spec's shape, with one user more. */
function acquire(spec: KernelSpec, isa: Isa): LoadedCode {
  const { codes, scaleBias } = spec.format.layout!;
  const { dim, pooling, weighting, output, pruned, numerics } = spec;
  const shape = [codes, scaleBias, dim, pooling, weighting, output, pruned, numerics, isa];
  const key = shape.join();
  let code = loaded.get(key);
  if (code === undefined) {
    code = load(spec, isa, key);
    loaded.set(key, code);
  }
  code.users++;
  return code;
}

/** One user less; the last one unloads. */
function release(code: LoadedCode): void {
  if (--code.users > 0) return;
  loaded.delete(code.key);
  code.close();
}

/** True when bags of the spec can be begun in one call and gone on with in the next. */
function canResume({ pooling, weighting }: KernelSpec): boolean {
  return pooling !== "max" && weighting !== "position";
}

function load(spec: KernelSpec, isa: Isa, key: string): LoadedCode {
  const layout = spec.format.layout!;
  const a = new Assembler();
  const pool = emitBags(a, planFor(spec, layout, isa, false));
  const resume = canResume(spec) ? emitBags(a, planFor(spec, layout, isa, true)) : null;
  // What is not called through Deno has a position alone: addresses are counted from the code's.
  const { symbols, close } = loadImage(a.finish(), [{ name: "code", position: 0 }], {
    code: { type: "pointer" },
  });
  const start = Number(Deno.UnsafePointer.value(symbols.code));
  const entries = ({ fresh, again }: EntryPositions): Entries => ({
    fresh: start + fresh,
    again: start + again,
  });
  return {
    key,
    pool: entries(pool),
    accumulate: resume === null ? null : entries(resume),
    close,
    users: 0,
  };
}

/** Nothing, where the code reads nothing. */
const NOTHING = new Float32Array(1);

/** A kernel's code: the shared functions, and a block of arguments of its own. */
class X64Code implements KernelCode {
  readonly target = "x64" as const;
  readonly #prefetchRows: number | undefined;
  readonly #block: Uint32Array<ArrayBuffer> = new Uint32Array(BLOCK.bytes / 4);
  readonly #blockAddress: bigint;
  readonly #gate: Gate = openGate();
  #code: LoadedCode | null;
  // What the block has the addresses of; referenced, so that they stay true.
  #offsets: unknown = null;
  #slots: unknown = null;
  #weights: unknown = null;
  #arena: unknown = null;
  #output: unknown = null;

  constructor(code: LoadedCode, prefetchRows: number | undefined) {
    this.#code = code;
    this.#prefetchRows = prefetchRows;
    this.#blockAddress = BigInt(addressOf(new Uint8Array(this.#block.buffer)));
  }

  pool(call: CodeCall, output: Float32Array | Uint16Array): number {
    return this.#call(this.#open().pool, call, output);
  }

  accumulate(call: CodeCall, accumulators: Float32Array): number {
    const { accumulate } = this.#open();
    if (accumulate === null) {
      throw new RangeError("Cannot accumulate: pooling and weighting must allow bags to go on");
    }
    return this.#call(accumulate, call, accumulators);
  }

  [Symbol.dispose](): void {
    if (this.#code === null) return;
    release(this.#code);
    this.#code = null;
    this.#offsets =
      this.#slots =
      this.#weights =
      this.#arena =
      this.#output =
        null;
  }

  #open(): LoadedCode {
    if (this.#code === null) throw new RangeError("Cannot call kernel: it has been disposed of");
    return this.#code;
  }

  #call(entries: Entries, call: CodeCall, output: Float32Array | Uint16Array): number {
    const { offsets, slots, weights = NOTHING, arena } = call;
    fillBlock(this.#block, call, this.#prefetchRows);
    if (
      offsets === this.#offsets && slots === this.#slots && weights === this.#weights &&
      arena === this.#arena && output === this.#output
    ) {
      setField(this.#block, BLOCK.code, entries.again);
      return this.#gate.again(this.#blockAddress);
    }
    this.#offsets = pinned(offsets);
    this.#slots = pinned(slots);
    this.#weights = pinned(weights);
    this.#arena = pinned(arena);
    this.#output = pinned(output);
    setField(this.#block, BLOCK.code, entries.fresh);
    return this.#gate.fresh(
      this.#block,
      offsets as Bytes,
      slots as Bytes,
      weights as Bytes,
      arena as Bytes,
      output as Bytes,
    );
  }
}

/** V8 keeps arrays up to this size in the collected heap, where they move. */
const MOVING_BYTES = 64;

/**
 * The array, or null where its address is not worth keeping. Reading `buffer` moves a small one out
 * of the collected heap for good.
 */
function pinned<T extends ArrayBufferView>(array: T): T | null {
  if (array.byteLength > MOVING_BYTES) return array;
  return array.buffer.byteLength === 0 ? null : array;
}

/** Writes a number below 2^53 as a 64-bit field. */
function setField(block: Uint32Array, field: number, value: number): void {
  block[field / 4] = value >>> 0;
  block[field / 4 + 1] = value / 2 ** 32;
}

/** Writes what is not an address. */
function fillBlock(block: Uint32Array, call: CodeCall, prefetchRows: number | undefined): void {
  const { rowStride, rowCount } = call;
  const far = rowStride * rowCount > NEAR_BYTES;
  const rows = prefetchRows ?? (far ? prefetchDistance(rowStride) : 0);
  setField(block, BLOCK.rowStride, rowStride);
  // Slots have 31 bits.
  block[BLOCK.rowCount / 4] = Math.min(rowCount, 2 ** 31);
  block[BLOCK.bagCount / 4] = call.bagCount;
  block[BLOCK.slotCount / 4] = call.slotCount;
  block[BLOCK.ahead / 4] = 4 * Math.min(rows, MOST_AHEAD);
}
