/**
 * One case of the kernels' benchmark: a table in a place, all our targets and all peers over it,
 * round by round in turn, their results held against each other.
 *
 * @module
 */

import type { Kernel, RowFormat } from "../../kernels/mod.ts";
import type { PrefetchPoint } from "./_kernel_charts.ts";
import { AHEAD, limitLoops } from "./_kernel_limits.ts";
import type { TableMemory } from "./_kernel_memory_ffi.ts";
import type { KernelPeer } from "./_kernel_peers.ts";
import {
  checkVectors,
  cutBatches,
  kernelOf,
  POOLING,
  type Side,
  type TableView,
  timeKernel,
} from "./_kernel_sides.ts";
import { baseRows, fillTable, type Place, rowsIn, slotStream } from "./_kernel_tables.ts";
import { alternate, type BenchRun, type Figure, type Spread, spreadOf } from "./harness.ts";

/** A table in a place. */
export interface Case {
  /** What it is called in figures. */
  readonly title: string;
  /** Its rows' format. */
  readonly format: RowFormat;
  /** Values of a row. */
  readonly dim: number;
  /** Where rows lie. */
  readonly place: Place;
  /** On huge pages. */
  readonly huge: boolean;
}

/** A point of the roofline picture. */
export interface Measured {
  /** The case. */
  readonly one: Case;
  /** Where it ran: a target, or the peer's name. */
  readonly target: string;
  /** Nanoseconds a row. */
  readonly nsPerRow: Spread;
  /** GB/s of reading the table from end to end. */
  readonly sequential: number;
}

/** How many bags users hand over at once, as the peers' own benchmarks do. */
const USER_BAGS = 256;
/** What a call may cost beside its work where ratios count. */
const MAX_OVERHEAD = 0.02;
/** Tables up to here are taken to lie in cache. */
const CACHED_BYTES = 2 ** 20;
/** A WebAssembly kernel cannot read the fourth GiB beside what else it needs: 3.5 GiB are asked. */
const WASM_BYTES = 3.5 * 2 ** 30;

/** A side of a case, with what it was asked and what it took. */
interface Entry {
  readonly side: Side;
  readonly kernel: Kernel;
  /** Bags of a call. */
  readonly bags: number;
}

/** The limits of a place, in ns a row, and GB/s of reading it from end to end. */
interface Limits {
  readonly nsPerRow: Spread;
  readonly sequential: Spread;
}

/** Measures cases, one after the other, in one memory. */
export class KernelCases {
  readonly #run: BenchRun;
  readonly #memory: TableMemory;
  readonly #plain: KernelPeer | null;
  readonly #tuned: KernelPeer | null;
  readonly #seconds: number;
  readonly #rounds: number;
  readonly #streamSlots: number;
  readonly #output: Float32Array;
  readonly #said = new Set<string>();

  /** `plain` runs as users start it, `tuned` as its experts would; null: no peers. */
  constructor(
    run: BenchRun,
    memory: TableMemory,
    plain: KernelPeer | null,
    tuned: KernelPeer | null,
  ) {
    this.#run = run;
    this.#memory = memory;
    this.#plain = plain;
    this.#tuned = tuned;
    // Many short rounds: a neighbour that comes and goes meets all sides alike.
    this.#seconds = run.quick ? 0.01 : 0.02;
    this.#rounds = run.quick ? 3 : 15;
    this.#streamSlots = run.quick ? 2 ** 19 : 2 ** 21;
    this.#output = new Float32Array(this.#streamSlots / POOLING * 256);
  }

  /** Runs one case, reports its figures, and gives the points of the roofline. */
  async measure(one: Case): Promise<Measured[]> {
    const { table, peers } = await this.#provide(one);
    const streams = await this.#streams(one, table);
    const measured: Measured[] = [];
    for (const stream of streams) {
      measured.push(...await this.#measureStream(one, stream, peers));
    }
    return measured;
  }

  /** Time against prefetch distance, for the targets that fetch ahead. */
  async prefetch(one: Case, distances: readonly number[]): Promise<PrefetchPoint[]> {
    const table = this.#view(one, one.place.bytes);
    const points: PrefetchPoint[] = [];
    for (const target of ["x64", "wasm"] as const) {
      const bytes = Math.min(one.place.bytes, target === "wasm" ? WASM_BYTES : Infinity);
      const view = { ...table, rowCount: this.#view(one, bytes).rowCount };
      const slots = slotStream(one.place, view.rowCount, this.#streamSlots, 2);
      const batches = cutBatches(view, slots, USER_BAGS);
      const kernels = distances.map((prefetchRows) =>
        kernelOf({ target, numerics: "exact", prefetchRows }, view)
      ).filter((kernel) => typeof kernel !== "string");
      if (kernels.length === 0) continue;
      const times = await alternate(
        this.#rounds,
        kernels.map((kernel) => () => timeKernel(kernel, batches, this.#output, this.#seconds)),
      );
      kernels.forEach((kernel) => kernel[Symbol.dispose]());
      times.forEach((rounds, i) => {
        const spread = spreadOf(rounds);
        const pages = one.huge ? "2 MB pages" : "4 KB pages";
        const place = one.place.name;
        points.push({ target, place, pages, rows: distances[i], ns: spread.value });
        this.#run.report({
          world: "real",
          case: `${target} exact ${one.title}, ${distances[i]} rows ahead`,
          unit: "ns/row",
          ours: spread,
          better: "lower",
        });
      });
    }
    return points;
  }

  /** Writes the table into our memory and has the peers make theirs. */
  async #provide(one: Case): Promise<{ table: TableView; peers: boolean }> {
    const { format, dim, huge, place } = one;
    const table = this.#view(one, place.bytes);
    const rowBytes = format.rowBytes(dim);
    const base = baseRows(format, dim, 1);
    if (!this.#memory.renew(huge)) this.#say("pages cannot be chosen: they are the system's own");
    fillTable(this.#memory.arena, base, table.rowCount * rowBytes);
    const path = await Deno.realPath(this.#run.folder) + "/kernels-rows.bin";
    await Deno.writeFile(path, base);
    const request = { format: format.name, dim, rows: table.rowCount, rowBytes, path, huge };
    const peers = await this.#tuned?.table(request) ?? false;
    // Users' calls differ from the experts' for the batched module alone; PyTorch's are the same.
    if (peers && isBatched(format)) await this.#plain?.table(request);
    return { table, peers };
  }

  #view({ format, dim }: Case, bytes: number): TableView {
    const { arena, memory } = this.#memory;
    const rowCount = rowsIn(Math.min(bytes, arena.length), format.rowBytes(dim));
    return { format, dim, arena, memory, rowCount };
  }

  /** One stream over the whole table; where WebAssembly cannot reach all of it, one more. */
  #streams(one: Case, table: TableView): Promise<Stream[]> {
    const targets = ["scalar", "x64", "wasm"] as const;
    if (one.place.bytes <= WASM_BYTES) {
      return Promise.resolve([{ table, targets, title: one.title }]);
    }
    const near = this.#view(one, WASM_BYTES);
    return Promise.resolve([
      { table, targets: ["x64"], title: one.title },
      { table: near, targets: ["wasm"], title: `${one.title.replace("4 GiB", "3.5 GiB")}` },
    ]);
  }

  async #measureStream(one: Case, stream: Stream, peers: boolean): Promise<Measured[]> {
    const { table, title } = stream;
    const slots = slotStream(one.place, table.rowCount, this.#streamSlots, 2);
    const path = await Deno.realPath(this.#run.folder) + "/kernels-slots.bin";
    await Deno.writeFile(path, new Uint8Array(slots.buffer));
    const tuned = peers ? this.#tuned : null;
    const plain = peers ? (isBatched(one.format) ? this.#plain : this.#tuned) : null;
    await tuned?.slots(path);
    if (plain !== tuned) await plain?.slots(path);
    const bags = await this.#largeBatch(tuned);
    const entries = this.#entries(stream, bags);
    await this.#check(title, table, slots, entries, tuned);
    const cut = new Map([USER_BAGS, bags].map((n) => [n, cutBatches(table, slots, n)]));
    using limit = limitLoops(table.memory, table.format.rowBytes(table.dim));
    const touched = slots.subarray(0, 2 ** 20);
    const seconds = this.#seconds;
    const peerSide = (peer: KernelPeer | null, n: number) => (round: number) =>
      peer === null ? NaN : peer.timed({ bags: n, pooling: POOLING, seconds }, round * 7);
    const times = await alternate(this.#rounds, [
      ...entries.map(({ kernel, bags: n }) => () =>
        timeKernel(kernel, cut.get(n) ?? [], this.#output, seconds)
      ),
      peerSide(plain, USER_BAGS),
      peerSide(tuned, bags),
      () => timeLoop(() => limit.sequential(bytesOf(table)), bytesOf(table), seconds),
      () => timeLoop(() => limit.random(touched), touched.length - AHEAD, seconds),
    ]);
    entries.forEach(({ kernel }) => kernel[Symbol.dispose]());
    const [user, large, sequential, random] = times.slice(entries.length);
    const limits = limitsOf(table, sequential, random);
    this.#reportLimits(title, limits);
    entries.forEach((entry, i) => {
      const peer = tuned === null ? undefined : entry.bags === USER_BAGS ? user : large;
      this.#report(one, title, entry, spreadOf(times[i]), peer, limits);
    });
    return pointsOf(one, entries, times, tuned === null ? null : large, limits);
  }

  /** The batch from which on the peer's call costs less than its share, a power of two. */
  async #largeBatch(peer: KernelPeer | null): Promise<number> {
    const most = 2 ** Math.floor(Math.log2(this.#streamSlots / POOLING / 2));
    if (peer === null) return Math.min(most, 4096);
    const overhead = await peer.overhead();
    const request = { pooling: POOLING, seconds: this.#seconds };
    let bags = 1024;
    while (bags < most) {
      const nsPerRow = await peer.timed({ bags, ...request }, 0);
      if (overhead < MAX_OVERHEAD * nsPerRow * bags * POOLING) break;
      bags *= 2;
    }
    return bags;
  }

  #entries({ table, targets }: Stream, bags: number): Entry[] {
    const shapes = targets.flatMap((target): [Side, number][] =>
      target === "scalar" ? [[{ target, numerics: "exact" }, USER_BAGS]] : [
        [{ target, numerics: "exact" }, USER_BAGS],
        [{ target, numerics: "exact" }, bags],
        [{ target, numerics: "fast" }, bags],
      ]
    );
    return shapes.flatMap(([side, n]) => {
      const kernel = kernelOf(side, table);
      if (typeof kernel !== "string") return [{ side, kernel, bags: n }];
      this.#say(kernel);
      return [];
    });
  }

  /** The first batch: all of ours against the first, and against the peer's own vectors. */
  async #check(
    title: string,
    table: TableView,
    slots: Int32Array,
    entries: readonly Entry[],
    peer: KernelPeer | null,
  ): Promise<void> {
    const [batch] = cutBatches(table, slots, USER_BAGS);
    const pooled = entries.map(({ kernel }) => {
      const output = new Float32Array(USER_BAGS * table.dim);
      kernel.pool(batch, output);
      return output;
    });
    entries.forEach(({ side: { target, numerics } }, i) =>
      checkVectors(`${target} ${numerics} ${title}`, pooled[0], pooled[i], numerics)
    );
    if (peer === null) return;
    const path = await Deno.realPath(this.#run.folder) + "/kernels-vectors.bin";
    const theirs = await peer.output(USER_BAGS, POOLING, path);
    checkVectors(`peer, ${title}`, pooled[0], theirs, "exact");
  }

  #report(
    one: Case,
    title: string,
    { side, bags }: Entry,
    ours: Spread,
    peer: readonly number[] | undefined,
    limits: Limits,
  ): void {
    const isLarge = bags !== USER_BAGS;
    const must = isLarge ? mustOf(one, side) : undefined;
    const name = isBatched(one.format) ? "fbgemm-gpu-cpu" : "PyTorch";
    const what = `${side.target} ${side.numerics} ${title}, ${bags} bags`;
    const figure: Figure = { world: "real", case: what, unit: "ns/row", ours, better: "lower" };
    this.#run.report({
      ...figure,
      ...(peer !== undefined && { peer: { name, spread: spreadOf(peer) } }),
      ...(must !== undefined && { must }),
    });
    if (!isLarge) return;
    const rowBytes = one.format.rowBytes(one.dim);
    this.#run.report({
      ...figure,
      unit: "GB/s",
      ours: perNs(rowBytes, ours),
      better: "higher",
      peer: { name: "limit of the memory", spread: perNs(rowBytes, limits.nsPerRow) },
    });
  }

  #reportLimits(title: string, { sequential, nsPerRow }: Limits): void {
    const figure = { world: "real" } as const;
    this.#run.report({
      ...figure,
      case: `limit ${title}, sequential`,
      unit: "GB/s",
      ours: sequential,
      better: "higher",
    });
    this.#run.report({
      ...figure,
      case: `limit ${title}, a row`,
      unit: "ns/row",
      ours: nsPerRow,
      better: "lower",
    });
  }

  #say(line: string): void {
    if (this.#said.has(line)) return;
    this.#said.add(line);
    this.#run.say(line);
  }
}

/** A part of a case: a table, and who runs over it. */
interface Stream {
  readonly table: TableView;
  readonly targets: readonly Side["target"][];
  readonly title: string;
}

function isBatched(format: RowFormat): boolean {
  return format.name.startsWith("tbe");
}

function bytesOf({ format, dim, rowCount }: TableView): number {
  return rowCount * format.rowBytes(dim);
}

/** Nanoseconds for each of `count`, which `loop` does at once. */
function timeLoop(loop: () => void, count: number, seconds: number): number {
  const began = performance.now();
  let now = began, turns = 0;
  while (now < began + seconds * 1000) {
    loop();
    turns++;
    now = performance.now();
  }
  return (now - began) * 1e6 / (turns * count);
}

/**
 * A row costs at least its bytes at full bandwidth and, in memory, the touching of its lines; in
 * cache that loop would measure itself.
 */
function limitsOf(
  { format, dim, rowCount }: TableView,
  sequential: readonly number[],
  random: readonly number[],
): Limits {
  const rowBytes = format.rowBytes(dim);
  const isCached = rowCount * rowBytes <= CACHED_BYTES;
  return {
    sequential: spreadOf(sequential.map((ns) => 1 / ns)),
    nsPerRow: spreadOf(
      sequential.map((ns, i) => Math.max(ns * rowBytes, isCached ? 0 : random[i])),
    ),
  };
}

/** GB/s out of ns a row: what was low becomes high. */
function perNs(rowBytes: number, { value, low, high }: Spread): Spread {
  return { value: rowBytes / value, low: rowBytes / high, high: rowBytes / low };
}

/** What a figure has to reach against the faster peer with that row layout. */
function mustOf({ format, place }: Case, { target, numerics }: Side): number | undefined {
  const cached = place.name === "in cache";
  if (target === "x64" && numerics === "exact") {
    const judged = format.name === "q8" || (cached && /^(?:q|tbe)/.test(format.name));
    return judged ? 1 : undefined;
  }
  if (target === "wasm" && format.name === "q8") {
    if (cached) return numerics === "exact" ? 0.25 : 0.35;
    return place.skew === "uniform" ? 0.45 : undefined;
  }
  return undefined;
}

function pointsOf(
  one: Case,
  entries: readonly Entry[],
  times: readonly (readonly number[])[],
  peer: readonly number[] | null,
  limits: Limits,
): Measured[] {
  const sequential = limits.sequential.value;
  const ours = entries.flatMap(({ side, bags }, i) =>
    (bags === USER_BAGS && side.target !== "scalar") || side.numerics === "fast"
      ? []
      : [{ one, target: side.target, nsPerRow: spreadOf(times[i]), sequential }]
  );
  if (peer === null) return ours;
  const name = isBatched(one.format) ? "fbgemm-gpu-cpu" : "PyTorch";
  return [...ours, { one, target: name, nsPerRow: spreadOf(peer), sequential }];
}
