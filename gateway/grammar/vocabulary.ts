// A model's tokens as the grammar engine takes them: the bytes that each adds to a text, one printable character a byte.

import { invalid } from '../errors.ts'
import type { ServedModel } from '../models/served-model.ts'

/** By token id; '' for tokens that no text has. */
export interface VocabularyTexts {
  readonly texts: readonly string[]
  /** these end an answer */
  readonly stopTokens: readonly number[]
}

export interface Vocabulary extends VocabularyTexts {
  /** the same for the same tokens */
  readonly key: string
}

/** GPT-2's characters for bytes, which the engine decodes: bytes_to_unicode of encoder.py. */
const byteCharacters: readonly string[] = (() => {
  const isPrintable = (byte: number): boolean =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff)
  let next = 256
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(isPrintable(byte) ? byte : next++))
})()

const encoder = new TextEncoder()

function read({ id: name, tokenizer, model }: ServedModel, shown: ReadonlySet<number>): VocabularyTexts {
  if (tokenizer.cleansUp) {
    throw invalid(
      `model '${name}': its tokenizer takes spaces out of what it writes, so the form of an answer cannot be held`,
      'response_format'
    )
  }
  const { vocabSize, eosTokenIds } = model.config
  const anchor = tokenizer.encode('a', { addSpecialTokens: false }).at(-1) ?? 0
  const head = tokenizer.decode([anchor])
  const tail = tokenizer.decode([anchor, anchor]).length - head.length
  /** what the token adds in the middle of a text */
  const bytesOf = (id: number): Iterable<number> => {
    const bytes = tokenizer.bytesOf(id)
    if (bytes !== null) return bytes
    const text = tokenizer.decode([anchor, id, anchor])
    return encoder.encode(text.slice(head.length, text.length - tail))
  }
  const isText = (id: number): boolean => shown.has(id) || !(tokenizer.isSpecial(id) || eosTokenIds.includes(id))
  const textOf = (id: number): string =>
    Array.from(isText(id) ? bytesOf(id) : [], byte => byteCharacters[byte]!).join('')
  return { texts: Array.from({ length: vocabSize }, (_, id) => textOf(id)), stopTokens: eosTokenIds }
}

const known = new Map<string, Vocabulary>()
const mostKnown = 8

/**
 * The vocabulary of a model. Throws ApiError 400 for a tokenizer that changes what tokens have written.
 * @param shownTokens special tokens that count as their text
 */
export function vocabularyOf(model: ServedModel, shownTokens: readonly number[]): Vocabulary {
  const { vocabSize, eosTokenIds } = model.model.config
  const key = [model.tokenizer.hash, vocabSize, eosTokenIds.join(), shownTokens.join()].join(' ')
  let vocabulary = known.get(key)
  if (vocabulary === undefined) vocabulary = { ...read(model, new Set(shownTokens)), key }
  known.delete(key)
  known.set(key, vocabulary)
  for (const oldest of known.keys()) {
    if (known.size <= mostKnown) break
    known.delete(oldest)
  }
  return vocabulary
}
