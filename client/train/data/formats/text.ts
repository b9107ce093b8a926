// {"text": …}: every token is learned.
import { type DataFormat, textField } from '../format.ts'
import { encodeSegments } from '../segments.ts'

export const text: DataFormat = {
  task: 'CAUSAL_LM',
  fields: ['text'],
  isEmpty: row => textField(row, 'text').trim() === '',
  encode: (row, context) => encodeSegments([{ text: textField(row, 'text'), learned: true }], context, row)
}
