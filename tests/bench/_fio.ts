/**
 * fio (flexible I/O tester) as the peer of raw reads: found, or installed from Debian.
 *
 * @module
 */

import { busySeconds } from "./_processor.ts";
import type { ReadRound } from "./_reads.ts";

const RAMP_SECONDS = 1;

/** fio's version, or null with a line said that tells how to get it. */
export async function findFio(say: (line: string) => void): Promise<string | null> {
  const found = await versionOf();
  if (found !== null) return found;
  say("fio is not installed: trying apt-get install fio");
  await succeeds("apt-get", ["install", "-y", "fio"]);
  const installed = await versionOf();
  if (installed === null) {
    say(
      "fio cannot be installed: figures against it are not judged (apt-get install fio, as root)",
    );
  }
  return installed;
}

async function versionOf(): Promise<string | null> {
  try {
    const { success, stdout } = await new Deno.Command("fio", { args: ["--version"] }).output();
    return success ? new TextDecoder().decode(stdout).trim() : null;
  } catch {
    return null;
  }
}

async function succeeds(command: string, args: string[]): Promise<boolean> {
  try {
    return (await new Deno.Command(command, { args, stdin: "null" }).output()).success;
  } catch {
    return false;
  }
}

/**
 * One run of fio's random O_DIRECT reads through its io_uring engine, with its defaults but for
 * `more`. Without `--randrepeat=0` it would repeat its offsets from run to run, on blocks that the
 * host then has at hand. Latencies are fio's "lat", from before a read is submitted to its end, as
 * ours are; its "clat" leaves out the system call that submits, some 6 us here. Processor time is
 * taken from a window in the middle, so that fio's start and end do not count.
 */
export async function measureFio(
  path: string,
  bytes: number,
  depth: number,
  seconds: number,
  more: readonly string[],
): Promise<ReadRound> {
  const args = [
    "--name=reads",
    `--filename=${path}`,
    "--readonly",
    "--ioengine=io_uring",
    "--direct=1",
    "--rw=randread",
    `--bs=${bytes}`,
    `--iodepth=${depth}`,
    "--randrepeat=0",
    "--time_based",
    `--ramp_time=${RAMP_SECONDS}`,
    `--runtime=${seconds}`,
    "--lat_percentiles=1",
    "--clat_percentiles=0",
    "--output-format=json",
    ...more,
  ];
  const output = new Deno.Command("fio", { args, stdin: "null", stderr: "null" }).output();
  await sleep((RAMP_SECONDS + 0.3) * 1000);
  const before = busySeconds();
  const started = performance.now();
  await sleep((seconds - 0.5) * 1000);
  const window = (performance.now() - started) / 1000;
  const busy = busySeconds() - before;
  const { success, stdout } = await output;
  if (!success) throw new Error("fio failed");
  const { read } = JSON.parse(new TextDecoder().decode(stdout)).jobs[0];
  const iops: number = read.iops;
  const p99Us = read.lat_ns.percentile["99.000000"] / 1000;
  return { iops, processorUs: busy / (iops * window) * 1e6, p99Us };
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
