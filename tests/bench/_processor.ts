/**
 * Processor time of the whole machine less that of other programs: what an IO costs is spent in
 * this process, in the kernel's threads and on interrupts, and neighbours should not count.
 *
 * @module
 */

/** Ticks of /proc are hundredths of a second on every Linux that Deno runs on. */
const TICKS_PER_SECOND = 100;

/** The parent of all kernel threads. */
const KERNEL = 2;

/** One process of /proc: its parent, and its ticks with those of the children it has waited for. */
export interface ProcessTicks {
  /** Its number. */
  readonly pid: number;
  /** Its parent's. */
  readonly parent: number;
  /** Ticks. */
  readonly ticks: number;
}

/** What the kernel tells at one moment. */
interface Snapshot {
  /** Ticks of all processors. */
  readonly busy: number;
  /** Ticks of other programs among them. */
  readonly others: number;
}

/**
 * Seconds that processors have worked since the machine started, but for other programs. Only
 * differences mean something; NaN where there is no /proc. Costs a process of some milliseconds.
 */
export function busySeconds(): number {
  const { busy, others } = takeSnapshot();
  return (busy - others) / TICKS_PER_SECOND;
}

/** The share of all processors that other programs use while this one sleeps for `seconds`. */
export async function otherShare(seconds: number): Promise<number> {
  const before = takeSnapshot().others;
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  const ticks = takeSnapshot().others - before;
  return ticks / TICKS_PER_SECOND / seconds / navigator.hardwareConcurrency;
}

/**
 * Ticks of the first line of /proc/stat: user, nice, system, irq and softirq; idle, waiting and
 * stolen time are nobody's work.
 */
export function parseBusy(stat: string): number {
  const [, user, nice, system, , , irq, softirq] = stat.split("\n", 1)[0].split(/\s+/).map(Number);
  return user + nice + system + irq + softirq;
}

/** Of /proc/PID/stat; the name in parentheses may hold anything, spaces and parentheses too. */
export function parseProcess(stat: string): ProcessTicks {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ").map(Number);
  const [user, system, childrenUser, childrenSystem] = fields.slice(11, 15);
  const ticks = user + system + childrenUser + childrenSystem;
  return { pid: parseInt(stat), parent: fields[1], ticks };
}

/** Ticks of `processes` that are neither `own`, nor descend from it, nor belong to the kernel. */
export function otherTicks(processes: readonly ProcessTicks[], own: number): number {
  const parents = new Map(processes.map(({ pid, parent }) => [pid, parent]));
  const counts = (pid: number): boolean => {
    for (let at: number | undefined = pid; at !== undefined; at = parents.get(at)) {
      if (at === own || at === KERNEL) return false;
    }
    return true;
  };
  return processes.reduce((sum, { pid, ticks }) => counts(pid) ? sum + ticks : sum, 0);
}

/** By way of a shell: Deno reads /proc for itself only when everything is granted. */
function takeSnapshot(): Snapshot {
  const script = "head -n 1 /proc/stat; cat /proc/[0-9]*/stat 2>/dev/null";
  try {
    const { stdout } = new Deno.Command("sh", { args: ["-c", script] }).outputSync();
    const [total, ...processes] = new TextDecoder().decode(stdout).trim().split("\n");
    return { busy: parseBusy(total), others: otherTicks(processes.map(parseProcess), Deno.pid) };
  } catch {
    return { busy: NaN, others: NaN };
  }
}
