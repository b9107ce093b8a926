// The order of examples in an epoch. Pure: the same seed and epoch give the same order on every machine.
import { createRandom } from '../../common/random.ts'

/** Fisher and Yates' shuffle of `count` examples from the end, numbers drawn from `createRandom(seed, epoch)`. */
export function epochOrder(count: number, seed: number, epoch: number): number[] {
  const random = createRandom(seed, epoch)
  const order = Array.from({ length: count }, (_, index) => index)
  for (let last = count - 1; last > 0; last--) {
    const other = random.integer(last + 1)
    ;[order[last], order[other]] = [order[other]!, order[last]!]
  }
  return order
}

/** Maximum number of batches in a megabatch; there are at least four megabatches if the examples suffice. */
const mostBatches = 50
const leastMegabatches = 4

/**
 * A shuffled order with examples of like length together, as Hugging Face's `get_length_grouped_indices` makes it: the
 * order is cut into megabatches, each is sorted from long to short, and the longest example of all comes first, so that
 * what does not fit into memory fails at once.
 */
export function groupedByLength(order: readonly number[], lengths: readonly number[], batchSize: number): number[] {
  const batches = Math.min(Math.floor(order.length / (batchSize * leastMegabatches)), mostBatches)
  const size = Math.max(1, batches) * batchSize
  const megabatches = Array.from({ length: Math.ceil(order.length / size) }, (_, index) =>
    order.slice(index * size, (index + 1) * size).sort((a, b) => lengths[b]! - lengths[a]!)
  )
  const longest = megabatches.reduce((best, batch) => (lengths[batch[0]!]! > lengths[best[0]!]! ? batch : best))
  const first = megabatches[0]!
  ;[first[0], longest[0]] = [longest[0]!, first[0]!]
  return megabatches.flat()
}
