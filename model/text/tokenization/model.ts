// The interface of the models of tokenizer.json: from a word to tokens.
import { SwarmError } from '../../../common/errors.ts'
import { quoteForeign } from '../../../common/foreign-json.ts'
import { isJsonObject } from '../../json.ts'
import type { Settings } from './settings.ts'

/** The tokens of a word: their ids, and the UTF-16 units of the word that each stands for. Bytes of one character share its units. */
export interface WordTokens {
  readonly ids: number[]
  readonly starts: number[]
  readonly ends: number[]
}

export interface TokenModel {
  readonly idOf: ReadonlyMap<string, number>
  tokenize(word: string): WordTokens
  /** false where the file makes it so that a text may take for ever */
  readonly isTrusted: boolean
}

/** more than any vocabulary has */
const highestId = 2 ** 24

const isId = (id: unknown): id is number =>
  Number.isSafeInteger(id) && (id as number) >= 0 && (id as number) < highestId

export function checkId(id: unknown, where: string): number {
  if (isId(id)) return id
  throw new SwarmError(
    'BAD_CHECKPOINT',
    `${where}: expected a token's number below ${highestId}, found ${String(id).slice(0, 40)}`
  )
}

/** `{"token": id}` */
export function readVocabulary(settings: Settings): Map<string, number> {
  const { vocab } = settings.fields
  if (!isJsonObject(vocab)) throw settings.wrong('vocab', 'an object')
  const idOf = new Map<string, number>()
  for (const [token, id] of Object.entries(vocab)) {
    if (!isId(id)) checkId(id, `${settings.where}.vocab: ${quoteForeign(token)}`)
    idOf.set(token, id as number)
  }
  return idOf
}

const hexToken = (byte: number): string => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`

const encoder = new TextEncoder()

/** Ids of the bytes of a text; null where the vocabulary lacks one. */
export function byteIds(idOf: ReadonlyMap<string, number>, text: string): number[] | null {
  const ids: number[] = []
  for (const byte of encoder.encode(text)) {
    const id = idOf.get(hexToken(byte))
    if (id === undefined) return null
    ids.push(id)
  }
  return ids
}
