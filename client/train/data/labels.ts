// The classes of a classification: their list from the data, and the number of each. Pure.
import { SwarmError } from '../../../common/errors.ts'
import type { Label } from './format.ts'

export interface LabelledPlace {
  readonly label: Label
  readonly where: string
}

/**
 * The distinct classes, texts in the order of their UTF-16 units, whole numbers by size.
 * Throws INVALID_ARGUMENT for texts beside numbers, naming a place of each, and for fewer than two classes.
 */
export function labelList(places: readonly LabelledPlace[]): string[] {
  const text = places.find(({ label }) => typeof label === 'string')
  const number = places.find(({ label }) => typeof label === 'number')
  if (text !== undefined && number !== undefined) {
    throw new SwarmError(
      'INVALID_ARGUMENT',
      `labels: expected all texts or all whole numbers, found ${JSON.stringify(text.label)} (${text.where}) and ` +
        `${number.label} (${number.where})`
    )
  }
  const distinct = [...new Set(places.map(({ label }) => label))]
  if (distinct.length < 2) {
    const found = distinct.length === 0 ? 'none' : `only ${JSON.stringify(distinct[0])}`
    throw new SwarmError('INVALID_ARGUMENT', `labels: expected at least two classes, found ${found}`)
  }
  if (number === undefined) return (distinct as string[]).sort()
  return (distinct as number[]).sort((a, b) => a - b).map(String)
}

/**
 * The number of a class in the list. A whole number is a class's name if classes have numeric names, otherwise its
 * index in the list. The function throws INVALID_ARGUMENT, with the known classes, for an unknown label.
 */
export function classNumbers(labels: readonly string[]): (label: Label, where: string) => number {
  const numbers = new Map(labels.map((name, index) => [name, index]))
  const areNumbers = labels.every(name => /^\d+$/.test(name))
  return (label, where) => {
    const named = numbers.get(String(label))
    if (named !== undefined) return named
    if (typeof label === 'number' && !areNumbers && label < labels.length) return label
    const shown = labels.slice(0, 20).join(', ') + (labels.length > 20 ? ', …' : '')
    throw new SwarmError(
      'INVALID_ARGUMENT',
      `${where}: expected a label among ${labels.length} (${shown}), found ${JSON.stringify(label)}`
    )
  }
}
