/**
 * The traces of the replay: seeded zipf, and real ones where they lie beside the project; each with
 * keys scattered over u32, and numbered.
 *
 * @module
 */

import { createZipf, dense } from "@rowtier/rowtier/cache";
import { countedReal } from "../cache/golden.ts";

/** A trace twice, and the size of the cache. */
export interface ReplayCase {
  /** Of the trace and the size. */
  readonly title: string;
  /** Keys as they come: anywhere in u32. Shared with workers. */
  readonly scattered: Uint32Array;
  /** The same, numbered in order of first appearance. */
  readonly numbered: Uint32Array;
  /** Distinct keys. */
  readonly keyCount: number;
  /** Of the cache; at most a tenth of the keys it may be asked for. */
  readonly slots: number;
}

const EXPONENTS = [0.9, 1.1];
const KEYS_PER_SLOT = 10;
/** Below it, some of the reference's policies insert nothing. */
const FEWEST_SLOTS = 100;

/** Zipf traces of three sizes; of the smallest alone when in a hurry. */
export function* zipfCases(quick: boolean): Generator<ReplayCase> {
  for (const slots of quick ? [10_000] : [10_000, 100_000, 1_000_000]) {
    for (const exponent of EXPONENTS) {
      const scattered = share(new Uint32Array(quick ? 1_000_000 : Math.max(2_000_000, 5 * slots)));
      const keyCount = KEYS_PER_SLOT * slots;
      createZipf({ keyCount, exponent, seed: 1, order: "hashed" }).fill(scattered);
      const trace = dense({ name: "zipf", keys: scattered });
      const title = `zipf ${exponent} ${slots.toLocaleString("en")}`;
      yield {
        title,
        scattered,
        numbered: share(trace.keys),
        keyCount: trace.keyCount!,
        slots,
      };
    }
  }
}

/** Real traces at 10 % and 1 % of their keys; none, with a line said, where there are none. */
export async function* realCases(
  quick: boolean,
  say: (line: string) => void,
): AsyncGenerator<ReplayCase> {
  const real = await countedReal();
  if (typeof real === "string") return say(`real traces left out: ${real}`);
  for (const { trace, ids } of quick ? real.slice(0, 2) : real) {
    const keyCount = ids.reduce((most, id) => Math.max(most, id + 1), 0);
    const numbered = share(ids);
    const scattered = share(ids.map(scatter));
    for (const percent of [10, 1]) {
      const slots = Math.floor(keyCount * percent / 100);
      if (slots < FEWEST_SLOTS) continue;
      const name = trace.replace(/^.*\/|\.u32$/g, "");
      yield { title: `${name} ${percent} %`, scattered, numbered, keyCount, slots };
    }
  }
}

function share(keys: Uint32Array): Uint32Array {
  const shared = new Uint32Array(new SharedArrayBuffer(keys.byteLength));
  shared.set(keys);
  return shared;
}

/** A permutation of u32 (the finaliser of MurmurHash3). */
function scatter(key: number): number {
  let z = Math.imul(key ^ (key >>> 16), 0x85ebca6b);
  z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
  return (z ^ (z >>> 16)) >>> 0;
}
