/**
 * Time in a NAND drive: controller, die (tR), channel, bus, each a server that takes one page at a
 * time. What waits at depth are reads that meet at one die; the tail are reads that land behind an
 * erase or a program. Where a page lies, and what is collected, says the translation layer.
 *
 * @module
 */

import { IO_OP } from "../io.ts";
import type { NandProfile } from "../profile.ts";
import { createFtl, SPARE_BLOCKS } from "./ftl.ts";
import type { FlashCounters, FlashWork, Ftl } from "./ftl.ts";
import type { StateReader, StateWriter } from "./state.ts";
import { drawExponentialNs, Noise } from "./timing.ts";
import type { Timing } from "./timing.ts";

/** What public simulators take where nothing is said. */
const DEFAULT_SPARE_SHARE = 0.07;

/** Flash pages of a block where the profile does not say. */
const DEFAULT_PAGES_PER_BLOCK = 256;

/**
 * Most blocks that the translation layer keeps: larger drives have larger ones, as they have more
 * dies. It looks through them when it collects.
 */
const MAX_BLOCKS = 2 ** 20;

/**
 * A collection that gives few pages is paid for over this share of a block at least, so that none
 * stops its die for seconds.
 */
const LEAST_ROOM_SHARE = 1 / 16;

/**
 * A block here is a stripe: one block of each plane of each die, written across them and erased
 * together, as the firmware of large drives does it; so it has `pages`.
 */
interface Geometry {
  readonly logicalPages: number;
  readonly filledPages: number;
  readonly blocks: number;
  readonly pages: number;
  /** Pages of one program: of all planes of a die. */
  readonly unitPages: number;
}

/** The drive has the profile's capacity, or that of its media where this is larger. */
function geometryOf(profile: NandProfile, mediaBytes: number): Geometry {
  const { pageBytes, planes = 1, flashPageBytes = pageBytes, capacityBytes = 1 } = profile;
  const { pagesPerBlock = DEFAULT_PAGES_PER_BLOCK, spareShare = DEFAULT_SPARE_SHARE } = profile;
  const unitPages = planes * (flashPageBytes / pageBytes);
  const filledPages = Math.ceil(mediaBytes / pageBytes);
  const logicalPages = Math.max(filledPages, Math.ceil(capacityBytes / pageBytes));
  let pages = pagesPerBlock * unitPages * profile.channels * profile.diesPerChannel;
  while (logicalPages * (1 + spareShare) > MAX_BLOCKS * pages) pages *= 2;
  const blocks = Math.max(
    Math.ceil(logicalPages * (1 + spareShare) / pages),
    Math.ceil(logicalPages / pages) + SPARE_BLOCKS,
  );
  return { logicalPages, filledPages, blocks, pages, unitPages };
}

/**
 * Places of what the parts of the model hand to each other. Tried: arguments and results; numbers
 * beyond 32 bits are then objects wherever a call is not inlined, eight a read.
 */
const OFFSET = 0;
const BYTES = 1;
const NOW = 2;
const DUE = 3;
const BEGIN = 4;
const SENSED = 5;

/** The model of `profile`; `seed` is that of its jitter and its stalls. */
export class NandModel implements Timing, FlashWork {
  readonly #profile: NandProfile;
  readonly #random: Noise;
  readonly #ftl: Ftl;
  readonly #dies: number;
  readonly #unitPages: number;
  readonly #blockPages: number;
  readonly #eraseSuspendNs: number;
  readonly #retryShare: number;
  readonly #countsReads: boolean;
  readonly #slcPrograms: number;
  readonly #call = new Float64Array(6);
  /** When each die, each channel and the one bus are free of reads. */
  readonly #dieFreeNs: Float64Array;
  readonly #channelFreeNs: Float64Array;
  readonly #busFreeNs = new Float64Array(1);
  /** When each die has programmed all that was written to it. */
  readonly #programmedNs: Float64Array;
  /** When each die's next erase begins, or its current one began. */
  readonly #eraseNs: Float64Array;
  /** Blocks of each die that collection gave up and that are erased before its next program. */
  readonly #erasesDue: Float64Array;
  /** Programs that each die can still make in SLC mode. */
  readonly #slcFree: Float64Array;
  /** Time of dies that collection owes, what each program pays of it, pages it has freed. */
  #owedNs = 0;
  #payNs = 0;
  #roomPages = 0;
  #copiedUnit = -1;
  /** False until something was written, dropped or moved: each page is where it was filled. */
  #isChanged = false;
  /** The program unit that waits in the buffer for the rest of its pages, or -1. */
  #openUnit = -1;
  /** When the page that is being written has arrived. */
  #arrivedNs = 0;
  #writtenNs = 0;

  constructor(profile: NandProfile, seed: number, mediaBytes: number) {
    const dies = profile.channels * profile.diesPerChannel;
    const { eraseSuspendNs = profile.eraseNs, retryShare = 0, slcPrograms = 0 } = profile;
    const { collection = "greedy", wearSpread = 0, disturbReads = 0 } = profile;
    const { pages, unitPages, ...sizes } = geometryOf(profile, mediaBytes);
    this.#profile = profile;
    this.#random = new Noise(seed);
    const options = { collection, wearSpread, disturbReads, work: this };
    this.#ftl = createFtl({ ...sizes, pagesPerBlock: pages, ...options });
    this.#dies = dies;
    this.#unitPages = unitPages;
    this.#blockPages = pages;
    this.#eraseSuspendNs = eraseSuspendNs;
    this.#retryShare = retryShare;
    this.#countsReads = disturbReads > 0;
    this.#slcPrograms = slcPrograms;
    this.#dieFreeNs = new Float64Array(dies);
    this.#channelFreeNs = new Float64Array(profile.channels);
    this.#programmedNs = new Float64Array(dies);
    this.#erasesDue = new Float64Array(dies);
    this.#slcFree = new Float64Array(dies).fill(slcPrograms);
    this.#eraseNs = new Float64Array(dies);
    for (let die = 0; die < dies; die++) this.#eraseNs[die] = this.#nextEraseNs(0);
  }

  /** What the translation layer has done. */
  get flash(): FlashCounters {
    return this.#ftl.counters();
  }

  dueNs(op: number, offsetBytes: number, bytes: number, nowNs: number): number {
    const call = this.#call;
    call[OFFSET] = offsetBytes;
    call[BYTES] = bytes;
    call[NOW] = nowNs;
    if (op === IO_OP.READ) this.#read();
    else this.#change(op);
    return call[DUE];
  }

  save(to: StateWriter): void {
    this.#random.save(to);
    const flash = this.#ftl.snapshot();
    to.number(flash.length);
    to.column(flash);
    for (const value of this.#numbers()) to.number(value);
    for (const column of this.#columns()) to.column(column);
  }

  load(from: StateReader): void {
    this.#random.load(from);
    const flash = new Uint8Array(from.number());
    from.column(flash);
    this.#ftl.restore(flash);
    this.#isChanged = true;
    this.#owedNs = from.number();
    this.#payNs = from.number();
    this.#roomPages = from.number();
    this.#copiedUnit = from.number();
    this.#openUnit = from.number();
    this.#writtenNs = from.number();
    for (const column of this.#columns()) from.column(column);
  }

  /** In the order that `load` reads them. */
  #numbers(): number[] {
    const paying = [this.#owedNs, this.#payNs, this.#roomPages];
    return [...paying, this.#copiedUnit, this.#openUnit, this.#writtenNs];
  }

  #columns(): Float64Array[] {
    const dies = [this.#dieFreeNs, this.#programmedNs, this.#eraseNs];
    const others = [this.#busFreeNs, this.#channelFreeNs, this.#erasesDue, this.#slcFree];
    return [...dies, ...others];
  }

  #change(op: number): void {
    const call = this.#call;
    const offsetBytes = call[OFFSET], bytes = call[BYTES];
    const startNs = call[NOW] + this.#profile.controllerNs;
    if (op === IO_OP.FLUSH) {
      call[DUE] = Math.max(call[NOW], this.#writtenNs);
      return;
    }
    this.#isChanged = true;
    if (op === IO_OP.DISCARD) {
      this.#discard(offsetBytes, bytes);
      call[DUE] = Math.ceil(startNs);
    } else {
      call[DUE] = Math.ceil(this.#write(offsetBytes, bytes, startNs));
      this.#writtenNs = Math.max(this.#writtenNs, call[DUE]);
    }
  }

  /**
   * Bus, channel, die: a page really takes them the other way round. Its total is the same, but so
   * each server is asked in the order of time. Tried: the real order; a page that waits for its die
   * then books the bus before others that are ready sooner, and one behind an erase held up all.
   */
  #read(): void {
    const call = this.#call, channelFreeNs = this.#channelFreeNs, busFreeNs = this.#busFreeNs;
    const { pageBytes, channels, channelNs, busNs, controllerNs } = this.#profile;
    const startNs = call[NOW] + controllerNs;
    const last = Math.floor((call[OFFSET] + call[BYTES] - 1) / pageBytes);
    let endNs = startNs, sensedUnit = -1;
    for (let page = Math.floor(call[OFFSET] / pageBytes); page <= last; page++) {
      const at = this.#isChanged ? this.#ftl.lookup(page) : page;
      const unit = Math.floor(at / this.#unitPages);
      let readyNs = Math.max(busFreeNs[0], startNs) + busNs;
      busFreeNs[0] = readyNs;
      // A page that holds nothing or is still in the buffer asks no die.
      if (at >= 0 && unit !== this.#openUnit) {
        const die = unit - Math.floor(unit / this.#dies) * this.#dies;
        const channel = die % channels;
        readyNs = Math.max(readyNs, channelFreeNs[channel]) + channelNs;
        channelFreeNs[channel] = readyNs;
        // Neighbours on one die come from one sensing of all its planes.
        if (unit !== sensedUnit) {
          call[BEGIN] = readyNs;
          this.#sense(die);
          sensedUnit = unit;
        }
        readyNs = Math.max(readyNs, call[SENSED]);
        if (this.#countsReads) this.#noteRead(at, startNs);
      }
      endNs = Math.max(endNs, readyNs);
    }
    call[DUE] = Math.ceil(endNs);
  }

  /** Reads `die`'s cells. */
  #sense(die: number): void {
    const call = this.#call, dieFreeNs = this.#dieFreeNs;
    const { senseNs, suspendNs, jitterNs } = this.#profile;
    let serviceNs = senseNs + drawExponentialNs(this.#random, jitterNs);
    if (this.#retryShare > 0 && this.#random.unit() < this.#retryShare) {
      serviceNs += this.#profile.retryNs ?? senseNs;
    }
    call[BEGIN] = Math.max(call[BEGIN], dieFreeNs[die]);
    if (call[BEGIN] >= this.#eraseNs[die]) this.#waitForErase(die, serviceNs);
    let beginNs = call[BEGIN];
    const programmedNs = this.#programmedNs[die];
    if (programmedNs > beginNs) {
      // The program stops for the read and ends later by as much.
      beginNs += Math.min(suspendNs, programmedNs - beginNs);
      this.#programmedNs[die] = Math.max(programmedNs, beginNs) + serviceNs;
    }
    dieFreeNs[die] = beginNs + serviceNs;
    call[SENSED] = beginNs + serviceNs;
  }

  /**
   * Puts the beginning of a read behind what it meets. Erases come by themselves, as refreshing
   * makes them: a process in time, so that the share of reads that meet one does not grow with the
   * depth. A chance for each read would hold up the reads behind it as well.
   */
  #waitForErase(die: number, serviceNs: number): void {
    const call = this.#call, nextNs = this.#eraseNs;
    const { eraseNs } = this.#profile;
    const beginNs = call[BEGIN];
    while (nextNs[die] + eraseNs <= beginNs) {
      nextNs[die] = this.#nextEraseNs(nextNs[die] + eraseNs);
    }
    if (beginNs < nextNs[die]) return;
    const leftNs = nextNs[die] + eraseNs - beginNs;
    call[BEGIN] = beginNs + Math.min(leftNs, this.#eraseSuspendNs);
    // One that stops for the read ends later by as much.
    if (leftNs > this.#eraseSuspendNs) nextNs[die] += serviceNs;
  }

  #nextEraseNs(fromNs: number): number {
    const { eraseEveryNs } = this.#profile;
    return eraseEveryNs === 0 ? Infinity : fromNs + drawExponentialNs(this.#random, eraseEveryNs);
  }

  #write(offsetBytes: number, bytes: number, startNs: number): number {
    const { pageBytes } = this.#profile;
    const endBytes = offsetBytes + bytes;
    const first = Math.floor(offsetBytes / pageBytes);
    const last = Math.floor((endBytes - 1) / pageBytes);
    let endNs = 0;
    for (let page = first; page <= last; page++) {
      const isWhole = page * pageBytes >= offsetBytes && (page + 1) * pageBytes <= endBytes;
      // The rest of a page that is written in part is read first.
      const readyNs = isWhole ? startNs : this.#readPage(page, startNs);
      endNs = Math.max(endNs, this.#writePage(page, readyNs));
    }
    return endNs;
  }

  #readPage(page: number, startNs: number): number {
    const call = this.#call;
    call[OFFSET] = page * this.#profile.pageBytes;
    call[BYTES] = 1;
    // The controller's time is in it already.
    call[NOW] = startNs - this.#profile.controllerNs;
    this.#read();
    return call[DUE];
  }

  /**
   * The buffer survives a loss of power: a write is done when it has a place there. The channel is
   * left out: a program keeps its die twenty times as long as its data keep the channel.
   */
  #writePage(page: number, startNs: number): number {
    const { busNs, programNs, bufferPages } = this.#profile;
    this.#arrivedNs = Math.max(startNs, this.#busFreeNs[0]) + busNs;
    this.#busFreeNs[0] = this.#arrivedNs;
    const unit = Math.floor(this.#ftl.write(page) / this.#unitPages);
    const bufferedNs = bufferPages / this.#unitPages * programNs;
    return Math.max(this.#arrivedNs, this.#programmedNs[unit % this.#dies] - bufferedNs);
  }

  /** A die programs when it has a page for each place of its planes. */
  program(to: number): void {
    const unit = Math.floor(to / this.#unitPages);
    const isLast = to - unit * this.#unitPages === this.#unitPages - 1;
    this.#openUnit = isLast ? -1 : unit;
    if (!isLast) return;
    const die = unit % this.#dies;
    const payNs = Math.min(this.#owedNs, this.#payNs);
    this.#owedNs -= payNs;
    this.#roomPages = Math.max(0, this.#roomPages - this.#unitPages);
    const freeNs = this.#programmedNs[die];
    const programNs = this.#programTimeNs(die, this.#arrivedNs - freeNs);
    this.#programmedNs[die] = Math.max(this.#arrivedNs, freeNs) + programNs + payNs;
    if (this.#erasesDue[die] > 0) this.#eraseAfterPrograms(die);
  }

  /** In SLC mode while there is room, which idle time gives back at the pace of programming. */
  #programTimeNs(die: number, idleNs: number): number {
    const { programNs, slcProgramNs = programNs } = this.#profile;
    if (this.#slcPrograms === 0 || programNs === 0) return programNs;
    const folded = Math.max(0, idleNs) / programNs;
    const free = Math.min(this.#slcPrograms, this.#slcFree[die] + folded);
    this.#slcFree[die] = free >= 1 ? free - 1 : free;
    return free >= 1 ? slcProgramNs : programNs;
  }

  #eraseAfterPrograms(die: number): void {
    const { eraseNs } = this.#profile;
    // An erase that comes by itself is drawn anew after this one: it has no memory.
    if (this.#eraseNs[die] > this.#programmedNs[die]) this.#eraseNs[die] = this.#programmedNs[die];
    this.#programmedNs[die] += this.#erasesDue[die] * eraseNs;
    this.#erasesDue[die] = 0;
  }

  /**
   * Collection runs beside the writes: what it takes is paid by the programs that follow, in equal
   * parts. All at once, each die would stop for up to a whole block, 256 programs: 150 ms.
   */
  copy(from: number, _to: number): void {
    const unit = Math.floor(from / this.#unitPages);
    this.#owedNs += this.#profile.programNs / this.#unitPages;
    if (unit !== this.#copiedUnit) this.#owedNs += this.#profile.senseNs;
    this.#copiedUnit = unit;
  }

  erase(_block: number, freedPages: number): void {
    for (let die = 0; die < this.#dies; die++) this.#erasesDue[die]++;
    this.#roomPages += freedPages;
    const roomPages = Math.max(this.#roomPages, this.#blockPages * LEAST_ROOM_SHARE);
    this.#payNs = this.#owedNs * this.#unitPages / roomPages;
    this.#copiedUnit = -1;
  }

  /** Reads alone pay for nothing, so that moving a disturbed block keeps all dies at once. */
  #noteRead(at: number, nowNs: number): void {
    const beforeNs = this.#owedNs;
    if (!this.#ftl.noteRead(at)) return;
    const movedNs = this.#owedNs - beforeNs;
    this.#isChanged = true;
    this.#owedNs = beforeNs;
    for (let die = 0; die < this.#dies; die++) {
      this.#programmedNs[die] = Math.max(nowNs, this.#programmedNs[die]) + movedNs / this.#dies;
      this.#eraseAfterPrograms(die);
    }
  }

  /** Only what is covered whole can be dropped. */
  #discard(offsetBytes: number, bytes: number): void {
    const { pageBytes } = this.#profile;
    const end = Math.floor((offsetBytes + bytes) / pageBytes);
    for (let page = Math.ceil(offsetBytes / pageBytes); page < end; page++) this.#ftl.trim(page);
  }
}
