/**
 * How often rows were looked up in the two data sets that Meta has published: the target of
 * `metaLike`.
 *
 * @module
 */

/** How one batch of a data set reuses rows. */
export interface ReuseStatistics {
  /** Embedding tables. */
  readonly tableCount: number;
  /** Samples of the batch: bags of each table. */
  readonly sampleCount: number;
  /** Lookups in all tables. */
  readonly lookups: number;
  /** Distinct rows looked up. */
  readonly rows: number;
  /**
   * The share of rows that are looked up once, twice, 3 to 4 times, 5 to 8, ..., 16,385 to 32,768,
   * and more often; published with three digits.
   */
  readonly rowShares: readonly number[];
  /** The share of lookups that go to the rows of each of these bins. */
  readonly lookupShares: readonly number[];
}

/**
 * The sets by year, from `embedding_bag/YEAR/locality_stats.txt` of
 * https://github.com/facebookresearch/dlrm_datasets at 6f46ba7, `fbgemm_t856_bs65536.pt` and
 * `fbgemm_t788_bs131072_0.pt` (MIT; Copyright (c) Facebook, Inc. and its affiliates). The data sets
 * are synthetic, with the reuse of Meta's production training.
 */
export const META_REUSE: { readonly 2021: ReuseStatistics; readonly 2022: ReuseStatistics } = {
  // deno-fmt-ignore: a bin a column
  2021: {
    tableCount: 856, sampleCount: 65_536, lookups: 887_017_990, rows: 128_435_723,
    rowShares: [
      0.473, 0.152, 0.139, 0.112, 0.072, 0.032, 0.011, 0.005, 0.002, 0.001, 0, 0, 0, 0, 0, 0, 0,
    ],
    lookupShares: [
      0.069, 0.044, 0.068, 0.101, 0.121, 0.104, 0.073, 0.058, 0.052, 0.050, 0.049, 0.048, 0.048,
      0.043, 0.031, 0.023, 0.019,
    ],
  },
  // deno-fmt-ignore: as above
  2022: {
    tableCount: 788, sampleCount: 131_072, lookups: 1_405_163_864, rows: 110_259_238,
    rowShares: [
      0.342, 0.144, 0.149, 0.138, 0.112, 0.068, 0.029, 0.010, 0.004, 0.002, 0.001, 0.001, 0, 0, 0,
      0, 0,
    ],
    lookupShares: [
      0.027, 0.023, 0.040, 0.068, 0.105, 0.120, 0.099, 0.070, 0.059, 0.054, 0.040, 0.072, 0.064,
      0.047, 0.021, 0.017, 0.076,
    ],
  },
};

/** The bin of a row that is looked up `count` times, at least once. */
export function reuseBin(count: number): number {
  return Math.min(32 - Math.clz32(count - 1), META_REUSE[2021].rowShares.length - 1);
}
