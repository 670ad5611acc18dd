/**
 * Made-up traces by a word on the command line: `zipf:0.9,keys=1e6`.
 *
 * @module
 */

import {
  createDrift,
  createLoop,
  createScan,
  createUniform,
  createZipf,
  generate,
  interleave,
  type KeySource,
  metaLike,
  type Trace,
} from "@rowtier/rowtier/cache";
import { UsageError } from "../demo/options.ts";

/** Settings of a generator by name, numbers all. */
type Settings = Readonly<Record<string, number>>;

interface Generator {
  /** Its settings and their defaults; the first may be given without its name. */
  readonly settings: Settings;
  readonly make: (settings: Settings, name: string) => Trace;
}

/** One that draws key after key. */
function drawn(settings: Settings, source: (settings: Settings) => KeySource): Generator {
  return {
    settings: { ...settings, requests: 2e6 },
    make: (given, name) => generate(source(given), given.requests, name),
  };
}

const GENERATORS: Readonly<Record<string, Generator>> = {
  zipf: drawn(
    { exponent: 0.9, keys: 1e6, seed: 1 },
    ({ exponent, keys, seed }) => createZipf({ exponent, keyCount: keys, seed }),
  ),
  uniform: drawn(
    { keys: 1e6, seed: 1 },
    ({ keys, seed }) => createUniform({ keyCount: keys, seed }),
  ),
  loop: drawn({ length: 1e5 }, ({ length }) => createLoop({ length })),
  scan: drawn({ first: 0 }, ({ first }) => createScan({ first })),
  drift: drawn(
    { keys: 1e6, hot: 1e4, share: 0.9, step: 1000, seed: 1 },
    ({ keys, hot, share, step, seed }) =>
      createDrift({
        keyCount: keys,
        hotCount: hot,
        hotShare: share,
        stepRequests: step,
        seed,
      }),
  ),
  "meta-like": {
    settings: { year: 2021, tables: 4, samples: 65_536, seed: 1 },
    make({ year, tables, samples, seed }, name) {
      // Any other year is refused by its own words.
      const asked = year as 2021 | 2022;
      const made = metaLike({ year: asked, tableCount: tables, sampleCount: samples, seed });
      return interleave(made, name);
    },
  },
};

/** What the help says of each: its settings with their defaults. */
export function describeGenerators(): string[] {
  return Object.entries(GENERATORS).map(([name, { settings }]) => {
    const [[, first], ...rest] = Object.entries(settings);
    const others = rest.map(([key, value]) => `${key}=${short(value)}`);
    return [`${name}:${short(first)}`, ...others].join(",");
  });
}

/** `2e6` for two millions, where that is shorter. */
function short(value: number): string {
  const plain = `${value}`, power = value.toExponential().replace("+", "");
  return power.length < plain.length ? power : plain;
}

/**
 * The trace that `word` describes, of at most `limit` requests where it can be cut off; undefined
 * when the word is no generator's.
 *
 * @throws {UsageError} for a setting that the generator does not have or cannot read.
 */
export function makeTrace(word: string, limit: number): Trace | undefined {
  const [, name, rest] = /^([a-z-]+)(?::(.*))?$/.exec(word) ?? [];
  if (name === undefined || !Object.hasOwn(GENERATORS, name)) return undefined;
  const { settings, make } = GENERATORS[name];
  const given = { ...settings };
  for (const [i, part] of (rest ?? "").split(",").entries()) {
    if (part === "") continue;
    const isNamed = part.includes("=");
    const [key, value] = isNamed ? part.split("=", 2) : [Object.keys(settings)[0], part];
    const isKnown = Object.hasOwn(settings, key) && (isNamed || i === 0);
    if (!isKnown || value.trim() === "" || Number.isNaN(Number(value))) {
      throw new UsageError(
        `Cannot make ${name}: settings must be NAME=NUMBER with a name of ` +
          `${Object.keys(settings).join(", ")}: received ${JSON.stringify(part)}`,
      );
    }
    given[key] = Number(value);
  }
  if (given.requests !== undefined) given.requests = Math.min(given.requests, limit);
  return make(given, word);
}
