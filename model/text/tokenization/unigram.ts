// SentencePiece's unigram model: of all ways to cut a word, the one whose tokens are together the likeliest. Pure.
// Reference: https://github.com/huggingface/tokenizers, tokenizers/src/models/unigram/model.rs (encode_optimized).
import { SwarmError } from '../../../common/errors.ts'
import { quoteForeign } from '../../../common/foreign-json.ts'
import { byteIds, type TokenModel, type WordTokens } from './model.ts'
import type { Settings } from './settings.ts'
import { createTokenIndex } from './token-index.ts'

/** Cost of an unknown character beyond that of the least likely token. */
const unknownPenalty = 10

function readScores(settings: Settings): readonly (readonly [string, number])[] {
  return settings.list('vocab').map((entry, id) => {
    if (Array.isArray(entry) && entry.length === 2 && typeof entry[0] === 'string' && typeof entry[1] === 'number') {
      return entry as [string, number]
    }
    throw new SwarmError(
      'BAD_CHECKPOINT',
      `${settings.where}.vocab[${id}]: expected [token, score], found ${quoteForeign(entry)}`
    )
  })
}

/** Throws BAD_CHECKPOINT for a vocabulary that is none, and, when a text needs it, without an unknown token. */
export function createUnigram(settings: Settings): TokenModel {
  const vocabulary = readScores(settings)
  const idOf = new Map(vocabulary.map(([token], id) => [token, id]))
  const unknownId =
    settings.fields.unk_id === null || settings.fields.unk_id === undefined ? undefined : settings.whole('unk_id')
  if (unknownId !== undefined && unknownId >= vocabulary.length)
    throw settings.wrong('unk_id', `a number below ${vocabulary.length}`)
  const fallsBack = settings.flag('byte_fallback', false)
  let least = Infinity
  for (const [, score] of vocabulary) least = Math.min(least, score)
  const unknownScore = least - unknownPenalty
  const index = createTokenIndex(idOf.keys())

  /** Where the best cut ends its pieces, last first; pieces of unknown characters are joined. */
  const cut = (word: string): { start: number; end: number }[] => {
    const size = word.length
    const scores = new Float64Array(size + 1)
    const from = new Int32Array(size + 1).fill(-1)
    const isUnknown = new Uint8Array(size + 1)
    const offer = (start: number, end: number, score: number, unknown: boolean): void => {
      const total = score + scores[start]!
      if (from[end] !== -1 && total <= scores[end]!) return
      scores[end] = total
      from[end] = start
      isUnknown[end] = unknown ? 1 : 0
    }
    for (let at = 0; at < size; ) {
      const width = word.codePointAt(at)! > 0xffff ? 2 : 1
      let isWhole = false
      index.each(word, at, length => {
        const id = idOf.get(word.slice(at, at + length))!
        offer(at, at + length, vocabulary[id]![1], id === unknownId)
        if (length === width) isWhole = true
      })
      if (!isWhole) {
        if (unknownId === undefined) {
          throw new SwarmError(
            'BAD_CHECKPOINT',
            `${settings.where}: has no unknown token (unk_id), and ${JSON.stringify(word.slice(at, at + width))} is not in the vocabulary`
          )
        }
        offer(at, at + width, unknownScore, true)
      }
      at += width
    }
    const pieces: { start: number; end: number }[] = []
    let joins = false
    for (let end = size; end > 0; end = from[end]!) {
      const start = from[end]!
      const unknown = isUnknown[end] === 1
      if (unknown && joins) pieces[pieces.length - 1] = { start, end: pieces.at(-1)!.end }
      else pieces.push({ start, end })
      joins = unknown
    }
    return pieces.reverse()
  }

  return {
    idOf,
    isTrusted: true,
    tokenize(word) {
      const tokens: WordTokens = { ids: [], starts: [], ends: [] }
      for (const { start, end } of cut(word)) {
        const piece = word.slice(start, end)
        const id = idOf.get(piece)
        const ids = id !== undefined ? [id] : ((fallsBack ? byteIds(idOf, piece) : null) ?? [unknownId!])
        for (const one of ids) {
          tokens.ids.push(one)
          tokens.starts.push(start)
          tokens.ends.push(end)
        }
      }
      return tokens
    }
  }
}
