import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { createRandom } from "../../base/random.ts";
import {
  type BlockDevice,
  createCompletions,
  createDelayDevice,
  createIoQueue,
  createRequests,
  createSimulatedDevice,
  ERRNO,
  type IoQueue,
  memoryMedia,
  PRIORITY,
  PROFILES,
  type QueueLimits,
  VirtualClock,
} from "../../tiers/mod.ts";
import { heapGrowth } from "./allocation.ts";
import { BLOCK, drive3dxp, memoryDevice, reap } from "./queue_setup.ts";

/** One request; what is left out is a read of one block by table 0. */
interface Asked {
  readonly user: number;
  readonly table?: number;
  readonly priority?: number;
  readonly blocks?: number;
  readonly deadlineNs?: number;
  readonly device?: number;
}

/** A queue with limits over `devices`, without memory of its own beyond 16 blocks. */
function limited(
  limits: QueueLimits,
  make: (clock: VirtualClock) => BlockDevice[],
  depth = 256,
): { queue: IoQueue; clock: VirtualClock } {
  const clock = new VirtualClock();
  const queue = createIoQueue({ devices: make(clock), depth, clock, limits });
  queue.attach(new Uint8Array(16 * BLOCK));
  return { queue, clock };
}

function enqueue(queue: IoQueue, asked: readonly Asked[]): void {
  const requests = createRequests(asked.length);
  asked.forEach(
    ({ user, table = 0, priority = 0, blocks = 1, deadlineNs = Infinity, device = 0 }, i) => {
      requests.user[i] = user;
      requests.table[i] = table;
      requests.priority[i] = priority;
      requests.bytes[i] = blocks * BLOCK;
      requests.deadlineNs[i] = deadlineNs;
      requests.device[i] = device;
    },
  );
  requests.count = asked.length;
  assertStrictEquals(queue.enqueue(requests, 0), asked.length);
}

/** `count` requests of a table, tagged from `user` on. */
function burst(user: number, count: number, table: number, more: Partial<Asked> = {}): Asked[] {
  return Array.from({ length: count }, (_, i) => ({ user: user + i, table, ...more }));
}

const users = (queue: IoQueue) => reap(queue).map(([user]) => user);

Deno.test("createIoQueue() holds a device and a table to their limits", () => {
  const { queue, clock } = limited(
    { device: 5, table: 2, tables: 4 },
    (clock) => [drive3dxp(clock, 16), drive3dxp(clock, 3, 1)],
  );
  assertEquals([queue.limitOf(0), queue.limitOf(1)], [5, 3]);
  enqueue(queue, [0, 1, 2, 3].flatMap((table) => burst(10 * table, 4, table)));
  enqueue(queue, burst(100, 3, 3, { device: 1 }));
  assertStrictEquals(queue.submit(), 5 + 2, "two, two and one of a table; two of the last");
  assertStrictEquals(queue.submit(), 0);
  const seen: number[] = [];
  for (let turns = 0; seen.length < 19; turns++) {
    assert(turns < 1000);
    clock.advanceTo(queue.wakeNs);
    queue.step(clock.now());
    seen.push(...users(queue));
    queue.submit();
  }
  assertEquals(queue.inFlight, 0);
  assertThrows(() => queue.limitOf(2), RangeError, "Cannot tell a limit of IoQueue: device must");
});

Deno.test("createIoQueue() lets tables take turns by bytes, urgent ones first", () => {
  const { queue } = limited(
    { device: 1, tables: 3, quantumBytes: BLOCK },
    (clock) => [memoryDevice(clock, 1)],
  );
  enqueue(queue, [
    ...burst(0, 4, 0, { blocks: 2 }),
    ...burst(10, 6, 1),
    ...burst(20, 2, 2, { priority: PRIORITY.BACKGROUND }),
    { user: 30, table: 2 },
  ]);
  const order: number[] = [];
  while (queue.inFlight > 0) {
    queue.submit();
    order.push(...users(queue));
  }
  // Table 0 moves twice the bytes, and so comes half as often while the other waits.
  const served = (table: number) => order.filter((user) => Math.floor(user / 10) === table).length;
  assertEquals([served(0), served(1), served(2), served(3)], [4, 6, 2, 1]);
  assertEquals(order.slice(-2), [20, 21]);
  assert(order.indexOf(30) < 4, String(order));
  const third = order.slice(0, 9).filter((user) => user < 10).length;
  assert(third >= 2 && third <= 3, String(order));
});

Deno.test("createIoQueue() gives tables that always wait an equal share of the bytes", () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 8 }), { minLength: 2, maxLength: 5 });
  fc.assert(
    fc.property(sizes, fc.integer({ min: 64, max: 8192 }), (blocks, quantumBytes) => {
      const tables = blocks.length;
      const { queue } = limited(
        { device: 1, tables, quantumBytes },
        (clock) => [memoryDevice(clock, 1)],
      );
      blocks.forEach((size, table) =>
        enqueue(queue, burst(100 * table, 3, table, { blocks: size }))
      );
      const bytes = new Array<number>(tables).fill(0);
      for (let turn = 0; turn < 400; turn++) {
        queue.submit();
        for (const user of users(queue)) {
          const table = Math.floor(user / 100);
          bytes[table] += blocks[table] * BLOCK;
          enqueue(queue, [{ user, table, blocks: blocks[table] }]);
        }
      }
      // Apart by a turn and one request at most.
      const apart = Math.max(...bytes) - Math.min(...bytes);
      assert(apart <= 2 * (quantumBytes + 8 * BLOCK), `${bytes} by ${quantumBytes}`);
    }),
    { numRuns: 40 },
  );
});

Deno.test("createIoQueue() does not make a table pay for what it had alone", () => {
  const { queue } = limited(
    { device: 1, tables: 2, quantumBytes: BLOCK },
    (clock) => [memoryDevice(clock, 1)],
  );
  const order: number[] = [];
  const serve = (count: number) => {
    for (; count > 0; count--) {
      queue.submit();
      order.push(...users(queue));
    }
  };
  enqueue(queue, burst(0, 60, 0, { blocks: 8 }));
  serve(50);
  enqueue(queue, burst(200, 4, 1, { blocks: 8 }));
  serve(4);
  assertStrictEquals(order.slice(50).filter((user) => user < 200).length, 2, String(order));
});

Deno.test("createIoQueue() cancels and expires what its limits hold back", () => {
  const { queue, clock } = limited(
    { device: 1, table: 1, tables: 2 },
    (clock) => [drive3dxp(clock, 4)],
  );
  enqueue(queue, [
    { user: 1 },
    { user: 2 },
    { user: 3, deadlineNs: 50 },
    { user: 4, table: 1 },
    { user: 5, table: 2 },
    { user: 6, device: 1 },
  ]);
  queue.submit();
  queue.cancel(2);
  clock.advanceTo(50);
  queue.step(50);
  assertEquals(reap(queue).sort(), [
    [2, -ERRNO.ECANCELED],
    [3, -ERRNO.ETIMEDOUT],
    [5, -ERRNO.EINVAL],
    [6, -ERRNO.EINVAL],
  ]);
  queue.cancel(1);
  queue.cancel(4);
  assertEquals(reap(queue).sort(), [[1, -ERRNO.ECANCELED], [4, -ERRNO.ECANCELED]]);
  assertEquals([queue.inFlight, queue.wakeNs], [0, Infinity]);
});

Deno.test("createIoQueue() counts a request no more that ends before a device has taken it", () => {
  let full = true;
  const { queue } = limited({ table: 1 }, (clock) => {
    const device = memoryDevice(clock, 4);
    const submit = device.submit.bind(device);
    device.submit = (requests, from) => full ? 0 : submit(requests, from);
    return [device];
  });
  enqueue(queue, [{ user: 1 }, { user: 2 }]);
  assertStrictEquals(queue.submit(), 0);
  queue.cancel(1);
  assertEquals(reap(queue), [[1, -ERRNO.ECANCELED]]);
  full = false;
  assertStrictEquals(queue.submit(), 1);
  assertEquals(reap(queue), [[2, BLOCK]]);
});

Deno.test("createIoQueue() finds a limit that holds the latency of a NAND drive", () => {
  // The mean of its limit while the drive is kept busy with as many reads as it lets go.
  const meanLimit = (limits: QueueLimits) => {
    const { queue, clock } = limited(limits, (clock) => [
      createSimulatedDevice({
        profile: PROFILES.p3700,
        media: memoryMedia(2 ** 24),
        clock,
        depth: 128,
      }),
    ], 128);
    const random = createRandom(5);
    const requests = createRequests(128), completions = createCompletions(128);
    const seen: number[] = [];
    requests.bytes.fill(4096);
    for (requests.count = 128; seen.length < 20_000;) {
      for (let i = 0; i < requests.count; i++) requests.offsetBytes[i] = 4096 * random.below(4096);
      queue.enqueue(requests, 0);
      queue.submit();
      const atOnce = queue.limitOf(0);
      clock.advanceTo(queue.wakeNs);
      queue.step(clock.now());
      completions.count = 0;
      queue.reap(completions);
      requests.count = completions.count;
      for (let i = 0; i < completions.count; i++) seen.push(atOnce);
    }
    return seen.slice(10_000).reduce((sum, n) => sum + n, 0) / 10_000;
  };
  const adaptive = { targetNs: 300_000, lateShare: 0.05 };
  const found = meanLimit({ adaptive });
  assert(found > 1 && found < 100, `${found} at once`);
  assert(meanLimit({ adaptive: { ...adaptive, targetNs: 1e9 } }) > 120, "no need for a limit");
  assert(meanLimit({ adaptive: { ...adaptive, targetNs: 1000, minimum: 3 } }) < 3.1, "hopeless");
});

Deno.test("createIoQueue() lowers an adaptive limit by a share and raises it by one", () => {
  const slow = { ns: 10 };
  const { queue, clock } = limited(
    { adaptive: { targetNs: 100, lateShare: 0 } },
    (clock) => [stretch(clock, slow)],
  );
  const limits: number[] = [];
  let user = 0;
  const rounds = (count: number) => {
    for (const end = user + 32 * count; user < end;) {
      enqueue(queue, [{ user: user++ }, { user: user++ }].concat(burst(user, 30, 0)));
      user += 30;
      while (queue.inFlight > 0) {
        queue.submit();
        clock.advanceTo(queue.wakeNs);
        queue.step(clock.now());
        users(queue);
      }
      limits.push(queue.limitOf(0));
    }
  };
  rounds(4);
  assertEquals(limits, [2, 4, 8, 16], "slow start");
  slow.ns = 1000;
  rounds(2);
  slow.ns = 10;
  rounds(3);
  assertEquals(limits.slice(4), [11, 7, 8, 9, 10]);
});

/** A device that takes as long as `slow` says when it is asked. */
function stretch(clock: VirtualClock, slow: { ns: number }): BlockDevice {
  const inner = memoryDevice(clock, 64);
  const device = createDelayDevice({ device: inner, delayNs: 10, clock });
  const poll = device.poll.bind(device);
  device.poll = (completions) => {
    const first = completions.count, count = poll(completions);
    for (let i = first; i < completions.count; i++) completions.latencyNs[i] = slow.ns;
    return count;
  };
  return device;
}

Deno.test("createIoQueue() refuses wrong limits", () => {
  const clock = new VirtualClock();
  const wrong = (limits: QueueLimits, name: string) => {
    const make = () =>
      createIoQueue({ devices: [memoryDevice(clock, 4)], depth: 8, clock, limits });
    assertThrows(make, RangeError, `Cannot create IoQueue: limits.${name} must be`);
  };
  wrong({ device: 0 }, "device");
  wrong({ table: 1.5 }, "table");
  wrong({ tables: 4097 }, "tables");
  wrong({ quantumBytes: 0 }, "quantumBytes");
  wrong({ adaptive: { targetNs: 0 } }, "adaptive.targetNs");
  wrong({ adaptive: { targetNs: 5, lateShare: 2 } }, "adaptive.lateShare");
  wrong({ adaptive: { targetNs: 5, minimum: 5 } }, "adaptive.minimum");
});

Deno.test("createIoQueue() with limits allocates nothing for an IO", () => {
  const { queue } = limited(
    { device: 6, table: 3, tables: 4, adaptive: { targetNs: 1000 } },
    (clock) => [memoryDevice(clock, 8)],
    32,
  );
  const requests = createRequests(16), completions = createCompletions(32);
  requests.bytes.fill(BLOCK);
  requests.count = 16;
  for (let i = 0; i < 16; i++) requests.table[i] = i & 3;
  const run = (turns: number) => {
    for (let turn = 0; turn < turns; turn++) {
      queue.enqueue(requests, 0);
      while (queue.inFlight > 0) {
        queue.submit();
        completions.count = 0;
        queue.reap(completions);
      }
    }
  };
  const bytes = heapGrowth(run, 200) / (200 * 16);
  assert(bytes < 8, `${bytes} bytes an IO`);
});
