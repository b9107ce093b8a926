// The labels of a classification: from the caller, or else from the checkpoint. Pure.
import { SwarmError } from '../../common/errors.ts'
import { isJsonObject } from '../../model/json.ts'

export interface LabelOptions {
  /** default: as many as `id2label`, or the checkpoint, has */
  readonly numLabels?: number
  /** names of the labels by their numbers; default: the checkpoint's, or LABEL_0, LABEL_1, … */
  readonly id2label?: readonly string[] | Readonly<Record<number, string>>
}

function invalid(message: string): SwarmError {
  return new SwarmError('INVALID_ARGUMENT', message)
}

/** The names in order. Throws INVALID_ARGUMENT where numbers are left out or names come twice. */
function inOrder(id2label: Readonly<Record<number, string>>): string[] {
  const count = Object.keys(id2label).length
  const names = Array.from({ length: count }, (_, id) => id2label[id])
  const missing = names.findIndex(name => typeof name !== 'string')
  if (missing !== -1) throw invalid(`id2label: ${count} labels, but none has the number ${missing}`)
  const twice = names.find((name, id) => names.indexOf(name) !== id)
  if (twice !== undefined) throw invalid(`id2label: two labels are called '${twice}'`)
  return names as string[]
}

/** The names that a config.json gives its classes; undefined where it has none, or those that transformers makes up. */
export function namedLabels(raw: unknown): readonly string[] | undefined {
  if (!isJsonObject(raw) || !isJsonObject(raw.id2label)) return undefined
  const names = inOrder(raw.id2label as Record<number, string>)
  return names.every((name, id) => name === `LABEL_${id}`) ? undefined : names
}

/**
 * Names of the labels by their numbers. `stored`: rows of the head in the checkpoint, undefined where it has none. Like
 * Hugging Face two labels where nothing else is known. Throws INVALID_ARGUMENT for numbers that contradict each other,
 * UNSUPPORTED for the tasks with floats as labels, regression and multi-label classification.
 */
export function resolveLabels(options: LabelOptions, raw: unknown, stored: number | undefined): readonly string[] {
  const fields = isJsonObject(raw) ? raw : {}
  const problem = fields.problem_type ?? 'single_label_classification'
  if (problem !== 'single_label_classification') {
    throw new SwarmError('UNSUPPORTED', `config.json: problem_type ${problem}: only one label of several is supported`)
  }
  const given = options.id2label === undefined ? undefined : inOrder(options.id2label)
  const known = isJsonObject(fields.id2label) ? inOrder(fields.id2label as Record<number, string>) : undefined
  const numLabels = options.numLabels ?? given?.length ?? stored ?? known?.length ?? 2
  if (!Number.isSafeInteger(numLabels) || numLabels < 1)
    throw invalid(`numLabels: expected a whole number, found ${numLabels}`)
  if (numLabels === 1)
    throw new SwarmError('UNSUPPORTED', 'numLabels 1: that is regression, which is not supported (2 or more are)')
  if (given !== undefined && given.length !== numLabels) {
    throw invalid(`numLabels: ${numLabels}, but id2label names ${given.length}`)
  }
  if (stored !== undefined && stored !== numLabels) {
    throw invalid(`numLabels: ${numLabels}, but the checkpoint has a head of ${stored} (leave numLabels out to use it)`)
  }
  const names = given ?? (known?.length === numLabels ? known : undefined)
  return names ?? Array.from({ length: numLabels }, (_, id) => `LABEL_${id}`)
}
