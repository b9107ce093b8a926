// From data files to examples: read, detected, tokenized, fitted, split, packed. The one entry for training and evaluation.

import { SwarmError } from '../../../common/errors.ts'
import { checkOptions, checkSignal, type OptionKeys } from '../../../common/options.ts'
import { plural } from '../../../common/plural.ts'
import type { OnProgress } from '../../../common/progress.ts'
import type { Tokenizer } from '../../../model/text/tokenizer.ts'
import { type ProblemType, problemTypes } from '../../local/labels.ts'
import type { SimilarityLoss } from '../similarity.ts'
import { DataBudget } from './decode.ts'
import { encodeFiles } from './encode.ts'
import type { Example } from './example.ts'
import type { LengthLimit } from './fit.ts'
import type { DataTask, DataTokenizer, EncodeContext } from './format.ts'
import { type DataFormatName, dataFormats } from './formats/index.ts'
import { classNumbers, labelList } from './labels.ts'
import { packExamples } from './pack.ts'
import { type DataFile, readData } from './read.ts'
import { splitByRatio } from './split.ts'

/** Where the data is. */
export interface DataSources {
  /** files, or folders of .jsonl, .json, .csv, .tsv and .txt files */
  readonly train: string | readonly string[]
  /** files or folders of examples for evaluation */
  readonly validation?: string | readonly string[]
  /** share of the training examples that is kept for validation instead; default none */
  readonly validationSplit?: number
  /** of that split; default 0 */
  readonly seed?: number
  /** of every file; default: by the fields of each file's first row */
  readonly format?: DataFormatName
}

/** What the examples are for. */
export interface DataContext {
  /** of the model that learns */
  readonly tokenizer: DataTokenizer & Pick<Tokenizer, 'chatTemplate'>
  /** maximum sequence length of the model, minus virtual tokens */
  readonly maxPositions: number
  /** default: the task of the files' formats */
  readonly task?: DataTask
  /** what rows are for that suit several tasks, as prompts and completions do; default: the first format that knows them */
  readonly preferredTask?: DataTask
  /** longest sequence that is wanted; default `maxPositions` */
  readonly maxSeqLength?: number
  /** longer examples are cut at their end; default: they are refused */
  readonly truncate?: boolean
  /** the loss is taken of prompts too; default: only of completions */
  readonly trainOnInputs?: boolean
  /** joins short examples of language modelling to sequences of the full length */
  readonly packing?: boolean
  /** appended to the trained text; default none */
  readonly eosTokenId?: number
  /** names of the classes, of a trained head; default: those in the data */
  readonly labels?: readonly string[]
  /** what labels of texts are; default: measured values where one is no whole number, any number of labels where they are lists, else one of several */
  readonly problemType?: ProblemType
  /** text before every source of sequence to sequence; default none */
  readonly sourcePrefix?: string
  /** longest text to be written, in tokens, of sequence to sequence; default `maxPositions` */
  readonly maxTargetLength?: number
  /** tokens that pieces of a long context share with their neighbours; default 128, or a quarter of a shorter length */
  readonly docStride?: number
  /** kinds of token types that the model knows; below 2 pairs have none. Default: pairs have those of the tokenizer */
  readonly tokenTypes?: number
  /** tokens from one window of a .txt file to the next; default: pieces that do not overlap, with an end token after the last */
  readonly stride?: number
  /** bytes of memory that the data may take while it becomes examples, about; more is refused. Default: any number */
  readonly maxMemory?: number
  /** hears of the stage `tokenize` of each file, in examples */
  readonly onProgress?: OnProgress
  /** ends the call with ABORTED */
  readonly signal?: AbortSignal
}

/** Examples of a run, read, split and cut to length. */
export interface TrainingData {
  /** what the data is for */
  readonly task: DataTask
  /** examples to learn */
  readonly train: readonly Example[]
  /** empty where there is none */
  readonly validation: readonly Example[]
  /** names of the classes by their numbers; only of classification */
  readonly labels?: readonly string[]
  /** what labels of texts are; only of their classification */
  readonly problemType?: ProblemType
  /** how texts are compared, by their formats; only of FEATURE_EXTRACTION */
  readonly similarityLoss?: SimilarityLoss
  /** rows of the training files without a value, which are skipped */
  readonly emptyRows: number
  /** lines for the user: what was found, and how it was processed */
  readonly description: readonly string[]
}

const sourceKeys: OptionKeys<DataSources> = {
  train: true,
  validation: true,
  validationSplit: true,
  seed: true,
  format: true
}

const contextKeys: OptionKeys<DataContext> = {
  tokenizer: true,
  maxPositions: true,
  task: true,
  preferredTask: true,
  maxSeqLength: true,
  truncate: true,
  trainOnInputs: true,
  packing: true,
  eosTokenId: true,
  labels: true,
  problemType: true,
  sourcePrefix: true,
  maxTargetLength: true,
  docStride: true,
  tokenTypes: true,
  stride: true,
  maxMemory: true,
  onProgress: true,
  signal: true
}

const listOf = (paths: string | readonly string[]): readonly string[] => (typeof paths === 'string' ? [paths] : paths)

function limitOf(context: DataContext): LengthLimit {
  const { maxPositions, maxSeqLength, truncate = false, stride, maxTargetLength, docStride } = context
  for (const [name, value] of Object.entries({ maxSeqLength, stride, maxTargetLength, docStride })) {
    if (value !== undefined && !(Number.isSafeInteger(value) && value > 0)) {
      throw new SwarmError('INVALID_ARGUMENT', `${name}: expected a whole number above 0, found ${value}`)
    }
  }
  if (maxPositions < 2) {
    throw new SwarmError(
      'INVALID_ARGUMENT',
      `the model's positions leave ${maxPositions} for data: expected at least 2`
    )
  }
  if (maxSeqLength !== undefined && maxSeqLength > maxPositions) {
    throw new SwarmError(
      'INVALID_ARGUMENT',
      `maxSeqLength: expected at most ${maxPositions}(the model's positions), found ${maxSeqLength}`
    )
  }
  const maxLength = maxSeqLength ?? maxPositions
  if (stride !== undefined && stride > maxLength) {
    throw new SwarmError('INVALID_ARGUMENT', `stride: expected at most the length ${maxLength}, found ${stride}`)
  }
  const reason = maxSeqLength === undefined ? "the model's positions" : 'max_seq_length'
  return { maxLength, reason, truncate }
}

/** A document is for language modelling, as a row with a text is. */
const formatOf = (file: DataFile): DataFormatName => ('document' in file ? 'text' : file.format)

/** The one task of all files. Throws INVALID_ARGUMENT if tasks differ, or if it is not the requested one. */
function taskOf(files: readonly DataFile[], wanted: DataTask | undefined): DataTask {
  const expected = wanted ?? dataFormats[formatOf(files[0]!)].task
  const isCausalOnly = expected === 'CAUSAL_LM' ? ' (rename source and target to prompt and completion)' : ''
  for (const file of files) {
    const name = formatOf(file)
    const { task } = dataFormats[name]
    if (task === expected) continue
    const all = Object.entries(dataFormats).filter(([, format]) => format.task === expected)
    throw new SwarmError(
      'INVALID_ARGUMENT',
      `${file.file}: expected data for ${expected} (${all.map(([other]) => other).join(', ')}), found ${name}, which is for ${task}` +
        (task === 'SEQ_2_SEQ_LM' ? isCausalOnly : '')
    )
  }
  return expected
}

/** What data is for, by the formats of its files. Throws as `loadTrainingData` for files that cannot be read. */
export async function taskOfData(
  sources: Pick<DataSources, 'train' | 'format'>,
  options: { signal?: AbortSignal } = {}
): Promise<DataTask> {
  // callers may pass whole sources; only these two fields are read
  checkOptions<DataSources>('taskOfData', sources, sourceKeys)
  checkSignal('taskOfData', options)
  const { train, format } = sources
  return taskOf(await readData(listOf(train), { format, signal: options.signal }), undefined)
}

function labelsOf(files: readonly DataFile[]): string[] {
  const places = files.flatMap(file => {
    if ('document' in file) return []
    const { classes } = dataFormats[file.format]
    return file.rows.flatMap(row => (classes?.(row) ?? []).map(label => ({ label, where: row.where })))
  })
  return labelList(places)
}

/** What the labels of texts are, by all rows: one measured value makes whole numbers measured values as well. */
function problemOf(files: readonly DataFile[], { task, problemType }: Pick<DataContext, 'task' | 'problemType'>) {
  if (task !== 'SEQ_CLS') {
    if (problemType === undefined) return undefined
    throw new SwarmError('INVALID_ARGUMENT', `problemType: only for SEQ_CLS, and this data is for ${task}`)
  }
  if (problemType !== undefined && !problemTypes.includes(problemType)) {
    throw new SwarmError('INVALID_ARGUMENT', `problemType: expected ${problemTypes.join(', ')}, found '${problemType}'`)
  }
  if (problemType !== undefined) return problemType
  const found = new Set<ProblemType>()
  for (const file of files) {
    if ('document' in file) continue
    const { problem } = dataFormats[file.format]
    for (const row of file.rows) found.add(problem?.(row) ?? 'single_label_classification')
  }
  return (
    (['regression', 'multi_label_classification'] as const).find(problem => found.has(problem)) ??
    'single_label_classification'
  )
}

/** How texts are compared. Throws INVALID_ARGUMENT for files with scores beside files without. */
function similarityLossOf(files: readonly DataFile[]): SimilarityLoss {
  const losses = files.map(file => (formatOf(file) === 'similarity' ? 'cosine' : 'multiple_negatives'))
  const other = losses.findIndex(loss => loss !== losses[0])
  if (other === -1) return losses[0]!
  throw new SwarmError(
    'INVALID_ARGUMENT',
    `${files[other]!.file}: expected pairs ${losses[0] === 'cosine' ? 'with' : 'without'} scores as in ${files[0]!.file}`
  )
}

const hasClasses = (task: DataTask): boolean => task === 'SEQ_CLS' || task === 'TOKEN_CLS'

/** Shared by neighbouring pieces of a context, as run_qa.py has it. */
const defaultDocStride = 128

interface Sides {
  readonly train: readonly Example[]
  readonly validation: readonly Example[]
}

function withoutTypes({ train, validation }: Sides): Sides {
  const [first, second] = [train, validation].map(side => side.map(({ typeIds: _, ...example }) => example))
  return { train: first!, validation: second! }
}

/** As `splitByRatio`; pieces of one context go to the same side. */
function splitByQuestion(examples: readonly Example[], ratio: number, seed: number) {
  if (!examples.some(({ question }) => question !== undefined)) return splitByRatio(examples, ratio, seed)
  const groups = [...Map.groupBy(examples, ({ question }) => question?.id).values()]
  const { train, validation } = splitByRatio(groups, ratio, seed)
  return { train: train.flat(), validation: validation.flat() }
}

/**
 * The examples in files, for training and validation. The same files and options give the same examples in the same order.
 * Throws NOT_FOUND for a path where nothing is, and INVALID_ARGUMENT, with file and line, for whatever is wrong with the data: bytes
 * that are not UTF-8, broken JSON, rows of no format or of a format for another task, labels that are mixed or unknown, examples that
 * are too long or have nothing to learn, more of it than `maxMemory` allows, chats that the template refuses (UNSUPPORTED where there is none).
 */
export async function loadTrainingData(sources: DataSources, context: DataContext): Promise<TrainingData> {
  checkOptions('loadTrainingData: sources', sources, sourceKeys)
  checkOptions('loadTrainingData: context', context, contextKeys)
  const { validation, validationSplit, seed = 0, format } = sources
  const { tokenizer, eosTokenId, trainOnInputs = false, packing = false, signal } = context
  if (validation !== undefined && validationSplit !== undefined) {
    throw new SwarmError('INVALID_ARGUMENT', 'validation: expected files or a share of the training data, found both')
  }
  const limit = limitOf(context)
  const reading = {
    format,
    task: context.task ?? context.preferredTask,
    signal,
    budget: new DataBudget(context.maxMemory)
  }
  const trainFiles = await readData(listOf(sources.train), reading)
  const validationFiles = validation === undefined ? [] : await readData(listOf(validation), reading)
  const files = [...trainFiles, ...validationFiles]
  const task = taskOf(files, context.task)
  const problemType = problemOf(files, { ...context, task })
  const labels = hasClasses(task) && problemType !== 'regression' ? (context.labels ?? labelsOf(files)) : undefined
  const { chatTemplate } = tokenizer
  const targetLength = context.maxTargetLength ?? context.maxPositions
  const encoding: EncodeContext = {
    tokenizer,
    eosTokenId,
    trainOnInputs,
    chatTemplate,
    classOf: classNumbers(labels ?? []),
    numClasses: labels?.length ?? 0,
    problem: problemType ?? 'single_label_classification',
    limit,
    targetLimit: {
      ...limit,
      maxLength: targetLength,
      reason: context.maxTargetLength === undefined ? "the model's positions" : 'max_target_length'
    },
    sourcePrefix: context.sourcePrefix ?? '',
    docStride: context.docStride ?? Math.min(defaultDocStride, Math.floor(limit.maxLength / 4))
  }

  const settings = { encoding, limit, stride: context.stride, onProgress: context.onProgress, signal }
  const trained = await encodeFiles(trainFiles, settings)
  const validated = await encodeFiles(validationFiles, settings)
  const description = [...trained.description, ...validated.description.map(line => `validation: ${line}`)]
  if (labels !== undefined) {
    const kind = problemType === 'multi_label_classification' ? ' (any number for each text)' : ''
    description.push(`labels: ${labels.join(', ')}${kind}`)
  }
  if (problemType === 'regression') description.push('labels: measured values (a regression)')
  let sides: Sides = { train: trained.examples, validation: validated.examples }
  if (validationSplit !== undefined) {
    sides = splitByQuestion(trained.examples, validationSplit, seed)
    description.push(`split (seed ${seed}): ${sides.train.length} to train, ${sides.validation.length} for validation`)
  }
  const { emptyRows } = trained
  if (context.tokenTypes !== undefined && context.tokenTypes < 2) sides = withoutTypes(sides)
  const similarityLoss = task === 'FEATURE_EXTRACTION' ? similarityLossOf(files) : undefined
  if (!packing) return { task, ...sides, similarityLoss, labels, problemType, emptyRows, description }
  if (task !== 'CAUSAL_LM') {
    throw new SwarmError('INVALID_ARGUMENT', `packing: only for language modelling, and this data is for ${task}`)
  }
  const packed = packExamples(sides.train, limit.maxLength)
  description.push(
    `packing: ${plural(sides.train.length, 'example')} in ${plural(packed.length, 'sequence')} of up to ${limit.maxLength} tokens; ` +
      'neighbours in a sequence see each other'
  )
  return { task, train: packed, validation: sides.validation, labels, emptyRows, description }
}
