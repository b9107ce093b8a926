// The table of formats, and the format of a row by its fields.
import { SwarmError } from '../../../../common/errors.ts'
import type { DataFormat, Row } from '../format.ts'
import { alpaca } from './alpaca.ts'
import { chat } from './chat.ts'
import { completion } from './completion.ts'
import { text } from './text.ts'
import { textLabel } from './text-label.ts'
import { tokensTags } from './tokens-tags.ts'

/** In the order in which they are tried: a format whose fields include another's comes before it. */
const table = {
  chat,
  completion,
  alpaca,
  'tokens-tags': tokensTags,
  'text-label': textLabel,
  text
} as const satisfies Record<string, DataFormat>

/** Formats of training data, told by the fields of their rows. */
export type DataFormatName = keyof typeof table

export const dataFormats: Readonly<Record<DataFormatName, DataFormat>> = table

/** All of them. */
export const dataFormatNames = Object.keys(dataFormats) as readonly DataFormatName[]

/** Throws INVALID_ARGUMENT with the fields of every format where the row's are those of none. */
export function detectFormat({ fields, where }: Row): DataFormatName {
  const found = dataFormatNames.find(name => dataFormats[name].fields.every(field => fields[field] !== undefined))
  if (found !== undefined) return found
  const expected = dataFormatNames.map(name => `${dataFormats[name].fields.join(' + ')} (${name})`).join(', ')
  const names = Object.keys(fields).slice(0, 8).join(', ') || 'none'
  throw new SwarmError('INVALID_ARGUMENT', `${where}: expected the fields ${expected}; found ${names}`)
}
