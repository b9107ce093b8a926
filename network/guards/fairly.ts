// Fair interleaving of sources: a source with much does not displace one with little. Pure.

export interface FairlyOptions<Item> {
  /** cost of an item; default 1 */
  readonly costOf?: (item: Item) => number
  /** within a source the last items come first */
  readonly latestFirst?: boolean
}

/**
 * The items of all sources in turns, each source in order: the next item is of the source with the smallest cost so
 * far. On a tie, the source with the smaller total comes first, then the earlier item.
 */
export function fairly<Item>(
  items: readonly Item[],
  sourceOf: (item: Item) => string,
  { costOf = () => 1, latestFirst = false }: FairlyOptions<Item> = {}
): Item[] {
  /** cost of a source so far */
  const spent = new Map<string, number>()
  const placed = items.map(item => ({ item, source: sourceOf(item), before: 0 }))
  for (const place of latestFirst ? placed.toReversed() : placed) {
    place.before = spent.get(place.source) ?? 0
    spent.set(place.source, place.before + costOf(place.item))
  }
  const order = (a: (typeof placed)[number], b: (typeof placed)[number]) =>
    a.before - b.before || spent.get(a.source)! - spent.get(b.source)!
  return placed.sort(order).map(({ item }) => item)
}
