/**
 * `deno task bench kernels`: pooling 20 rows a bag, ours on every target against PyTorch's and
 * fbgemm-gpu-cpu's embedding bags over the same bytes and slots, on one thread: in cache, and on
 * large tables with small and with huge pages.
 *
 * @module
 */

import { f32, q2, q4, q8, type RowFormat, tbe2, tbe4, tbe8 } from "../../kernels/mod.ts";
import { type Case, KernelCases, type Measured } from "./_kernel_cases.ts";
import { drawPrefetch, drawRoofline, type PrefetchPoint } from "./_kernel_charts.ts";
import { reportCosts } from "./_kernel_costs.ts";
import { createTableMemory } from "./_kernel_memory_ffi.ts";
import { findPeers, KernelPeer } from "./_kernel_peers.ts";
import { otherShare } from "./_processor.ts";
import type { Place } from "./_kernel_tables.ts";
import type { Bench, BenchRun } from "./harness.ts";

const GIB = 2 ** 30;
/** A quarter of the second-level cache of any server processor of the last years. */
const CACHED: Place = { name: "in cache", bytes: 2 ** 18, skew: "uniform" };
const DIMS = [32, 64, 128, 256];
const DISTANCES = [0, 4, 8, 16, 32, 64, 128, 256];

/** The benchmark of the kernels. */
export const bench: Bench = {
  summary: "embedding bags of 20 rows, one thread (peers: PyTorch, fbgemm-gpu-cpu)",
  async run(run: BenchRun): Promise<void> {
    const python = run.peers ? await findPeers(run.folder, run.say) : null;
    await using plain = python === null ? null : new KernelPeer(python, false);
    await using tuned = python === null ? null : new KernelPeer(python, true);
    if (tuned !== null) run.say(`peers: ${JSON.stringify(await tuned.versions())}`);
    const others = await otherShare(1);
    if (others > 0.05) {
      const percent = Math.round(100 * others);
      run.say(`other programs use ${percent} % of the processors: all figures suffer from that`);
    }
    const memory = createTableMemory(run.quick ? GIB / 2 : 4 * GIB);
    await reportCosts(run, memory.memory);
    const cases = new KernelCases(run, memory, plain, tuned);
    const all = casesOf(run.quick);
    const points: PrefetchPoint[] = [];
    const measured: Measured[] = [];
    for (const [i, one] of all.entries()) {
      run.say(`${i + 1} of ${all.length}: ${one.title}`);
      measured.push(...await cases.measure(one));
      if (one.format === q8 && one.dim === 64 && one.place !== CACHED) {
        points.push(...await cases.prefetch(one, DISTANCES));
      }
    }
    reportHuge(run, measured);
    Deno.writeTextFileSync(`${run.folder}/kernels-roofline.svg`, drawRoofline(measured));
    Deno.writeTextFileSync(`${run.folder}/kernels-prefetch.svg`, drawPrefetch(points));
    run.say(`pictures: ${run.folder}/kernels-roofline.svg, ${run.folder}/kernels-prefetch.svg`);
  },
};

/** Ours on huge pages, which are ours to ask for, against the peer on pages as it gets them. */
function reportHuge(run: BenchRun, measured: readonly Measured[]): void {
  const far = measured.filter(({ one }) => one.place !== CACHED);
  for (const ours of far.filter(({ one, target }) => one.huge && target === "x64")) {
    const { place, dim, title } = ours.one;
    const theirs = far.find(({ one, target }) =>
      one.place === place && one.dim === dim && !one.huge && target === "PyTorch"
    );
    if (theirs === undefined) continue;
    run.report({
      world: "real",
      case: `x64 exact ${title}, against 4 KB ones`,
      unit: "ns/row",
      ours: ours.nsPerRow,
      better: "lower",
      peer: { name: "PyTorch", spread: theirs.nsPerRow },
      must: 1,
    });
  }
}

function casesOf(quick: boolean): Case[] {
  const share = quick ? 1 / 16 : 1;
  const large: Place[] = [
    { name: "zipf", bytes: GIB * share, skew: "zipf" },
    { name: "uniform", bytes: (quick ? 0.25 : 4) * GIB, skew: "uniform" },
  ];
  const dims = quick ? [64] : DIMS;
  const formats: RowFormat[] = quick ? [q8, q4, tbe8] : [q8, q4, q2, f32, tbe8, tbe4, tbe2];
  const cached = formats.flatMap((format) => dims.map((dim) => caseOf(format, dim, CACHED, true)));
  const far = large.flatMap((place) =>
    [true, false].flatMap((huge) => dims.map((dim) => caseOf(q8, dim, place, huge)))
  );
  return [...cached, ...far];
}

function caseOf(format: RowFormat, dim: number, place: Place, huge: boolean): Case {
  const size = place === CACHED
    ? place.name
    : `${place.name} ${shownSize(place.bytes)}, ${huge ? "2 MB" : "4 KB"} pages`;
  return { title: `${format.name} dim ${dim} ${size}`, format, dim, place, huge };
}

function shownSize(bytes: number): string {
  return bytes >= GIB ? `${bytes / GIB} GiB` : `${bytes / 2 ** 20} MiB`;
}
