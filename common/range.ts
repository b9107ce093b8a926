// A half-open range of blocks, `first..end-1`, as `--blocks 0-12` means it.

/** A half-open range of blocks. */
export interface BlockRange {
  /** first block, 0-based */
  readonly first: number
  /** one past the last block */
  readonly end: number
}

export function rangeLength(range: BlockRange): number {
  return range.end - range.first
}

export function rangeContains(outer: BlockRange, inner: BlockRange): boolean {
  return outer.first <= inner.first && inner.end <= outer.end
}

/** `{first: 0, end: 12}` -> `blocks 0..11 (12)`: unambiguous whichever convention the reader has in mind. */
export function formatRange(range: BlockRange): string {
  return `blocks ${range.first}..${range.end - 1} (${rangeLength(range)})`
}

/** `[4, 5, 6, 9]` -> `4..6, 9` */
export function formatBlocks(blocks: readonly number[]): string {
  const runs: [number, number][] = []
  for (const block of blocks) {
    const last = runs.at(-1)
    if (last !== undefined && last[1] === block - 1) last[1] = block
    else runs.push([block, block])
  }
  return runs.map(([from, to]) => (from === to ? `${from}` : `${from}..${to}`)).join(', ')
}
