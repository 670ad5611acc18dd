/**
 * Measures what a loop leaves on the heap.
 *
 * @module
 */

/**
 * Median growth of the heap in bytes over 31 runs of `run(turns)`, after it is warm. The median, as
 * a collection in some of the runs makes the heap smaller there.
 */
export function heapGrowth(run: (turns: number) => void, turns: number): number {
  for (let i = 0; i < 100; i++) run(turns);
  const growth: number[] = [];
  for (let i = 0; i < 31; i++) {
    const before = Deno.memoryUsage().heapUsed;
    run(turns);
    growth.push(Deno.memoryUsage().heapUsed - before);
  }
  return growth.sort((a, b) => a - b)[15];
}
