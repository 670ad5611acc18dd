/**
 * Code generation: the WebAssembly module for one shape of embedding bag.
 *
 * Columns lie in 128-bit lanes and their accumulators in locals, a panel of columns at a time: the
 * rows of a bag are gone through once for each panel. A row takes, in every column,
 *
 *     acc = fma(s', code, acc + c')
 *
 * with s' and c' its weighted scale and bias, so that columns never meet and the bits do not depend
 * on lanes or panels. With fast numerics it is acc = s' * code + acc, and the c' are summed apart
 * and added at the end: of n rows, at most n + 1 roundings meet a term on its way, one more its
 * weight, one the last addition, two a mean. That is within the bound that `createKernel` states.
 *
 * @module
 */

import { assemble, CodeWriter, type ModuleFunction } from "./_wasm_assembler.ts";
import { CODE_BITS, type CodesPlace, Decoder } from "./_wasm_decode.ts";
import { FMA_LOCALS, writeFma, writeNarrow } from "./_wasm_round.ts";
import type { Numerics, OutputType, Weighting } from "./kernel.ts";
import type { RowLayout } from "./row_format.ts";

/** All that the code depends on. */
export interface BagShape {
  readonly layout: RowLayout;
  readonly dim: number;
  /** Of a row, without padding. */
  readonly rowBytes: number;
  readonly pooling: "sum" | "mean" | "max";
  readonly weighting: Weighting;
  readonly output: OutputType;
  readonly pruned: boolean;
  readonly numerics: Numerics;
  /**
   * Whether `f32x4.relaxed_madd` rounds once here. Else fp64 does: 104 ns for a q8 row of dim 64
   * where the instruction takes 8 (AMD EPYC (Zen 4), Deno 2.9.6), about what scalar code takes.
   */
  readonly fused: boolean;
  /** Whether the arena's memory is shared. */
  readonly shared: boolean;
  /** Pages that it has at least: 0 or 1. */
  readonly pages: number;
}

/**
 * What modules export, over the arena's memory and a staging memory. Addresses and counts are of
 * the staging memory but for `arena`.
 */
export interface BagExports {
  /**
   * The first of `count` slots at `slots` that is not below `rowCount` (or pruned, where that is
   * allowed), else `count`.
   */
  check(slots: number, count: number, rowCount: number): number;
  /**
   * Pools `bags` bags of `lengths[i]` of the slots each. Before a row is read that has not been
   * touched yet, it and the `burst` - 1 slots after it are, up to `slotsEnd`; 0 for never.
   */
  pool(
    bags: number,
    lengths: number,
    slots: number,
    slotsEnd: number,
    weights: number,
    output: number,
    arena: number,
    rowStride: number,
    burst: number,
  ): number;
  /** As `pool`, but from the fp32 sums at `output` on, without mean and narrowing; not maxima. */
  readonly accumulate: BagExports["pool"] | undefined;
}

/** Pages that the staging memory has at least. */
export const STAGING_PAGES = 4;
/** Memories by index. */
const ARENA = 0;
const STAGING = 1;
/** Parameters of `pool` by index. */
const [BAGS, LENGTHS, SLOTS, SLOTS_END, WEIGHTS, OUTPUT, BASE, STRIDE, BURST] = [
  ...Array(9).keys(),
];
const POOL_PARAMS = new Array(9).fill("i32");
const CACHE_LINE_BYTES = 64;
/**
 * Columns of a panel. x64 has 15 registers for vectors: eight accumulators, scale, bias, two masks
 * and what is being decoded fit. (q8 rows of dim 192 in cache, AMD EPYC (Zen 4), Deno 2.9.6, ns a
 * row: 23.7; 24.9 with 48 columns, 26.7 with 64.)
 */
const PANEL_COLUMNS = 32;
/** Up to here every panel has code of its own, with constant offsets; else whole ones share it. */
const UNROLLED_PANELS = 4;

/** As fp32. */
const MINUS_INFINITY = 0xff800000 | 0;
const LANE_0 = Array.from({ length: 16 }, (_, i) => i % 4);
const LANE_1 = LANE_0.map((lane) => lane + 4);

/** The module for `shape`. */
export function bagModule(shape: BagShape): Uint8Array<ArrayBuffer> {
  const functions: ModuleFunction[] = [
    { name: "check", params: ["i32", "i32", "i32"], results: ["i32"], code: checkFunction(shape) },
    {
      name: "pool",
      params: POOL_PARAMS,
      results: ["i32"],
      code: new BagFunction(shape, false).write(),
    },
  ];
  if (shape.pooling !== "max" && shape.weighting !== "position") {
    const code = new BagFunction(shape, true).write();
    functions.push({ name: "accumulate", params: POOL_PARAMS, results: ["i32"], code });
  }
  const { shared, pages } = shape;
  return assemble([
    { name: "arena", shared, pages },
    { name: "staging", shared: false, pages: STAGING_PAGES },
  ], functions);
}

/** Four slots a step; the step that fails, and what is left over, one by one. */
function checkFunction({ pruned }: BagShape): CodeWriter {
  const [slots, count, rowCount] = [0, 1, 2];
  const code = new CodeWriter(3);
  const i = code.local("i32");
  const limits = code.local("v128");
  // Unsigned, negative slots are too large; -1 is let through by one more, modulo 2^32.
  const shift = pruned ? 1 : 0;
  code.get(rowCount).i32(shift).op("i32.add").tee(rowCount).op("i32x4.splat").set(limits);
  code.open("block").open("loop");
  code.get(i).i32(4).op("i32.add").get(count).op("i32.gt_u").index("br_if", 1);
  code.get(slots).get(i).i32(2).op("i32.shl", "i32.add").memory("v128.load", STAGING, 0);
  code.constant32(shift).op("i32x4.add").get(limits).op("i32x4.ge_u", "v128.any_true");
  code.index("br_if", 1).get(i).i32(4).op("i32.add").set(i).index("br", 0).op("end", "end");
  code.open("block").open("loop").get(i, count).op("i32.ge_u").index("br_if", 1);
  code.get(slots).get(i).i32(2).op("i32.shl", "i32.add").memory("i32.load", STAGING, 0);
  code.i32(shift).op("i32.add").get(rowCount).op("i32.ge_u").index("br_if", 1);
  code.get(i).i32(1).op("i32.add").set(i).index("br", 0).op("end", "end");
  return code.get(i);
}

/** Columns [first, first + count) of a row. */
interface Panel {
  readonly first: number;
  readonly count: number;
  /** Whether it is one of several that a loop goes through: `codes` and `out` say how far it is. */
  readonly looped: boolean;
}

/** The i32 locals of a bag function. */
const COUNTERS = [
  "length",
  "bagEnd",
  "blockEnd",
  "slot",
  "weight",
  "row",
  "touched",
  "touchEnd",
  "sink",
  "seen",
  "panels",
  "codes",
  "out",
  "at",
] as const;
/** Its v128 locals, but for the accumulators. */
const VECTORS = ["s", "c", "w", "biases", "x", "abs"] as const;

function locals<Name extends string>(
  code: CodeWriter,
  type: "i32" | "v128",
  names: readonly Name[],
): Record<Name, number> {
  return Object.fromEntries(names.map((name) => [name, code.local(type)])) as Record<Name, number>;
}

/** Writes `pool` or `accumulate`. */
class BagFunction {
  readonly #shape: BagShape;
  /** Starts from sums, and stays with them. */
  readonly #goesOn: boolean;
  readonly #code: CodeWriter = new CodeWriter(POOL_PARAMS.length);
  readonly #decoder: Decoder;
  readonly #i: Record<(typeof COUNTERS)[number], number>;
  readonly #v: Record<(typeof VECTORS)[number], number>;
  readonly #acc: readonly number[];
  readonly #fma: Record<(typeof FMA_LOCALS)[number], number>;
  readonly #fast: boolean;

  constructor(shape: BagShape, goesOn: boolean) {
    const code = this.#code;
    this.#shape = shape;
    this.#goesOn = goesOn;
    this.#decoder = new Decoder(code);
    this.#i = locals(code, "i32", COUNTERS);
    this.#v = locals(code, "v128", VECTORS);
    this.#fma = locals(code, "v128", FMA_LOCALS);
    const columns = Math.min(PANEL_COLUMNS, shape.dim);
    this.#acc = Array.from({ length: Math.ceil(columns / 4) }, () => code.local("v128"));
    // A bag that goes on must not depend on where it was split: its biases stay in order.
    this.#fast = shape.numerics === "fast" && shape.layout.scaleBias !== "none" &&
      shape.pooling !== "max" && !goesOn;
  }

  /** A loop over the bags; returns the sum of what was touched. */
  write(): CodeWriter {
    const code = this.#code;
    const { length, bagEnd, touched } = this.#i;
    const { dim, weighting } = this.#shape;
    // Without bursts, all counts as touched.
    code.get(SLOTS, SLOTS_END, BURST).op("select").set(touched);
    code.open("block").open("loop");
    code.get(BAGS).op("i32.eqz").index("br_if", 1);
    code.get(LENGTHS).memory("i32.load", STAGING, 0).tee(length);
    code.i32(2).op("i32.shl").get(SLOTS).op("i32.add").set(bagEnd);
    this.#panels();
    if (weighting === "sample") {
      code.get(WEIGHTS, bagEnd, SLOTS).op("i32.sub", "i32.add").set(WEIGHTS);
    }
    code.get(bagEnd).set(SLOTS);
    this.#step(LENGTHS, 4).#step(OUTPUT, dim * this.#outputBytes()).#step(BAGS, -1);
    return code.index("br", 0).op("end", "end").get(this.#i.sink);
  }

  #outputBytes(): number {
    return this.#goesOn || this.#shape.output === "f32" ? 4 : 2;
  }

  #step(local: number, by: number): this {
    this.#code.get(local).i32(by).op("i32.add").set(local);
    return this;
  }

  /** Whole panels, in a loop if there are several, then what remains. */
  #panels(): void {
    const code = this.#code;
    const { dim, layout } = this.#shape;
    const { panels, codes, out } = this.#i;
    const width = PANEL_COLUMNS;
    const whole = Math.floor(dim / width);
    const first = whole * width;
    if (whole <= UNROLLED_PANELS) {
      for (let i = 0; i < whole; i++) {
        this.#panel({ first: i * width, count: width, looped: false });
      }
    } else {
      code.i32(whole).set(panels).i32(0).set(codes).get(OUTPUT).set(out).open("loop");
      this.#panel({ first: 0, count: width, looped: true });
      this.#step(codes, width * CODE_BITS[layout.codes] / 8);
      this.#step(out, width * this.#outputBytes()).#step(panels, -1);
      code.get(panels).index("br_if", 0).op("end");
    }
    if (first < dim) this.#panel({ first, count: dim - first, looped: false });
  }

  /**
   * The rows of a bag, in blocks that have been touched. (Two rows a step, or four, took as long:
   * the vector units are what is short.)
   */
  #panel(panel: Panel): void {
    const code = this.#code;
    const { slot, bagEnd, blockEnd, touched, weight } = this.#i;
    const { weighting } = this.#shape;
    this.#begin(panel);
    code.get(SLOTS).set(slot);
    if (weighting !== "none") code.get(WEIGHTS).set(weight);
    code.open("block").open("loop").get(slot, bagEnd).op("i32.ge_u").index("br_if", 1);
    // The panels after it find all rows touched.
    if (panel.first === 0) this.#touch();
    code.get(bagEnd, touched, bagEnd, touched).op("i32.lt_u", "select").set(blockEnd);
    code.open("block").get(slot, blockEnd).op("i32.ge_u").index("br_if", 0).open("loop");
    this.#row(panel);
    code.get(slot, blockEnd).op("i32.lt_u").index("br_if", 0).op("end", "end");
    code.index("br", 0).op("end", "end");
    this.#end(panel);
  }

  /** Accumulators before the first row. */
  #begin(panel: Panel): void {
    const code = this.#code;
    const { pooling } = this.#shape;
    this.#groups(panel, (acc, group) => {
      if (this.#goesOn) {
        code.get(this.#output(panel)).memory("v128.load", STAGING, this.#outputAt(panel, group));
      } else {
        code.i32x4(pooling === "max" ? MINUS_INFINITY : 0);
      }
      code.set(acc);
    });
    if (this.#fast) code.i32x4(0).set(this.#v.biases);
    if (pooling === "max") code.i32(0).set(this.#i.seen);
  }

  /** The groups of four columns, the last perhaps in part. */
  #groups({ count }: Panel, each: (acc: number, group: number) => void): void {
    for (let group = 0; 4 * group < count; group++) each(this.#acc[group], group);
  }

  #output({ looped }: Panel): number {
    return looped ? this.#i.out : OUTPUT;
  }

  #outputAt({ first }: Panel, group: number): number {
    return (first + 4 * group) * this.#outputBytes();
  }

  /**
   * Reads a byte of every cache line of the next rows, all in a burst: misses overlap as they would
   * not with the arithmetic of a row between them. There is no prefetch instruction. (Four rows a
   * step were no faster, nor was one load astride two lines instead of two loads.)
   */
  #touch(): void {
    const code = this.#code;
    const { slot, touched, touchEnd, at, sink } = this.#i;
    const { rowBytes } = this.#shape;
    code.get(slot, touched).op("i32.ge_u").open("if");
    code.get(BURST).i32(2).op("i32.shl").get(touched).op("i32.add").tee(touchEnd).get(SLOTS_END);
    code.get(touchEnd, SLOTS_END).op("i32.lt_u", "select").set(touchEnd).open("loop");
    code.open("block");
    this.#rowAddress(touched, at);
    for (const byte of touchedBytes(rowBytes)) {
      // The sum is a result, as engines leave loads out that nothing depends on.
      code.get(at).memory("i32.load8_u", ARENA, byte).get(sink).op("i32.add").set(sink);
    }
    code.op("end");
    this.#step(touched, 4);
    code.get(touched, touchEnd).op("i32.lt_u").index("br_if", 0).op("end", "end");
  }

  /** The address of the row of a slot; leaves the block around if the row is pruned. */
  #rowAddress(slot: number, to: number): void {
    const code = this.#code;
    code.get(slot).memory("i32.load", STAGING, 0).set(to);
    if (this.#shape.pruned) code.get(to).i32(0).op("i32.lt_s").index("br_if", 0);
    code.get(to, STRIDE).op("i32.mul").get(BASE).op("i32.add").set(to);
  }

  /** Adds the row of the slot at `slot`, unless it is pruned, and goes on to the next. */
  #row(panel: Panel): void {
    const code = this.#code;
    const { slot, weight, row, seen, codes, at } = this.#i;
    const { layout, rowBytes, weighting, pooling } = this.#shape;
    if (weighting !== "none") {
      // A pruned row has a weight too.
      code.get(weight).memory("v128.load32_splat", STAGING, 0).set(this.#v.w);
      this.#step(weight, 4);
    }
    code.open("block");
    this.#rowAddress(slot, row);
    this.#scaleAndBias();
    if (pooling === "max") code.i32(-1).set(seen);
    if (panel.looped) code.get(row, codes).op("i32.add").set(at);
    const place: CodesPlace = {
      address: panel.looped ? at : row,
      offset: (layout.scaleBias === "f16 first" ? 4 : 0) +
        panel.first * CODE_BITS[layout.codes] / 8,
      end: rowBytes,
    };
    this.#decoder.decode(layout.codes, place, panel.count, (group) => {
      this.#combine(this.#acc[group]);
    });
    code.op("end");
    this.#step(slot, 4);
  }

  /** s' and c' of the row, in every lane. */
  #scaleAndBias(): void {
    const code = this.#code;
    const { s, c, w, biases } = this.#v;
    const { row } = this.#i;
    const { layout: { scaleBias }, rowBytes, weighting } = this.#shape;
    if (scaleBias === "none") return;
    if (scaleBias === "f32 last") {
      for (const [local, from] of [[s, rowBytes - 8], [c, rowBytes - 4]]) {
        code.get(row).memory("v128.load32_splat", ARENA, from);
        if (weighting !== "none") code.get(w).op("f32x4.mul");
        code.set(local);
      }
    } else {
      code.get(row);
      code.memory("v128.load32_zero", ARENA, scaleBias === "f16 first" ? 0 : rowBytes - 4);
      this.#decoder.widenF16();
      if (weighting !== "none") code.get(w).op("f32x4.mul");
      code.tee(c).get(c).shuffle(LANE_0).set(s).get(c, c).shuffle(LANE_1).set(c);
    }
    if (this.#fast) code.get(biases, c).op("f32x4.add").set(biases);
  }

  /** Adds four values, or codes, on top of the stack to an accumulator. */
  #combine(acc: number): void {
    const code = this.#code;
    const { s, c, w } = this.#v;
    const { layout, pooling, weighting } = this.#shape;
    if (layout.scaleBias !== "none") {
      code.get(s);
      if (pooling === "max") code.get(c);
      else if (this.#fast) code.get(acc);
      else code.get(acc, c).op("f32x4.add");
      this.#multiplyAdd();
    } else if (weighting !== "none") {
      code.get(w, acc);
      this.#multiplyAdd();
    } else if (pooling !== "max") {
      code.get(acc).op("f32x4.add");
    }
    // acc > value ? acc : value.
    if (pooling === "max") code.get(acc).op("f32x4.pmax");
    code.set(acc);
  }

  #multiplyAdd(): void {
    const { fused, layout, weighting } = this.#shape;
    // An fp16 scale times a code is exact in fp32, so that it may be rounded apart.
    const exact = layout.scaleBias.startsWith("f16") && weighting === "none";
    if (fused) this.#code.op("f32x4.relaxed_madd");
    else if (exact || this.#fast) this.#productThenSum();
    else writeFma(this.#code, this.#fma);
  }

  #productThenSum(): void {
    const { x } = this.#v;
    this.#code.set(x).op("f32x4.mul").get(x).op("f32x4.add");
  }

  /** The bag's last steps, and its store. */
  #end(panel: Panel): void {
    const code = this.#code;
    const { length, seen } = this.#i;
    const { w, biases } = this.#v;
    const { pooling } = this.#shape;
    const mean = pooling === "mean" && !this.#goesOn;
    if (mean) {
      // An empty bag is divided by 1.
      code.f64(1).get(length, length).op("i32.eqz", "i32.add", "f64.convert_i32_u");
      code.op("f64.div", "f32.demote_f64", "f32x4.splat").set(w);
    }
    if (pooling === "max") code.get(seen).op("i32x4.splat").set(w);
    this.#groups(panel, (acc, group) => {
      if (this.#fast) code.get(acc, biases).op("f32x4.add").set(acc);
      if (mean) code.get(acc, w).op("f32x4.mul").set(acc);
      // A bag without rows: zeros.
      if (pooling === "max") code.get(acc, w).op("v128.and").set(acc);
      this.#store(panel, acc, group);
    });
  }

  /** Writes no lane past the last column: what follows is the next bag's. */
  #store(panel: Panel, acc: number, group: number): void {
    const code = this.#code;
    const { output: type } = this.#shape;
    const bytes = this.#outputBytes();
    const output = this.#output(panel);
    const at = this.#outputAt(panel, group);
    if (!this.#goesOn && type !== "f32") {
      writeNarrow(code, type, acc, this.#v.abs, this.#v.x);
    }
    const left = Math.min(panel.count - 4 * group, 4);
    if (left === 4 && bytes === 4) {
      code.get(output, acc).memory("v128.store", STAGING, at);
      return;
    }
    // Lanes of 2^k values, the largest first.
    let done = 0;
    for (const lanes of [4, 2, 1]) {
      if (left - done < lanes) continue;
      const name = `v128.store${8 * bytes * lanes as 16 | 32 | 64}_lane` as const;
      code.get(output, acc).lane(name, STAGING, at + done * bytes, done / lanes);
      done += lanes;
    }
  }
}

/**
 * A byte of each cache line that a row may lie on, but for a last one that it only reaches into
 * from a few of the places it may begin at: one load more for every row takes longer.
 */
function touchedBytes(rowBytes: number): number[] {
  const bytes: number[] = [];
  for (let at = 0; at < rowBytes; at += CACHE_LINE_BYTES) bytes.push(at);
  const last = rowBytes - 1;
  return last - bytes[bytes.length - 1] < CACHE_LINE_BYTES / 4 ? bytes : [...bytes, last];
}
