import { assertType, type Has, type IsExact } from "@std/testing/types";
import type { EvictionPolicy, EvictionPolicyFactory, RowCache, Slots } from "../cache/mod.ts";
import type { Kernel } from "../kernels/mod.ts";
import type { Pipeline } from "../pipeline/mod.ts";
import type { BlockDevice, Clock, Driven, IoQueue, RealClock, VirtualClock } from "../tiers/mod.ts";

Deno.test("what moves with time is driven by one loop, and disposable", () => {
  assertType<Has<BlockDevice, Driven>>(true);
  assertType<Has<IoQueue, Driven>>(true);
  assertType<Has<Pipeline, Driven>>(true);
  assertType<Has<BlockDevice, Disposable>>(true);
  assertType<Has<IoQueue, Disposable>>(true);
  assertType<Has<Kernel, Disposable>>(true);
});

Deno.test("both clocks are clocks, and time is a number of nanoseconds", () => {
  assertType<Has<VirtualClock, Clock>>(true);
  assertType<Has<RealClock, Clock>>(true);
  assertType<IsExact<ReturnType<Clock["now"]>, number>>(true);
  assertType<IsExact<Parameters<VirtualClock["advanceTo"]>[0], number>>(true);
});

Deno.test("hot calls are synchronous and give numbers", () => {
  assertType<IsExact<ReturnType<BlockDevice["submit"] | BlockDevice["poll"]>, number>>(true);
  assertType<IsExact<ReturnType<IoQueue["enqueue"] | IoQueue["reap"]>, number>>(true);
  assertType<IsExact<ReturnType<RowCache["acquire"]>, number>>(true);
  assertType<IsExact<ReturnType<Kernel["pool"]>, number>>(true);
  assertType<IsExact<ReturnType<Pipeline["stage"] | Pipeline["step"]>, number>>(true);
  assertType<IsExact<ReturnType<Pipeline["pool"]>, number>>(true);
});

Deno.test("an eviction policy is made from the slots of one partition", () => {
  assertType<Has<(slots: Slots) => EvictionPolicy, EvictionPolicyFactory>>(true);
  assertType<Has<EvictionPolicyFactory, (slots: Slots) => EvictionPolicy>>(true);
  assertType<IsExact<ReturnType<EvictionPolicy["victim"]>, number>>(true);
});
