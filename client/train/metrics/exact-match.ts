// Whether a model says what it was to say: prompts of examples, and answers compared. Pure.
import { type Example, ignoredLabel } from '../data/example.ts'

export interface Question {
  readonly prompt: readonly number[]
  /** the expected answer without the end token */
  readonly answer: readonly number[]
}

/** Prompt and answer of an example whose labels are one stretch at its end; null of any other, which has no single answer. */
export function questionOf({ ids, labels }: Example, endIds: readonly number[]): Question | null {
  const start = labels.findIndex(label => label !== ignoredLabel)
  if (start < 1 || labels.includes(ignoredLabel, start)) return null
  const end = ids.length - (endIds.includes(ids.at(-1)!) ? 1 : 0)
  return end <= start ? null : { prompt: ids.slice(0, start), answer: ids.slice(start, end) }
}

/** What was generated before the first end token. */
export function untilEnd(ids: readonly number[], endIds: readonly number[]): readonly number[] {
  const end = ids.findIndex(id => endIds.includes(id))
  return end === -1 ? ids : ids.slice(0, end)
}
