// {"source": …, "target": …} and other names: one text is read, another is written, by an encoder-decoder model.
import { SwarmError } from '../../../../common/errors.ts'
import { isJsonObject } from '../../../../model/json.ts'
import { type DataFormat, type DataRow, fieldsIn, textField, wrongField } from '../format.ts'
import { encodeOne } from '../texts.ts'

/** What is read, and what is written: the names of summaries, translations and instructions in public data sets. */
const names: readonly (readonly [string, string])[] = [
  ['source', 'target'],
  ['input', 'target'],
  ['inputs', 'targets'],
  ['input_text', 'target_text'],
  ['text', 'target'],
  ['text', 'summary'],
  ['document', 'summary'],
  ['article', 'highlights'],
  ['dialogue', 'summary']
]

/** Names that other tasks have too: read so where the task is known. */
const namesOfTask: readonly (readonly [string, string])[] = [
  ['prompt', 'completion'],
  ['input', 'output'],
  ['question', 'answer'],
  ['instruction', 'output']
]

/** The two languages of {"translation": {"en": …, "de": …}}, in their order. */
function translation(row: DataRow): [string, string] {
  const texts = row.fields.translation
  const languages = isJsonObject(texts) ? Object.keys(texts) : []
  const found = languages.map(language => (texts as Record<string, unknown>)[language])
  if (found.length === 2 && found.every(text => typeof text === 'string')) return found as [string, string]
  throw wrongField(row, 'translation', 'two texts by their languages, first the one that is read')
}

function textsOf(row: DataRow): [string, string] {
  if (row.fields.translation !== undefined) return translation(row)
  const found = fieldsIn(row, [...names, ...namesOfTask]) ?? names[0]!
  return found.map(name => textField(row, name)) as [string, string]
}

export const sourceTarget: DataFormat = {
  task: 'SEQ_2_SEQ_LM',
  fields: ['source', 'target'],
  otherFields: [...names, ['translation']],
  taskFields: namesOfTask,
  encode(row, { tokenizer, limit, targetLimit, sourcePrefix, eosTokenId }) {
    const [source, target] = textsOf(row)
    if (row.fields.instruction !== undefined && row.fields.input !== undefined && row.fields.input !== '') {
      throw new SwarmError(
        'INVALID_ARGUMENT',
        `${row.where}: "instruction" with an "input": write both as one text in "source"`
      )
    }
    const ids = encodeOne(`${sourcePrefix}${source}`, tokenizer, limit, row.where)
    const labels = encodeOne(target, tokenizer, targetLimit, row.where, 'target: ')
    if (ids.length === 0) throw new SwarmError('INVALID_ARGUMENT', `${row.where}: the source has no tokens`)
    const isEnded = eosTokenId === undefined || labels.includes(eosTokenId)
    return { ids, labels: isEnded ? labels : [...labels.slice(0, targetLimit.maxLength - 1), eosTokenId] }
  }
}
