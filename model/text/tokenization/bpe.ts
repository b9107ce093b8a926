// Byte-pair encoding: joins the characters of a word pair by pair, in the order in which training learned the merges. Pure.
// Reference: https://github.com/huggingface/tokenizers, tokenizers/src/models/bpe (model.rs: merge_word; word.rs: merge_all).
import { SwarmError } from '../../../common/errors.ts'
import { quoteForeign } from '../../../common/foreign-json.ts'
import { byteIds, readVocabulary, type TokenModel, type WordTokens } from './model.ts'
import type { Settings } from './settings.ts'
import { charactersOf } from './unicode.ts'

interface Merges {
  /** Order of a merge, or undefined where the two do not merge. */
  rankOf(left: number, right: number): number | undefined
  /** by order: what comes of it */
  readonly results: readonly number[]
}

function readMerges(settings: Settings, idOf: ReadonlyMap<string, number>, prefix: string): Merges {
  const ranks = new Map<number, number>()
  const results: number[] = []
  const width = 2 ** 24
  const missing = (token: string, rank: number): SwarmError =>
    new SwarmError(
      'BAD_CHECKPOINT',
      `${settings.where}.merges[${rank}]: ${quoteForeign(token)} is not in the vocabulary`
    )
  let rank = 0
  for (const merge of settings.list('merges')) {
    const [left, right] = readMerge(merge, settings, rank)
    const leftId = idOf.get(left)
    const rightId = idOf.get(right)
    const merged = left + (prefix === '' ? right : right.slice(prefix.length))
    const result = idOf.get(merged)
    if (leftId === undefined || rightId === undefined || result === undefined) {
      throw missing(leftId === undefined ? left : rightId === undefined ? right : merged, rank)
    }
    ranks.set(leftId * width + rightId, rank)
    results.push(result)
    rank++
  }
  return { rankOf: (left, right) => ranks.get(left * width + right), results }
}

/** `"a b"`, or `["a", "b"]`. */
function readMerge(merge: unknown, settings: Settings, rank: number): readonly [string, string] {
  if (typeof merge === 'string') {
    const at = merge.indexOf(' ')
    if (at !== -1) return [merge.slice(0, at), merge.slice(at + 1)]
  } else if (
    Array.isArray(merge) &&
    merge.length === 2 &&
    typeof merge[0] === 'string' &&
    typeof merge[1] === 'string'
  ) {
    return [merge[0], merge[1]]
  }
  const found = quoteForeign(merge)
  throw new SwarmError('BAD_CHECKPOINT', `${settings.where}.merges[${rank}]: expected two tokens, found ${found}`)
}

/** A heap of numbers, least first. */
class Heap {
  readonly #items: number[] = []

  get size(): number {
    return this.#items.length
  }

  push(item: number): void {
    const items = this.#items
    let at = items.push(item) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (items[parent]! <= item) break
      items[at] = items[parent]!
      at = parent
    }
    items[at] = item
  }

  pop(): number {
    const items = this.#items
    const least = items[0]!
    const last = items.pop()!
    if (items.length === 0) return least
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= items.length) break
      if (child + 1 < items.length && items[child + 1]! < items[child]!) child++
      if (items[child]! >= last) break
      items[at] = items[child]!
      at = child
    }
    items[at] = last
    return least
  }
}

/** Merges the symbols of a word in place; of equal merges the leftmost goes first. */
function mergeAll({ ids, starts, ends }: WordTokens, { rankOf, results }: Merges): WordTokens {
  const count = ids.length
  if (count < 2) return { ids, starts, ends }
  const next = Int32Array.from({ length: count }, (_, place) => (place + 1 < count ? place + 1 : -1))
  const before = Int32Array.from({ length: count }, (_, place) => place - 1)
  const gone = new Uint8Array(count)
  const heap = new Heap()
  const offer = (place: number): void => {
    if (place === -1 || next[place] === -1) return
    const rank = rankOf(ids[place]!, ids[next[place]!]!)
    if (rank !== undefined) heap.push(rank * count + place)
  }
  for (let place = 0; place + 1 < count; place++) offer(place)
  while (heap.size > 0) {
    const item = heap.pop()
    const place = item % count
    const rank = (item - place) / count
    const after = next[place]!
    // the pair may have gone into another merge meanwhile
    if (gone[place] === 1 || after === -1 || rankOf(ids[place]!, ids[after]!) !== rank) continue
    ids[place] = results[rank]!
    ends[place] = ends[after]!
    gone[after] = 1
    next[place] = next[after]!
    if (next[place] !== -1) before[next[place]!] = place
    offer(before[place]!)
    offer(place)
  }
  const left = Array.from({ length: count }, (_, place) => place).filter(place => gone[place] === 0)
  return { ids: left.map(at => ids[at]!), starts: left.map(at => starts[at]!), ends: left.map(at => ends[at]!) }
}

/** Throws BAD_CHECKPOINT where merges or the unknown token are not in the vocabulary. */
export function createBpe(settings: Settings): TokenModel {
  const idOf = readVocabulary(settings)
  const prefix = settings.optionalText('continuing_subword_prefix') ?? ''
  const suffix = settings.optionalText('end_of_word_suffix') ?? ''
  const unknown = settings.optionalText('unk_token')
  const fuses = settings.flag('fuse_unk', false)
  const fallsBack = settings.flag('byte_fallback', false)
  const ignoresMerges = settings.flag('ignore_merges', false)
  const merges = readMerges(settings, idOf, prefix)
  const unknownId = unknown === undefined ? undefined : idOf.get(unknown)

  const symbolsOf = (word: string): WordTokens => {
    const tokens: WordTokens = { ids: [], starts: [], ends: [] }
    const add = (id: number, start: number, end: number): void => {
      tokens.ids.push(id)
      tokens.starts.push(start)
      tokens.ends.push(end)
    }
    let missing: { start: number; end: number } | null = null
    let at = 0
    for (const character of charactersOf(word)) {
      const start = at
      at += character.length
      const symbol = `${start === 0 ? '' : prefix}${character}${at === word.length ? suffix : ''}`
      const id = idOf.get(symbol)
      if (id !== undefined) {
        if (missing !== null) add(unknownId!, missing.start, missing.end)
        missing = null
        add(id, start, at)
        continue
      }
      const bytes = fallsBack ? byteIds(idOf, symbol) : null
      if (bytes !== null) {
        for (const byte of bytes) add(byte, start, at)
        continue
      }
      if (unknown === undefined) continue
      if (unknownId === undefined) {
        throw new SwarmError(
          'BAD_CHECKPOINT',
          `${settings.where}.unk_token: ${JSON.stringify(unknown)} is not in the vocabulary`
        )
      }
      if (missing !== null && !fuses) add(unknownId, missing.start, missing.end)
      missing = { start: missing !== null && fuses ? missing.start : start, end: at }
    }
    if (missing !== null) add(unknownId!, missing.start, missing.end)
    return tokens
  }

  return {
    idOf,
    isTrusted: true,
    tokenize(word) {
      const whole = ignoresMerges ? idOf.get(word) : undefined
      if (whole !== undefined) return { ids: [whole], starts: [0], ends: [word.length] }
      return mergeAll(symbolsOf(word), merges)
    }
  }
}
