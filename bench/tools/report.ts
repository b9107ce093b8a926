// Medians and ratios of paired measurements, as bench/LOG.md quotes them.

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

const round = (value: number): number => Number(value.toPrecision(3))

/** `12.3 (11.9 to 14.0)`: median, least and most */
export function spread(values: readonly number[]): string {
  return `${round(median(values))} (${round(Math.min(...values))} to ${round(Math.max(...values))})`
}

/** Ratio a/b pair by pair: what holds when the machine's speed drifts between pairs. */
export function ratios(a: readonly number[], b: readonly number[]): number[] {
  return a.map((value, index) => value / b[index]!)
}
