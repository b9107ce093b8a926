// Whole texts and pairs of them as token ids of a bounded length, with the special tokens that a model expects around them. Pure.
import { SwarmError } from '../../../common/errors.ts'
import type { TextRange } from '../../../model/text/tokenization/aligned-text.ts'
import { type LengthLimit, tooLong } from './fit.ts'
import type { DataTokenizer } from './format.ts'

/** Special tokens that a model expects before and after a text. */
export function specialsAround(tokenizer: DataTokenizer): { before: number[]; after: number[] } {
  const whole = tokenizer.encode('a')
  const alone = tokenizer.encode('a', { addSpecialTokens: false })
  const start = whole.findIndex((_, place) => alone.every((id, index) => whole[place + index] === id))
  return { before: whole.slice(0, start), after: whole.slice(start + alone.length) }
}

/** One text. What is too long is cut before the special tokens at its end, or refused. Throws INVALID_ARGUMENT. */
export function encodeOne(
  text: string,
  tokenizer: DataTokenizer,
  limit: LengthLimit,
  where: string,
  what = ''
): number[] {
  const ids = tokenizer.encode(text)
  if (ids.length <= limit.maxLength) return ids
  if (!limit.truncate) throw tooLong(where, limit, ids.length, what)
  const { after } = specialsAround(tokenizer)
  const kept = limit.maxLength - after.length
  return kept > 0 ? [...ids.slice(0, kept), ...after] : ids.slice(0, limit.maxLength)
}

/** Two texts in one sequence. */
export interface EncodedPair {
  readonly ids: readonly number[]
  readonly typeIds: readonly number[]
  /** where the second text's tokens begin */
  readonly secondStart: number
}

/** Throws UNSUPPORTED for a tokenizer that knows no pairs. */
export function pairOfIds(first: readonly number[], second: readonly number[], tokenizer: DataTokenizer): EncodedPair {
  if (tokenizer.joinPair === undefined) {
    throw new SwarmError('UNSUPPORTED', 'this tokenizer joins no pairs of texts (joinPair)')
  }
  const { ids, typeIds, starts } = tokenizer.joinPair(first, second)
  return { ids, typeIds, secondStart: starts[1] }
}

/** Ids of a text without special tokens, and what each stands for where the tokenizer tells. */
export function encodeBare(text: string, tokenizer: DataTokenizer): { ids: number[]; places: (TextRange | null)[] } {
  const places: (TextRange | null)[] = []
  return { ids: tokenizer.encode(text, { addSpecialTokens: false, places }), places }
}

/** Two texts; the longer is cut first, token by token, as transformers' `longest_first`. Throws INVALID_ARGUMENT where it may not be. */
export function encodeTwo(
  texts: readonly [string, string],
  tokenizer: DataTokenizer,
  limit: LengthLimit,
  where: string
): EncodedPair {
  let [first, second] = texts.map(text => encodeBare(text, tokenizer).ids) as [number[], number[]]
  const whole = pairOfIds(first, second, tokenizer)
  let excess = whole.ids.length - limit.maxLength
  if (excess <= 0) return whole
  if (!limit.truncate) throw tooLong(where, limit, whole.ids.length)
  let [a, b] = [first.length, second.length]
  // of two that have become equal the one that was not longer is cut, as the reference does
  for (; excess > 0 && a + b > 0; excess--) {
    if (a > b || (a === b && first.length <= second.length)) a--
    else b--
  }
  ;[first, second] = [first.slice(0, a), second.slice(0, b)]
  return pairOfIds(first, second, tokenizer)
}

/** Token types that say something: absent where all are 0. */
export const typesOf = (typeIds: readonly number[]): { typeIds?: readonly number[] } =>
  typeIds.some(type => type !== 0) ? { typeIds } : {}
