// Tokens as log probabilities show them: text and bytes of each, and which tokens belong to which piece of text. Pure.
import { decodeAfter, type Tokenizer, type TokenLogprobs } from '../../client/index.ts'
import type { ScoredToken, TokenScore } from './request.ts'

const encoder = new TextEncoder()
const strict = new TextDecoder('utf-8', { ignoreBOM: true, fatal: true })

/** Length of the character of UTF-8 that begins here; 0 where none does. */
function characterLength(bytes: readonly number[], at: number): number {
  const first = bytes[at]!
  const length = first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 0
  if (length === 0 || at + length > bytes.length) return 0
  try {
    strict.decode(Uint8Array.from(bytes.slice(at, at + length)))
    return length
  } catch {
    return 0
  }
}

/** Bytes as text; those that are no whole character as `\xf0`, as OpenAI and Python's `backslashreplace` write them. */
export function shownBytes(bytes: readonly number[]): string {
  let text = ''
  for (let at = 0; at < bytes.length; ) {
    const length = characterLength(bytes, at)
    if (length === 0) text += `\\x${bytes[at]!.toString(16).padStart(2, '0')}`
    else text += strict.decode(Uint8Array.from(bytes.slice(at, at + length)))
    at += Math.max(1, length)
  }
  return text
}

/** The bytes that a token adds to a text that ends with the tokens `after`. */
function bytesAfter(tokenizer: Tokenizer, after: readonly number[], id: number): readonly number[] {
  return tokenizer.bytesOf(id) ?? [...encoder.encode(decodeAfter(tokenizer, after, [id]))]
}

/** tokens before one that decide how it reads: whether it keeps its space */
const contextTokens = 8

/** @param ids tokens before this one, prompt included */
export function scoredToken(
  tokenizer: Tokenizer,
  ids: readonly number[],
  id: number,
  { logprob, top }: TokenLogprobs
): ScoredToken {
  const context = ids.slice(-contextTokens)
  const score = (one: number, itsLogprob: number): TokenScore => {
    const bytes = bytesAfter(tokenizer, context, one)
    return { id: one, text: shownBytes(bytes), bytes, logprob: itsLogprob }
  }
  return { ...score(id, logprob), top: top.map(other => score(other.token, other.logprob)) }
}

/** Tokens that wait for their text: a piece of text takes those that begin in it. */
export class ScoreQueue {
  #waiting: { readonly start: number; readonly score: ScoredToken }[] = []
  /** bytes of all tokens so far */
  #end = 0
  /** bytes of all text so far */
  #taken = 0

  push(scores: readonly ScoredToken[]): void {
    for (const score of scores) {
      this.#waiting.push({ start: this.#end, score })
      this.#end += score.bytes.length
    }
  }

  /** The tokens that begin in the next piece of text. */
  take(text: string): readonly ScoredToken[] {
    this.#taken += encoder.encode(text).length
    const later = this.#waiting.findIndex(({ start }) => start >= this.#taken)
    const count = later === -1 ? this.#waiting.length : later
    return this.#waiting.splice(0, count).map(({ score }) => score)
  }

  /** The tokens that are left at the end: their bytes are no text. */
  rest(): readonly ScoredToken[] {
    return this.#waiting.splice(0).map(({ score }) => score)
  }
}
