/**
 * Does one job on a shared row cache and posts what came of it.
 *
 * @module
 */

/// <reference no-default-lib="true" />
/// <reference lib="deno.worker" />

import { hammer, type Job } from "./shared_hammer.ts";

self.onmessage = ({ data: job }: MessageEvent<Job>): void => self.postMessage(hammer(job));
