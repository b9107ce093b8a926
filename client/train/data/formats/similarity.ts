// Texts whose vectors are compared: {"anchor": …, "positive": …, "negative": …} are near and far, {"sentence1": …, "sentence2": …, "score": …} as
// near as a number says. The names are those of sentence-transformers' data sets.
import { type DataFormat, type DataRow, type EncodeContext, fieldsIn, textField, wrongField } from '../format.ts'
import { encodeOne } from '../texts.ts'
import { pairNames } from './text-label.ts'

const positives: readonly (readonly [string, string])[] = [
  ['anchor', 'positive'],
  ['query', 'positive'],
  ['question', 'answer']
]

const encodeAll = (row: DataRow, names: readonly string[], { tokenizer, limit }: EncodeContext): number[][] =>
  names.map(name => encodeOne(textField(row, name), tokenizer, limit, row.where))

export const triplet: DataFormat = {
  task: 'FEATURE_EXTRACTION',
  fields: ['anchor', 'positive'],
  otherFields: positives.slice(0, 2),
  taskFields: [...positives, ...pairNames],
  encode(row, context) {
    const names = fieldsIn(row, [...positives, ...pairNames]) ?? positives[0]!
    const negative = row.fields.negative === undefined ? [] : ['negative']
    const [ids, ...others] = encodeAll(row, [...names, ...negative], context)
    // a label so that the example counts once in the mean of a batch's loss
    return { ids: ids!, others, labels: [1], areNumbers: true }
  }
}

export const similarity: DataFormat = {
  task: 'FEATURE_EXTRACTION',
  fields: ['sentence1', 'sentence2', 'score'],
  otherFields: pairNames.map(names => [...names, 'score']),
  taskFields: pairNames.map(names => [...names, 'label']),
  encode(row, context) {
    const names = fieldsIn(row, pairNames) ?? pairNames[0]!
    const field = row.fields.score === undefined ? 'label' : 'score'
    const score = row.fields[field]
    if (typeof score !== 'number' || score < -1 || score > 1) {
      throw wrongField(row, field, 'a number from -1 to 1 (the cosine that the two are to have; divide other scales)')
    }
    const [ids, ...others] = encodeAll(row, names, context)
    return { ids: ids!, others, labels: [score], areNumbers: true }
  }
}
