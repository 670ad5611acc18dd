import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  createEventLog,
  createFaultDevice,
  createIoTrace,
  createMemoryDevice,
  createSimulatedDevice,
  createTraceDevice,
  createTraceReplay,
  drive,
  formatBlkparse,
  formatIolog,
  IO_OP,
  type IoTrace,
  memoryMedia,
  parseBlkparse,
  parseIolog,
  PROFILES,
  traceOf,
  VirtualClock,
} from "../../tiers/mod.ts";

/** Rows of (op, time, offset, bytes). */
type Row = readonly [number, number, number, number];

function rowsOf({ count, op, timeNs, offsetBytes, bytes }: IoTrace): Row[] {
  return Array.from({ length: count }, (_, i) => [op[i], timeNs[i], offsetBytes[i], bytes[i]]);
}

function traceFrom(rows: readonly Row[]): IoTrace {
  const trace = createIoTrace(Math.max(1, rows.length));
  rows.forEach(([op, timeNs, offsetBytes, bytes], i) => {
    trace.op[i] = op;
    trace.timeNs[i] = timeNs;
    trace.offsetBytes[i] = offsetBytes;
    trace.bytes[i] = bytes;
  });
  trace.count = rows.length;
  return trace;
}

/** Traces in the order of time from 0 on, in whole sectors and us. */
const traces = fc.array(
  fc.tuple(fc.nat(3), fc.nat(1e6), fc.nat(2 ** 31 - 1), fc.integer({ min: 1, max: 4096 })),
  { maxLength: 50 },
).map((list) => {
  let us = 0;
  return list.map(([op, gapUs, sector, sectors], i): Row => {
    us += i === 0 ? 0 : gapUs;
    const moves = op !== IO_OP.FLUSH;
    return [op, us * 1000, moves ? sector * 512 : 0, moves ? sectors * 512 : 0];
  });
});

// As fio 3.33 wrote it for a random mix with a sync after each fourth write; the file renamed.
const FIO_SAMPLE = `fio version 3 iolog
28 rows.bin add
544 rows.bin open
555 rows.bin read 61440 4096
2608 rows.bin read 774144 4096
6679 rows.bin write 491520 4096
18945 rows.bin sync 954368 0
25730 rows.bin close
`;

// In the form of blkparse's manual page; the last lines are its summary.
const BLKPARSE_SAMPLE = `  8,0    3        1     0.000000000   697  G   W 223490 + 8 [kjournald]
  8,0    3        2     0.000001000   697  Q   W 223490 + 8 [kjournald]
  8,0    1        9     0.000000500   698  Q   R 16 + 16 [reader]
  8,16   1       10     0.000003000   698  Q  RA 64 + 8 [reader]
  8,0    3        3     0.000009000   697  D   W 223490 + 8 [kjournald]
  8,0    3        4     0.000010000   697  Q FWS [kjournald]
  8,0    3        5     0.000011000   697  Q FWFS 512 + 8 [kjournald]
  8,0    3        6     0.000012000   697  Q  DS 1024 + 64 [fstrim]
  8,0    3        7     0.000013000   697  Q   N [reader]
  8,0    3        0     0.000014000     0  m   N cfq697 insert_request
  8,0    3        8     0.000020000   697  C   W 223490 + 8 [0]
CPU0 (8,0):
 Reads Queued:           2,       12KiB\t Writes Queued:           1,        4KiB
Total (8,0):
`;

Deno.test("formatIolog() and parseIolog() give a trace back", () => {
  fc.assert(fc.property(traces, fc.constantFrom(2 as const, 3 as const), (rows, version) => {
    const text = formatIolog(traceFrom(rows), { file: "/dev/nvme0n1", version });
    const timed = version === 3 ? rows : rows.map(([op, , at, bytes]): Row => [op, 0, at, bytes]);
    assertEquals(rowsOf(parseIolog(text)), timed);
  }));
});

Deno.test("formatBlkparse() and parseBlkparse() give a trace back", () => {
  fc.assert(fc.property(traces, (rows) => {
    const text = formatBlkparse(traceFrom(rows), { device: "259,3", processId: 77 });
    assertEquals(rowsOf(parseBlkparse(text, { device: "259,3" })), rows);
    assertEquals(parseBlkparse(text, { device: "8,0" }).count, 0);
  }));
});

Deno.test("parseIolog() reads what fio wrote, and what its manual has", () => {
  assertEquals(rowsOf(parseIolog(FIO_SAMPLE)), [
    [IO_OP.READ, 0, 61_440, 4096],
    [IO_OP.READ, 2_053_000, 774_144, 4096],
    [IO_OP.WRITE, 6_124_000, 491_520, 4096],
    [IO_OP.FLUSH, 18_390_000, 0, 0],
  ]);
  const second = "fio version 2 iolog\nf add\n\nf read 0 512\nf wait 150 0\r\nf datasync 0 0\n" +
    "g trim 512 1024\nf wait 50 0\ng read 1 2\n";
  assertEquals(rowsOf(parseIolog(second, "g")), [
    [IO_OP.DISCARD, 0, 512, 1024],
    [IO_OP.READ, 50_000, 1, 2],
  ]);
  assertEquals(rowsOf(parseIolog(second, "f")).map(([op, ns]) => [op, ns]), [
    [IO_OP.READ, 0],
    [IO_OP.FLUSH, 150_000],
  ]);
});

Deno.test("parseIolog() names the line that is none and what was expected", () => {
  const refuse = (text: string, message: string) =>
    assertThrows(() => parseIolog(text), TypeError, `Cannot parse iolog: ${message}`);
  const three = (line: string) => `fio version 3 iolog\n0 f add\n${line}\n`;
  refuse("", 'line 1 must be "fio version 2 iolog"');
  refuse("fio version 4 iolog\n", "line 1 must be");
  refuse(three("f read 0 512"), "line 3 must be begun by a time in us: received");
  refuse(three("5 f read 0"), 'line 3 must be "TIME FILE add|open|close" or "TIME FILE ACTION');
  refuse(three("5 f read -1 512"), "line 3 must be ended by an offset");
  refuse(three("5 f read 0 4294967296"), "line 3 must be ended by");
  refuse(three("5 f scribble 0 512"), "line 3 must be one of read, write, sync, trim, datasync");
  refuse(three("5 f wait 0 512"), "line 3 must be one of");
  refuse(three("5 f read 0 1\n6 g read 0 1"), "line 4 must be of the file f, as none was chosen");
  const long = three(`5 f ${"x".repeat(200)}`);
  refuse(long, "line 3 must be");
  assert(assertThrows(() => parseIolog(long), TypeError).message.length < 200);
});

Deno.test("parseBlkparse() takes the events that are requests, in the order of time", () => {
  assertEquals(rowsOf(parseBlkparse(BLKPARSE_SAMPLE, { device: "8,0" })), [
    [IO_OP.READ, 0, 8192, 8192],
    [IO_OP.WRITE, 500, 223_490 * 512, 4096],
    [IO_OP.FLUSH, 9500, 0, 0],
    [IO_OP.WRITE, 10_500, 512 * 512, 4096],
    [IO_OP.DISCARD, 11_500, 1024 * 512, 64 * 512],
  ]);
  assertStrictEquals(parseBlkparse(BLKPARSE_SAMPLE).count, 6);
  assertEquals(rowsOf(parseBlkparse(BLKPARSE_SAMPLE, { action: "D" })), [
    [IO_OP.WRITE, 0, 223_490 * 512, 4096],
  ]);
});

Deno.test("parseBlkparse() names the line that is none and what was expected", () => {
  const refuse = (line: string, message: string) => {
    const text = `  8,0 3 1 0.000000000 697 Q R 16 + 8 [a]\n${line}\n`;
    assertThrows(() => parseBlkparse(text), TypeError, `blkparse text: line 2 must be ${message}`);
  };
  refuse("  8,0 3 2 0.5 697 Q R 16 + 8 [a]", '"DEVICE CPU SEQUENCE SECONDS PID ACTION RWBS ..."');
  refuse("  8,0 3 2 0.000000001 697 Q R 16 [a]", 'ended by "SECTOR + SECTORS"');
  refuse("  8,0 3 2 0.000000001 697 Q R 16 + 99999999 [a]", 'ended by "SECTOR + SECTORS"');
  refuse("  8,0 3 2 9999999.000000001 697 Q R 16 + 8 [a]", "at a time below 2^53 ns");
});

Deno.test("formatIolog() and formatBlkparse() refuse what could not be read back", () => {
  const trace = traceFrom([[0, 0, 0, 512], [9, 0, 0, 512]]);
  for (const file of ["", "a b", "x".repeat(256)]) {
    assertThrows(() => formatIolog(trace, { file }), TypeError, "Cannot format iolog: file must");
  }
  const version = 4 as 3;
  assertThrows(() => formatIolog(trace, { file: "f", version }), RangeError, "version must be");
  assertThrows(() => formatBlkparse(trace, { device: "sda" }), TypeError, "device must be");
  assertThrows(() => formatBlkparse(trace, { processId: -1 }), RangeError, "processId must be");
  assertStrictEquals(parseIolog(formatIolog(trace, { file: "f" })).count, 1, "no such operation");
  assertStrictEquals(parseBlkparse(formatBlkparse(trace)).count, 1);
  assertThrows(() => createIoTrace(0), RangeError, "Cannot create IO trace: capacity must be");
});

Deno.test("createTraceReplay() asks for what was recorded, when it was", () => {
  fc.assert(
    fc.property(traces, (rows) => {
      // A hundredth of the times and 2^20 bytes of the space, so that requests meet.
      const trace = traceFrom(rows.map(([op, ns, at, bytes]): Row => [op, ns / 100, at, bytes]));
      const clock = new VirtualClock();
      const log = createEventLog(200);
      const media = memoryMedia(2 ** 22);
      const inner = createSimulatedDevice({ profile: PROFILES.p4800x, media, clock, depth: 64 });
      const device = createTraceDevice({ device: inner, log, clock });
      using replay = createTraceReplay({ trace, device, clock, speed: 1 });
      drive(replay, clock, () => replay.done);
      assertStrictEquals(replay.completed, rows.length);
      assertStrictEquals(replay.submitted, rows.length);
      const { read, write, other } = replay.statistics;
      assertStrictEquals(
        read.latency.count + write.latency.count + other.latency.count,
        rows.length,
      );
      const again = rowsOf(traceOf(log));
      again.forEach(([op, ns, at, bytes], i) => {
        const places = 2 ** 13 - rows[i][3] / 512 + 1;
        assertEquals([op, at, bytes], [rows[i][0], rows[i][2] / 512 % places * 512, rows[i][3]]);
        assert(Math.abs(ns - rows[i][1] / 100) <= 1, `${ns} for ${rows[i][1] / 100}`);
      });
    }),
    { numRuns: 50 },
  );
});

Deno.test("createTraceReplay() goes at another speed, or as fast as the device", () => {
  const rows = Array.from({ length: 64 }, (_, i): Row => [0, i * 1e6, i * 512, 512]);
  const took = (options: { speed?: number; depth?: number }) => {
    const clock = new VirtualClock();
    const inner = createMemoryDevice({ media: memoryMedia(2 ** 20), clock, depth: 8 });
    const faults = [{ kind: "late", share: 1, delayNs: 1000 }] as const;
    const device = createFaultDevice({ device: inner, faults, clock });
    using replay = createTraceReplay({ trace: traceFrom(rows), device, clock, ...options });
    drive(replay, clock, () => replay.done);
    return [clock.now(), replay.lagNs];
  };
  assertEquals(took({ speed: 1 }), [63e6 + 1000, 0]);
  assertEquals(took({ speed: 2 }), [31.5e6 + 1000, 0]);
  assertEquals(took({}), [8000, 0]);
  assertEquals(took({ depth: 1 }), [64_000, 0]);
  assertEquals(took({ speed: 1e6 }), [8007, 7000 - 56]);
});

Deno.test("createTraceReplay() counts failures and refuses what does not fit", () => {
  const clock = new VirtualClock();
  const small = () => createMemoryDevice({ media: memoryMedia(4096), clock, depth: 8 });
  const faults = [{ kind: "error", at: 1, errno: 5 }, {
    kind: "error",
    at: 2,
    errno: 125,
  }] as const;
  const device = createFaultDevice({ device: small(), faults, clock });
  const trace = traceFrom([0, 1, 2, 3].map((i): Row => [0, 0, i * 512, 512]));
  using replay = createTraceReplay({ trace, device, clock });
  drive(replay, clock, () => replay.done);
  assertStrictEquals(replay.wakeNs, Infinity);
  const { failed, cancelled, bytes } = replay.statistics.read;
  assertEquals([failed, cancelled, bytes], [1, 1, 1024]);
  const refuse = (options: object, name: string) => {
    const make = () => createTraceReplay({ trace, device: small(), clock, ...options });
    assertThrows(make, RangeError, `Cannot create trace replay: ${name} must be`);
  };
  refuse({ depth: 9 }, "depth");
  refuse({ speed: 0 }, "speed");
  refuse({ trace: traceFrom([[0, 0, 100, 4096]]) }, "the largest request in bytes");
});
