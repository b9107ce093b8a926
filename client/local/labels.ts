// The labels of a classification: from the caller, or else from the checkpoint. Pure.
import { SwarmError } from '../../common/errors.ts'
import { quoteForeign } from '../../common/foreign-json.ts'
import { isJsonObject, type JsonObject } from '../../model/json.ts'

/** What a classification predicts, under transformers' names. */
export const problemTypes = ['single_label_classification', 'multi_label_classification', 'regression'] as const

/** What the labels of a sequence are, as `problem_type` of transformers. */
export type ProblemType = (typeof problemTypes)[number]

export interface LabelOptions {
  /** default: as many as `id2label`, or the checkpoint, has */
  readonly numLabels?: number
  /** names of the labels by their numbers; default: the checkpoint's, or LABEL_0, LABEL_1, … */
  readonly id2label?: readonly string[] | Readonly<Record<number, string>>
  /**
   * what the labels are: one of several, any number of them, or numbers. Default: what config.json says, else regression where there is
   * one label, else what the labels of a call are: whole numbers name one of several, a flag for each label means any number of them
   */
  readonly problemType?: ProblemType
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

/** What a classification predicts, as config.json may say it. Throws UNSUPPORTED for a word that transformers does not know. */
function statedProblem(options: LabelOptions, raw: JsonObject): ProblemType | undefined {
  const stated = options.problemType ?? raw.problem_type ?? undefined
  if (stated === undefined) return undefined
  const known = problemTypes.find(each => each === stated)
  if (known !== undefined) return known
  const where = options.problemType === undefined ? 'config.json: problem_type' : 'problemType'
  const found = quoteForeign(stated)
  throw new SwarmError('INVALID_ARGUMENT', `${where}: expected ${problemTypes.join(', ')}, found ${found}`)
}

/** The labels of a head, and what they are. */
export interface ResolvedLabels {
  /** names by their numbers */
  readonly labels: readonly string[]
  /** undefined: the labels of a call decide it, as in transformers */
  readonly problemType: ProblemType | undefined
}

/**
 * `stored`: rows of the head in the checkpoint, undefined where it has none. Like Hugging Face two labels where nothing else is known;
 * one label is a regression. Throws INVALID_ARGUMENT for numbers that contradict each other, and for problems that there are not.
 */
export function resolveLabels(options: LabelOptions, raw: unknown, stored: number | undefined): ResolvedLabels {
  const fields = isJsonObject(raw) ? raw : {}
  const problem = statedProblem(options, fields)
  const given = options.id2label === undefined ? undefined : inOrder(options.id2label)
  const known = isJsonObject(fields.id2label) ? inOrder(fields.id2label as Record<number, string>) : undefined
  const numLabels = options.numLabels ?? given?.length ?? stored ?? known?.length ?? 2
  if (!Number.isSafeInteger(numLabels) || numLabels < 1) {
    throw invalid(`numLabels: expected a whole number, found ${numLabels}`)
  }
  const problemType = problem ?? (numLabels === 1 ? 'regression' : undefined)
  if (numLabels === 1 && problemType === 'single_label_classification') {
    throw invalid('numLabels 1: a single label of one is always the same (2 or more, or problemType regression)')
  }
  if (given !== undefined && given.length !== numLabels) {
    throw invalid(`numLabels: ${numLabels}, but id2label names ${given.length}`)
  }
  if (stored !== undefined && stored !== numLabels) {
    throw invalid(`numLabels: ${numLabels}, but the checkpoint has a head of ${stored} (leave numLabels out to use it)`)
  }
  const names = given ?? (known?.length === numLabels ? known : undefined)
  return { labels: names ?? Array.from({ length: numLabels }, (_, id) => `LABEL_${id}`), problemType }
}
