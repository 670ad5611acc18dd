/**
 * The harness of all benchmarks: cases that alternate with their peers, medians with low and high,
 * one object a line for machines and a table for people.
 *
 * A benchmark is a file beside this one, `export const bench: Bench`; `main.ts` runs it by its
 * file's name.
 *
 * @module
 */

/** A median and the extremes it lies between. */
export interface Spread {
  /** The median. */
  readonly value: number;
  /** The lowest round. */
  readonly low: number;
  /** The highest round. */
  readonly high: number;
}

/** One figure, as a benchmark hands it in. */
export interface Figure {
  /**
   * Whether its time was measured or virtual; leads the case's name, so that the two are never
   * mixed up.
   */
  readonly world: "real" | "simulated";
  /** What was measured, in a few words. */
  readonly case: string;
  /** Of `value`: "IOPS", "us/read". */
  readonly unit: string;
  /** Ours. */
  readonly ours: Spread;
  /** Whether more or less of it is better. */
  readonly better: "higher" | "lower";
  /** Who it is compared with; left out where none ran. */
  readonly peer?: { readonly name: string; readonly spread: Spread };
  /** The ratio that has to be reached, where one has; shown, not part of the JSON. */
  readonly must?: number;
}

/** One line of `--json`; `ratio` > 1 says that we are better, whatever the unit. */
export interface Line {
  /** The benchmark's name. */
  readonly bench: string;
  /** World and case. */
  readonly case: string;
  /** The unit of all values. */
  readonly unit: string;
  /** Our median. */
  readonly value: number;
  /** Our lowest round. */
  readonly low: number;
  /** Our highest round. */
  readonly high: number;
  /** The peer's name, or null where none ran. */
  readonly peer: string | null;
  /** The peer's median. */
  readonly peerValue: number | null;
  /** Of the medians. */
  readonly ratio: number | null;
}

/** What a benchmark runs with. */
export interface BenchRun {
  /** True to be done in seconds: fewer and shorter rounds, figures that only say that it works. */
  readonly quick: boolean;
  /** True to run the peers, and to install what is missing for them. */
  readonly peers: boolean;
  /** The folder for what it keeps from run to run; git ignores it. */
  readonly folder: string;
  /** Hands in a figure. */
  report(figure: Figure): void;
  /** Says a line to people: on standard error, as standard output belongs to the figures. */
  say(line: string): void;
}

/** A benchmark. It throws where an answer was wrong: a wrong result has no time. */
export interface Bench {
  /** What it measures, in one line. */
  readonly summary: string;
  /** Runs it. */
  run(run: BenchRun): Promise<void> | void;
}

/**
 * Median (of an even number: the mean of the middle two), low and high of `values`; at least one.
 */
export function spreadOf(values: readonly number[]): Spread {
  if (values.length === 0) {
    throw new RangeError("Cannot spread: values must not be empty: received 0");
  }
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >>> 1;
  const value = sorted.length % 2 === 1
    ? sorted[middle]
    : (sorted[middle - 1] + sorted[middle]) / 2;
  return { value, low: sorted[0], high: sorted[sorted.length - 1] };
}

/**
 * Runs each of `sides` once a round, in turned order every other round, so that whatever drifts (a
 * disk that warms, a neighbour on the machine) meets all of them alike. Returns what they gave, by
 * side, then round.
 */
export async function alternate<T>(
  rounds: number,
  sides: readonly ((round: number) => Promise<T> | T)[],
): Promise<T[][]> {
  const results: T[][] = sides.map(() => []);
  const order = sides.map((_, side) => side);
  for (let round = 0; round < rounds; round++) {
    for (const side of order) results[side].push(await sides[side](round));
    order.reverse();
  }
  return results;
}

/** The line that a figure becomes. */
export function lineOf(bench: string, figure: Figure): Line {
  const { ours, peer } = figure;
  const theirs = peer?.spread.value;
  const higher = theirs === undefined ? null : ours.value / theirs;
  return {
    bench,
    case: `${figure.world}: ${figure.case}`,
    unit: figure.unit,
    value: ours.value,
    low: ours.low,
    high: ours.high,
    peer: peer?.name ?? null,
    peerValue: theirs ?? null,
    ratio: higher === null || figure.better === "higher" ? higher : 1 / higher,
  };
}

const HEADINGS = ["case", "ours", "low", "high", "unit", "peer", "theirs", "ratio", "must"];
const LEFT_ALIGNED = new Set(["case", "unit", "peer"]);

/** The table of `figures` for a terminal: columns as wide as their widest cell. */
export function tableOf(bench: string, figures: readonly Figure[]): string {
  const rows = figures.map((figure) => {
    const line = lineOf(bench, figure);
    return [
      line.case,
      shown(line.value),
      shown(line.low),
      shown(line.high),
      line.unit,
      line.peer ?? "-",
      line.peerValue === null ? "-" : shown(line.peerValue),
      line.ratio === null ? "-" : line.ratio.toFixed(2),
      mustOf(figure.must, line.ratio),
    ];
  });
  const widths = HEADINGS.map((name, i) =>
    Math.max(name.length, ...rows.map((row) => row[i].length))
  );
  return [HEADINGS, ...rows].map((row) =>
    row.map((cell, i) =>
      LEFT_ALIGNED.has(HEADINGS[i]) ? cell.padEnd(widths[i]) : cell.padStart(widths[i])
    ).join("  ").trimEnd()
  ).join("\n");
}

function mustOf(must: number | undefined, ratio: number | null): string {
  if (must === undefined) return "";
  if (ratio === null) return `>= ${must.toFixed(2)} not judged`;
  return `>= ${must.toFixed(2)} ${ratio >= must ? "met" : "MISSED"}`;
}

/** Three digits that count, and no exponent. */
function shown(value: number): string {
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString("en-US");
  return value.toPrecision(3);
}
