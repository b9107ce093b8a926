// What forbids or forces single tokens before one is chosen. Each is the definition of Hugging Face's processor of the same
// purpose (transformers/generation/logits_process.py). Pure; forbidden tokens get -Infinity.
import type { LogitsProcessor } from './processors.ts'

/** Forbids tokens while `holds` says so of the row's tokens so far. */
function forbid(tokens: readonly number[], holds: (ids: readonly number[]) => boolean = () => true): LogitsProcessor {
  return (scores, ids) => {
    if (!holds(ids)) return
    for (const token of tokens) if (token < scores.length) scores[token] = -Infinity
  }
}

/** Leaves only these tokens, each with a score of 0, while `holds` says so. */
function force(tokens: readonly number[], holds: (ids: readonly number[]) => boolean): LogitsProcessor {
  return (scores, ids) => {
    if (!holds(ids)) return
    scores.fill(-Infinity)
    for (const token of tokens) if (token < scores.length) scores[token] = 0
  }
}

/** No sequence of `size` tokens occurs twice in a row, prompt included. */
export function noRepeatNgrams(size: number): LogitsProcessor {
  return (scores, ids) => {
    const start = ids.length - (size - 1)
    for (let at = 0; at + size <= ids.length; at++) {
      let same = true
      for (let offset = 0; same && offset < size - 1; offset++) same = ids[at + offset] === ids[start + offset]
      const banned = ids[at + size - 1]!
      if (same && banned < scores.length) scores[banned] = -Infinity
    }
  }
}

/** None of these sequences of tokens is completed; an end token alone stays allowed, as in Hugging Face. */
export function noBadWords(words: readonly (readonly number[])[], eosTokenIds: readonly number[]): LogitsProcessor {
  const kept = words.filter(word => word.length > 0 && !(word.length === 1 && eosTokenIds.includes(word[0]!)))
  return (scores, ids) => {
    for (const word of kept) {
      const before = word.slice(0, -1)
      const last = word.at(-1)!
      const start = ids.length - before.length
      if (start < 0 || last >= scores.length) continue
      if (before.every((token, index) => ids[start + index] === token)) scores[last] = -Infinity
    }
  }
}

/** No end token before the row has `length` tokens. */
export function minLength(length: number, eosTokenIds: readonly number[]): LogitsProcessor {
  return forbid(eosTokenIds, ids => ids.length < length)
}

/** These tokens never come. */
export const suppressTokens = (tokens: readonly number[]): LogitsProcessor => forbid(tokens)

/** These tokens are forbidden right after the prompt of `begin` tokens. */
export function beginSuppressTokens(tokens: readonly number[], begin: number): LogitsProcessor {
  return forbid(tokens, ids => ids.length === begin)
}

/** This token comes after the first of a row. */
export const forcedBosToken = (token: number): LogitsProcessor => force([token], ids => ids.length === 1)

/** One of these tokens comes as the last of a row of `length` tokens. */
export function forcedEosToken(tokens: readonly number[], length: number): LogitsProcessor {
  return force(tokens, ids => ids.length === length - 1)
}
