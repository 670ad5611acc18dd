/**
 * Sizes beside the positions of a recency order: how many bytes lie above a position.
 *
 * @module
 */

/** Positions of a block are 2^5: its sizes are summed one by one, so it is a short one. */
const BLOCK_BITS = 5;

/** The columns, and what the last search gave. */
export interface SizedColumns {
  /** The size at each position; 0 where no key's last use is. */
  sizes: Uint32Array;
  /** Fenwick tree, 1-based: bytes in each block. Doubles: sums are exact up to 2^53. */
  tree: Float64Array;
  /** Bytes in all. */
  total: number;
  /** Bytes from the position that was taken out last on. */
  deep: number;
}

/** Columns for `blocks` blocks of 128 positions. */
export function createSizedColumns(blocks: number): SizedColumns {
  const positions = blocks * 128;
  return {
    sizes: new Uint32Array(positions),
    tree: new Float64Array((positions >> BLOCK_BITS) + 1),
    total: 0,
    deep: 0,
  };
}

/** Sets the size at the newest position. */
export function putSize(columns: SizedColumns, position: number, size: number): void {
  columns.sizes[position] = size;
  columns.total += size;
  addToBlock(columns.tree, position >> BLOCK_BITS, size);
}

/** Clears the size at `position`, and leaves in `deep` what it and all above it sum up to. */
export function takeSize(columns: SizedColumns, position: number): void {
  const { sizes, tree } = columns;
  const block = position >> BLOCK_BITS;
  let deep = columns.total;
  for (let at = block; at > 0; at &= at - 1) deep -= tree[at];
  for (let at = block << BLOCK_BITS; at < position; at++) deep -= sizes[at];
  columns.deep = deep;
  addToBlock(tree, block, -sizes[position]);
  columns.total -= sizes[position];
  sizes[position] = 0;
}

function addToBlock(tree: Float64Array, block: number, bytes: number): void {
  for (let at = block + 1; at < tree.length; at += at & -at) tree[at] += bytes;
}

/** Makes room for `blocks` blocks of 128 positions; sums follow by {@linkcode sumSizes}. */
export function growSizes(columns: SizedColumns, blocks: number): void {
  const grown = createSizedColumns(blocks);
  grown.sizes.set(columns.sizes);
  columns.sizes = grown.sizes;
  columns.tree = grown.tree;
}

/** Moves a size down while positions are numbered anew, in ascending order. */
export function moveSize(columns: SizedColumns, from: number, to: number): void {
  columns.sizes[to] = columns.sizes[from];
}

/**
 * Sums anew, now that positions below `next` hold all sizes; those from it on are written before
 * they are read again.
 */
export function sumSizes(columns: SizedColumns, next: number): void {
  const { sizes, tree } = columns;
  tree.fill(0);
  for (let at = 0; at < next; at++) tree[(at >> BLOCK_BITS) + 1] += sizes[at];
  // Each node passes its sum on to the next that covers it: O(blocks).
  for (let at = 1; at < tree.length; at++) {
    const parent = at + (at & -at);
    if (parent < tree.length) tree[parent] += tree[at];
  }
}
