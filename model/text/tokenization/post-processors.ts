// Post-processors of tokenizer.json: the special tokens that a model expects around a text. Pure.
// Reference: https://github.com/huggingface/tokenizers, tokenizers/src/processors.
import { SwarmError } from '../../../common/errors.ts'
import { quoteForeign } from '../../../common/foreign-json.ts'
import { isJsonObject } from '../../json.ts'
import { checkId } from './model.ts'
import type { Settings } from './settings.ts'

/** A piece of a pair of texts: one of the two, or special tokens; `type` is the token type of its tokens. */
export type PairPiece = { readonly type: number } & ({ readonly text: 0 | 1 } | { readonly ids: readonly number[] })

/** Ids of special tokens before and after a text. */
export interface Surroundings {
  readonly before: readonly number[]
  readonly after: readonly number[]
  /** two texts in one sequence; null where the rules say nothing of pairs */
  readonly pair: readonly PairPiece[] | null
}

function template(settings: Settings): Surroundings {
  const special = settings.fields.special_tokens
  const idsOf = (name: string, where: string): number[] => {
    const entry = isJsonObject(special) && Object.hasOwn(special, name) ? special[name] : undefined
    const ids = isJsonObject(entry) ? entry.ids : undefined
    if (!Array.isArray(ids)) {
      throw new SwarmError('BAD_CHECKPOINT', `${where}: ${quoteForeign(name)} is not in special_tokens`)
    }
    return ids.map(id => checkId(id, where))
  }
  const before: number[] = []
  const after: number[] = []
  let seen = 0
  for (const item of settings.parts('single')) {
    const { Sequence: sequence, SpecialToken: token } = item.fields
    if (isJsonObject(sequence)) seen++
    else if (isJsonObject(token)) (seen === 0 ? before : after).push(...idsOf(String(token.id), item.where))
    else throw new SwarmError('BAD_CHECKPOINT', `${item.where}: expected {"Sequence": …} or {"SpecialToken": …}`)
  }
  if (seen !== 1)
    throw new SwarmError('UNSUPPORTED', `${settings.where}.single: expected the text once, found it ${seen} times`)
  const stated = settings.fields.pair
  if (!Array.isArray(stated) || stated.length === 0) return { before, after, pair: null }
  const pair = settings.parts('pair').map((item): PairPiece => {
    const { Sequence: sequence, SpecialToken: token } = item.fields
    const of = isJsonObject(sequence) ? sequence : isJsonObject(token) ? token : {}
    const type = of.type_id ?? 0
    const text = of.id === 'A' ? 0 : of.id === 'B' ? 1 : undefined
    const isKnown = isJsonObject(sequence) ? text !== undefined : isJsonObject(token)
    if (!isKnown || typeof type !== 'number') {
      throw new SwarmError(
        'BAD_CHECKPOINT',
        `${item.where}: expected {"Sequence": {"id": "A" or "B", "type_id": …}} or {"SpecialToken": …}`
      )
    }
    return isJsonObject(sequence) ? { text: text!, type } : { ids: idsOf(String(of.id), item.where), type }
  })
  return { before, after, pair }
}

/** `[token, id]` */
function pairId(settings: Settings, field: string): number {
  const pair = settings.list(field)
  return checkId(pair[1], `${settings.where}.${field}[1]`)
}

const bert = (settings: Settings): Surroundings => {
  const [cls, sep] = [pairId(settings, 'cls'), pairId(settings, 'sep')]
  const second = { ids: [sep], type: 1 }
  return {
    before: [cls],
    after: [sep],
    pair: [{ ids: [cls], type: 0 }, { text: 0, type: 0 }, { ids: [sep], type: 0 }, { text: 1, type: 1 }, second]
  }
}

/** Two tokens between the texts, and one type for all. */
const roberta = (settings: Settings): Surroundings => {
  const [cls, sep] = [pairId(settings, 'cls'), pairId(settings, 'sep')]
  const end = { ids: [sep], type: 0 }
  return {
    before: [cls],
    after: [sep],
    pair: [{ ids: [cls], type: 0 }, { text: 0, type: 0 }, end, end, { text: 1, type: 0 }, end]
  }
}

/** Each puts its tokens around what the ones before it made. */
function sequence(settings: Settings): Surroundings {
  return settings.parts('processors').reduce<Surroundings>(
    ({ before, after, pair }, part) => {
      const outer = surroundingsOf(part)
      return {
        before: [...outer.before, ...before],
        after: [...after, ...outer.after],
        // only one of several knows pairs: others (ByteLevel) change no tokens
        pair: outer.pair ?? pair
      }
    },
    { before: [], after: [], pair: null }
  )
}

const kinds: Readonly<Record<string, (settings: Settings) => Surroundings>> = {
  BertProcessing: bert,
  ByteLevel: () => ({ before: [], after: [], pair: null }),
  RobertaProcessing: roberta,
  Sequence: sequence,
  TemplateProcessing: template
}

/** Throws UNSUPPORTED for a type that is not known, BAD_CHECKPOINT for fields that are wrong. */
export function surroundingsOf(settings: Settings): Surroundings {
  const { type } = settings
  if (!Object.hasOwn(kinds, type)) throw settings.unsupported(Object.keys(kinds))
  return kinds[type]!(settings)
}
