// Sets of byte ranges. Pure.

/** half-open */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

/** Sorted and without overlaps; ranges that are at most `gap` bytes apart become one. */
export function mergeRanges(ranges: readonly ByteRange[], gap = 0): ByteRange[] {
  const merged: { start: number; end: number }[] = []
  for (const { start, end } of ranges.filter(range => range.start < range.end).sort((a, b) => a.start - b.start)) {
    const last = merged.at(-1)
    if (last !== undefined && start <= last.end + gap) last.end = Math.max(last.end, end)
    else merged.push({ start, end })
  }
  return merged
}

/** The parts of `wanted` that are not in `present`; ranges that touch stay apart, those that overlap become one. */
export function subtractRanges(wanted: readonly ByteRange[], present: readonly ByteRange[]): ByteRange[] {
  const missing: ByteRange[] = []
  const there = mergeRanges(present)
  for (const { start, end } of mergeRanges(wanted, -1)) {
    let at = start
    for (const range of there) {
      if (range.end <= at || range.start >= end) continue
      if (range.start > at) missing.push({ start: at, end: range.start })
      at = Math.max(at, range.end)
    }
    if (at < end) missing.push({ start: at, end })
  }
  return missing
}

export function totalBytes(ranges: readonly ByteRange[]): number {
  return ranges.reduce((sum, { start, end }) => sum + end - start, 0)
}
