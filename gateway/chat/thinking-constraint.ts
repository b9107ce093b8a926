// A constraint that waits: thoughts come before the part of an answer that has a form. Knows no grammar.
import type { LogitsProcessor, Tokenizer } from '../../client/index.ts'
import type { Constraint } from '../completion/request.ts'

export interface ThinkingSettings {
  readonly tokenizer: Pick<Tokenizer, 'decode'>
  /** what ends the thoughts that the prompt has begun; null: it has begun none */
  readonly begun: string | null
  /** tokens with which an answer may begin thoughts, and what ends those */
  readonly openings: ReadonlyMap<number, string>
  /** tokens that end an answer: thoughts are no answer */
  readonly endTokens: readonly number[]
}

/** tokens that the mark at the end of thoughts may have, with what stands before it in the same tokens */
const markTokens = 16

/** The constraint for what follows the thoughts, if there are any. */
export function afterThoughts(constraint: Constraint, settings: ThinkingSettings): Constraint {
  const { tokenizer, begun, openings, endTokens } = settings
  if (begun === null && openings.size === 0) return constraint
  return {
    processor(promptLength) {
      let isThinking = begun !== null
      let close = begun
      let thoughtsBegin = promptLength
      let seen = promptLength
      let inner: LogitsProcessor | null = isThinking ? null : constraint.processor(promptLength)

      const look = (ids: readonly number[]): void => {
        for (; seen < ids.length; seen++) {
          const opened = seen === promptLength && !isThinking ? openings.get(ids[seen]!) : undefined
          if (opened !== undefined) {
            isThinking = true
            close = opened
            thoughtsBegin = seen + 1
            inner = null
          } else if (isThinking) {
            const tail = ids.slice(Math.max(thoughtsBegin, seen + 1 - markTokens), seen + 1)
            if (!tokenizer.decode(tail).includes(close!)) continue
            isThinking = false
            inner = constraint.processor(seen + 1)
          }
        }
      }

      return (scores, ids) => {
        look(ids)
        if (isThinking) {
          for (const id of endTokens) scores[id] = -Infinity
          return
        }
        const kept = ids.length === promptLength ? [...openings.keys()].map(id => [id, scores[id]!] as const) : []
        inner!(scores, ids)
        for (const [id, score] of kept) scores[id] = score
      }
    }
  }
}
