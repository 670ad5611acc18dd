/**
 * `deno task bench devices`: every simulated drive against its published points, and how fast the
 * simulation itself runs. Writes `devices.svg` to the benchmarks' folder.
 *
 * @module
 */

import process from "node:process";
import { PROFILES } from "../../tiers/profiles.ts";
import { drawAgreement } from "./_device_chart.ts";
import { type DeviceLoad, type DevicePoint, POINTS, TOLERANCE } from "./_device_points.ts";
import { loadDevice, measureLoad } from "./_device_runs.ts";
import { type Bench, type BenchRun, type Figure, type Spread, spreadOf } from "./harness.ts";

/** The benchmark of the models. */
export const bench: Bench = {
  summary: "simulated drives against published points (peer: the published figure)",
  run(run: BenchRun): Promise<void> {
    // First, while the engine has seen one model at a time, as in a program that simulates a drive.
    reportSpeed(run);
    const seeds = run.quick ? [1] : [1, 2, 3];
    const shown: { point: DevicePoint; ours: Spread }[] = [];
    for (const [key, points] of byLoad(POINTS)) {
      const [{ drive, op, order, bytes, depth, fresh }] = points;
      const isTail = points.some(({ metric }) => metric.startsWith("p99.9"));
      const count = isTail ? (run.quick ? 1_000_000 : 4_000_000) : 200_000;
      const load = { op, order, bytes, depth, fresh };
      const rounds = seeds.map((seed) => measureLoad(PROFILES[drive], load, seed, count));
      for (const point of points) {
        const ours = spreadOf(rounds.map((round) => round[point.metric]));
        shown.push({ point, ours });
        run.report(figureOf(key, point, ours));
      }
    }
    const path = `${run.folder}/devices.svg`;
    Deno.writeTextFileSync(path, drawAgreement(shown));
    run.say(`picture: ${path}`);
    return Promise.resolve();
  },
};

function byLoad(points: readonly DevicePoint[]): Map<string, DevicePoint[]> {
  const groups = new Map<string, DevicePoint[]>();
  for (const point of points) {
    const { drive, op, order, bytes, depth, fresh } = point;
    const state = fresh ? "" : ", steady";
    const key = `${drive}, ${order} ${op}s of ${bytes} B, depth ${depth}${state}`;
    groups.set(key, [...groups.get(key) ?? [], point]);
  }
  return groups;
}

/**
 * Off in either direction is worse: the ratio is the smaller over the larger of the two, so that
 * `must` says how far off the model may be.
 */
function figureOf(key: string, point: DevicePoint, ours: Spread): Figure {
  const { metric, published, heldOut } = point;
  const above = ours.value > published;
  const tolerance = TOLERANCE[metric];
  return {
    world: "simulated",
    case: `${key}, ${metric}${heldOut ? " (held out)" : ""}`,
    unit: metric === "IOPS" || metric === "MB/s" ? metric : metric.includes("/") ? "" : "us",
    ours,
    better: above ? "lower" : "higher",
    peer: { name: "published", spread: { value: published, low: published, high: published } },
    ...(!heldOut && { must: above ? 1 / (1 + tolerance) : 1 - tolerance }),
  };
}

const SPEED_LOAD: DeviceLoad = { op: "read", order: "random", bytes: 4096, depth: 32, fresh: true };

/**
 * Simulated reads in a second of processor time, on a small drive and on one of 16 TB. Not by the
 * clock: neighbours on the machine would count.
 */
function reportSpeed(run: BenchRun): void {
  const asked: [keyof typeof PROFILES, number][] = [["p4800x", 2e6], ["p3700", 1e6]];
  for (const [drive, reads] of asked) {
    for (const [size, bytes] of [["64 GB", 2 ** 36], ["16 TB", 2 ** 44]] as const) {
      const loaded = loadDevice(PROFILES[drive], SPEED_LOAD, bytes, 1);
      const count = run.quick ? 300_000 : 1_000_000;
      loaded.run(count);
      const before = Deno.memoryUsage().heapUsed;
      const speeds = Array.from({ length: run.quick ? 3 : 9 }, () => {
        const began = process.cpuUsage().user;
        loaded.run(count);
        return count / (process.cpuUsage().user - began) * 1e6;
      });
      const grown = Deno.memoryUsage().heapUsed - before;
      run.say(
        `${drive} of ${size}: heap ${grown > 0 ? "+" : ""}${grown} B in ${count} reads a round`,
      );
      run.report({
        world: "real",
        case: `${drive} of ${size}, speed of the simulation`,
        unit: "reads/s of CPU",
        ours: spreadOf(speeds),
        better: "higher",
        peer: { name: "asked for", spread: { value: reads, low: reads, high: reads } },
        must: 1,
      });
    }
  }
}
