/**
 * IO traces as fio writes and reads them (`--write_iolog`, `--read_iolog`).
 *
 * @module
 */

import { checkInteger } from "../../base/checks.ts";
import { IO_OP } from "../io.ts";
import type { IoTrace } from "./io_trace.ts";
import { refuseLine, TraceBuilder, wholeNumber } from "./_trace_lines.ts";

/** What {@linkcode formatIolog} takes. */
export interface IologOptions {
  /** The name of the file or device that the trace is of: no white space, at most 255 bytes. */
  readonly file: string;
  /** 3 has times in us, 2 has none; 3 when left out. */
  readonly version?: 2 | 3;
}

const WHAT = "Cannot parse iolog";

/** By operation; fio has no other that moves or loses bytes. */
const ACTIONS: readonly string[] = ["read", "write", "sync", "trim"];
const FILE_ACTIONS: readonly string[] = ["add", "open", "close"];

/** fio reads sizes as unsigned 32-bit numbers. */
const MAX_BYTES = 2 ** 32 - 1;

/**
 * The text of `trace` as an fio iolog: `fio --read_iolog` replays it. Times are rounded down to us,
 * the unit of version 3 in fio's source.
 *
 * @throws {TypeError} for a `file` that fio would not read back.
 * @throws {RangeError} for another `version`.
 *
 * @example
 * ```ts
 * import { formatIolog, parseIolog } from "@rowtier/rowtier/tiers";
 *
 * const text = "fio version 3 iolog\n0 rows.bin add\n0 rows.bin open\n" +
 *   "0 rows.bin read 4096 512\n15 rows.bin close\n";
 * const trace = parseIolog(text);
 * if (trace.count !== 1 || trace.offsetBytes[0] !== 4096) throw new Error("unreachable");
 * const again = parseIolog(formatIolog(trace, { file: "rows.bin" }));
 * if (again.bytes[0] !== 512) throw new Error("unreachable");
 * ```
 */
export function formatIolog(trace: IoTrace, options: IologOptions): string {
  const what = "Cannot format iolog";
  const { file, version = 3 } = options;
  checkInteger(what, "version", version, 2, 3);
  if (typeof file !== "string" || !/^\S+$/.test(file) || file.length > 255) {
    throw new TypeError(`${what}: file must be 1 to 255 characters, none white: received ${file}`);
  }
  const timed = (ns: number) => version === 3 ? `${Math.floor(ns / 1000)} ` : "";
  const lines = [
    `fio version ${version} iolog`,
    `${timed(0)}${file} add`,
    `${timed(0)}${file} open`,
  ];
  let lastNs = 0;
  for (let i = 0; i < trace.count; i++) {
    const action = ACTIONS[trace.op[i]];
    if (action === undefined) continue; // a request that no device takes
    lastNs = trace.timeNs[i];
    // fio wants both numbers with a sync as well.
    const isSync = trace.op[i] === IO_OP.FLUSH;
    const place = isSync ? "0 0" : `${trace.offsetBytes[i]} ${trace.bytes[i]}`;
    lines.push(`${timed(lastNs)}${file} ${action} ${place}`);
  }
  lines.push(`${timed(lastNs)}${file} close`, "");
  return lines.join("\n");
}

/**
 * The requests of an fio iolog of version 2 or 3: reads, writes, trims (as discards), sync and
 * datasync (both as flushes). Version 3 has times in us. Of version 2, `wait` lines tell the time
 * as fio's manual has it, in us since the wait before; without them all requests are at time 0.
 *
 * @param text The whole file.
 * @param file Of a log of several files, the one whose requests are wanted.
 * @throws {TypeError} for the first line that is none, by its number and what was expected, and for
 * a second file when `file` is left out.
 */
export function parseIolog(text: string, file?: string): IoTrace {
  const lines = text.split("\n");
  const header = /^fio version ([23]) iolog\s*$/.exec(lines[0]);
  if (header === null) refuseLine(WHAT, 1, '"fio version 2 iolog" or the same of 3', lines[0]);
  const parser = new IologParser(Number(header[1]), file);
  for (let i = 1; i < lines.length; i++) {
    const line = lines[i].trim();
    if (line !== "") parser.parse(line, i + 1);
  }
  return parser.finish();
}

class IologParser {
  readonly #version: number;
  readonly #builder = new TraceBuilder();
  /** The file that is wanted, or the first one seen. */
  #file: string | undefined;
  readonly #chosen: boolean;
  #timeUs = 0;

  constructor(version: number, file: string | undefined) {
    this.#version = version;
    this.#file = file;
    this.#chosen = file !== undefined;
  }

  finish(): IoTrace {
    return this.#builder.finish();
  }

  parse(line: string, number: number): void {
    const words = line.split(/\s+/);
    if (this.#version === 3) {
      this.#timeUs = wholeNumber(words.shift() ?? "", 2 ** 53 / 1000);
      if (Number.isNaN(this.#timeUs)) refuseLine(WHAT, number, "begun by a time in us", line);
    }
    const [name, action] = words;
    if (words.length === 2 && FILE_ACTIONS.includes(action)) return;
    if (words.length !== 4) {
      const time = this.#version === 3 ? "TIME " : "";
      const expected = `"${time}FILE add|open|close" or "${time}FILE ACTION OFFSET BYTES"`;
      refuseLine(WHAT, number, expected, line);
    }
    const offset = wholeNumber(words[2], Number.MAX_SAFE_INTEGER);
    const bytes = wholeNumber(words[3], MAX_BYTES);
    if (Number.isNaN(offset) || Number.isNaN(bytes)) {
      refuseLine(WHAT, number, "ended by an offset below 2^53 and bytes below 2^32", line);
    }
    if (action === "wait" && this.#version === 2) this.#timeUs += offset;
    else if (this.#isWanted(name, number, line)) this.#push(action, offset, bytes, number, line);
  }

  #isWanted(name: string, number: number, line: string): boolean {
    if (this.#chosen) return name === this.#file;
    this.#file ??= name;
    if (name === this.#file) return true;
    return refuseLine(WHAT, number, `of the file ${this.#file}, as none was chosen`, line);
  }

  #push(action: string, offset: number, bytes: number, number: number, line: string): void {
    const op = action === "datasync" ? IO_OP.FLUSH : ACTIONS.indexOf(action);
    if (op < 0) refuseLine(WHAT, number, `one of ${ACTIONS.join(", ")}, datasync`, line);
    const moves = op !== IO_OP.FLUSH;
    this.#builder.push(op, this.#timeUs * 1000, moves ? offset : 0, moves ? bytes : 0);
  }
}
