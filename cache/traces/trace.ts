/**
 * A trace: which keys were looked up, in order.
 *
 * @module
 */

/** Requests in order, one key each. */
export interface Trace {
  /** Its name in tables and pictures. */
  readonly name: string;
  /** The key of each request, u32. */
  readonly keys: Uint32Array;
  /** Where set, keys are dense: numbered from 0, all below it. */
  readonly keyCount?: number;
  /** Bytes of each request's object, as many as `keys`; left out when all are of one size. */
  readonly sizes?: Uint32Array;
}
