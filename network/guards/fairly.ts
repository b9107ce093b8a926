// Turns for many sources: one that has much takes no place from one that has little. Pure.

export interface FairlyOptions<Item> {
  /** what an item costs its source; default 1 each */
  readonly costOf?: (item: Item) => number
  /** of one source the last items come first */
  readonly latestFirst?: boolean
}

/**
 * The items of all sources in turns, each source's in their order: what comes next is of the source that has had least so far.
 * Where two have had the same, the source with less in all comes first, and else the earlier item.
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
