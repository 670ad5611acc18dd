/**
 * The wasm target: SIMD code generated at run time for a spec's shape, over rows in a
 * `WebAssembly.Memory`.
 *
 * A module has two memories: the arena's, and one for staging that all kernels of a realm share, as
 * calls are synchronous. Offsets, slots and weights are copied into it and vectors out of it, a
 * chunk of bags at a time that stays in the processor's cache.
 *
 * @module
 */

import { checkInteger } from "../base/checks.ts";
import { UnsupportedTargetError } from "../base/errors.ts";
import type { CodeCall, KernelCode } from "./_code.ts";
import { assemble, CodeWriter } from "./_wasm_assembler.ts";
import { type BagExports, bagModule, type BagShape, STAGING_PAGES } from "./_wasm_bag.ts";
import type { KernelSpec, KernelTarget } from "./kernel.ts";

const WHAT = "Cannot create kernel";
const PAGE_BYTES = 65_536;
/** A chunk ends before the bag that would bring it over one of these; one bag is always let in. */
const CHUNK_BAGS = 1024;
const CHUNK_SLOTS = 8192;
const CHUNK_OUTPUT_BYTES = 65_536;
/** Vectors are read and stored whole: room past an array's end. */
const PAD_BYTES = 16;
/** More rows than any slot can name are as many as this; modulo 2^32 a number of its own. */
const MAX_ROWS = 2 ** 31;
/** Compiled modules, and per memory instances, that are kept. */
const MAX_CACHED = 256;
/**
 * From here on an arena is taken to lie outside of a core's own cache, and rows are touched ahead.
 * (q8 rows of dim 64, uniform, on a busy AMD EPYC (Zen 4), pages of 4 KiB, Deno 2.9.6, ns a row
 * without and with: 1 MiB 10.8 and 10.6; 6 MiB 11.4 and 10.6; 13 MiB 46 and 19; 68 MiB 61 and 24;
 * 3.5 GiB 123, then by rows a burst 60 (32), 57 (64), 45 (128), 48 (256).)
 */
const LARGE_ARENA_BYTES = 2 ** 22;
const PREFETCH_ROWS = 128;
const MAX_PREFETCH_ROWS = 2 ** 16;

/** Options of {@linkcode createWasmCode}. */
export interface WasmCodeOptions {
  /**
   * Rows that are touched in one burst ahead of their use; 0 for none. By default 128 where the
   * arena is larger than 4 MiB, else none.
   */
  readonly prefetchRows?: number | undefined;
  /** False to do without `f32x4.relaxed_madd` even if it rounds once here: for tests. */
  readonly fused?: boolean;
}

/** The memory that calls are staged in; one for all kernels. It grows to the largest chunk. */
class Staging {
  readonly memory: WebAssembly.Memory = new WebAssembly.Memory({ initial: STAGING_PAGES });
  i32: Int32Array = new Int32Array(this.memory.buffer);
  f32: Float32Array = new Float32Array(this.memory.buffer);
  u16: Uint16Array = new Uint16Array(this.memory.buffer);

  /** Makes it `bytes` long at least. */
  reserve(bytes: number): void {
    if (bytes <= this.i32.byteLength) return;
    this.memory.grow(Math.ceil((bytes - this.i32.byteLength) / PAGE_BYTES));
    const { buffer } = this.memory;
    this.i32 = new Int32Array(buffer);
    this.f32 = new Float32Array(buffer);
    this.u16 = new Uint16Array(buffer);
  }
}

let staging: Staging | undefined;
let fusedHere: boolean | undefined;
const modules = new Map<string, WebAssembly.Module>();
const instances = new WeakMap<WebAssembly.Memory, Map<string, BagExports>>();

/**
 * Makes code for `spec` over rows in `memory`, shared or not: the arena of a call must be a view of
 * it. Modules are kept by shape, instances by shape and memory, so that making a kernel again takes
 * about a microsecond.
 *
 * @throws {RangeError} when `prefetchRows` is not an integer from 0 to 65536.
 * @throws {UnsupportedTargetError} where the engine has no SIMD or no second memory, or the format
 * no known layout.
 */
export function createWasmCode(
  spec: KernelSpec,
  memory: WebAssembly.Memory,
  options: WasmCodeOptions = {},
): KernelCode {
  const { layout } = spec.format;
  const { prefetchRows } = options;
  if (prefetchRows !== undefined) {
    checkInteger(WHAT, "prefetchRows", prefetchRows, 0, MAX_PREFETCH_ROWS);
  }
  if (layout === undefined) {
    throw new UnsupportedTargetError(
      `${WHAT}: target wasm must have a format with a layout: received ${spec.format.name}`,
    );
  }
  const shape: BagShape = {
    layout,
    dim: spec.dim,
    rowBytes: spec.format.rowBytes(spec.dim),
    pooling: spec.pooling === "none" ? "sum" : spec.pooling,
    weighting: spec.weighting,
    output: spec.output,
    pruned: spec.pruned,
    numerics: spec.numerics,
    fused: (options.fused ?? true) && hasFusedMultiplyAdd(),
    shared: !(memory.buffer instanceof ArrayBuffer),
    pages: Math.min(1, memory.buffer.byteLength / PAGE_BYTES),
  };
  return new WasmCode(shape, memory, instanceOf(shape, memory), prefetchRows);
}

function instanceOf(shape: BagShape, memory: WebAssembly.Memory): BagExports {
  let known = instances.get(memory);
  if (known === undefined) instances.set(memory, known = new Map());
  const key = JSON.stringify(shape);
  return kept(known, key, () => {
    staging ??= new Staging();
    try {
      const module = kept(modules, key, () => new WebAssembly.Module(bagModule(shape)));
      const env = { arena: memory, staging: staging.memory };
      const { check, pool, accumulate } = new WebAssembly.Instance(module, { env }).exports;
      return {
        check: check as BagExports["check"],
        pool: pool as BagExports["pool"],
        accumulate: accumulate as BagExports["accumulate"],
      };
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new UnsupportedTargetError(`${WHAT}: target wasm is not to be had here: ${why}`);
    }
  });
}

/** The entry of `key`, made if need be; the oldest makes room. */
function kept<Value>(map: Map<string, Value>, key: string, make: () => Value): Value {
  const known = map.get(key);
  if (known !== undefined) return known;
  const value = make();
  if (map.size >= MAX_CACHED) map.delete(map.keys().next().value!);
  map.set(key, value);
  return value;
}

/**
 * Whether `f32x4.relaxed_madd` is there and rounds once, which the standard leaves open. Each lane
 * has operands whose sum comes out otherwise when the product is rounded to fp32 first, and when
 * the sum is rounded to fp64 first.
 */
function hasFusedMultiplyAdd(): boolean {
  if (fusedHere !== undefined) return fusedHere;
  const code = new CodeWriter(0);
  code.i32(48);
  for (const at of [0, 16, 32]) code.i32(at).memory("v128.load", 0, 0);
  code.op("f32x4.relaxed_madd").memory("v128.store", 0, 0);
  const bytes = assemble([{ name: "memory", shared: false, pages: 1 }], [
    { name: "probe", params: [], results: [], code },
  ]);
  if (!WebAssembly.validate(bytes)) return fusedHere = false;
  const memory = new WebAssembly.Memory({ initial: 1 });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } });
  const cells = new Float32Array(memory.buffer, 0, 16);
  const a = 2 ** -24 * (1 + 2 ** -15);
  const b = 1 - 2 ** -15;
  cells.set([a, -a, a * 2, a / 2, b, b, b, b, 1 + 2 ** -23, -1 - 2 ** -23]);
  cells.set([2 + 2 ** -22, 0.5 + 2 ** -24], 10);
  (exports.probe as () => void)();
  return fusedHere = cells.subarray(12).every((sum, lane) => sum === cells[8 + lane]);
}

class WasmCode implements KernelCode {
  readonly target: KernelTarget = "wasm";
  readonly #shape: BagShape;
  readonly #memory: WebAssembly.Memory;
  readonly #prefetchRows: number | undefined;
  #exports: BagExports | undefined;
  /** What `#memory` had last: its getter takes longer than a comparison. */
  #buffer: ArrayBufferLike;

  constructor(
    shape: BagShape,
    memory: WebAssembly.Memory,
    exports: BagExports,
    prefetchRows: number | undefined,
  ) {
    this.#shape = shape;
    this.#memory = memory;
    this.#exports = exports;
    this.#buffer = memory.buffer;
    this.#prefetchRows = prefetchRows;
  }

  pool(call: CodeCall, output: Float32Array | Uint16Array): number {
    return poolBags(this.#ready(call), this.#shape, call, this.#burst(call), output, false);
  }

  accumulate(call: CodeCall, accumulators: Float32Array): number {
    return poolBags(this.#ready(call), this.#shape, call, this.#burst(call), accumulators, true);
  }

  [Symbol.dispose](): void {
    this.#exports = undefined;
  }

  #ready({ arena }: CodeCall): BagExports {
    if (this.#exports === undefined) throw new TypeError("Cannot pool: the kernel is disposed of");
    if (arena.buffer !== this.#buffer) {
      this.#buffer = this.#memory.buffer;
      if (arena.buffer !== this.#buffer) {
        throw new RangeError("Cannot pool: arena must be a view of the kernel's memory");
      }
    }
    return this.#exports;
  }

  #burst({ rowCount, rowStride }: CodeCall): number {
    return this.#prefetchRows ??
      (rowCount * rowStride > LARGE_ARENA_BYTES ? PREFETCH_ROWS : 0);
  }
}

/** The walk over the bags, in chunks: staged, checked, pooled up to a bad slot, copied out. */
function poolBags(
  exports: BagExports,
  shape: BagShape,
  call: CodeCall,
  burst: number,
  output: Float32Array | Uint16Array,
  goesOn: boolean,
): number {
  const { bagCount, offsets, slots, slotCount, weights, arena, rowStride, rowCount } = call;
  const code = goesOn ? exports.accumulate! : exports.pool;
  const { dim, weighting } = shape;
  const vectorBytes = dim * output.BYTES_PER_ELEMENT;
  const most = Math.min(CHUNK_BAGS, Math.max(1, Math.floor(CHUNK_OUTPUT_BYTES / vectorBytes)));
  const stage = staging!;
  let bag = 0;
  let first = 0;
  while (bag < bagCount) {
    let bags = 0;
    let count = 0;
    let longest = 0;
    let overrun = false;
    for (; bags < most && bag + bags < bagCount; bags++) {
      // Modulo 2^32, so that offsets that fall are an overrun and not a negative length.
      const length = (offsets[bag + bags + 1] - offsets[bag + bags]) >>> 0;
      overrun = length > slotCount - first - count;
      if (overrun || bags > 0 && count + length > CHUNK_SLOTS) break;
      stage.i32[bags] = length;
      count += length;
      longest = Math.max(longest, length);
    }
    const weightCount = weighting === "sample" ? count : weighting === "position" ? longest : 0;
    const slotsAt = CHUNK_BAGS;
    const weightsAt = slotsAt + count + PAD_BYTES / 4;
    const outputAt = weightsAt + weightCount;
    stage.reserve(4 * outputAt + bags * vectorBytes + PAD_BYTES);
    copy(slots, first, count, stage.i32, slotsAt);
    if (weights !== undefined) {
      copy(weights, weighting === "sample" ? first : 0, weightCount, stage.f32, weightsAt);
    }
    const good = exports.check(4 * slotsAt, count, Math.min(rowCount, MAX_ROWS) | 0);
    if (good < count) bags = bagsWithin(stage.i32, good);
    const values = bags * dim;
    if (goesOn) copy(output, bag * dim, values, stage.f32, outputAt);
    code(
      bags,
      0,
      4 * slotsAt,
      // Rows are touched ahead as far as slots are known to be good.
      4 * (slotsAt + good),
      4 * weightsAt,
      4 * outputAt,
      // Addresses are modulo 2^32; as signed numbers they are small integers to the engine.
      arena.byteOffset | 0,
      rowStride | 0,
      burst,
    );
    if (output instanceof Float32Array) copy(stage.f32, outputAt, values, output, bag * dim);
    else copy(stage.u16, 2 * outputAt, values, output, bag * dim);
    if (good < count) return first + good;
    if (overrun) return slotCount;
    bag += bags;
    first += count;
  }
  return first === slotCount ? -1 : first;
}

/** How many bags of `lengths` lie before slot `end`, none of which is empty at its end. */
function bagsWithin(lengths: Int32Array, end: number): number {
  let bags = 0;
  for (let count = lengths[0]; count <= end; count += lengths[++bags]);
  return bags;
}

/** A view is an object: short stretches take less time one by one. */
function copy(
  from: Int32Array | Float32Array | Uint16Array,
  at: number,
  count: number,
  to: Int32Array | Float32Array | Uint16Array,
  start: number,
): void {
  if (count < 64) { for (let i = 0; i < count; i++) to[start + i] = from[at + i]; }
  else to.set(from.subarray(at, at + count), start);
}
