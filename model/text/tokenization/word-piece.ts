// WordPiece: the longest token that a word begins with, then the longest that it goes on with. And whole words only. Pure.
// Reference: https://github.com/huggingface/tokenizers, tokenizers/src/models/wordpiece and wordlevel.
import { SwarmError } from '../../../common/errors.ts'
import { readVocabulary, type TokenModel, type WordTokens } from './model.ts'
import type { Settings } from './settings.ts'
import { charactersOf } from './unicode.ts'

/** No real vocabulary has longer words or tokens. */
const longestTrusted = 1000

function unknownId(settings: Settings, idOf: ReadonlyMap<string, number>): number {
  const token = settings.text('unk_token', '[UNK]')
  const id = idOf.get(token)
  if (id !== undefined) return id
  throw new SwarmError(
    'BAD_CHECKPOINT',
    `${settings.where}.unk_token: ${JSON.stringify(token)} is not in the vocabulary`
  )
}

export function createWordPiece(settings: Settings): TokenModel {
  const idOf = readVocabulary(settings)
  const prefix = settings.text('continuing_subword_prefix', '##')
  const mostCharacters = settings.whole('max_input_chars_per_word', 100)
  let longest = 0
  for (const token of idOf.keys()) longest = Math.max(longest, token.length)
  const unknown = (word: string): WordTokens => ({ ids: [unknownId(settings, idOf)], starts: [0], ends: [word.length] })
  return {
    idOf,
    isTrusted: mostCharacters <= longestTrusted && longest <= longestTrusted,
    tokenize(word) {
      const ends: number[] = []
      for (const character of charactersOf(word)) ends.push((ends.at(-1) ?? 0) + character.length)
      if (ends.length > mostCharacters) return unknown(word)
      const tokens: WordTokens = { ids: [], starts: [], ends: [] }
      for (let start = 0, first = 0; first < ends.length; ) {
        let last = ends.length - 1
        while (last > first && ends[last]! - start > longest) last--
        let id: number | undefined
        for (; last >= first; last--) {
          const piece = word.slice(start, ends[last])
          id = idOf.get(start === 0 ? piece : prefix + piece)
          if (id !== undefined) break
        }
        if (id === undefined) return unknown(word)
        tokens.ids.push(id)
        tokens.starts.push(start)
        tokens.ends.push(ends[last]!)
        start = ends[last]!
        first = last + 1
      }
      return tokens
    }
  }
}

export function createWordLevel(settings: Settings): TokenModel {
  const idOf = readVocabulary(settings)
  return {
    idOf,
    isTrusted: true,
    tokenize(word) {
      const id = idOf.get(word) ?? unknownId(settings, idOf)
      return { ids: [id], starts: [0], ends: [word.length] }
    }
  }
}
