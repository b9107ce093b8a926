// Text as it becomes complete while token ids arrive. Pure; knows a decoder only.
import type { Tokenizer } from './tokenizer.ts'

/** What a decoder puts where bytes are not (yet) a character. */
const replacement = '\uFFFD'

export interface TextStream {
  /** Takes ids in and returns the text they complete: '' while the last character lacks bytes. */
  push(...ids: number[]): string
  /** The text held back, incomplete characters as U+FFFD. The stream is empty afterwards. */
  end(): string
}

/**
 * A stream whose pieces joined are `decode` of all its ids. A token may hold part of a character's bytes, and
 * decoders may treat a first token differently, so each piece is the difference of two decodings that start at the same earlier token.
 */
export function createTextStream(
  tokenizer: Pick<Tokenizer, 'decode'>,
  options: { skipSpecialTokens?: boolean } = {}
): TextStream {
  const { skipSpecialTokens = true } = options
  let context: number[] = []
  let pending: number[] = []
  const take = (final: boolean): string => {
    if (pending.length === 0) return ''
    const before = context.length === 0 ? '' : tokenizer.decode(context, { skipSpecialTokens })
    const after = tokenizer.decode([...context, ...pending], { skipSpecialTokens })
    if (!final && after.endsWith(replacement)) return ''
    const text = after.slice(before.length)
    // A piece without text (a special token) must not become the only context of the next.
    context = text === '' ? [...context, ...pending] : pending
    pending = []
    return text
  }
  return {
    push(...ids) {
      pending.push(...ids)
      return take(false)
    },
    end() {
      const text = take(true)
      context = []
      return text
    }
  }
}
