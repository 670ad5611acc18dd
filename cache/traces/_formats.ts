/**
 * The formats of traces: which one a file has, and its decoder.
 *
 * @module
 */

import { RecordDecoder } from "./_binary_formats.ts";
import { CsvFormat } from "./_csv_format.ts";
import type { Decoder } from "./_decoder.ts";
import { LineDecoder, type LineFormat } from "./_lines.ts";
import { ArcFormat, type KeyKind, LirsFormat, TextFormat } from "./_text_formats.ts";
import type { CsvOptions, TraceFormat } from "./trace_format.ts";
import { TraceError } from "./trace_error.ts";

/** The formats by the endings of names. */
const ENDINGS: Readonly<Record<string, TraceFormat>> = {
  ".csv": "csv",
  ".lirs": "lirs",
  ".lis": "arc",
  ".oracleGeneral": "oracleGeneral",
  ".oracleGeneral.bin": "oracleGeneral",
  ".txt": "text",
  ".u32": "u32",
};

/** Every {@linkcode TraceFormat}. */
export const TRACE_FORMATS: readonly TraceFormat[] = [...new Set(Object.values(ENDINGS))];

/** Bytes at the beginning that {@linkcode sniffFormat} wants to see. */
export const SNIFF_BYTES: number = 4096;

/** The name of a file without its folder and the endings of compression and format. */
export function stemOf(name: string): string {
  const plain = name.replace(/^.*[/\\]/, "").replace(/\.(?:gz|zst)$/, "");
  const ending = endingOf(plain);
  return plain.slice(0, plain.length - ending.length);
}

/** The format that a file's name tells, if it does. */
export function formatOf(name: string): TraceFormat | undefined {
  return ENDINGS[endingOf(name.replace(/\.(?:gz|zst)$/, ""))];
}

function endingOf(name: string): string {
  return Object.keys(ENDINGS).find((ending) => name.endsWith(ending)) ?? "";
}

/**
 * The format that a trace's first bytes tell beyond doubt: numbers a line ("lirs", which is "text"
 * plus marks), or ARC's four.
 *
 * @throws {TraceError} where they leave it open.
 */
export function sniffFormat(trace: string, bytes: Uint8Array): TraceFormat {
  const text = new TextDecoder().decode(bytes.subarray(0, SNIFF_BYTES));
  // The last line may be cut off; alone, it is taken as it is.
  const lines = text.split(/\r?\n/);
  const whole = (lines.length > 1 ? lines.slice(0, -1) : lines).filter((line) => line !== "");
  if (whole.length > 0) {
    if (whole.every((line) => /^\s*(?:\d+|\*)\s*$/.test(line))) return "lirs";
    if (whole.every((line) => /^\s*\d+\s+\d+\s+\d+\s+\d+\s*$/.test(line))) return "arc";
  }
  throw new TraceError(
    trace,
    `format must be told where neither name nor first lines tell it: received none`,
  );
}

/** The decoder of one trace. */
export function createDecoder(
  trace: string,
  format: TraceFormat,
  kind: KeyKind | undefined,
  csv: CsvOptions,
): Decoder {
  if (format === "u32") return new RecordDecoder(trace, false);
  if (format === "oracleGeneral") return new RecordDecoder(trace, true);
  return new LineDecoder(trace, createLineFormat(format, kind, csv));
}

function createLineFormat(
  format: TraceFormat,
  kind: KeyKind | undefined,
  csv: CsvOptions,
): LineFormat {
  if (format === "csv") return new CsvFormat(csv, kind);
  if (format === "text") return new TextFormat(kind);
  return format === "arc" ? new ArcFormat() : new LirsFormat();
}
