// Turns for many sources: one that has much takes no place from one that has little. Pure.

/** The items of all sources in turns, each source's in their order; the source with fewest items begins each turn. */
export function fairly<Item>(items: Iterable<Item>, sourceOf: (item: Item) => string): Item[] {
  const bySource = Map.groupBy(items, sourceOf)
  const queues = [...bySource.values()].sort((a, b) => a.length - b.length)
  const taken: Item[] = []
  for (let turn = 0; queues.some(queue => turn < queue.length); turn++) {
    for (const queue of queues) if (turn < queue.length) taken.push(queue[turn]!)
  }
  return taken
}
