/**
 * Starts workers on a shared row cache.
 *
 * @module
 */

import type { Job, Reply, Tallies } from "./shared_hammer.ts";

/** Enough for any machine, type checks of the worker included; a wake-up that is lost shows. */
const DEADLINE_MS = 90_000;

/** Runs the jobs at once, a worker each; what each counted. */
export async function runWorkers(jobs: readonly Job[]): Promise<Tallies[]> {
  const url = new URL("shared_row_cache_worker.ts", import.meta.url);
  const workers = jobs.map(() => new Worker(url, { type: "module" }));
  const hang = Promise.withResolvers<never>();
  const timer = setTimeout(() => hang.reject(new Error("workers hang")), DEADLINE_MS);
  try {
    const replies = Promise.all(workers.map((worker, w) => {
      const { promise, resolve, reject } = Promise.withResolvers<Reply>();
      worker.onmessage = ({ data: reply }: MessageEvent<Reply>) => resolve(reply);
      worker.onerror = (event) => {
        event.preventDefault();
        reject(new Error(event.message));
      };
      worker.postMessage(jobs[w]);
      return promise;
    }));
    return (await Promise.race([replies, hang.promise])).map((reply) => {
      if (typeof reply === "string") throw new Error(reply);
      return reply;
    });
  } finally {
    clearTimeout(timer);
    for (const worker of workers) worker.terminate();
  }
}
