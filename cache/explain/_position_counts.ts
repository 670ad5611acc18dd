/**
 * Counts at positions, with sums and selection in O(log n): a Fenwick tree ("A new data structure
 * for cumulative frequency tables", 1994).
 *
 * @module
 */

/** Counts, none below 0, at positions 0 to `length` - 1. */
export class PositionCounts {
  readonly length: number;
  /** The sum of all counts. */
  total = 0;
  /** 1-based: node i sums the (i & -i) counts that end at position i - 1. */
  readonly #tree: Int32Array;
  /** The largest power of two that is a node. */
  readonly #top: number;

  constructor(length: number) {
    this.length = length;
    this.#tree = new Int32Array(length + 1);
    this.#top = 1 << (31 - Math.clz32(length));
  }

  /** Bytes of the tree. */
  get bytes(): number {
    return this.#tree.byteLength;
  }

  /** Adds `by` at `position`. */
  add(position: number, by: number): void {
    const tree = this.#tree;
    for (let node = position + 1; node < tree.length; node += node & -node) tree[node] += by;
    this.total += by;
  }

  /** The sum from `position` on. */
  from(position: number): number {
    const tree = this.#tree;
    let sum = this.total;
    for (let node = position; node > 0; node &= node - 1) sum -= tree[node];
    return sum;
  }

  /** The first position with `rank` (from 1 to `total`) in the sum up to it. */
  select(rank: number): number {
    const tree = this.#tree;
    let node = 0;
    for (let step = this.#top; step > 0; step >>= 1) {
      if (node + step < tree.length && tree[node + step] < rank) {
        node += step;
        rank -= tree[node];
      }
    }
    return node;
  }

  /** Takes `counts` over in place of its own: as many as positions. */
  assign(counts: Int32Array): void {
    const tree = this.#tree;
    tree.fill(0);
    this.total = 0;
    for (let node = 1; node < tree.length; node++) {
      tree[node] += counts[node - 1];
      this.total += counts[node - 1];
      const parent = node + (node & -node);
      if (parent < tree.length) tree[parent] += tree[node];
    }
  }
}
