/**
 * Progress of long work, on a terminal; silent where standard error is not one.
 *
 * @module
 */

import cliProgress from "npm:cli-progress@3.12.0";

/** A bar on standard error. */
export interface ProgressBar {
  /** `done` of the total. */
  update(done: number): void;
  /** Ends the line. */
  stop(): void;
}

/** Starts a bar from 0 to `total`. */
export function progressBar(label: string, total: number): ProgressBar {
  if (!Deno.stderr.isTerminal()) return { update: () => {}, stop: () => {} };
  const bar = new cliProgress.SingleBar({
    format: `${label} {bar} {percentage} % | {value} of {total} | {eta_formatted} left`,
    hideCursor: true,
    formatValue: (value: number, _options: unknown, kind: string): string =>
      kind === "value" || kind === "total" ? value.toLocaleString("en") : String(value),
  }, cliProgress.Presets.shades_classic);
  bar.start(total, 0);
  return { update: (done) => bar.update(done), stop: () => bar.stop() };
}
