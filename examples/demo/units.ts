/**
 * Numbers as people read them.
 *
 * @module
 */

/** `1,078,365`. */
export function count(value: number): string {
  return Math.round(value).toLocaleString("en");
}

/** `97.3 %`; one more digit near the ends, where it matters. */
export function percent(share: number): string {
  const value = share * 100;
  const isNearEnd = value !== 0 && value !== 100 && (value < 1 || value > 99);
  return `${value.toFixed(isNearEnd ? 2 : 1)} %`;
}

/** Three digits and the unit that fits: `84.2 µs`. */
export function duration(ns: number): string {
  if (ns < 1e3) return `${digits(ns)} ns`;
  if (ns < 1e6) return `${digits(ns / 1e3)} µs`;
  return ns < 1e9 ? `${digits(ns / 1e6)} ms` : `${digits(ns / 1e9)} s`;
}

/** Decimal units: `39.3 MB`. */
export function bytes(value: number): string {
  if (value < 1e3) return `${value} B`;
  if (value < 1e6) return `${digits(value / 1e3)} kB`;
  return value < 1e9 ? `${digits(value / 1e6)} MB` : `${digits(value / 1e9)} GB`;
}

function digits(value: number): string {
  return value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0);
}
