/**
 * Miss ratios at many sizes, by the way that suits each policy: LRU exactly in one pass, the others
 * by replays, or by simulations in small where the trace is long. Admission, a warm-up and objects
 * of different sizes are for replays alone.
 *
 * @module
 */

import {
  EVICTION_POLICIES,
  lruCurve,
  MiniSimulation,
  replay,
  type ReplayOptions,
  type ReplayResult,
  type Trace,
} from "@rowtier/rowtier/cache";

/** One policy's curve. */
export interface Curve {
  /** The policy. */
  readonly policy: string;
  /** How it was got. */
  readonly method: "exact" | "replayed" | "simulated";
  /** Sizes and miss ratios. */
  readonly points: readonly CurvePoint[];
}

/** A point of it. */
export interface CurvePoint {
  /** Slots over the distinct keys. */
  readonly share: number;
  /** Misses over requests. */
  readonly missRatio: number;
}

/** What curves are made from. */
export interface CurveOptions extends Pick<ReplayOptions, "onNotice" | "onProgress" | "signal"> {
  /** The trace, its keys dense. */
  readonly trace: Trace & { readonly keyCount: number };
  readonly policies: readonly string[];
  readonly admission: string;
  /** Requests that do not count. */
  readonly warmup: number;
  /** Share of the keys to simulate with; undefined: by the length of the trace. */
  readonly sample: number | undefined;
  readonly workers: number | undefined;
  /** What is known already, for policies that cannot be simulated in small. */
  readonly results: readonly ReplayResult[];
}

/** Five sizes a decade, from a thousandth of the keys to almost all. */
const SHARES: readonly number[] = Array.from({ length: 15 }, (_, i) => 10 ** (i / 5 - 3));

/** Up to so many requests a replay at all sizes takes seconds, and is exact. */
const MOST_REPLAYED = 2_000_000;

/** Requests between two looks at the signal: some 10 ms. */
const CHUNK = 2 ** 20;

/** Share of the keys that simulations in small take from long traces. */
const DEFAULT_RATE = 0.01;

/**
 * The curve of each policy, in the order given. Belady's algorithm needs the whole trace: where the
 * others are simulated in small, its curve is what the results tell.
 */
export async function findCurves(options: CurveOptions): Promise<Curve[]> {
  const { trace, policies, admission, warmup, sample } = options;
  const isPlain = admission === "always" && warmup === 0 && trace.sizes === undefined;
  const rate = sample ?? (trace.keys.length <= MOST_REPLAYED ? 1 : DEFAULT_RATE);
  const isSmall = isPlain && rate < 1;
  const exact = policies.filter((name) => isPlain && name === "lru");
  const rest = policies.filter((name) => !exact.includes(name));
  const replayed = isSmall ? [] : await replayCurves(options, rest);
  const sizes = sizesOf(trace.keyCount);
  const curves = new Map(replayed.map((curve) => [curve.policy, curve]));
  if (exact.length > 0) {
    const curve = lruCurve(trace);
    curves.set("lru", { policy: "lru", method: "exact", points: pointsOf(trace, sizes, curve) });
  }
  if (isSmall) {
    const online = rest.filter((name) => Object.hasOwn(EVICTION_POLICIES, name));
    for (const curve of await simulateCurves(options, online, sizes, rate)) {
      curves.set(curve.policy, curve);
    }
  }
  return policies.map((policy) => curves.get(policy) ?? replayedCurve(policy, options.results));
}

async function simulateCurves(
  { trace, signal, onProgress }: CurveOptions,
  policies: readonly string[],
  sizes: readonly number[],
  rate: number,
): Promise<Curve[]> {
  const { keys } = trace;
  const total = keys.length * policies.length;
  const curves: Curve[] = [];
  for (const policy of policies) {
    const eviction = EVICTION_POLICIES[policy];
    const simulation = new MiniSimulation({ eviction, sizes, rate });
    for (let at = 0; at < keys.length;) {
      const end = Math.min(at + CHUNK, keys.length);
      simulation.add(keys, at, end);
      at = end;
      onProgress?.({ done: keys.length * curves.length + at, total });
      await turn();
      signal?.throwIfAborted();
    }
    const points = pointsOf(trace, sizes, simulation.curve());
    curves.push({ policy, method: "simulated", points });
  }
  return curves;
}

/** A turn of the event loop, in which the user may have asked to stop. */
async function turn(): Promise<void> {
  const { port1, port2 } = new MessageChannel();
  await new Promise<unknown>((resolve) => {
    port1.onmessage = resolve;
    port2.postMessage(0);
  });
  port1.close();
}

/** Slots at each share, each once. */
function sizesOf(keyCount: number): number[] {
  return [...new Set(SHARES.map((share) => Math.max(1, Math.floor(share * keyCount))))];
}

function pointsOf(
  { keyCount }: CurveOptions["trace"],
  sizes: readonly number[],
  curve: { at(size: number): number },
): CurvePoint[] {
  return sizes.map((size) => ({ share: size / keyCount, missRatio: curve.at(size) }));
}

async function replayCurves(options: CurveOptions, policies: readonly string[]): Promise<Curve[]> {
  const { trace, workers, admission, warmup, onNotice, onProgress, signal } = options;
  const results = await replay({
    trace,
    policies,
    admission,
    warmup,
    ...(onNotice && { onNotice }),
    ...(onProgress && { onProgress }),
    ...(signal && { signal }),
    sizes: trace.sizes === undefined ? sizesOf(trace.keyCount) : SHARES,
    ...(workers !== undefined && { workers }),
  });
  return policies.map((policy) => replayedCurve(policy, results));
}

function replayedCurve(policy: string, results: readonly ReplayResult[]): Curve {
  const own = results.filter((result) => result.policy === policy);
  const points = own.map(({ share, missRatio }) => ({ share, missRatio }));
  return { policy, method: "replayed", points: points.sort((a, b) => a.share - b.share) };
}
