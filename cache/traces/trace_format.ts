/**
 * The names of formats, and what tells the columns of one.
 *
 * @module
 */

/**
 * What the bytes of a trace mean.
 * - "oracleGeneral": libCacheSim's records of 24 bytes: u32 time, u64 key, u32 size, i64 next use.
 * - "csv": separated fields, see {@linkcode CsvOptions}.
 * - "text": one key a line, a number or any words.
 * - "arc": lines "start count ignored number", each a run of `count` requests.
 * - "lirs": one number a line; lines of "*" are passed over.
 * - "u32": keys of 4 bytes, little-endian; what `writeTrace` writes.
 */
export type TraceFormat = "arc" | "csv" | "lirs" | "oracleGeneral" | "text" | "u32";

/** How the bytes of a trace are compressed. */
export type TraceCompression = "none" | "gzip" | "zstd";

/** Which fields of a CSV trace mean what. */
export interface CsvOptions {
  /**
   * The key's column: from 1, or its name in the header. Left out: the first one that the header
   * calls key, id, obj_id, object_id, obj or object, in letters of any case.
   */
  readonly key?: number | string;
  /**
   * The column of the object's size in bytes, likewise. Left out, there are no sizes, unless `key`
   * is left out too and the header has a size, obj_size or object_size.
   */
  readonly size?: number | string;
  /** Whether the first line is a header; by default it is, unless columns are told by number. */
  readonly header?: boolean;
  /** What stands between fields, one ASCII character; "," by default. */
  readonly delimiter?: string;
}
