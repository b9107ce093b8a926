// Finds which of many tokens a text continues with. Pure.

/** Tokens in the order of their units: each unit of a text narrows the range of those that are still possible. */
export interface TokenIndex {
  /** Calls `visit` with the length of each token that begins at `at`, shortest first. */
  each(text: string, at: number, visit: (length: number) => void): void
  /** Length of the longest token that begins at `at`; 0 where none does. */
  longest(text: string, at: number): number
}

export function createTokenIndex(contents: Iterable<string>): TokenIndex {
  const tokens = [...new Set(contents)].filter(token => token !== '').sort()
  /** by first unit: where its tokens begin and end */
  const firsts = new Map<number, readonly [number, number]>()
  for (const [place, token] of tokens.entries()) {
    const unit = token.charCodeAt(0)
    firsts.set(unit, [firsts.get(unit)?.[0] ?? place, place + 1])
  }
  /** The first place from `low` on whose unit at `depth` is at least `unit`. */
  const bound = (low: number, high: number, depth: number, unit: number): number => {
    let [from, to] = [low, high]
    while (from < to) {
      const middle = (from + to) >>> 1
      const token = tokens[middle]!
      if (depth < token.length && token.charCodeAt(depth) >= unit) to = middle
      else from = middle + 1
    }
    return from
  }
  const each: TokenIndex['each'] = (text, at, visit) => {
    const range = at < text.length ? firsts.get(text.charCodeAt(at)) : undefined
    if (range === undefined) return
    let [low, high] = range
    for (let depth = 1; ; depth++) {
      if (tokens[low]!.length === depth) visit(depth)
      if (at + depth >= text.length) return
      const unit = text.charCodeAt(at + depth)
      low = bound(low, high, depth, unit)
      high = bound(low, high, depth, unit + 1)
      if (low >= high) return
    }
  }
  return {
    each,
    longest(text, at) {
      let longest = 0
      each(text, at, length => {
        longest = length
      })
      return longest
    }
  }
}
