/**
 * Time: clocks, block devices, and the queue over them. Devices are simulated, in virtual time, or
 * real; both are driven by the same few calls and never awaited.
 *
 * @example Read from a simulated drive
 * ```ts
 * import {
 *   createCompletions,
 *   createIoQueue,
 *   createRequests,
 *   createSimulatedDevice,
 *   drive,
 *   memoryMedia,
 *   PROFILES,
 *   VirtualClock,
 * } from "@rowtier/rowtier/tiers";
 *
 * const clock = new VirtualClock();
 * const media = memoryMedia(new Uint8Array(2 ** 20).fill(7));
 * const device = createSimulatedDevice({ profile: PROFILES.p5800x, media, clock });
 * using queue = createIoQueue({ devices: [device], depth: 16, clock });
 * const memory = new Uint8Array(16 * 512);
 * queue.attach(memory);
 *
 * const requests = createRequests(16);
 * for (let i = 0; i < 16; i++) {
 *   requests.offsetBytes[i] = 512 * i;
 *   requests.bytes[i] = 512;
 *   requests.buffer[i] = 512 * i;
 *   requests.user[i] = i;
 * }
 * requests.count = 16;
 * queue.enqueue(requests, 0);
 * queue.submit();
 *
 * const completions = createCompletions(16);
 * drive(queue, clock, () => {
 *   queue.reap(completions);
 *   return completions.count === 16;
 * });
 * if (!memory.every((byte) => byte === 7)) throw new Error("unreachable");
 * console.log(`16 reads in ${clock.now()} ns, simulated`);
 * ```
 *
 * @module
 */

export { DeviceError, ERRNO, errnoName, UnsupportedTargetError } from "../base/errors.ts";
export { type Clock, RealClock, VirtualClock } from "./clock.ts";
export type { BlockDevice, Driven } from "./device.ts";
export { drive } from "./drive.ts";
export {
  createEventLog,
  createTraceDevice,
  type EventLog,
  type TraceDeviceOptions,
} from "./event_log.ts";
export type {
  ContentFault,
  ErrorFault,
  Fault,
  FaultChoice,
  LateFault,
  LostFault,
} from "./fault.ts";
export { createFaultDevice, type FaultDeviceOptions } from "./fault_device.ts";
export { createFileDevice, type FileDeviceOptions, type FilesDevice } from "./file_device.ts";
export type {
  DeviceFigures,
  DeviceLoad,
  DevicePoint,
  FigureFit,
  FigureName,
  PointFit,
} from "./fit/device_point.ts";
export { pointsFromFio } from "./fit/fio_points.ts";
export { type DeviceFit, fitDevice, type FitDeviceOptions } from "./fit/fit_device.ts";
export { loadProfile, type MeasuredProfile, saveProfile } from "./fit/measured_profile.ts";
export { probeDevice, type ProbeDeviceOptions } from "./fit/probe_device.ts";
export { createHedgeDevice, type HedgeDevice, type HedgeDeviceOptions } from "./hedge_device.ts";
export {
  createHost,
  type HostDevice,
  type HostOptions,
  type InterruptCompletion,
  type PollingCompletion,
} from "./host.ts";
export {
  createCompletions,
  createRequests,
  IO_OP,
  type IoCompletions,
  type IoRequests,
} from "./io.ts";
export { type FileMedia, fileMedia, type Media, memoryMedia } from "./media.ts";
export { createMemoryDevice, type MemoryDeviceOptions } from "./memory_device.ts";
export { createMirror, type MirrorChoice, type MirrorOptions } from "./mirror.ts";
export { defineDevice, type DeviceDefinition, type ProfileOf } from "./models/define_device.ts";
export {
  type Endurance,
  type EnduranceOptions,
  estimateEndurance,
  steadyWriteAmplification,
} from "./models/endurance.ts";
export {
  type Collection,
  createFtl,
  type FlashCounters,
  type FlashWork,
  type Ftl,
  type FtlOptions,
} from "./models/ftl.ts";
export { lifetimeYears } from "./models/lifetime.ts";
export type { DeviceCounters } from "./models/metered.ts";
export type { PowerProfile } from "./models/power.ts";
export type { ThermalProfile } from "./models/throttle.ts";
export { createMmapDevice, type MmapDeviceOptions } from "./mmap_device.ts";
export {
  type DeviceRung,
  openDevice,
  type OpenDeviceOptions,
  type OpenedDevice,
} from "./open_device.ts";
export { pcieBytesPerSecond, type PcieLink } from "./pcie.ts";
export { PRIORITY } from "./priority.ts";
export type {
  CommonProfile,
  DeviceProfile,
  EnduranceProfile,
  MemoryProfile,
  NandProfile,
  SubBlockProfile,
  UnitTimes,
  XpointProfile,
} from "./profile.ts";
export { PROFILES } from "./profiles.ts";
export { createIoQueue, type IoQueue, type IoQueueOptions } from "./queue.ts";
export type { AdaptiveLimitOptions, QueueLimits } from "./queue_limits.ts";
export {
  createSimulatedDevice,
  type SimulatedDevice,
  type SimulatedDeviceOptions,
} from "./simulated_device.ts";
export { createStripe, type StripeOptions } from "./stripe.ts";
export { createUringDevice, type UringDevice, type UringDeviceOptions } from "./uring_device.ts";
export {
  type BlkparseFormat,
  type BlkparseOptions,
  formatBlkparse,
  parseBlkparse,
} from "./wrappers/blkparse.ts";
export { blockSum, type ChecksumDeviceOptions, createChecksumDevice } from "./wrappers/checksum.ts";
export { createDelayDevice, type DelayDeviceOptions } from "./wrappers/delay.ts";
export { createIoTrace, type IoTrace, traceOf } from "./wrappers/io_trace.ts";
export { formatIolog, type IologOptions, parseIolog } from "./wrappers/iolog.ts";
export { LatencyHistogram, type LatencyHistogramOptions } from "./wrappers/latency_histogram.ts";
export {
  createPowerCutDevice,
  type PowerCutDevice,
  type PowerCutDeviceOptions,
} from "./wrappers/power_cut.ts";
export { createRetryDevice, type RetryDeviceOptions } from "./wrappers/retry.ts";
export {
  createStatisticsDevice,
  DeviceStatistics,
  type OperationStatistics,
  type StatisticsDeviceOptions,
} from "./wrappers/statistics.ts";
export { createThrottleDevice, type ThrottleDeviceOptions } from "./wrappers/throttle.ts";
export {
  createTraceReplay,
  type TraceReplay,
  type TraceReplayOptions,
} from "./wrappers/trace_replay.ts";
export {
  type VolatileMedia,
  volatileMedia,
  type VolatileMediaOptions,
} from "./wrappers/volatile_media.ts";
