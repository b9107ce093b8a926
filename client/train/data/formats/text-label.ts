// {"text": …, "label": …}: one class for a whole text.
import { SwarmError } from '../../../../common/errors.ts'
import { type DataFormat, type DataRow, isLabel, type Label, textField, wrongField } from '../format.ts'

function labelOf(row: DataRow): Label {
  const { label } = row.fields
  if (!isLabel(label)) throw wrongField(row, 'label', 'a text or a whole number of at least 0')
  return label
}

export const textLabel: DataFormat = {
  task: 'SEQ_CLS',
  fields: ['text', 'label'],
  classes: row => [labelOf(row)],
  encode(row, { tokenizer, classOf }) {
    const ids = tokenizer.encode(textField(row, 'text'))
    if (ids.length === 0) throw new SwarmError('INVALID_ARGUMENT', `${row.where}: the text has no tokens`)
    return { ids, labels: [classOf(labelOf(row), row.where)] }
  }
}
