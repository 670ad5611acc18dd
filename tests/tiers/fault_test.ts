import {
  assert,
  assertEquals,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import fc from "fast-check";
import {
  createCompletions,
  createFaultDevice,
  createMemoryDevice,
  createRequests,
  createSimulatedDevice,
  drive,
  ERRNO,
  type Fault,
  IO_OP,
  memoryMedia,
  PROFILES,
  VirtualClock,
} from "../../tiers/mod.ts";

const CONTENT = Uint8Array.from({ length: 8192 }, (_, at) => at % 150); // never 0xa5

/** Reads 512 bytes each, one after the other, over memory that starts as 0xa5. */
function readAll(
  faults: readonly Fault[],
  count: number,
  { seed = 1, op = IO_OP.READ as number } = {},
): { results: number[]; memory: Uint8Array; changed: number[] } {
  const clock = new VirtualClock();
  const inner = createMemoryDevice({ media: memoryMedia(CONTENT.slice()), clock, depth: 64 });
  using device = createFaultDevice({ device: inner, faults, clock, seed });
  const memory = new Uint8Array(count * 512).fill(0xa5);
  device.attach(memory);
  const requests = createRequests(count), completions = createCompletions(count);
  for (let i = 0; i < count; i++) {
    requests.op[i] = op;
    requests.user[i] = i;
    requests.bytes[i] = 512;
    requests.offsetBytes[i] = (i % 16) * 512;
    requests.buffer[i] = i * 512;
  }
  requests.count = count;
  const results: number[] = [];
  for (let from = 0; from < count;) {
    from += device.submit(requests, from);
    completions.count = 0;
    device.poll(completions);
    for (let i = 0; i < completions.count; i++) {
      results[completions.user[i]] = completions.result[i];
    }
  }
  const changed: number[] = [];
  for (let i = 0; i < count; i++) {
    for (let at = 0; at < 512; at++) {
      if (memory[i * 512 + at] !== CONTENT[(i % 16) * 512 + at]) changed.push(i * 512 + at);
    }
  }
  return { results, memory, changed };
}

Deno.test("createFaultDevice() fails the read with the number of a rule", () => {
  const faults: Fault[] = [
    { kind: "error", at: 1, errno: ERRNO.EIO },
    { kind: "error", at: 3, errno: ERRNO.EAGAIN },
    { kind: "error", at: 3, errno: ERRNO.ENOMEM },
  ];
  const { results, memory } = readAll(faults, 5);
  assertEquals(results, [512, -ERRNO.EIO, 512, -ERRNO.EAGAIN, 512]);
  assert(memory.subarray(512, 1024).every((byte) => byte === 0xa5), "a failed read moved bytes");
});

Deno.test("createFaultDevice() moves only the part of a short read that it reports", () => {
  const { results, memory, changed } = readAll([{ kind: "short", at: 2 }], 4);
  assertEquals(results, [512, 512, 256, 512]);
  assertEquals([changed[0], changed.length], [2 * 512 + 256, 256]);
  assert(changed.every((at) => memory[at] === 0xa5));
});

Deno.test("createFaultDevice() flips one byte of a corrupt read and does not say so", () => {
  const { results, changed } = readAll([{ kind: "corrupt", at: 2 }], 4);
  assertEquals(results, [512, 512, 512, 512]);
  assertStrictEquals(changed.length, 1);
  assertStrictEquals(changed[0] >> 9, 2);
});

Deno.test("createFaultDevice() leaves writes and flushes alone", () => {
  const faults: Fault[] = [{ kind: "error", share: 1, errno: ERRNO.EIO }];
  assertEquals(readAll(faults, 2, { op: IO_OP.WRITE }).results, [512, 512]);
  assertEquals(readAll(faults, 2, { op: IO_OP.FLUSH }).results, [0, 0]);
});

Deno.test("createFaultDevice() meets a share of the reads, the same ones for the same seed", () => {
  const faults: Fault[] = [{ kind: "error", share: 0.25, errno: ERRNO.EIO }];
  const failed = (seed: number) => readAll(faults, 2000, { seed }).results.map((r) => r < 0);
  const once = failed(4);
  const count = once.filter((is) => is).length;
  assert(count > 400 && count < 600, `${count} of 2000`);
  assertEquals(failed(4), once);
  assert(failed(5).join() !== once.join());
});

Deno.test("createFaultDevice() hands a late read out at its time", () => {
  const clock = new VirtualClock();
  const inner = createSimulatedDevice({
    profile: PROFILES.p4800x,
    media: memoryMedia(8192),
    clock,
  });
  const faults: Fault[] = [{ kind: "late", at: 0, delayNs: 1e6 }];
  using device = createFaultDevice({ device: inner, faults, clock });
  device.attach(new Uint8Array(1024));
  const requests = createRequests(2), completions = createCompletions(2);
  requests.bytes.fill(512);
  requests.user.set([0, 1]);
  requests.count = 2;
  device.submit(requests, 0);
  drive(device, clock, () => (device.poll(completions), completions.count === 2));
  assertEquals([...completions.user], [1, 0]);
  assert(completions.latencyNs[1] > 1e6 && completions.latencyNs[1] === clock.now());
  assertStrictEquals(device.wakeNs, Infinity);
});

Deno.test("createFaultDevice() never completes a lost read, until it is cancelled", () => {
  const clock = new VirtualClock();
  const inner = createMemoryDevice({ media: memoryMedia(8192), clock, depth: 2 });
  const faults: Fault[] = [{ kind: "lost", at: 0 }, { kind: "late", at: 1, delayNs: 50 }];
  using device = createFaultDevice({ device: inner, faults, clock });
  device.attach(new Uint8Array(1024));
  const requests = createRequests(3), completions = createCompletions(3);
  requests.bytes.fill(512);
  requests.user.set([0, 1, 2]);
  requests.count = 3;
  assertStrictEquals(device.submit(requests, 0), 2);
  device.wait(2); // returns: nothing that is lost can be waited for
  assertStrictEquals(device.poll(completions), 0);
  device.cancel(1);
  assertStrictEquals(device.wakeNs, clock.now());
  assertStrictEquals(device.poll(completions), 1);
  assertStrictEquals(device.wakeNs, Infinity);
  clock.advanceTo(1e9);
  device.step(clock.now());
  assertStrictEquals(device.poll(completions), 0);
  assertStrictEquals(device.submit(requests, 2), 1, "a lost read holds its place, and only that");
  device.cancel(0);
  device.cancel(0);
  assertStrictEquals(device.poll(completions), 2);
  assertEquals([...completions.user], [1, 0, 2]);
  assertEquals([...completions.result], [-ERRNO.ECANCELED, -ERRNO.ECANCELED, 512]);
});

Deno.test("createFaultDevice() keeps what a full device does not take", () => {
  const clock = new VirtualClock();
  const inner = createMemoryDevice({ media: memoryMedia(CONTENT), clock, depth: 8 });
  const submit = inner.submit.bind(inner);
  // Like a ring that still holds the slots of cancelled reads: it takes one at a time.
  inner.submit = (requests, from) => submit({ ...requests, count: from + 1 }, from);
  using device = createFaultDevice({ device: inner, faults: [], clock });
  device.attach(new Uint8Array(8 * 512));
  const requests = createRequests(8), completions = createCompletions(8);
  requests.bytes.fill(512);
  requests.count = 8;
  requests.user.set([0, 1, 2, 3, 4, 5, 6, 7]);
  assertStrictEquals(device.submit(requests, 0), 8);
  device.cancel(5);
  for (let turns = 0; completions.count < 8; turns++) {
    assert(turns < 20);
    device.poll(completions);
  }
  assertEquals([...completions.user].sort(), [0, 1, 2, 3, 4, 5, 6, 7]);
  assertStrictEquals(completions.result[completions.user.indexOf(5)], -ERRNO.ECANCELED);
});

Deno.test("createFaultDevice() completes all, whatever rules meet", () => {
  const choice = fc.oneof(
    fc.record({ at: fc.nat(30) }),
    fc.record({ share: fc.double({ min: 0, max: 1, noNaN: true }) }),
  );
  const kind = fc.oneof(
    fc.record({ kind: fc.constant("error" as const), errno: fc.integer({ min: 1, max: 4095 }) }),
    fc.record({ kind: fc.constantFrom("short" as const, "corrupt" as const) }),
    fc.record({ kind: fc.constant("late" as const), delayNs: fc.nat(1e6) }),
  );
  const rules = fc.array(fc.tuple(kind, choice).map(([a, b]): Fault => ({ ...a, ...b })));
  fc.assert(fc.property(rules, fc.nat(), (faults, seed) => {
    const clock = new VirtualClock();
    const media = memoryMedia(CONTENT.slice());
    const inner = createSimulatedDevice({ profile: PROFILES.p3700, media, clock, depth: 32 });
    using device = createFaultDevice({ device: inner, faults, clock, seed });
    device.attach(new Uint8Array(32 * 512));
    const requests = createRequests(32), completions = createCompletions(32);
    for (let i = 0; i < 32; i++) {
      requests.user[i] = i;
      requests.bytes[i] = 512;
      requests.buffer[i] = i * 512;
    }
    requests.count = 32;
    device.submit(requests, 0);
    drive(device, clock, () => (device.poll(completions), completions.count === 32));
    assertStrictEquals(new Set(completions.user).size, 32);
    const known = new Set(faults.flatMap((fault) => fault.kind === "error" ? [-fault.errno] : []));
    assert(completions.result.every((r) => r === 512 || r === 256 || known.has(r)));
  }));
});

Deno.test("createFaultDevice() fails writes and flushes by rules of their own", () => {
  const clock = new VirtualClock();
  const content = new Uint8Array(8192);
  const inner = createMemoryDevice({ media: memoryMedia(content), clock });
  const faults: Fault[] = [
    { kind: "error", op: "write", at: 0, errno: ERRNO.ENOSPC },
    { kind: "short", op: "write", at: 1 },
    { kind: "short", op: "write", at: 2 },
    { kind: "late", op: "write", at: 3, delayNs: 500 },
    { kind: "lost", op: "flush", at: 0 },
    { kind: "error", op: "flush", at: 1, errno: ERRNO.EIO },
  ];
  using device = createFaultDevice({ device: inner, faults, clock });
  device.attach(new Uint8Array(2048).fill(7));
  const requests = createRequests(7), completions = createCompletions(7);
  const { WRITE, FLUSH, READ } = IO_OP;
  requests.op.set([WRITE, WRITE, WRITE, WRITE, FLUSH, FLUSH, READ]);
  requests.bytes.set([1536, 1536, 512, 512, 0, 0, 512]);
  requests.offsetBytes.set([0, 2048, 4096, 5120, 0, 0, 7680]);
  requests.user.set([0, 1, 2, 3, 4, 5, 6]);
  requests.count = 7;
  device.submit(requests, 0);
  device.poll(completions);
  clock.advanceTo(500);
  device.step(500);
  device.cancel(4);
  device.poll(completions);
  const results = Array.from(
    { length: 7 },
    (_, tag) => completions.result[completions.user.indexOf(tag)],
  );
  // Half of three blocks is one; half of one is none.
  const expected = [-ERRNO.ENOSPC, 512, 0, 512, -ERRNO.ECANCELED, -ERRNO.EIO, 512];
  assertEquals(results, expected);
  const written = [0, 2048, 2560, 4096, 5120].map((at) => content[at]);
  assertEquals(written, [0, 7, 0, 0, 7]);
});

Deno.test("createFaultDevice() brings other blocks for a misplaced read", () => {
  const faults: Fault[] = [{ kind: "misplaced", share: 1 }];
  const { results, changed } = readAll(faults, 200);
  assert(results.every((result) => result === 512));
  // Blocks of this content differ in each byte but for those a multiple of 150 apart.
  const right = 200 - new Set(changed.map((at) => at >> 9)).size;
  assertStrictEquals(right, 0);
});

Deno.test("createFaultDevice() leaves a malformed request to its device", () => {
  const clock = new VirtualClock();
  const inner = createMemoryDevice({ media: memoryMedia(8192), clock });
  const faults: Fault[] = [
    { kind: "misplaced", at: 0 },
    { kind: "short", at: 1 },
    { kind: "short", op: "write", at: 0 },
  ];
  using device = createFaultDevice({ device: inner, faults, clock });
  device.attach(new Uint8Array(512));
  const requests = createRequests(3), completions = createCompletions(3);
  requests.op.set([IO_OP.READ, IO_OP.READ, IO_OP.WRITE]);
  requests.offsetBytes.set([1, 8192, NaN]);
  requests.bytes.fill(512);
  requests.count = 3;
  device.submit(requests, 0);
  device.poll(completions);
  assertEquals([...completions.result], [-ERRNO.EINVAL, -ERRNO.EINVAL, -ERRNO.EINVAL]);
});

Deno.test("createFaultDevice() refuses wrong rules", () => {
  const clock = new VirtualClock();
  const device = createMemoryDevice({ media: memoryMedia(512), clock });
  const refuse = (fault: object, type: typeof RangeError | typeof TypeError, name: string) => {
    const make = () => createFaultDevice({ device, faults: [fault as Fault], clock });
    const { message } = assertThrows(make, type);
    assertStringIncludes(message, `Cannot create fault device: faults[0]${name}`);
  };
  refuse({ kind: "slow", at: 0 }, TypeError, ".kind must be one of");
  refuse({ kind: "lost", op: "trim", at: 0 }, TypeError, ".op must be one of read, write, flush");
  refuse({ kind: "short", op: "flush", at: 0 }, TypeError, ".op must be one of read, write for");
  refuse({ kind: "corrupt", op: "write", at: 0 }, TypeError, ".op must be one of read for corrupt");
  refuse({ kind: "lost" }, TypeError, " must have one of at and share: received neither");
  refuse({ kind: "lost", at: 0, share: 0 }, TypeError, " must have one of at and share");
  refuse({ kind: "lost", at: -1 }, RangeError, ".at must be");
  refuse({ kind: "lost", share: 1.5 }, RangeError, ".share must be");
  refuse({ kind: "error", at: 0, errno: 0 }, RangeError, ".errno must be");
  refuse({ kind: "late", at: 0, delayNs: -1 }, RangeError, ".delayNs must be");
  const many = Array.from({ length: 257 }, (_, at): Fault => ({ kind: "lost", at }));
  const make = () => createFaultDevice({ device, faults: many, clock });
  assertThrows(make, RangeError, "faults.length must be");
  const unseeded = () => createFaultDevice({ device, faults: [], clock, seed: NaN });
  assertThrows(unseeded, RangeError, "seed must be");
});
