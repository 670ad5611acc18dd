/**
 * What is your disk like? Measures the disk under a file, fits a profile to half of what it
 * measured, and says how far off the profile is at the other half:
 *
 *     deno run -A examples/probe.ts FILE [--out profile.json] [--scratch FOLDER] [--quick]
 *
 * FILE is only read: any large file on the disk will do. `--scratch` allows writing, in a file that
 * is made in FOLDER and removed. `--out` saves the profile for later simulations.
 *
 * @module
 */

import { parseArgs } from "node:util";
import {
  type MeasuredProfile,
  type PointFit,
  probeDevice,
  RealClock,
  saveProfile,
} from "@rowtier/rowtier/tiers";

const USAGE = "Usage: deno run -A examples/probe.ts FILE [--out PATH] [--scratch FOLDER] [--quick]";

/** One line a point: measured (real), then simulated with the profile, then the error. */
export function renderPoints(title: string, fits: readonly PointFit[]): string {
  const rows = fits.map(({ point, figures }) => {
    const cells = figures.filter(({ name }) => name === "iops" || name === "meanNs").map(
      ({ measured, simulated, error, name }) => {
        const scale = name === "iops" ? 1 : 1e-3;
        const signed = `${error < 0 ? "-" : "+"}${Math.abs(100 * error).toFixed(0)} %`;
        return [measured, simulated].map((value) => (value * scale).toFixed(0).padStart(9))
          .join("") + signed.padStart(8);
      },
    );
    const writes = `${Math.round(100 * point.writeShare)} %`;
    const load = `${point.op.padEnd(6)}${String(point.bytes).padStart(7)}` +
      `${String(point.depth).padStart(6)}${writes.padStart(8)}`;
    return load + cells.join("");
  });
  return [
    title,
    "op      bytes depth  writes     IOPS simulated  error  mean us simulated  error",
    ...rows,
  ].join("\n");
}

/** The whole report. */
export function renderProbe(measured: MeasuredProfile): string {
  const { profile, errorShare, noiseShare, fitted, heldOut } = measured;
  const percent = (share: number): string => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;
  return [
    renderPoints("Points it was fitted to:", fitted),
    "",
    renderPoints("Points the fit did not see:", heldOut),
    "",
    `Profile: ${profile.name} (${profile.kind} model)`,
    `Error at unseen points: up to ${percent(errorShare)}; whatever is simulated carries it.`,
    `The disk itself differed by up to ${percent(noiseShare)} between rounds.`,
  ].join("\n");
}

function main(): void {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    args: Deno.args,
    options: {
      out: { type: "string" },
      scratch: { type: "string" },
      quick: { type: "boolean", default: false },
    },
  });
  if (positionals.length !== 1) throw new Error(USAGE);
  const measured = probeDevice(positionals[0], {
    clock: new RealClock(),
    ...(values.scratch !== undefined && { scratchFolder: values.scratch }),
    ...(values.quick && { loadNs: 50e6, depths: [1, 4, 16, 64], rounds: 2, trials: 100 }),
    onProgress: (done, total) => console.error(`load ${done} of ${total}`),
  });
  console.log(renderProbe(measured));
  if (values.out === undefined) return;
  saveProfile(values.out, measured);
  console.log(`Saved: ${values.out}`);
}

if (import.meta.main) {
  try {
    main();
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    Deno.exit(1);
  }
}
