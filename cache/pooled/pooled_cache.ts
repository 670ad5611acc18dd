/**
 * The pooled cache: sums of whole bags, kept under a hash of the bag.
 *
 * @module
 */

import { checkInteger } from "../../base/checks.ts";
import { BagHasher, HASH_WORDS } from "./_bag_hash.ts";
import { entryBytes, PooledSlab, type PooledTally, slotsFor } from "./_pooled_slab.ts";
import type { EvictionPolicyFactory } from "../eviction.ts";
import { lru } from "../eviction/lru.ts";
import { MAX_PARTITIONS } from "../limits.ts";
import {
  BAG_OUTCOME,
  type Bags,
  type BagTickets,
  type PooledBytes,
  type PooledCacheOptions,
  type PooledCounters,
} from "./pooled_options.ts";

const { MISS, HIT, SHORT } = BAG_OUTCOME;

/** Default of `minimumLength`, see there. */
const MINIMUM_LENGTH = 8;

/** Versions are u32. */
const MAX_VERSION = 2 ** 32 - 1;

/**
 * A cache of pooled outputs, as in the software-defined memory paper (arXiv 2110.11489): a bag that
 * comes again, in whatever order, is answered without reading one of its rows. Hits are rare, a few
 * per cent, but each saves a whole bag.
 *
 * An output is keyed by an order-invariant hash of 128 bits over table, version, and the multiset
 * of keys, or of pairs of key and weight. Among n bags two different ones share a hash with a
 * probability of about n^2 / 2^129, 2^-59 for 2^35 bags, and 2^(4 v) times that for bags whose
 * multiplicities all differ by multiples of 2^v. Bags chosen by someone who knows the seed are not
 * covered: such a person can make collisions. Outputs of two ways of pooling one table (sum and
 * mean) need two table numbers.
 *
 * A hit gives the output as it was first pooled: for a permuted bag it may differ from a fresh sum
 * in the last bits, as addition of floats depends on its order.
 *
 * Costs 26 bytes an entry beside its floats, 13 to 26 for its index entry, and the policy's. A
 * lookup takes about 6 ns a key for the hash (18 with weights) and up to 300 a bag for its entry, a
 * store 300 to 500 (64 floats, 200,000 entries, a busy AMD EPYC core). Nothing is allocated after
 * construction but by `counters` and `memoryBytes`.
 *
 * @example
 * ```ts
 * import { createBagTickets, PooledCache } from "@rowtier/rowtier/cache";
 *
 * const cache = new PooledCache({ tables: [{ dim: 2 }], bytes: 2 ** 16, minimumLength: 2 });
 * const tickets = createBagTickets(2);
 * const bags = { keys: Uint32Array.of(7, 9, 9, 5), offsets: Uint32Array.of(0, 3, 4) };
 * const output = new Float32Array(4);
 *
 * cache.findBags(0, bags, output, tickets); // 0: nothing is there
 * output.set([1, 2, 3, 4]); // ... pool what was not found, then:
 * cache.storeBags(0, 2, output, tickets); // 1: the second bag is too short
 *
 * const permuted = { keys: Uint32Array.of(9, 7, 9), offsets: Uint32Array.of(0, 3) };
 * const found = cache.findBags(0, permuted, output.fill(0), tickets);
 * if (found !== 1 || output[1] !== 2) throw new Error("unreachable");
 * ```
 */
export class PooledCache {
  /** Its tables. */
  readonly tableCount: number;
  /** Shorter bags skip it. */
  readonly minimumLength: number;
  readonly #hasher: BagHasher;
  readonly #slabs: readonly PooledSlab[];
  /** By table. */
  readonly #slabOf: readonly PooledSlab[];
  readonly #tallies: readonly PooledTally[];
  readonly #versions: Uint32Array;
  /** What a table and its version add to each lane of a hash. */
  readonly #lanes: Int32Array;

  /**
   * An empty cache; all its memory is allocated here.
   *
   * @throws {RangeError} when there is no table or too many, a dim or `minimumLength` is below 1, a
   * version is no u32, `seed` no safe integer, or `bytes` do not hold one entry of each dim.
   */
  constructor(options: PooledCacheOptions) {
    const what = "Cannot create PooledCache";
    const { tables, bytes, minimumLength = MINIMUM_LENGTH, eviction = lru, seed = 0 } = options;
    const count = checkInteger(what, "number of tables", tables.length, 1, MAX_PARTITIONS);
    tables.forEach(({ dim, version = 0 }, table) => {
      checkInteger(`${what}: table ${table}`, "dim", dim, 1);
      checkInteger(`${what}: table ${table}`, "version", version, 0, MAX_VERSION);
    });
    checkInteger(what, "bytes", bytes, 1);
    this.minimumLength = checkInteger(what, "minimumLength", minimumLength, 1);
    checkInteger(what, "seed", seed, Number.MIN_SAFE_INTEGER);
    this.tableCount = count;
    this.#hasher = new BagHasher(seed);
    this.#tallies = tables.map(createTally);
    const slabs = createSlabs(tables.map(({ dim }) => dim), bytes, eviction, this.#tallies);
    this.#slabs = [...slabs.values()];
    this.#slabOf = tables.map(({ dim }) => slabs.get(dim)!);
    this.#versions = Uint32Array.from(tables, ({ version = 0 }) => version);
    this.#lanes = new Int32Array(HASH_WORDS * count);
    for (let table = 0; table < count; table++) this.#setLanes(table);
  }

  #setLanes(table: number): void {
    this.#hasher.tableLanes(table, this.#versions[table], this.#lanes, HASH_WORDS * table);
  }

  /** Entries that there is room for in the slab that `table` shares with others of its dim. */
  capacity(table: number): number {
    return this.#slab("Cannot tell capacity", table).count;
  }

  /**
   * Looks one bag up.
   *
   * @param table The bag's table.
   * @param keys Row keys, u32; the bag is keys [`start`, `end`).
   * @param start Its first key.
   * @param end One beyond its last.
   * @param weights fp32, one a key at the same places; null without weights.
   * @param output Out, on a hit: the pooled output, from `outputOffset` on.
   * @param outputOffset Where the output goes.
   * @param tickets Out: the bag's hash and outcome, for `store`.
   * @param bag Which ticket.
   * @returns Whether it was there.
   * @throws {RangeError} when table, places or ticket are out of range; nothing is touched then.
   */
  find(
    table: number,
    keys: Uint32Array,
    start: number,
    end: number,
    weights: Float32Array | null,
    output: Float32Array,
    outputOffset: number,
    tickets: BagTickets,
    bag: number,
  ): boolean {
    const what = "Cannot find bag";
    const { dim } = this.#slab(what, table);
    checkInteger(what, "end", end, 0, keys.length);
    checkInteger(what, "start", start, 0, end);
    if (weights !== null) checkInteger(what, "weights.length", weights.length, end);
    checkInteger(what, "outputOffset", outputOffset, 0, output.length - dim);
    checkInteger(what, "bag", bag, 0, tickets.outcome.length - 1);
    return this.#find(table, keys, start, end, weights, output, outputOffset, tickets, bag);
  }

  /**
   * Looks all bags of a batch's part up.
   *
   * @param table Their table.
   * @param bags The bags.
   * @param output Out: bag b's pooled output from b * dim on, where it was found; the rest stays.
   * @param tickets Out: hashes and outcomes, for `storeBags`; outcomes say what is left to pool.
   * @returns How many were found.
   * @throws {RangeError} when the table is out of range, offsets decrease or end beyond the keys,
   * or weights, output or tickets are too short; nothing is touched then.
   */
  findBags(table: number, bags: Bags, output: Float32Array, tickets: BagTickets): number {
    const what = "Cannot find bags";
    const { dim } = this.#slab(what, table);
    const { keys, offsets, weights = null } = bags;
    const count = checkBags(what, bags);
    checkInteger(what, "output.length", output.length, count * dim);
    checkInteger(what, "number of tickets", tickets.outcome.length, count);
    let found = 0;
    for (let b = 0; b < count; b++) {
      const start = offsets[b];
      const end = offsets[b + 1];
      if (this.#find(table, keys, start, end, weights, output, b * dim, tickets, b)) found++;
    }
    return found;
  }

  #find(
    table: number,
    keys: Uint32Array,
    start: number,
    end: number,
    weights: Float32Array | null,
    output: Float32Array,
    to: number,
    tickets: BagTickets,
    bag: number,
  ): boolean {
    const tally = this.#tallies[table];
    tally.lookups++;
    if (end - start < this.minimumLength) {
      tally.tooShort++;
      tickets.outcome[bag] = SHORT;
      return false;
    }
    const { hash } = tickets;
    const at = HASH_WORDS * bag;
    this.#hasher.hash(keys, start, end, weights, this.#lanes, HASH_WORDS * table, hash, at);
    tally.keysHashed += end - start;
    const slab = this.#slabOf[table];
    const slot = slab.find(hash, at);
    if (slot < 0) {
      tally.misses++;
      tickets.outcome[bag] = MISS;
      return false;
    }
    slab.read(slot, output, to);
    tally.hits++;
    tally.keysSaved += end - start;
    tickets.outcome[bag] = HIT;
    return true;
  }

  /**
   * Keeps a bag's pooled output, if its ticket says MISS. When the table got another version since
   * the lookup, the entry stays out of reach, as its hash has the old one in it.
   *
   * @param table The table that the ticket's lookup was for.
   * @param values The pooled output, from `offset` on.
   * @param offset Where it begins.
   * @param tickets What `find` wrote.
   * @param bag Which ticket.
   * @returns False when the ticket says HIT or SHORT, or the bag is there by now: then the entry
   * stays as it is.
   * @throws {RangeError} when table, places or ticket are out of range; nothing is touched then.
   */
  store(
    table: number,
    values: Float32Array,
    offset: number,
    tickets: BagTickets,
    bag: number,
  ): boolean {
    const what = "Cannot store bag";
    const { dim } = this.#slab(what, table);
    checkInteger(what, "offset", offset, 0, values.length - dim);
    checkInteger(what, "bag", bag, 0, tickets.outcome.length - 1);
    return this.#store(table, values, offset, tickets, bag);
  }

  /**
   * Keeps the pooled outputs of the first `bagCount` bags whose tickets say MISS.
   *
   * @param table The table that the tickets' lookup was for.
   * @param bagCount How many bags to look at.
   * @param values Bag b's pooled output from b * dim on.
   * @param tickets What `findBags` wrote.
   * @returns How many were stored: less than the misses when a bag repeats within the batch.
   * @throws {RangeError} when the table is out of range, or values or tickets are too short;
   * nothing is touched then.
   */
  storeBags(table: number, bagCount: number, values: Float32Array, tickets: BagTickets): number {
    const what = "Cannot store bags";
    const { dim } = this.#slab(what, table);
    checkInteger(what, "bagCount", bagCount, 0, tickets.outcome.length);
    checkInteger(what, "values.length", values.length, bagCount * dim);
    let stored = 0;
    for (let b = 0; b < bagCount; b++) {
      if (this.#store(table, values, b * dim, tickets, b)) stored++;
    }
    return stored;
  }

  #store(
    table: number,
    values: Float32Array,
    from: number,
    tickets: BagTickets,
    bag: number,
  ): boolean {
    if (tickets.outcome[bag] !== MISS) return false;
    const stored = this.#slabOf[table].write(tickets.hash, HASH_WORDS * bag, table, values, from);
    if (stored) this.#tallies[table].stores++;
    else this.#tallies[table].storesSkipped++;
    return stored;
  }

  /** The version of a table. */
  version(table: number): number {
    this.#slab("Cannot tell version", table);
    return this.#versions[table];
  }

  /**
   * Says that a table's rows are now those of `version`, u32: with another version than before, all
   * its entries leave and their slots are free. Takes about 1 ns a slot of its slab.
   *
   * @throws {RangeError} when the table is out of range or `version` is no u32.
   */
  setVersion(table: number, version: number): void {
    const what = "Cannot set version";
    const slab = this.#slab(what, table);
    checkInteger(what, "version", version, 0, MAX_VERSION);
    if (version === this.#versions[table]) return;
    slab.drop(table);
    this.#versions[table] = version;
    this.#setLanes(table);
  }

  /**
   * What a table counted so far, as a fresh object.
   *
   * @throws {RangeError} when the table is out of range.
   */
  counters(table: number): PooledCounters {
    const { dim } = this.#slab("Cannot count", table);
    const tally = this.#tallies[table];
    return { ...tally, bytes: 4 * dim * tally.entries };
  }

  /** Bytes that the cache holds, from its arrays; at most the budget. */
  memoryBytes(): PooledBytes {
    const total = { rowBytes: 0, columnBytes: 0, indexBytes: 0, policyBytes: 0 };
    for (const slab of this.#slabs) {
      const bytes = slab.bytes();
      total.rowBytes += bytes.rowBytes;
      total.columnBytes += bytes.columnBytes;
      total.indexBytes += bytes.indexBytes;
      total.policyBytes += bytes.policyBytes;
    }
    return total;
  }

  /** Throws an Error naming the broken invariant, if there is one; takes a while. */
  verify(): void {
    for (const slab of this.#slabs) slab.verify();
    this.#tallies.forEach((tally, table) => {
      const { lookups, hits, misses, tooShort } = tally;
      const left = tally.stores - tally.evictions - tally.invalidations;
      if (lookups !== hits + misses + tooShort || left !== tally.entries) {
        throw new Error(`Broken invariant: counters of table ${table} must add up`);
      }
    });
  }

  #slab(what: string, table: number): PooledSlab {
    const slab = this.#slabOf[table];
    // Says so and throws: no table has that number.
    if (slab === undefined) checkInteger(what, "table", table, 0, this.tableCount - 1);
    return slab;
  }
}

/** A slab for each dim; about as many entries for each table, so that bytes go by dim. */
function createSlabs(
  dims: readonly number[],
  bytes: number,
  eviction: EvictionPolicyFactory,
  tallies: readonly PooledTally[],
): Map<number, PooledSlab> {
  const each = entryBytes(dims, eviction);
  const total = each.reduce((sum, entry) => sum + entry, 0);
  // By dim, the share of the budget of all its tables.
  const shares = new Map<number, number>();
  dims.forEach((dim, table) => shares.set(dim, (shares.get(dim) ?? 0) + each[table] / total));
  const slabs = new Map<number, PooledSlab>();
  for (const [dim, share] of shares) {
    const slots = slotsFor(dim, Math.floor(bytes * share), eviction);
    if (slots < 1) {
      throw new RangeError(
        `Cannot create PooledCache: bytes must hold an entry of each dim: received ${bytes}`,
      );
    }
    slabs.set(dim, new PooledSlab(dim, slots, eviction, tallies));
  }
  return slabs;
}

function createTally(): PooledTally {
  return {
    lookups: 0,
    hits: 0,
    misses: 0,
    tooShort: 0,
    keysSaved: 0,
    keysHashed: 0,
    stores: 0,
    storesSkipped: 0,
    evictions: 0,
    invalidations: 0,
    entries: 0,
  };
}

/** The number of bags; throws when they are malformed. */
function checkBags(what: string, { keys, offsets, weights }: Bags): number {
  const count = checkInteger(what, "offsets.length", offsets.length, 1) - 1;
  for (let b = 0; b < count; b++) {
    if (offsets[b + 1] < offsets[b]) {
      throw new RangeError(
        `${what}: offsets must not decrease: received ${offsets[b + 1]} after ${offsets[b]}`,
      );
    }
  }
  checkInteger(what, "keys.length", keys.length, offsets[count]);
  if (weights !== undefined) {
    checkInteger(what, "weights.length", weights.length, offsets[count]);
  }
  return count;
}
