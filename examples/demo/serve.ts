/**
 * Drives one job through a pipeline and takes its times: the same loop for a real disk, for rows
 * held in memory, and for simulated drives in virtual time.
 *
 * @module
 */

import { type KeyBatch, NO_TICKET, type Pipeline, TICKET_STATE } from "@rowtier/rowtier/pipeline";
import type { Clock } from "@rowtier/rowtier/tiers";

/** The job: bags of keys of one table. */
export interface Bags {
  /** All bags' keys, one after the other. */
  readonly keys: Uint32Array;
  /** Bags + 1 entries. */
  readonly offsets: Uint32Array;
}

/** Times of one run, on the clock it ran by. */
export interface ServeTimes {
  /** From the first stage to the last release. */
  readonly seconds: number;
  /** By batch: from its stage to its vectors. */
  readonly batchNs: Float64Array;
  /** Time in `stage`, all batches. */
  readonly stageNs: number;
  /** Time in `pool`, all batches. */
  readonly poolNs: number;
}

/** Cuts the job into batches of `batchBags` bags; done before any clock starts. */
export function toBatches({ keys, offsets }: Bags, batchBags: number): KeyBatch[] {
  const batches: KeyBatch[] = [];
  for (let bag = 0; bag < offsets.length - 1; bag += batchBags) {
    const part = offsets.subarray(bag, Math.min(bag + batchBags + 1, offsets.length));
    const batchKeys = keys.subarray(part[0], part[part.length - 1]);
    const batchOffsets = part.map((offset) => offset - part[0]);
    batches.push({ parts: [{ table: 0, keys: batchKeys, offsets: batchOffsets }] });
  }
  return batches;
}

/** The most keys of any batch. */
export function maxKeys(batches: readonly KeyBatch[]): number {
  return batches.reduce((most, { parts }) => Math.max(most, parts[0].keys.length), 1);
}

/**
 * Serves every batch in order, as many in flight as the pipeline takes; bag b's vector goes to
 * `output[b * dim]`.
 *
 * @throws {Error} when a row could not be read.
 */
export async function serve(
  pipeline: Pipeline,
  clock: Clock,
  batches: readonly KeyBatch[],
  dim: number,
  output: Float32Array,
): Promise<ServeTimes> {
  const batchNs = new Float64Array(batches.length);
  const tickets = new Float64Array(batches.length);
  const startNs = clock.now();
  let staged = 0, at = 0, stageNs = 0, poolNs = 0;
  for (let done = 0; done < batches.length;) {
    const before = clock.now();
    while (staged < batches.length) {
      batchNs[staged] = -clock.now();
      const ticket = pipeline.stage(batches[staged]);
      if (ticket === NO_TICKET) break;
      tickets[staged++] = ticket;
    }
    stageNs += clock.now() - before;
    const ticket = tickets[done];
    if (pipeline.state(ticket) !== TICKET_STATE.READY) {
      const moved = pipeline.idle();
      if (typeof moved !== "number") await moved;
      continue;
    }
    const values = (batches[done].parts[0].offsets.length - 1) * dim;
    const pooling = clock.now();
    const incomplete = pipeline.pool(ticket, output.subarray(at, at + values));
    if (incomplete > 0) throw new Error(`${incomplete} bags of batch ${done} miss a row`);
    pipeline.release(ticket);
    const now = clock.now();
    poolNs += now - pooling;
    batchNs[done++] += now;
    at += values;
  }
  return { seconds: (clock.now() - startNs) / 1e9, batchNs, stageNs, poolNs };
}

/** The value below which a share `q` of `values` lies. */
export function quantile(values: Float64Array, q: number): number {
  const sorted = values.toSorted();
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))];
}
