// Whether a text is far too long for a model, told without making all of its tokens: that takes a second for each megabyte, in which
// no other request is answered.
import type { Tokenizer } from '../../client/index.ts'
import { KiB } from '../../common/units.ts'
import { type ApiError, invalid } from '../errors.ts'
import type { Served } from './served-model.ts'

/** Texts with fewer characters for each token of the context are encoded as they are. */
const charactersPerToken = 8

/** Texts up to this many characters are always encoded. */
const alwaysRead = 64 * KiB

/** Characters that are encoded at once; a token more or less at each cut changes nothing. */
const pieceLength = 4 * KiB

/** Tokens of a text beyond this many times the context are not counted. */
const factor = 2

/**
 * About how many tokens texts have, each at least one. Stops above `most`.
 * @returns the tokens that were counted, and the characters that they took
 */
function countTokens(
  tokenizer: Pick<Tokenizer, 'encode'>,
  texts: Iterable<string>,
  most: number
): { readonly tokens: number; readonly characters: number } {
  let [tokens, characters] = [0, 0]
  for (const text of texts) {
    let found = 0
    for (let from = 0; from < text.length && tokens + found <= most; from += pieceLength) {
      const piece = text.slice(from, from + pieceLength)
      found += tokenizer.encode(piece, { addSpecialTokens: false, plainText: true }).length
      characters += piece.length
    }
    tokens += Math.max(1, found)
    if (tokens > most) break
  }
  return { tokens, characters }
}

/** Characters that are encoded without a look at them first. */
const freeCharacters = (contextLength: number, times: number): number =>
  Math.max(charactersPerToken * times * contextLength, alwaysRead)

/**
 * Whether texts have many times the tokens of the context; a conversation may, since templates leave out old thoughts.
 * @param texts all that a prompt is written from
 * @param times of the context, at which texts are too long
 */
export function isFarTooLong(
  { tokenizer, contextLength }: Pick<Served, 'tokenizer' | 'contextLength'>,
  texts: Iterable<string>,
  times: number = factor
): boolean {
  const most = times * contextLength
  const free = freeCharacters(contextLength, times)
  let characters = 0
  const all: string[] = []
  for (const text of texts) {
    all.push(text)
    // a message takes a token or more, also an empty one
    characters += text.length + charactersPerToken
  }
  return characters > free && countTokens(tokenizer, all, most).tokens > most
}

/** 400 for a text that is far too long. */
export const farTooLong = (
  { id, contextLength }: Pick<Served, 'id' | 'contextLength'>,
  param: string,
  times: number = factor
): ApiError =>
  invalid(
    `model '${id}' has a context of ${contextLength} tokens, the prompt has more than ${times * contextLength}: shorten it`,
    param,
    'context_length_exceeded'
  )

/** The beginning of a text that fills the context; the whole text where it may fit. */
export function beginningOf(
  { tokenizer, contextLength }: Pick<Served, 'tokenizer' | 'contextLength'>,
  text: string
): string {
  if (text.length <= freeCharacters(contextLength, factor)) return text
  return text.slice(0, countTokens(tokenizer, [text], factor * contextLength).characters)
}
