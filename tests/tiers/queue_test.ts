import {
  assert,
  assertEquals,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import {
  type BlockDevice,
  createCompletions,
  createEventLog,
  createFaultDevice,
  createIoQueue,
  createRequests,
  createSimulatedDevice,
  createTraceDevice,
  ERRNO,
  type Fault,
  memoryMedia,
  PRIORITY,
  PROFILES,
  VirtualClock,
} from "../../tiers/mod.ts";
import { heapGrowth } from "./allocation.ts";
import {
  BLOCK,
  BLOCKS,
  contentOf,
  drain,
  drive3dxp,
  enqueue,
  faulty,
  fillOf,
  memoryDevice,
  reap,
  setup,
} from "./queue_setup.ts";

Deno.test("createIoQueue() takes what fits and completes it under the user's tags", () => {
  const { queue, clock, memory } = setup((clock) => [memoryDevice(clock)], 4);
  const reads = [-5, 2 ** 50, 7, 8, 9].map((user, i) => ({ user, block: i + 3, place: i }));
  assertStrictEquals(enqueue(queue, reads), 4);
  assertEquals([queue.depth, queue.inFlight], [4, 4]);
  assertStrictEquals(enqueue(queue, reads, 4), 0);
  assertEquals(reap(queue), [], "nothing was submitted");
  assertStrictEquals(queue.submit(), 4);
  assertStrictEquals(queue.submit(), 0);
  assertEquals(reap(queue, 1), [[-5, BLOCK]]);
  assertEquals(reap(queue), [[2 ** 50, BLOCK], [7, BLOCK], [8, BLOCK]]);
  assertStrictEquals(queue.inFlight, 0);
  assertStrictEquals(queue.wakeNs, Infinity);
  for (let i = 0; i < 4; i++) assertStrictEquals(memory[i * BLOCK], fillOf(0, i + 3));
  assertStrictEquals(enqueue(queue, reads, 4), 1);
  assertEquals(drain(queue, clock), [[9, BLOCK]]);
});

Deno.test("createIoQueue() hands urgent requests over first, in one call a device", () => {
  let calls = 0;
  const { queue } = setup((clock) => {
    const device = memoryDevice(clock, 3);
    const submit = device.submit.bind(device);
    device.submit = (requests, from) => (calls++, submit(requests, from));
    return [device];
  });
  const background = [1, 2, 3, 4].map((user) => ({
    user,
    priority: user === 4 ? 200 : PRIORITY.BACKGROUND,
  }));
  enqueue(queue, background);
  enqueue(queue, [{ user: 10 }, { user: 11, priority: PRIORITY.URGENT }]);
  assertStrictEquals(queue.submit(), 3);
  assertStrictEquals(calls, 1);
  assertEquals(reap(queue).map(([user]) => user), [10, 11, 1]);
  enqueue(queue, [{ user: 12 }, { user: 13 }, { user: 14 }, { user: 15 }]);
  assertStrictEquals(queue.submit(), 3);
  assertEquals(reap(queue).map(([user]) => user), [12, 13, 14]);
  queue.submit();
  assertEquals(reap(queue).map(([user]) => user), [15, 2, 3]);
  queue.submit();
  assertEquals(reap(queue).map(([user]) => user), [4]);
  assertStrictEquals(calls, 4);
});

Deno.test("createIoQueue() keeps the order of what waits while the ring goes round", () => {
  const { queue } = setup((clock) => [memoryDevice(clock, 3)]);
  const seen: number[] = [];
  let user = 0;
  for (let turn = 0; turn < 20; turn++) {
    const taken = enqueue(queue, Array.from({ length: 8 }, (_, i) => ({ user: user + i })));
    user += taken;
    assertStrictEquals(queue.submit(), 3);
    seen.push(...reap(queue).map(([tag]) => tag));
  }
  assertEquals(seen, Array.from({ length: 60 }, (_, i) => i));
});

Deno.test("createIoQueue() serves several devices and answers an unknown one", () => {
  const { queue, clock, memory } = setup(
    (clock) => [memoryDevice(clock), drive3dxp(clock, 8, 1), drive3dxp(clock, 8, 2)],
  );
  enqueue(queue, [0, 1, 2, 3].map((device) => ({ user: device, device, block: 5, place: device })));
  const all = drain(queue, clock).sort();
  assertEquals(all, [[0, BLOCK], [1, BLOCK], [2, BLOCK], [3, -ERRNO.EINVAL]]);
  for (let device = 0; device < 3; device++) {
    assertStrictEquals(memory[device * BLOCK], fillOf(device, 5));
  }
});

Deno.test("createIoQueue() adds the wait in the ring to the latency", () => {
  const { queue, clock } = setup((clock) => [memoryDevice(clock)]);
  enqueue(queue, [{ user: 1 }]);
  clock.advanceTo(300);
  queue.submit();
  const completions = createCompletions(1);
  queue.reap(completions);
  assertStrictEquals(completions.latencyNs[0], 300);
});

Deno.test("createIoQueue() cancels at the device, and in the ring", () => {
  const { queue, clock } = setup((clock) => [drive3dxp(clock, 2)]);
  enqueue(queue, [1, 2, 3, 4].map((user) => ({ user })));
  assertStrictEquals(queue.submit(), 2);
  for (const user of [2, 4, 4, 99]) queue.cancel(user);
  assertStrictEquals(queue.wakeNs, clock.now());
  assertEquals(reap(queue).sort(), [[2, -ERRNO.ECANCELED], [4, -ERRNO.ECANCELED]]);
  assertEquals(drain(queue, clock).sort(), [[1, BLOCK], [3, BLOCK]]);
  queue.cancel(1);
  assertStrictEquals(queue.wakeNs, Infinity);
});

Deno.test("createIoQueue() ends a request at its deadline, wherever it is", () => {
  const { queue, clock } = setup((clock) => [faulty(clock, [{ kind: "lost", at: 0 }], 2)]);
  const reads = [
    { user: 1, deadlineNs: 5000 },
    { user: 2, deadlineNs: 1e6 },
    { user: 3, deadlineNs: 4000 },
    { user: 4, deadlineNs: NaN },
  ];
  enqueue(queue, reads);
  queue.submit();
  assertStrictEquals(queue.wakeNs, 4000);
  clock.advanceTo(3999);
  queue.step(3999);
  assertEquals(reap(queue), []);
  clock.advanceTo(4000);
  queue.step(4000);
  assertEquals(reap(queue), [[3, -ERRNO.ETIMEDOUT]]);
  assertStrictEquals(queue.wakeNs, 5000);
  assertEquals(drain(queue, clock).sort(), [[1, -ERRNO.ETIMEDOUT], [2, BLOCK], [4, BLOCK]]);
  assertStrictEquals(queue.wakeNs, Infinity, "a deadline outlived its request");
});

Deno.test("createIoQueue() lets a result stand that came before its deadline was looked at", () => {
  const { queue, clock } = setup((clock) => [drive3dxp(clock)]);
  enqueue(queue, [{ user: 1, deadlineNs: 20_000 }, { user: 2, deadlineNs: 20_000 }]);
  queue.submit();
  queue.cancel(2);
  clock.advanceTo(30_000);
  queue.step(clock.now());
  assertEquals(reap(queue).sort(), [[1, BLOCK], [2, -ERRNO.ECANCELED]]);
});

Deno.test("createIoQueue() does not call its user's wish a deadline", () => {
  const { queue, clock } = setup((clock) => [
    createFaultDevice({ device: drive3dxp(clock), faults: [{ kind: "lost", at: 0 }], clock }),
  ]);
  enqueue(queue, [{ user: 1, deadlineNs: 100 }]);
  queue.submit();
  queue.cancel(1);
  clock.advanceTo(200);
  queue.step(200);
  assertEquals(reap(queue), [[1, -ERRNO.ECANCELED]]);
});

Deno.test("wait() asks real devices for no more than they hold", () => {
  const waits: string[] = [];
  const real = (name: string, clock: VirtualClock): BlockDevice => {
    const device = memoryDevice(clock);
    Object.defineProperty(device, "simulated", { value: false });
    device.wait = (minimum) => waits.push(`${name} ${minimum}`);
    return device;
  };
  const { queue } = setup((clock) => [real("a", clock), real("b", clock)]);
  assertStrictEquals(queue.wait(1), 0);
  enqueue(queue, [{ user: 1 }, { user: 2 }, { user: 3, device: 1 }, { user: 4, device: 9 }]);
  assertStrictEquals(queue.wait(5), 1, "one was answered, and nothing was submitted");
  queue.submit();
  assertStrictEquals(queue.wait(1), 1);
  assertEquals(waits, []);
  assertStrictEquals(queue.wait(100), 4);
  assertEquals(waits, ["a 2", "b 1"]);
  assertStrictEquals(queue.wait(3), 3);
  assertEquals(waits.slice(2), ["a 2"]);
});

Deno.test("createIoQueue() refuses wrong options and use after it was disposed", () => {
  const clock = new VirtualClock();
  const device = memoryDevice(clock);
  const wrong = (options: Partial<Parameters<typeof createIoQueue>[0]>, name: string) => {
    const make = () => createIoQueue({ devices: [device], depth: 8, clock, ...options });
    assertStringIncludes(assertThrows(make, RangeError).message, `Cannot create IoQueue: ${name}`);
  };
  wrong({ depth: 0 }, "depth");
  wrong({ depth: 5000 }, "depth");
  wrong({ devices: [] }, "devices.length");
  wrong({ devices: [device, device] }, "devices must be different ones");
  const queue = createIoQueue({ devices: [device], depth: 8, clock });
  queue[Symbol.dispose]();
  queue[Symbol.dispose]();
  const requests = createRequests(1), completions = createCompletions(1);
  const uses = [
    () => queue.attach(new Uint8Array(8)),
    () => queue.enqueue(requests, 0),
    () => queue.submit(),
    () => queue.reap(completions),
    () => queue.step(0),
    () => queue.cancel(0),
    () => queue.wait(1),
    () => device.poll(completions),
  ];
  for (const use of uses) assertThrows(use, TypeError, "it has been disposed");
});

Deno.test("createIoQueue() gives the same log byte for byte for the same seed", () => {
  const logOf = (seed: number) => {
    const log = createEventLog(10_000);
    const { queue, clock } = setup((clock) => {
      const faults: Fault[] = [{ kind: "late", share: 0.2, delayNs: 777 }];
      const media = memoryMedia(contentOf(0));
      const inner = createSimulatedDevice({
        profile: PROFILES.p3700,
        media,
        clock,
        seed,
        depth: 8,
      });
      const device = createFaultDevice({ device: inner, faults, clock, seed });
      return [createTraceDevice({ device, log, clock })];
    }, 16);
    for (let user = 0; user < 500; user += 10) {
      const reads = Array.from(
        { length: 10 },
        (_, i) => ({ user: user + i, block: (user * i) % 64 }),
      );
      enqueue(queue, reads);
      drain(queue, clock);
    }
    return log.bytes().join();
  };
  assert(logOf(1) === logOf(1));
  assert(logOf(1) !== logOf(2));
});

Deno.test("createIoQueue() over a simulated drive allocates nothing for an IO", () => {
  const { queue, clock } = setup((clock) => [drive3dxp(clock, 32)], 32);
  const requests = createRequests(16), completions = createCompletions(32);
  requests.bytes.fill(BLOCK);
  requests.count = 16;
  const run = (turns: number) => {
    for (let turn = 0; turn < turns; turn++) {
      for (let i = 0; i < 16; i++) {
        requests.user[i] = i;
        requests.offsetBytes[i] = ((turn * 16 + i) % BLOCKS) * BLOCK;
        requests.deadlineNs[i] = clock.now() + 1e9;
        requests.priority[i] = i & 1;
      }
      queue.enqueue(requests, 0);
      queue.submit();
      while (queue.inFlight > 0) {
        clock.advanceTo(queue.wakeNs);
        queue.step(clock.now());
        completions.count = 0;
        queue.reap(completions);
      }
    }
  };
  const bytes = heapGrowth(run, 200) / (200 * 16);
  assert(bytes < 8, `${bytes} bytes an IO`);
});
