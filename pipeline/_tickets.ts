/**
 * Batches in flight. Each record owns its columns, so that a caller may reuse its arrays at once,
 * and lives on after release or cancel until the last of its reads is over: that bounds what waits.
 *
 * @module
 */

import { type BagTickets, createBagTickets, SLOT_STATE, SLOT_STATE_MASK } from "../cache/mod.ts";
import { bagCount, type KeyBatch, keyCount } from "./batch.ts";

/** How many of what a record holds. */
export interface TicketBounds {
  readonly maxKeys: number;
  readonly maxBags: number;
  readonly weighted: boolean;
  /** By table, values of a pooled bag. */
  readonly dims: readonly number[];
  /** Values of the bags that may be found pooled; 0: none is looked up. */
  readonly maxFoundFloats: number;
}

/** Where bags that were found pooled wait for their batch. */
export interface FoundBags {
  /** How the lookup of each bag ended. */
  readonly tickets: BagTickets;
  /** The found bags' vectors, one after the other. */
  readonly vectors: Float32Array;
}

/** One part of a staged batch: views of the record's columns. */
export interface PartRecord {
  table: number;
  /** The first of its bags among those of the batch. */
  firstBag: number;
  bagCount: number;
  keyCount: number;
  /** Where its found bags start. */
  foundStart: number;
  offsets: Uint32Array;
  slots: Int32Array;
  weights: Float32Array | undefined;
}

/** A place for one batch in flight. */
export class TicketRecord {
  /** The ticket's number while its user holds it; below 0 otherwise. */
  number = -1;
  /** The batch of the cache that holds its slots; below 0 while the place is free. */
  batch = -1;
  deadlineNs = Infinity;
  ready = false;
  /** True when a row may be missing: one failed, or was still loading at the deadline. */
  missing = false;
  partCount = 0;
  bags = 0;
  keys = 0;
  /** Values of an output of all parts. */
  outputLength = 0;
  readonly found: FoundBags;
  foundFloats = 0;
  readonly #dims: readonly number[];
  readonly #offsets: Uint32Array;
  readonly #slots: Int32Array;
  readonly #weights: Float32Array | undefined;
  readonly #parts: PartRecord[] = [];
  /** The loading rows, in the order of their reads; those before `#head` are over. */
  readonly #pendingSlot: Int32Array;
  readonly #pendingTable: Uint16Array;
  #pending = 0;
  #head = 0;

  constructor({ maxKeys, maxBags, weighted, dims, maxFoundFloats }: TicketBounds) {
    this.#dims = dims;
    this.found = {
      tickets: createBagTickets(maxFoundFloats === 0 ? 1 : maxBags),
      vectors: new Float32Array(maxFoundFloats),
    };
    // One entry a bag, and one more a part; a batch has at most as many parts as bags are allowed.
    this.#offsets = new Uint32Array(2 * maxBags);
    this.#slots = new Int32Array(maxKeys);
    this.#weights = weighted ? new Float32Array(maxKeys) : undefined;
    this.#pendingSlot = new Int32Array(maxKeys);
    this.#pendingTable = new Uint16Array(maxKeys);
  }

  /** Bytes of the columns. */
  get bytes(): number {
    const { tickets: { hash, outcome }, vectors } = this.found;
    return this.#offsets.byteLength + this.#slots.byteLength + (this.#weights?.byteLength ?? 0) +
      this.#pendingSlot.byteLength + this.#pendingTable.byteLength + hash.byteLength +
      outcome.byteLength + vectors.byteLength;
  }

  /** Takes a checked batch over; the slots are still to be found. */
  start(batch: KeyBatch): void {
    this.ready = this.missing = false;
    this.partCount =
      this.bags =
      this.keys =
      this.outputLength =
      this.foundFloats =
      this.#pending =
      this.#head =
        0;
    let offsetsAt = 0;
    for (const part of batch.parts) {
      const keys = keyCount(part), bags = bagCount(part);
      const record = this.#parts[this.partCount] ??= emptyPart();
      record.table = part.table;
      record.firstBag = this.bags;
      record.bagCount = bags;
      record.keyCount = keys;
      record.offsets = this.#offsets.subarray(offsetsAt, offsetsAt + bags + 1);
      record.offsets.set(part.offsets);
      record.slots = this.#slots.subarray(this.keys, this.keys + keys);
      record.weights = this.#takeWeights(part.weights, keys);
      offsetsAt += bags + 1;
      this.partCount++;
      this.bags += bags;
      this.outputLength += bags * this.#dims[part.table];
      this.keys += keys;
    }
  }

  /** Part `index` of the staged batch. */
  part(index: number): PartRecord {
    return this.#parts[index];
  }

  /** The batch is not ready before this slot has stopped loading. */
  waitFor(table: number, slot: number): void {
    this.#pendingTable[this.#pending] = table;
    this.#pendingSlot[this.#pending++] = slot;
  }

  /** Whether a row is still loading; amortised over the batch, one look a row. */
  stillLoading(states: readonly Uint8Array[]): boolean {
    while (this.#head < this.#pending) {
      const byte = states[this.#pendingTable[this.#head]][this.#pendingSlot[this.#head]];
      const state = byte & SLOT_STATE_MASK;
      if (state === SLOT_STATE.LOADING) return true;
      if (state !== SLOT_STATE.READY) this.missing = true;
      this.#head++;
    }
    return false;
  }

  /**
   * Points the part's keys whose rows are not there at `zeroSlot`, and marks their bags in
   * `incomplete`, which starts with the part's first bag; returns how many bags.
   */
  markMissing(
    part: PartRecord,
    states: Uint8Array,
    zeroSlot: number,
    incomplete: Uint8Array | undefined,
  ): number {
    let marked = 0;
    for (let b = 0; b < part.bagCount; b++) {
      let whole = true;
      for (let i = part.offsets[b]; i < part.offsets[b + 1]; i++) {
        const slot = part.slots[i];
        const isThere = (states[slot] & SLOT_STATE_MASK) === SLOT_STATE.READY;
        if (slot !== zeroSlot && isThere) continue;
        part.slots[i] = zeroSlot;
        whole = false;
      }
      if (whole) continue;
      marked++;
      if (incomplete !== undefined) incomplete[b] = 1;
    }
    return marked;
  }

  #takeWeights(weights: Float32Array | undefined, keys: number): Float32Array | undefined {
    if (weights === undefined || this.#weights === undefined) return undefined;
    const taken = this.#weights.subarray(this.keys, this.keys + keys);
    for (let i = 0; i < keys; i++) taken[i] = weights[i];
    return taken;
  }
}

function emptyPart(): PartRecord {
  return {
    table: 0,
    firstBag: 0,
    bagCount: 0,
    keyCount: 0,
    foundStart: 0,
    offsets: new Uint32Array(0),
    slots: new Int32Array(0),
    weights: undefined,
  };
}
