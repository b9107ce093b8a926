// The table of formats, and the format of a row by its fields.
import { SwarmError } from '../../../../common/errors.ts'
import { type DataFormat, type DataRow, type DataTask, fieldsIn } from '../format.ts'
import { alpaca } from './alpaca.ts'
import { chat } from './chat.ts'
import { completion } from './completion.ts'
import { shareGpt } from './sharegpt.ts'
import { similarity, triplet } from './similarity.ts'
import { sourceTarget } from './source-target.ts'
import { squad } from './squad.ts'
import { text } from './text.ts'
import { pairLabel, textLabel } from './text-label.ts'
import { tokensTags } from './tokens-tags.ts'

/** In the order in which they are tried: a format whose fields include another's comes before it. */
const table = {
  chat,
  sharegpt: shareGpt,
  completion,
  alpaca,
  'tokens-tags': tokensTags,
  squad,
  triplet,
  similarity,
  'pair-label': pairLabel,
  'text-label': textLabel,
  'source-target': sourceTarget,
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
  [['instruction', 'context', 'response'], 'instruction, input and output'],
  [['instruction', 'response'], 'instruction and output'],
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

interface Match {
  readonly name: DataFormatName
  readonly fields: readonly string[]
}

/** A format with the fields of the row that it knows. */
function matchOf(row: DataRow, name: DataFormatName, task?: DataTask): Match | null {
  const { fields, otherFields = [], taskFields = [], task: own } = dataFormats[name]
  const found = fieldsIn(row, [fields, ...otherFields, ...(own === task ? taskFields : [])])
  return found === undefined ? null : { name, fields: found }
}

/**
 * @param task what the row is for, where that is known: its formats know more names, and go first unless they know fewer fields
 * Throws INVALID_ARGUMENT with the fields of every format, and those of the row, where the row's are those of none.
 */
export function detectFormat(row: DataRow, task?: DataTask): DataFormatName {
  const { fields, where } = row
  const matches = dataFormatNames.map(name => matchOf(row, name, task)).filter(match => match !== null)
  const [first] = matches
  const ofTask = matches
    .filter(({ name }) => dataFormats[name].task === task)
    .sort((a, b) => b.fields.length - a.fields.length)[0]
  const isLess = first !== undefined && ofTask !== undefined && ofTask.fields.length < first.fields.length
  const found = ofTask === undefined || isLess ? first : ofTask
  if (found !== undefined) return found.name
  const expected = dataFormatNames.map(name => `${dataFormats[name].fields.join(' + ')} (${name})`).join(', ')
  const names = Object.keys(fields).slice(0, 8).join(', ') || 'none'
  throw new SwarmError('INVALID_ARGUMENT', `${where}: expected the fields ${expected}; found ${names}${advice(fields)}`)
}
