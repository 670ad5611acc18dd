/**
 * The traces behind golden/cache_policies.jsonl, made anew from their definitions: unsigned 32-bit
 * integers throughout, a xorshift generator, and a checksum that tells a wrong generator from a
 * wrong policy.
 *
 * @module
 */

/** A golden trace: how it is made, and the misses by policy at each size. */
export interface GoldenTrace {
  /** Its name, and the generator's. */
  trace: string;
  /** The generator's first state. */
  seed: number;
  /** Keys. */
  requests: number;
  /** Distinct keys. */
  uniqueKeys: number;
  /** FNV-1a, 32 bits, over the keys as little-endian u32. */
  fnv1a32: number;
  /** Cache sizes. */
  sizes: number[];
  /** By policy, misses at each size; null where the reference inserts nothing. */
  misses: Record<string, (number | null)[]>;
}

interface Source {
  /** The next 32 random bits. */
  r(): number;
  /** Close to p ~ 1 / key: first how many bits, then the bits. */
  logU(bits: number): number;
}

function createSource(seed: number): Source {
  let x = seed | 0;
  const r = (): number => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return x >>> 0;
  };
  const logU = (bits: number): number => {
    const v = (r() >>> 8) % (bits + 1);
    return r() & (2 ** v - 1);
  };
  return { r, logU };
}

function mix(key: number): number {
  return Math.imul(key, 2654435761) >>> 0;
}

/** What makes key `i` of `n`; called in order. */
type Generator = (source: Source, n: number) => (i: number) => number;

const GENERATORS: Record<string, Generator> = {
  zipfish: ({ logU }) => () => mix(logU(17)),
  skew: ({ r }) => () => r() & r() & r() & 0x3ffff,
  scan: ({ logU }) => {
    let c = 0;
    return (i) => i % 5000 >= 4000 ? 0x40000000 + c++ : logU(15);
  },
  loop: ({ r }) => {
    let p = 0;
    return () => {
      const v = r();
      return (v & 3) === 0 ? 100000 + ((v >>> 2) & r() & 0x1fff) : p++ % 3000;
    };
  },
  drift: ({ r }) => (i) => mix(((r() & r() & 0xfff) + (i >>> 5)) & 0xffff),
  phases: ({ r, logU }, n) => (i) => {
    const v = r();
    const phase = Math.min(5, Math.floor(i / Math.floor(n / 6)));
    if (phase === 0) return logU(13);
    if (phase === 1) return 20000 + i % 500;
    if (phase === 2) return v & 1 ? 30000 + i : logU(13);
    if (phase === 3) return 0x10000000 + logU(14);
    return phase === 4 ? v & 0x1fff : 20000 + i % 1500;
  },
};

/** The keys of a golden trace; throws when they are not the ones that were counted. */
export function makeTrace(golden: GoldenTrace): Uint32Array {
  const next = GENERATORS[golden.trace](createSource(golden.seed), golden.requests);
  const keys = new Uint32Array(golden.requests).map((_, i) => next(i));
  const sum = fnv1a32(keys);
  if (sum !== golden.fnv1a32) {
    throw new Error(`trace ${golden.trace}: checksum must be ${golden.fnv1a32}: received ${sum}`);
  }
  return keys;
}

function fnv1a32(keys: Uint32Array): number {
  let hash = 0x811c9dc5;
  for (const key of keys) {
    for (let shift = 0; shift < 32; shift += 8) {
      hash = Math.imul(hash ^ ((key >>> shift) & 0xff), 0x01000193);
    }
  }
  return hash >>> 0;
}
