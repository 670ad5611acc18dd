/**
 * Where the jobs of a replay run: each in a fresh worker, or here.
 *
 * @module
 */

import type { Counts, Job, Order, Reply } from "./_replay_job.ts";
import type { ReplayOptions } from "./replay_options.ts";
import { makersOf, type OwnFactories, replayParts } from "./_replay_run.ts";

/** One size of a job. */
export interface Outcome {
  /** What it counted. */
  readonly counts: Counts;
  /** What it took by the clock. */
  readonly elapsedNs: number;
}

/** A job, what it needs of this isolate, and who waits for it. */
export interface Task {
  /** What can be sent to a worker. */
  readonly job: Job;
  /** What cannot; empty where a worker may run it. */
  readonly own: OwnFactories;
  /** Takes what each of the job's sizes gave. */
  readonly onOutcome: (outcome: Outcome, i: number) => void;
}

/** What a running job is told of and tells. */
interface Watch {
  /** Nanoseconds; 0 for ever where nobody asks for times. */
  readonly now: () => number;
  /** So many more accesses were made. */
  readonly onProgress: (requests: number) => void;
  /** Ends it. */
  readonly signal: AbortSignal;
}

/**
 * Runs all tasks, `workers` at a time, `total` accesses in all. When one fails, or the signal
 * comes, all workers have ended before the promise rejects.
 */
export async function runAll(
  tasks: readonly Task[],
  workers: number,
  total: number,
  options: ReplayOptions,
): Promise<void> {
  const stop = new AbortController();
  const signals = options.signal === undefined ? [] : [options.signal];
  let done = 0;
  const watch: Watch = {
    now: options.now ?? (() => 0),
    onProgress: (requests) => options.onProgress?.({ done: done += requests, total }),
    signal: AbortSignal.any([...signals, stop.signal]),
  };
  const isHere = ({ own }: Task): boolean =>
    workers === 0 || own.eviction !== undefined || own.admission !== undefined;
  const here = tasks.filter(isHere);
  const queue = tasks.filter((task) => !isHere(task));
  let isTold = false;
  const lanes = Array.from({ length: Math.min(workers, queue.length) }, async () => {
    for (let task = queue.shift(); task !== undefined; task = queue.shift()) {
      try {
        settle(task, await runInWorker(task.job, watch));
      } catch (error) {
        if (!(error instanceof NoWorkersError)) throw error;
        if (!isTold) options.onNotice?.(`Going on without workers: ${error.message}`);
        isTold = true;
        here.push(task, ...queue.splice(0));
      }
    }
  });
  try {
    await Promise.all(lanes);
  } catch (error) {
    stop.abort(error);
    await Promise.allSettled(lanes);
    throw error;
  }
  // After the workers, whose messages would wait meanwhile and seem to take longer.
  for (const task of here) settle(task, await runHere(task.job, task.own, watch));
}

function settle({ onOutcome }: Task, outcomes: readonly Outcome[]): void {
  outcomes.forEach(onOutcome);
}

/** There are no workers to be had; the message says why. */
class NoWorkersError extends Error {
  override readonly name = "NoWorkersError";
}

/**
 * Runs a job in a worker of its own and ends that. Why not one for many jobs: an engine that has
 * seen two policies at the calls of the replay loop no longer inlines them. In one isolate,
 * after ten other policies, LRU took 56 ns an access in place of 29 and SIEVE 50 in place of 29
 * (zipf 0.9, 20,000 slots, dense keys, AMD EPYC).
 */
function runInWorker(job: Job, watch: Watch): Promise<Outcome[]> {
  const { now, onProgress, signal } = watch;
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<Outcome[]>();
  const worker = startWorker();
  const outcomes: Outcome[] = [];
  const order: Order = { job, starts: new Int32Array(new SharedArrayBuffer(4)) };
  let isReady = false;
  let begunNs = 0;
  const take = (reply: Reply): void => {
    if (reply.kind === "ready") isReady = true;
    else if (reply.kind === "begun") {
      begunNs = now();
      Atomics.add(order.starts, 0, 1);
      Atomics.notify(order.starts, 0);
    } else if (reply.kind === "progress") onProgress(reply.requests);
    else if (reply.kind === "failed") reject(failure(job, reply.message));
    else outcomes.push({ counts: reply.counts, elapsedNs: now() - begunNs });
    if (outcomes.length === job.slots.length) resolve(outcomes);
  };
  worker.onmessage = ({ data: reply }: MessageEvent<Reply>) => {
    try {
      take(reply);
    } catch (error) {
      // What the caller's clock or listener throws is the caller's to catch.
      reject(error);
    }
  };
  worker.onerror = (event) => {
    event.preventDefault();
    const { message } = event;
    reject(isReady ? failure(job, message) : new NoWorkersError(message));
  };
  const onAbort = (): void => reject(signal.reason);
  signal.addEventListener("abort", onAbort);
  worker.postMessage(order);
  return promise.finally(() => {
    signal.removeEventListener("abort", onAbort);
    worker.terminate();
  });
}

function startWorker(): Worker {
  const url = new URL("./_replay_worker.ts", import.meta.url);
  try {
    return new Worker(url, { type: "module" });
  } catch (error) {
    throw new NoWorkersError(messageOf(error));
  }
}

/** Runs a job in this isolate, with a turn of its event loop after each chunk. */
async function runHere(job: Job, own: OwnFactories, watch: Watch): Promise<Outcome[]> {
  using turns = new Turns();
  const outcomes: Outcome[] = [];
  try {
    const makers = await makersOf(job, own);
    for (const slots of job.slots) {
      outcomes.push(await runSteps(replayParts(job.parts, slots, makers), turns, watch));
    }
  } catch (error) {
    if (watch.signal.aborted) throw watch.signal.reason;
    throw failure(job, messageOf(error));
  }
  return outcomes;
}

async function runSteps(
  steps: Generator<number, Counts>,
  turns: Turns,
  { now, onProgress, signal }: Watch,
): Promise<Outcome> {
  // The caches are made before the clock starts.
  steps.next();
  for (let elapsedNs = 0;;) {
    const begunNs = now();
    const step = steps.next();
    elapsedNs += now() - begunNs;
    if (step.done === true) return { counts: step.value, elapsedNs };
    onProgress(step.value);
    await turns.next();
    signal.throwIfAborted();
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function failure({ policy }: Job, message: string): Error {
  return new Error(`Cannot replay ${policy.name}: ${message.replace(/^Uncaught /, "")}`);
}

/** Turns of the event loop: a promise alone would let no timer and no signal through. */
class Turns implements Disposable {
  readonly #channel = new MessageChannel();

  /** Resolves in a later turn. */
  next(): Promise<void> {
    return new Promise((resolve) => {
      this.#channel.port1.onmessage = () => resolve();
      this.#channel.port2.postMessage(0);
    });
  }

  [Symbol.dispose](): void {
    this.#channel.port1.close();
    this.#channel.port2.close();
  }
}
