import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { createRandom } from "../../base/random.ts";
import {
  createCompletions,
  createRequests,
  createSimulatedDevice,
  defineDevice,
  type DeviceProfile,
  IO_OP,
  memoryMedia,
  PROFILES,
  type SimulatedDevice,
  VirtualClock,
} from "../../tiers/mod.ts";
import { StateReader, StateWriter } from "../../tiers/models/state.ts";
import { drawExponentialNs, Noise } from "../../tiers/models/timing.ts";

const THERMAL = {
  ambientCelsius: 40,
  kelvinPerWatt: 5,
  joulesPerKelvin: 1e-3,
  // Idle it has 67.5.
  throttleCelsius: 67.53,
  resumeCelsius: 67.51,
  throttledBytesPerSecond: 100e6,
};

/** One of each kind, and one with all that a profile can have. */
const CASES: readonly DeviceProfile[] = [
  PROFILES.p4800x,
  PROFILES.p5800x,
  PROFILES.dram,
  defineDevice({ kind: "nand", name: "small", channels: 2, diesPerChannel: 2 }),
  { ...PROFILES.p4800x, name: "hot", thermal: THERMAL },
];

interface Run {
  readonly clock: VirtualClock;
  readonly content: Uint8Array;
  readonly device: SimulatedDevice;
}

function start(profile: DeviceProfile, content: Uint8Array, seed: number, depth = 8): Run {
  const clock = new VirtualClock();
  const device = createSimulatedDevice({
    profile,
    media: memoryMedia(content),
    clock,
    seed,
    depth,
  });
  device.attach(new Uint8Array(8192));
  return { clock, content, device };
}

/** Random operations for `turns`; what was seen, as text. */
function play({ clock, device }: Run, seed: number, turns: number): string[] {
  const random = createRandom(seed);
  const requests = createRequests(1), completions = createCompletions(8);
  requests.count = 1;
  const seen: string[] = [];
  for (let turn = 0; turn < turns; turn++) {
    requests.op[0] = [IO_OP.READ, IO_OP.READ, IO_OP.WRITE, IO_OP.FLUSH][random.below(4)];
    requests.offsetBytes[0] = random.below(60) * 512;
    requests.bytes[0] = 512 * (1 + random.below(4));
    requests.buffer[0] = 512 * random.below(8);
    requests.user[0] = turn;
    device.submit(requests, 0);
    if (random.below(9) === 0) device.cancel(turn);
    clock.advanceTo(clock.now() + random.below(9000));
    device.step(clock.now());
    completions.count = 0;
    if (random.below(3) > 0) device.poll(completions);
    for (let i = 0; i < completions.count; i++) {
      seen.push(`${completions.user[i]} ${completions.result[i]} ${completions.latencyNs[i]}`);
    }
  }
  return [...seen, JSON.stringify(device.counters()), `${device.wakeNs}`];
}

Deno.test("SimulatedDevice.restore() goes on bit for bit where the snapshot was taken", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...CASES),
      fc.nat(1000),
      fc.nat(60),
      fc.nat(60),
      (profile, seed, before, after) => {
        const first = start(profile, new Uint8Array(64 * 512), 1);
        play(first, seed, before);
        const snapshot = first.device.snapshot();
        const second = start(profile, first.content.slice(), 2);
        // What has happened there before makes no difference.
        play(second, seed + 7, 5);
        if (second.clock.now() > first.clock.now()) return;
        second.content.set(first.content);
        second.clock.advanceTo(first.clock.now());
        second.device.restore(snapshot);
        assertEquals(second.device.snapshot(), snapshot);
        assertEquals(play(second, seed + 1, after), play(first, seed + 1, after));
        assertEquals(second.content.length, first.content.length);
      },
    ),
  );
});

Deno.test("SimulatedDevice.restore() refuses what is not its own, and changes nothing", () => {
  const first = start(PROFILES.p4800x, new Uint8Array(64 * 512), 1);
  play(first, 1, 20);
  const snapshot = first.device.snapshot();
  const refuses = (run: Run, bytes: Uint8Array, message: string) => {
    const before = run.device.snapshot();
    const error = assertThrows(() => run.device.restore(bytes), RangeError);
    assert(error.message.startsWith("Cannot restore simulated device: "), error.message);
    assert(error.message.includes(message), error.message);
    assertEquals(run.device.snapshot(), before);
  };
  const at = (run: Run) => (run.clock.advanceTo(first.clock.now()), run);
  const content = new Uint8Array(64 * 512);
  refuses(start(PROFILES.p4800x, content, 1), snapshot, "the clock must stand at");
  refuses(at(start(PROFILES.p5800x, content, 1)), snapshot, "must be of the same profile");
  refuses(at(start(PROFILES.p4800x, content, 1, 4)), snapshot, "must be of the same profile");
  refuses(at(start(PROFILES.p4800x, new Uint8Array(512), 1)), snapshot, "the same profile");
  const fresh = () => at(start(PROFILES.p4800x, content, 1));
  refuses(fresh(), new Uint8Array(0), "must be whole: received 0");
  refuses(fresh(), new Uint8Array(7), "must be whole: received 7");
  refuses(fresh(), snapshot.subarray(1), "must be whole");
  refuses(fresh(), snapshot.subarray(0, snapshot.length - 8), "must be whole");
  for (const at of [0, 9, 40, 1000, snapshot.length - 1]) {
    const damaged = snapshot.slice();
    damaged[at] ^= 4;
    refuses(fresh(), damaged, "must be whole");
  }
  const bare = createSimulatedDevice({
    profile: PROFILES.p4800x,
    media: memoryMedia(content),
    clock: first.clock,
    depth: 8,
  });
  assertThrows(() => bare.restore(snapshot), RangeError, "attached memory must be at least 8192");
  bare[Symbol.dispose]();
  assertThrows(() => bare.snapshot(), TypeError, "it has been disposed");
  assertThrows(() => bare.restore(snapshot), TypeError, "it has been disposed");
});

Deno.test("SimulatedDevice.submit() throws for a completion at 2^53 ns", () => {
  const run = start(PROFILES.p4800x, new Uint8Array(64 * 512), 1);
  const requests = createRequests(1);
  requests.bytes[0] = 512;
  requests.count = 1;
  run.clock.advanceTo(2 ** 53 - 100_000);
  assertStrictEquals(run.device.submit(requests, 0), 1);
  run.clock.advanceTo(2 ** 53 - 1000);
  assertThrows(() => run.device.submit(requests, 0), RangeError, "completion must be below 2^53");
  assertThrows(() => run.clock.advanceTo(2 ** 53), RangeError, "ns must be below 2^53");
});

Deno.test("StateReader gives back what StateWriter took, and says when it does not fit", () => {
  const column = fc.oneof(
    fc.uint8Array(),
    fc.uint16Array(),
    fc.int32Array(),
    fc.float64Array({ noNaN: true }),
    fc.uint8Array({ minLength: 900, maxLength: 5000 }),
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.double({ noNaN: true }), column)), (parts) => {
      const writer = new StateWriter();
      for (const part of parts) {
        if (typeof part === "number") writer.number(part);
        else writer.column(part);
      }
      const reader = new StateReader(writer.bytes());
      for (const part of parts) {
        if (typeof part === "number") assertStrictEquals(reader.number(), part);
        else {
          const into = part.slice().fill(0);
          reader.column(into);
          assertEquals(into, part);
        }
      }
      reader.end();
      assertThrows(() => reader.number(), RangeError, "Cannot restore snapshot: it must hold");
      if (writer.bytes().length > 0) {
        assertThrows(() => new StateReader(writer.bytes()).end(), RangeError, "it must hold 0");
      }
    }),
  );
});

Deno.test("Noise is even, differs by seed, and goes on from its state", () => {
  const noise = new Noise(1), other = new Noise(2);
  const bins = new Uint32Array(64);
  let same = 0, sum = 0, before = 0, together = 0;
  const count = 256_000;
  for (let i = 0; i < count; i++) {
    const unit = noise.unit();
    if (unit === other.unit()) same++;
    bins[Math.floor(unit * 64)]++;
    sum += unit;
    together += (unit - 0.5) * (before - 0.5);
    before = unit;
  }
  // Five standard deviations of each.
  for (const bin of bins) assert(Math.abs(bin - 4000) < 5 * Math.sqrt(4000), `${bin}`);
  assert(Math.abs(sum / count - 0.5) < 5 * Math.sqrt(1 / 12 / count));
  assert(Math.abs(together / count) < 5 / 12 / Math.sqrt(count));
  assert(same < 3);
  const writer = new StateWriter();
  noise.save(writer);
  const copy = new Noise(77);
  copy.load(new StateReader(writer.bytes()));
  assertEquals([copy.u32(), copy.below(10)], [noise.u32(), noise.below(10)]);
});

Deno.test("drawExponentialNs() has the quantiles of an exponential distribution", () => {
  const random = new Noise(5), count = 400_000;
  const drawn = Float64Array.from({ length: count }, () => drawExponentialNs(random, 10_000));
  const mean = drawn.reduce((sum, ns) => sum + ns) / count;
  assert(Math.abs(mean - 10_000) < 5 * 10_000 / Math.sqrt(count), `${mean}`);
  drawn.sort();
  for (const share of [0.01, 0.1, 0.5, 0.9, 0.99, 0.999]) {
    // Five standard deviations of a quantile: sqrt(p / (1 - p) / n) means.
    const expected = -Math.log(1 - share) * 10_000;
    const room = 5 * 10_000 * Math.sqrt(share / (1 - share) / count) + 2;
    const found = drawn[Math.floor(share * count)];
    assert(Math.abs(found - expected) < room, `${share}: ${found}, ${expected}`);
  }
  assertStrictEquals(drawExponentialNs(random, 0), 0);
});
