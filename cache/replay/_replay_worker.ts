/**
 * A worker of a replay: one policy, then it is ended.
 *
 * @module
 */

/// <reference no-default-lib="true" />
/// <reference lib="deno.worker" />

import type { Order, Reply } from "./_replay_job.ts";
import { makersOf, replayParts } from "./_replay_run.ts";

self.onmessage = async ({ data: order }: MessageEvent<Order>): Promise<void> => {
  try {
    await run(order);
  } catch (error) {
    say({ kind: "failed", message: error instanceof Error ? error.message : String(error) });
  }
};

say({ kind: "ready" });

function say(reply: Reply): void {
  self.postMessage(reply);
}

async function run({ job, starts }: Order): Promise<void> {
  const makers = await makersOf(job);
  for (const [i, slots] of job.slots.entries()) {
    const steps = replayParts(job.parts, slots, makers);
    steps.next();
    say({ kind: "begun" });
    Atomics.wait(starts, 0, i);
    let step = steps.next();
    for (; step.done !== true; step = steps.next()) say({ kind: "progress", requests: step.value });
    say({ kind: "done", counts: step.value });
  }
}
