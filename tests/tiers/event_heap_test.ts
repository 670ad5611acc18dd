import { assertEquals, assertStrictEquals } from "@std/assert";
import fc from "fast-check";
import {
  createEventHeap,
  firstDueNs,
  popEvent,
  pushEvent,
  removeEvent,
} from "../../tiers/_event_heap.ts";

Deno.test("EventHeap gives events in the order of time, then of their numbers", () => {
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ dueNs: fc.nat(50) }) },
    { weight: 1, arbitrary: fc.constant("pop" as const) },
    { weight: 2, arbitrary: fc.record({ remove: fc.nat(63) }) },
  );
  fc.assert(
    fc.property(fc.array(step, { minLength: 50, maxLength: 200, size: "max" }), (steps) => {
      const heap = createEventHeap(64);
      const model: { event: number; dueNs: number; sequence: number }[] = [];
      let sequence = 0;
      for (const step of steps) {
        model.sort((a, b) => a.dueNs - b.dueNs || a.sequence - b.sequence);
        assertStrictEquals(firstDueNs(heap), model[0]?.dueNs ?? Infinity);
        assertStrictEquals(heap.count, model.length);
        if (step === "pop") {
          if (model.length > 0) assertStrictEquals(popEvent(heap), model.shift()!.event);
        } else if ("dueNs" in step) {
          if (model.length === 64) continue;
          let event = sequence % 64;
          while (model.some((one) => one.event === event)) event = (event + 1) % 64;
          pushEvent(heap, event, step.dueNs, sequence);
          model.push({ event, dueNs: step.dueNs, sequence: sequence++ });
        } else if (model.length > 0) {
          const [{ event }] = model.splice(step.remove % model.length, 1);
          removeEvent(heap, event);
        }
      }
      model.sort((a, b) => a.dueNs - b.dueNs || a.sequence - b.sequence);
      assertEquals(model.map(() => popEvent(heap)), model.map(({ event }) => event));
    }),
    { numRuns: 300 },
  );
});
