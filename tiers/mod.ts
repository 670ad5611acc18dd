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
export {
  createCompletions,
  createRequests,
  IO_OP,
  type IoCompletions,
  type IoRequests,
} from "./io.ts";
export { type FileMedia, fileMedia, type Media, memoryMedia } from "./media.ts";
export { createMemoryDevice, type MemoryDeviceOptions } from "./memory_device.ts";
export {
  type DeviceRung,
  openDevice,
  type OpenDeviceOptions,
  type OpenedDevice,
} from "./open_device.ts";
export { PRIORITY } from "./priority.ts";
export type { DeviceProfile, NandProfile, UnitTimes, XpointProfile } from "./profile.ts";
export { PROFILES } from "./profiles.ts";
export { createIoQueue, type IoQueue, type IoQueueOptions } from "./queue.ts";
export { createSimulatedDevice, type SimulatedDeviceOptions } from "./simulated_device.ts";
export { createUringDevice, type UringDeviceOptions } from "./uring_device.ts";
