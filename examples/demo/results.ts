/**
 * What a run of the demo found: everything the terminal, the report, and the picture show.
 *
 * @module
 */

import type { CurvePoint } from "./curve.ts";

/** Figures of the served job. */
export interface RunFigures {
  readonly device: string;
  readonly lookups: number;
  /** Hits over lookups. */
  readonly hitRatio: number;
  /** Lookups of a row that was on its way already. */
  readonly delayedHits: number;
  /** Rows the job touches at all. */
  readonly uniqueRows: number;
  /** Reads issued to the device. */
  readonly reads: number;
  /** Bytes read over bytes of the rows asked for. */
  readonly readAmplification: number;
  readonly iops: number;
  readonly p50BatchNs: number;
  readonly p99BatchNs: number;
  readonly seconds: number;
  /** Memory held for the served table. */
  readonly dramBytes: number;
  /** Bytes of the table itself. */
  readonly tableBytes: number;
}

/** The same job on one device. */
export interface DeviceTimes {
  readonly name: string;
  /** True when its times are virtual. */
  readonly simulated: boolean;
  readonly p50BatchNs: number;
  readonly p99BatchNs: number;
  readonly seconds: number;
  /** 0 where nothing is read. */
  readonly iops: number;
}

/** A search and what it found, best first. */
export interface SearchResult {
  readonly query: string;
  readonly hits: readonly { readonly text: string; readonly cosine: number }[];
}

/** All of it. */
export interface DemoResults {
  readonly title: string;
  readonly table: {
    readonly rows: number;
    readonly dim: number;
    readonly fileBytes: number;
    readonly rowBytes: number;
    readonly blockBytes: number;
  };
  readonly run: RunFigures;
  readonly devices: readonly DeviceTimes[];
  /** A line for each policy, by cache size. */
  readonly curve: readonly CurvePoint[];
  readonly search: readonly SearchResult[];
  /** Sentences under the table of figures. */
  readonly notes: readonly string[];
}
