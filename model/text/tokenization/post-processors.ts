// Post-processors of tokenizer.json: the special tokens that a model expects around a text. Pure.
// Reference: https://github.com/huggingface/tokenizers, tokenizers/src/processors. A single text only: nothing here encodes pairs.
import { SwarmError } from '../../../common/errors.ts'
import { quoteForeign } from '../../../common/foreign-json.ts'
import { isJsonObject } from '../../json.ts'
import { checkId } from './model.ts'
import type { Settings } from './settings.ts'

/** Ids of special tokens before and after a text. */
export interface Surroundings {
  readonly before: readonly number[]
  readonly after: readonly number[]
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
  return { before, after }
}

/** `[token, id]` */
function pairId(settings: Settings, field: string): number {
  const pair = settings.list(field)
  return checkId(pair[1], `${settings.where}.${field}[1]`)
}

const classic = (settings: Settings): Surroundings => ({
  before: [pairId(settings, 'cls')],
  after: [pairId(settings, 'sep')]
})

/** Each puts its tokens around what the ones before it made. */
function sequence(settings: Settings): Surroundings {
  return settings.parts('processors').reduce<Surroundings>(
    ({ before, after }, part) => {
      const outer = surroundingsOf(part)
      return { before: [...outer.before, ...before], after: [...after, ...outer.after] }
    },
    { before: [], after: [] }
  )
}

const kinds: Readonly<Record<string, (settings: Settings) => Surroundings>> = {
  BertProcessing: classic,
  ByteLevel: () => ({ before: [], after: [] }),
  RobertaProcessing: classic,
  Sequence: sequence,
  TemplateProcessing: template
}

/** Throws UNSUPPORTED for a type that is not known, BAD_CHECKPOINT for fields that are wrong. */
export function surroundingsOf(settings: Settings): Surroundings {
  const { type } = settings
  if (!Object.hasOwn(kinds, type)) throw settings.unsupported(Object.keys(kinds))
  return kinds[type]!(settings)
}
