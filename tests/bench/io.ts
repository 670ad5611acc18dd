/**
 * `deno task bench io`: random O_DIRECT reads at queue depth 128, ours against fio's io_uring
 * engine, on the same warmed file: IOPS, and processor time of the whole machine for each read.
 *
 * @module
 */

import { findFio, measureFio } from "./_fio.ts";
import { measureReads, provideFile, warmFile } from "./_reads.ts";
import type { ReadRound } from "./_reads.ts";
import { otherShare } from "./_processor.ts";
import { alternate, spreadOf } from "./harness.ts";
import type { Bench, BenchRun } from "./harness.ts";

const DEPTH = 128;

/**
 * Completions a wait waits for. Medians of five rounds on two cores, k IOPS at 512 B and 4 KB: 1
 * gave 92.5 and 87.8; 4, 97.9 and 87.0; 8, 95.4 and 95.8; 16, 94.0 and 94.7; 32, 92.9 and 92.8, as
 * the queue then holds a quarter less than its depth before it is filled again.
 */
const BATCH = 8;

/** fio at its best on these disks: registered memory and file, and batches of our size. */
const TUNED = ["--fixedbufs=1", "--registerfiles=1", "--iodepth_batch_submit=32"].concat(
  "--iodepth_batch_complete_min=32",
  "--iodepth_batch_complete_max=128",
);

/** The benchmark of the raw queue. */
export const bench: Bench = {
  summary: "random O_DIRECT reads at queue depth 128 (peer: fio, ioengine=io_uring)",
  async run(run: BenchRun): Promise<void> {
    const mebibytes = run.quick ? 256 : 1024;
    const path = `${run.folder}/io-${mebibytes}m.bin`;
    provideFile(path, mebibytes * 2 ** 20);
    warmFile(path);
    const fio = run.peers ? await findFio(run.say) : null;
    const others = await otherShare(1);
    if (others > 0.05) {
      const percent = Math.round(100 * others);
      run.say(`other programs use ${percent} % of the processors: all figures suffer from that`);
    }
    for (const bytes of [4096, 512]) await compare(run, path, bytes, fio);
  },
};

async function compare(
  run: BenchRun,
  path: string,
  bytes: number,
  fio: string | null,
): Promise<void> {
  const seconds = run.quick ? 1 : 3;
  const rounds = run.quick ? 2 : 7;
  const sides: ((round: number) => Promise<ReadRound> | ReadRound)[] = [
    (seed) =>
      measureReads({ path, bytes, depth: DEPTH, batch: BATCH, warmSeconds: 0.5, seconds, seed }),
  ];
  const peers: string[] = [];
  if (fio !== null) {
    sides.push(() => measureFio(path, bytes, DEPTH, seconds, []));
    sides.push(() => measureFio(path, bytes, DEPTH, seconds, TUNED));
    peers.push(fio, `${fio} tuned`);
  }
  const [ours, ...theirs] = await alternate(rounds, sides);
  // What is asked for is asked for against fio as people run it; the tuned one is there to be
  // honest.
  reportAgainst(run, bytes, ours, theirs[0], peers[0], true);
  if (fio !== null) reportAgainst(run, bytes, ours, theirs[1], peers[1], false);
}

function reportAgainst(
  run: BenchRun,
  bytes: number,
  ours: readonly ReadRound[],
  theirs: readonly ReadRound[] | undefined,
  name: string | undefined,
  judged: boolean,
): void {
  const peerOf = (column: keyof ReadRound) =>
    theirs === undefined || name === undefined
      ? {}
      : { peer: { name, spread: spreadOf(theirs.map((round) => round[column])) } };
  run.report({
    world: "real",
    case: `${bytes} B random read, depth ${DEPTH}`,
    unit: "IOPS",
    ours: spreadOf(ours.map((round) => round.iops)),
    better: "higher",
    ...peerOf("iops"),
    ...(judged && { must: 0.95 }),
  });
  run.report({
    world: "real",
    case: `${bytes} B random read, depth ${DEPTH}, processor`,
    unit: "us/read",
    ours: spreadOf(ours.map((round) => round.processorUs)),
    better: "lower",
    ...peerOf("processorUs"),
    // At most 0.75 of fio's time is a ratio of 1.33 the other way round.
    ...(judged && { must: 1 / 0.75 }),
  });
}
