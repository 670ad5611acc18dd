/**
 * Replays one policy in an isolate of its own: an engine that has seen many policies in one loop
 * no longer inlines any of them.
 *
 * @module
 */

/// <reference no-default-lib="true" />
/// <reference lib="deno.worker" />

import {
  EVICTION_POLICIES,
  type EvictionPolicyFactory,
  KeyCache,
  s3fifo,
  wtinylfu,
} from "@rowtier/rowtier/cache";

/** One replay, or several after each other, of an empty cache each. */
export interface OwnReplay {
  /** Its name in `SUBJECTS`. */
  readonly subject: string;
  /** Of the trace, shared. */
  readonly keys: Uint32Array;
  /** Slots of the cache. */
  readonly slots: number;
  /** Set: keys are dense, and below it. */
  readonly keyCount: number | null;
  /** How often. */
  readonly repeats: number;
}

/** Policies and forms of them that the peer has. */
const SUBJECTS: Readonly<Record<string, EvictionPolicyFactory>> = {
  ...EVICTION_POLICIES,
  "s3fifo-warm": (slots) => s3fifo(slots, { warmMain: true }),
  "wtinylfu-bloom": (slots) => wtinylfu(slots, { sketch: "counting-bloom" }),
};

function replay(asked: OwnReplay): { ns: number; misses: number } {
  const { keys, slots, keyCount, repeats } = asked;
  const eviction = SUBJECTS[asked.subject];
  let milliseconds = 0;
  let misses = 0;
  for (let i = 0; i < repeats; i++) {
    const options = { slotCount: slots, eviction, roomy: true };
    const cache = new KeyCache(keyCount === null ? options : { ...options, keyCount });
    const began = performance.now();
    misses = cache.replay(keys);
    milliseconds += performance.now() - began;
  }
  return { ns: milliseconds * 1e6 / keys.length / repeats, misses };
}

self.onmessage = ({ data }: MessageEvent<OwnReplay>): void => {
  try {
    self.postMessage(replay(data));
  } catch (error) {
    self.postMessage({ error: String(error) });
  }
};
