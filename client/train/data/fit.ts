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
function cut({ ids, labels }: Example, length: number): Example {
  return { ids: ids.slice(0, length), labels: labels.length === ids.length ? labels.slice(0, length) : labels }
}

/**
 * The example as it fits; null where what is left of it has nothing to learn.
 * Throws INVALID_ARGUMENT where it is too long and may not be cut.
 */
export function fitExample(example: Example, where: string, limit: LengthLimit): Example | null {
  const { maxLength, reason, truncate } = limit
  if (example.ids.length <= maxLength) return example
  if (!truncate) {
    throw new SwarmError(
      'INVALID_ARGUMENT',
      `${where}: expected at most ${maxLength} tokens (${reason}), found ${example.ids.length} (set truncate to cut the end)`
    )
  }
  const shorter = cut(example, maxLength)
  return hasLabels(shorter) ? shorter : null
}
