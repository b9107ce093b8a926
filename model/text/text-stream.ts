// Text as it becomes complete while token ids arrive. Pure; knows a decoder only.
import { checkOptions } from '../../common/options.ts'
import type { Tokenizer } from './tokenizer.ts'

/** What a decoder puts where bytes are not (yet) a character. */
const replacement = '\uFFFD'

export interface TextStream {
  /** Takes ids in and returns the text they complete: '' while the last character lacks bytes, or may yet lose a space. */
  push(...ids: number[]): string
  /** The text held back, incomplete characters as U+FFFD. The stream is empty afterwards. */
  end(): string
}

export interface TextStreamOptions {
  /** default true */
  readonly skipSpecialTokens?: boolean
  /** tokens that come before: their text is not given, but decides how the first token reads; default none */
  readonly after?: readonly number[]
  /** special tokens that are shown all the same; default none */
  readonly shown?: ReadonlySet<number>
}

type Decoder = Pick<Tokenizer, 'decode'> & Partial<Pick<Tokenizer, 'cleansUp'>>

/** Texts from which cleaning may remove a space once more text follows: the prefixes of its rules. */
const unclean = /(?: | '| n| n'| 'v| 'r)$/

/** Tokens before a text that affect the text of its first token */
const contextTokens = 8

/** The last of these tokens, as many as have a text. */
function contextOf(tokenizer: Decoder, ids: readonly number[], skipSpecialTokens: boolean): readonly number[] {
  for (let count = contextTokens; count < ids.length; count *= 2) {
    const last = ids.slice(-count)
    if (tokenizer.decode(last, { skipSpecialTokens }) !== '') return last
  }
  return ids
}

/** What the longer text has beyond the shorter; where bytes have become a character meanwhile, from that character on. */
function addition(before: string, after: string): string {
  if (after.startsWith(before)) return after.slice(before.length)
  let same = 0
  while (same < before.length && before[same] === after[same]) same++
  return after.slice(same)
}

/**
 * The text of `ids` as it reads after the tokens `after`: what `decode` of both has beyond `decode` of `after`. So the
 * space that a decoder removes from the start of a text stays between the two.
 */
export function decodeAfter(
  tokenizer: Decoder,
  after: readonly number[],
  ids: readonly number[],
  options: { readonly skipSpecialTokens?: boolean } = {}
): string {
  checkOptions('decodeAfter', options, { skipSpecialTokens: true })
  const { skipSpecialTokens = false } = options
  const context = contextOf(tokenizer, after, skipSpecialTokens)
  const before = tokenizer.decode(context, { skipSpecialTokens })
  return addition(before, tokenizer.decode([...context, ...ids], { skipSpecialTokens }))
}

/**
 * A stream whose pieces joined are `decode` of all its ids, less that of the tokens they come after. A token may hold part of a
 * character's bytes, and decoders treat a first token differently, so each piece is the difference of two decodings that
 * start at the same earlier token.
 */
export function createTextStream(tokenizer: Decoder, options: TextStreamOptions = {}): TextStream {
  const { skipSpecialTokens = true, after = [], shown } = options
  let context: readonly number[] = contextOf(tokenizer, after, skipSpecialTokens)
  let pending: number[] = []
  const take = (final: boolean): string => {
    if (pending.length === 0) return ''
    const before = context.length === 0 ? '' : tokenizer.decode(context, { skipSpecialTokens })
    const all = tokenizer.decode([...context, ...pending], { skipSpecialTokens })
    if (!final && (all.endsWith(replacement) || (tokenizer.cleansUp && unclean.test(all)))) return ''
    const text = addition(before, all)
    // A piece without text (a special token) must not become the only context of the next.
    context = text === '' ? [...context, ...pending] : pending
    pending = []
    return text
  }
  return {
    push(...ids) {
      let text = ''
      for (const id of ids) {
        if (skipSpecialTokens && shown?.has(id)) {
          text += take(true) + tokenizer.decode([id])
          context = [...context, id]
        } else pending.push(id)
      }
      return text + take(false)
    },
    end() {
      const text = take(true)
      context = []
      return text
    }
  }
}
