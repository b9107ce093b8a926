// The length of examples: what is longer than the model can take is refused, or cut by request. Pure.
import { SwarmError } from '../../../common/errors.ts'
import { type Example, hasLabels } from './example.ts'

export interface LengthLimit {
  /** longest sequence */
  readonly maxLength: number
  /** what sets it, for messages: `max_seq_length` or the model's positions */
  readonly reason: string
  /** cut at the end instead of refusing */
  readonly truncate: boolean
}

/** Cuts an example at its end; labels of a whole sequence stay. */
function cut({ ids, labels, ...rest }: Example, length: number): Example {
  return { ...rest, ids: ids.slice(0, length), labels: labels.length === ids.length ? labels.slice(0, length) : labels }
}

/** INVALID_ARGUMENT for a text that is too long. */
export function tooLong(where: string, { maxLength, reason }: LengthLimit, found: number, what = ''): SwarmError {
  return new SwarmError(
    'INVALID_ARGUMENT',
    `${where}: ${what}expected at most ${maxLength} tokens (${reason}), found ${found} (set truncate to cut the end)`
  )
}

/**
 * The example as it fits; null where what is left of it has nothing to learn.
 * Throws INVALID_ARGUMENT where it is too long and may not be cut.
 */
export function fitExample(example: Example, where: string, limit: LengthLimit): Example | null {
  const { maxLength, truncate } = limit
  if (example.ids.length <= maxLength) return example
  if (!truncate) throw tooLong(where, limit, example.ids.length)
  const shorter = cut(example, maxLength)
  return hasLabels(shorter) ? shorter : null
}
