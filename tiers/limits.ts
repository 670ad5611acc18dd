/**
 * The bounds of this room, in one place.
 *
 * @module
 */

/**
 * Most requests that one device or queue holds. A ring of 4,096 hides 7 ms of latency at 585 k
 * IOPS.
 */
export const MAX_DEPTH = 4096;

/** Requests a device holds when nothing else is said. */
export const DEFAULT_DEPTH = 128;

/** The granule of devices where nothing larger is asked for: the smallest that drives have. */
export const SECTOR_BYTES = 512;

/** Most files of one device: each costs a descriptor, and systems commonly allow 1,024 or more. */
export const MAX_FILES = 4096;

/** Most devices under one queue. */
export const MAX_DEVICES = 64;

/** Most bytes that a media or a device spans: offsets are whole numbers below 2^53. */
export const MAX_MEDIA_BYTES: number = 2 ** 52;

/** Most equal servers of a 3D XPoint drive: each operation looks through them for the free one. */
export const MAX_UNITS = 1024;

/** Most dies of a NAND drive: 32 TB of them. */
export const MAX_DIES = 65_536;

/**
 * Most pages that a NAND drive erases together, over all its dies: 128 MiB of its reverse map for
 * each stripe written to.
 */
export const MAX_STRIPE_PAGES: number = 2 ** 24;

/** Most fault rules of one fault device. */
export const MAX_FAULTS = 256;

/** Most tables that a queue with limits tells apart: each costs 60 bytes a device. */
export const MAX_TABLES: number = 2 ** 12;

/** Longest time that a wrapper waits, 13 days: sums with virtual time stay far below 2^53. */
export const MAX_WRAPPER_NS: number = 2 ** 50;

/** Most times that one request is tried again. */
export const MAX_RETRIES = 64;

/** Most blocks that checksums are kept of: 15 bytes each, 1 GiB for 34 GB in blocks of 512. */
export const MAX_CHECKED_BLOCKS: number = 2 ** 26;

/** Most bytes of memory that a wrapper has of its own. */
export const MAX_BOUNCE_BYTES: number = 2 ** 30;

/** Most requests of a trace in memory: 21 bytes each. */
export const MAX_TRACE_REQUESTS: number = 2 ** 26;

/** Most events that one log records: 40 bytes each, below 1 GiB. */
export const MAX_LOG_EVENTS: number = 2 ** 24;

/**
 * Most steps in a row of `drive` that do not move time: far more than completions can be due at
 * once.
 */
export const MAX_IDLE_STEPS = 100_000;
