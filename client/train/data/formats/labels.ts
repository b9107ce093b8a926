// Labels of whole texts as rows have them: one of several, a list of any number of them, or a measured value. Pure.
import { SwarmError } from '../../../../common/errors.ts'
import type { ProblemType } from '../../../local/labels.ts'
import { jsonField } from '../conversation.ts'
import type { Example } from '../example.ts'
import { type DataRow, type EncodeContext, isLabel, type Label, wrongField } from '../format.ts'

const fieldOf = ({ fields }: DataRow): 'label' | 'labels' => (fields.label === undefined ? 'labels' : 'label')

/** A list, or its JSON as tables have it. */
function labelValue(row: DataRow): unknown {
  const field = fieldOf(row)
  const value = row.fields[field]
  return typeof value === 'string' && /^\s*\[/.test(value) ? jsonField(row, field) : value
}

export function problemOf(row: DataRow): ProblemType {
  const value = labelValue(row)
  if (Array.isArray(value)) return 'multi_label_classification'
  return typeof value === 'number' && !isLabel(value) ? 'regression' : 'single_label_classification'
}

/** The labels that a row names; none of a measured value. Throws INVALID_ARGUMENT. */
export function labelsIn(row: DataRow): readonly Label[] {
  const value = labelValue(row)
  if (!Array.isArray(value)) {
    if (isLabel(value)) return [value]
    if (typeof value === 'number') return [String(value)]
    throw wrongField(row, fieldOf(row), 'a text, a number, or a list of labels')
  }
  if (!value.every(isLabel)) throw wrongField(row, fieldOf(row), 'a list of texts, or of whole numbers of at least 0')
  if (new Set(value).size === value.length) return value
  throw wrongField(
    row,
    fieldOf(row),
    'the list of labels that the text has, each once (names or numbers, no row of 0 and 1)'
  )
}

/** What is learned of a row. Throws INVALID_ARGUMENT for labels of another kind than the data has. */
export function labelPart(row: DataRow, { problem, numClasses, classOf }: EncodeContext): Omit<Example, 'ids'> {
  const value = labelValue(row)
  if (problem === 'regression') {
    if (typeof value === 'number' && Number.isFinite(value)) return { labels: [value], areNumbers: true }
    throw wrongField(row, fieldOf(row), 'a number, as of a regression')
  }
  const found = labelsIn(row)
  if (problem === 'single_label_classification') {
    if (found.length === 1) return { labels: [classOf(found[0]!, row.where)] }
    throw new SwarmError(
      'INVALID_ARGUMENT',
      `${row.where}: expected one label, found ${found.length} (problem_type multi_label_classification takes any number)`
    )
  }
  const flags = Array<number>(numClasses).fill(0)
  for (const label of found) flags[classOf(label, row.where)] = 1
  return { labels: flags, areNumbers: true }
}
