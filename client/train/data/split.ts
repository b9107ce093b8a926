// Which examples are kept for validation. Pure: the same count, ratio and seed choose the same ones.
import { SwarmError } from '../../../common/errors.ts'
import { createRandom } from '../../../common/random.ts'

/** Separates this random stream from that of the epochs' order. */
const stream = 0x53504c49

/**
 * Splits items by ratio, preserving their order. Each side gets at least one item. Throws INVALID_ARGUMENT for a ratio
 * outside 0 to 1, and for fewer than two items.
 */
export function splitByRatio<T>(items: readonly T[], ratio: number, seed: number): { train: T[]; validation: T[] } {
  if (!(ratio > 0 && ratio < 1)) {
    throw new SwarmError('INVALID_ARGUMENT', `validation split: expected a share between 0 and 1, found ${ratio}`)
  }
  if (items.length < 2) {
    throw new SwarmError('INVALID_ARGUMENT', `validation split: expected at least two examples, found ${items.length}`)
  }
  const count = Math.min(items.length - 1, Math.max(1, Math.round(ratio * items.length)))
  const random = createRandom(seed, stream)
  // the first `count` places of Fisher and Yates' shuffle
  const places = items.map((_, index) => index)
  for (let place = 0; place < count; place++) {
    const other = place + random.integer(places.length - place)
    ;[places[place], places[other]] = [places[other]!, places[place]!]
  }
  const chosen = new Set(places.slice(0, count))
  return {
    train: items.filter((_, index) => !chosen.has(index)),
    validation: items.filter((_, index) => chosen.has(index))
  }
}
