// {"text": …, "label": …}: labels of a whole text; {"sentence1": …, "sentence2": …, "label": …} and other names: of two texts.
import { SwarmError } from '../../../../common/errors.ts'
import { type DataFormat, fieldsIn, textField } from '../format.ts'
import { encodeOne, encodeTwo, typesOf } from '../texts.ts'
import { labelPart, labelsIn, problemOf } from './labels.ts'

const textNames = ['text', 'sentence', 'content'] as const

/** Fields of two texts, in their order in the sequence: the names that GLUE, SuperGLUE and the sentence-transformers data sets have. */
export const pairNames: readonly (readonly [string, string])[] = [
  ['sentence1', 'sentence2'],
  ['premise', 'hypothesis'],
  ['question1', 'question2'],
  ['question', 'sentence'],
  ['text1', 'text2'],
  ['text_a', 'text_b'],
  ['query', 'passage']
]

const withLabel = (names: readonly (readonly string[])[]): string[][] =>
  names.flatMap(fields => [
    [...fields, 'label'],
    [...fields, 'labels']
  ])

const labelled = { task: 'SEQ_CLS', classes: labelsIn, problem: problemOf } as const

export const pairLabel: DataFormat = {
  ...labelled,
  fields: ['sentence1', 'sentence2', 'label'],
  otherFields: withLabel(pairNames),
  encode(row, context) {
    const names = fieldsIn(row, pairNames) ?? pairNames[0]!
    const texts = names.map(name => textField(row, name)) as [string, string]
    const { ids, typeIds } = encodeTwo(texts, context.tokenizer, context.limit, row.where)
    return { ids, ...typesOf(typeIds), ...labelPart(row, context) }
  }
}

export const textLabel: DataFormat = {
  ...labelled,
  fields: ['text', 'label'],
  otherFields: withLabel(textNames.map(name => [name])),
  encode(row, context) {
    const name = textNames.find(each => row.fields[each] !== undefined) ?? textNames[0]
    const ids = encodeOne(textField(row, name), context.tokenizer, context.limit, row.where)
    if (ids.length === 0) throw new SwarmError('INVALID_ARGUMENT', `${row.where}: the text has no tokens`)
    return { ids, ...labelPart(row, context) }
  }
}
