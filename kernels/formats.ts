/**
 * The row formats there are, by name and by number.
 *
 * @module
 */

import { bf16 } from "./bf16.ts";
import { f16 } from "./f16.ts";
import { f32 } from "./f32.ts";
import { e4m3, e5m2, hfp8 } from "./fp8.ts";
import { km2, km4 } from "./kmeans.ts";
import { q2, q4 } from "./nbit.ts";
import { q8 } from "./q8.ts";
import type { RowFormat } from "./row_format.ts";
import { tbe2, tbe4, tbe8 } from "./tbe.ts";

/** Every row format, in the order of their numbers. */
export const ROW_FORMATS: readonly RowFormat[] = Object.freeze([
  ...[f32, q8, f16, bf16, q4, q2, tbe8, tbe4, tbe2, hfp8, e4m3, e5m2, km4, km2],
]);

/**
 * The row format of that name ("q8"), or of that number in table files (2).
 *
 * @param nameOrCode A format's `name` or `code`.
 * @returns The one object that stands for it.
 * @throws {RangeError} when there is none; the message lists those there are.
 *
 * @example
 * ```ts
 * import { q8, rowFormat } from "@rowtier/rowtier/kernels";
 * import { assertStrictEquals } from "@std/assert";
 *
 * assertStrictEquals(rowFormat("q8"), q8);
 * assertStrictEquals(rowFormat(2), q8);
 * ```
 */
export function rowFormat(nameOrCode: string | number): RowFormat {
  for (const format of ROW_FORMATS) {
    if (format.name === nameOrCode || format.code === nameOrCode) return format;
  }
  const known = ROW_FORMATS.map(({ name, code }) => `"${name}" (${code})`).join(", ");
  const received = typeof nameOrCode === "string" ? `"${nameOrCode}"` : nameOrCode;
  throw new RangeError(
    `Cannot find row format: nameOrCode must be one of ${known}: received ${received}`,
  );
}
