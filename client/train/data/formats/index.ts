// The table of formats, and the format of a row by its fields.
import { SwarmError } from '../../../../common/errors.ts'
import type { DataFormat, DataRow } from '../format.ts'
import { alpaca } from './alpaca.ts'
import { chat } from './chat.ts'
import { completion } from './completion.ts'
import { shareGpt } from './sharegpt.ts'
import { text } from './text.ts'
import { textLabel } from './text-label.ts'
import { tokensTags } from './tokens-tags.ts'

/** In the order in which they are tried: a format whose fields include another's comes before it. */
const table = {
  chat,
  sharegpt: shareGpt,
  completion,
  alpaca,
  'tokens-tags': tokensTags,
  'text-label': textLabel,
  text
} as const satisfies Record<string, DataFormat>

/** Formats of training data, detected from the fields of their rows. */
export type DataFormatName = keyof typeof table

export const dataFormats: Readonly<Record<DataFormatName, DataFormat>> = table

/** All of them. */
export const dataFormatNames = Object.keys(dataFormats) as readonly DataFormatName[]

/** Pairs of fields that other tools read, with the names that mean the same here. */
const renames: readonly (readonly [found: readonly string[], meant: string])[] = [
  [['question', 'answer'], 'prompt and completion'],
  [['question', 'response'], 'prompt and completion'],
  [['query', 'response'], 'prompt and completion'],
  [['query', 'answer'], 'prompt and completion'],
  [['prompt', 'response'], 'prompt and completion'],
  [['input', 'output'], 'prompt and completion'],
  [['source', 'target'], 'prompt and completion'],
  [['document', 'summary'], 'prompt and completion'],
  [['article', 'highlights'], 'prompt and completion'],
  [['instruction', 'context', 'response'], 'instruction, input and output'],
  [['instruction', 'response'], 'instruction and output'],
  [['sentence', 'label'], 'text and label'],
  [['sentence', 'labels'], 'text and label'],
  [['content', 'label'], 'text and label'],
  [['words', 'labels'], 'tokens and tags'],
  [['tokens', 'labels'], 'tokens and tags'],
  [['tokens', 'ner_tags'], 'tokens and tags'],
  [['content'], 'text'],
  [['conversation'], 'messages'],
  [['dialogue'], 'messages'],
  [['dialog'], 'messages']
]

/** What to do about fields of no format. */
function advice(fields: DataRow['fields']): string {
  const has = (name: string): boolean => fields[name] !== undefined
  if (has('chosen') && has('rejected')) {
    return '; pairs of chosen and rejected answers are for preference training, which is not implemented (to learn the chosen ones, rename chosen to completion)'
  }
  const rename = renames.find(([found]) => found.every(has))
  if (rename !== undefined) return `; rename ${rename[0].join(', ')} to ${rename[1]}`
  const list = Object.keys(fields).find(name => Array.isArray(fields[name]) && fields[name].length > 0)
  return list !== undefined && Object.keys(fields).length <= 3
    ? `; if the rows lie in "${list}", write that list alone`
    : ''
}

/** Throws INVALID_ARGUMENT with the fields of every format, and those of the row, where the row's are those of none. */
export function detectFormat({ fields, where }: DataRow): DataFormatName {
  const found = dataFormatNames.find(name => dataFormats[name].fields.every(field => fields[field] !== undefined))
  if (found !== undefined) return found
  const expected = dataFormatNames.map(name => `${dataFormats[name].fields.join(' + ')} (${name})`).join(', ')
  const names = Object.keys(fields).slice(0, 8).join(', ') || 'none'
  throw new SwarmError('INVALID_ARGUMENT', `${where}: expected the fields ${expected}; found ${names}${advice(fields)}`)
}
