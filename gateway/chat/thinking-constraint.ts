// What holds the thoughts of an answer: a constraint waits until they end, and a limit ends them. Knows no grammar.
import type { LogitsProcessor, Tokenizer } from '../../client/index.ts'
import type { Constraint } from '../completion/request.ts'

export interface ThinkingSettings {
  readonly tokenizer: Pick<Tokenizer, 'decode' | 'encode'>
  /** what ends the thoughts that the prompt has begun; null: it has begun none */
  readonly begun: string | null
  /** tokens with which an answer may begin thoughts, and what ends those */
  readonly openings: ReadonlyMap<number, string>
  /** tokens that end an answer: before a constraint, thoughts are no answer */
  readonly endTokens: readonly number[]
  /** tokens of thoughts after which they are ended; default no limit */
  readonly most?: number
}

/** most tokens of the closing mark, including text that shares a token with it */
const markTokens = 16

/** Leaves only this token. */
function only(scores: Float32Array, token: number): void {
  const score = scores[token]!
  scores.fill(-Infinity)
  scores[token] = Number.isFinite(score) ? score : 0
}

/** The constraint for what follows the thoughts, if there are any; undefined where nothing holds the answer. */
export function afterThoughts(constraint: Constraint | undefined, settings: ThinkingSettings): Constraint | undefined {
  const { tokenizer, begun, openings, endTokens, most = Infinity } = settings
  if (begun === null && openings.size === 0) return constraint
  if (constraint === undefined && most === Infinity) return undefined
  return {
    processor(promptLength) {
      let isThinking = begun !== null
      let close = begun
      let thoughtsBegin = promptLength
      let seen = promptLength
      const processorFrom = (place: number): LogitsProcessor => constraint?.processor(place) ?? (() => {})
      let inner: LogitsProcessor | null = isThinking ? null : processorFrom(promptLength)

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
            inner = processorFrom(seen + 1)
          }
        }
      }

      return (scores, ids) => {
        look(ids)
        if (isThinking) {
          const closing = tokenizer.encode(close!, { addSpecialTokens: false })[ids.length - thoughtsBegin - most]
          if (closing !== undefined) only(scores, closing)
          else if (constraint !== undefined) for (const id of endTokens) scores[id] = -Infinity
          return
        }
        const kept = ids.length === promptLength ? [...openings.keys()].map(id => [id, scores[id]!] as const) : []
        inner!(scores, ids)
        for (const [id, score] of kept) scores[id] = score
      }
    }
  }
}
