/**
 * IO traces as text of blkparse, the reader of Linux's blktrace.
 *
 * @module
 */

import { checkInteger } from "../../base/checks.ts";
import { IO_OP } from "../io.ts";
import type { IoTrace } from "./io_trace.ts";
import { refuseLine, TraceBuilder, wholeNumber } from "./_trace_lines.ts";

/** What {@linkcode parseBlkparse} takes. */
export interface BlkparseOptions {
  /**
   * Which events are taken for requests: "Q" for what entered the block layer, as programs asked
   * for it, or "D" for what went to the drive, merged and split; "Q" when left out.
   */
  readonly action?: "Q" | "D";
  /** "MAJOR,MINOR" of a trace of several devices; all of them are taken when left out. */
  readonly device?: string;
}

/** What {@linkcode formatBlkparse} takes. */
export interface BlkparseFormat {
  /** The device in its lines, "MAJOR,MINOR"; "259,0" when left out. */
  readonly device?: string;
  /** The process in its lines: an id, 0 to 2^31 - 1; 1 when left out. */
  readonly processId?: number;
}

const WHAT = "Cannot parse blkparse text";

/** blktrace counts in sectors of 512 bytes, whatever the drive's are. */
const SECTOR = 512;

/** Device, processor, sequence, seconds, process, action, RWBS, and what the action has to say. */
const EVENT =
  /^\s*(\d+,\d+)\s+(\d+)\s+(\d+)\s+(\d+)\.(\d{9})\s+(\d+)\s+([A-Z]{1,2})\s+([A-Z]+)(?:\s+(.*))?$/;
const EXTENT = /^(\d+) \+ (\d+)(?: |$)/;

/** By operation. */
const RWBS: readonly string[] = ["R", "WS", "FN", "DS"];

/**
 * The requests in blkparse's default output. Summaries at its end and events of other actions are
 * passed over; so are requests that are none of read, write, discard and flush. A flush is an event
 * whose flags begin with F and that moves nothing; F before a write is the write's own preflush.
 *
 * @param text The whole output; a line that looks like an event and is none is refused.
 * @throws {TypeError} for such a line, by its number and what was expected.
 *
 * @example
 * ```ts
 * import { formatBlkparse, parseBlkparse } from "@rowtier/rowtier/tiers";
 *
 * const text = "  8,0    3        1     0.000001000   697  Q   R 16 + 8 [reader]\n";
 * const trace = parseBlkparse(text);
 * if (trace.offsetBytes[0] !== 8192 || trace.bytes[0] !== 4096) throw new Error("unreachable");
 * if (parseBlkparse(formatBlkparse(trace)).bytes[0] !== 4096) throw new Error("unreachable");
 * ```
 */
export function parseBlkparse(text: string, options: BlkparseOptions = {}): IoTrace {
  const { action = "Q", device } = options;
  const builder = new TraceBuilder();
  const lines = text.split("\n");
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i];
    // "8,0" begins events alone; "CPU0 (8,0):" and "Total" begin the summary.
    if (!/^\s*\d+,\d+\s/.test(line)) continue;
    const fields = EVENT.exec(line);
    if (fields === null) {
      // Messages (action m) have no flags: "8,0 0 0 0.1 0 m N cfq ...".
      if (/^\s*\d+,\d+\s+\d+\s+\d+\s+\d+\.\d{9}\s+\d+\s+m\s/.test(line)) continue;
      refuseLine(WHAT, i + 1, '"DEVICE CPU SEQUENCE SECONDS PID ACTION RWBS ..."', line);
    }
    if (fields[7] !== action || (device !== undefined && fields[1] !== device)) continue;
    const timeNs = wholeNumber(fields[4] + fields[5], 2 ** 53 - 1);
    if (Number.isNaN(timeNs)) refuseLine(WHAT, i + 1, "at a time below 2^53 ns", line);
    pushEvent(builder, fields[8], fields[9] ?? "", timeNs, i + 1, line);
  }
  return builder.finish();
}

function pushEvent(
  builder: TraceBuilder,
  flags: string,
  rest: string,
  timeNs: number,
  number: number,
  line: string,
): void {
  const extent = EXTENT.exec(rest);
  const sectors = extent === null ? 0 : wholeNumber(extent[2], (2 ** 32 - 1) / SECTOR);
  if (flags.startsWith("F") && sectors === 0) {
    builder.push(IO_OP.FLUSH, timeNs, 0, 0);
    return;
  }
  const letter = flags.replace(/^F/, "")[0];
  const op = letter === "R" ? IO_OP.READ : letter === "W" ? IO_OP.WRITE : IO_OP.DISCARD;
  if (letter !== "R" && letter !== "W" && letter !== "D") return;
  const sector = extent === null ? NaN : wholeNumber(extent[1], (2 ** 53 - 1) / SECTOR);
  if (Number.isNaN(sector) || Number.isNaN(sectors)) {
    refuseLine(WHAT, number, 'ended by "SECTOR + SECTORS", below 2^53 and 2^32 bytes', line);
  }
  builder.push(op, timeNs, sector * SECTOR, sectors * SECTOR);
}

/**
 * The text of `trace` as blkparse prints it: one Q event a request. Offsets and sizes are rounded
 * to whole sectors outwards, as the block layer has no others.
 *
 * @throws {TypeError} for a `device` that is no "MAJOR,MINOR".
 * @throws {RangeError} for a wrong `processId`.
 */
export function formatBlkparse(trace: IoTrace, options: BlkparseFormat = {}): string {
  const what = "Cannot format blkparse text";
  const { device = "259,0", processId = 1 } = options;
  if (!/^\d+,\d+$/.test(device)) {
    throw new TypeError(`${what}: device must be "MAJOR,MINOR": received ${device}`);
  }
  checkInteger(what, "processId", processId, 0, 2 ** 31 - 1);
  const lines: string[] = [];
  for (let i = 0; i < trace.count; i++) {
    const flags = RWBS[trace.op[i]];
    if (flags === undefined) continue; // a request that no device takes
    const sector = Math.floor(trace.offsetBytes[i] / SECTOR);
    const end = Math.ceil((trace.offsetBytes[i] + trace.bytes[i]) / SECTOR);
    const extent = trace.op[i] === IO_OP.FLUSH ? "" : ` ${sector} + ${end - sector}`;
    const seconds = Math.floor(trace.timeNs[i] / 1e9);
    const ns = String(trace.timeNs[i] - seconds * 1e9).padStart(9, "0");
    const head = `${device.padStart(7)} ${"0".padStart(4)} ${String(lines.length + 1).padStart(8)}`;
    const time = `${String(seconds).padStart(5)}.${ns}`;
    const process = String(processId).padStart(5);
    lines.push(`${head} ${time} ${process}  Q ${flags.padStart(3)}${extent} [rowtier]`);
  }
  return lines.join("\n") + (lines.length > 0 ? "\n" : "");
}
