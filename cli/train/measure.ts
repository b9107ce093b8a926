// The measures of `swarm eval`: opens the model of a task, with an adapter or without, loads data for it, and measures.

import {
  type AdapterInfo,
  AutoDistributedModel,
  AutoDistributedModelForCausalLM,
  AutoDistributedModelForQuestionAnswering,
  AutoDistributedModelForSeq2SeqLM,
  AutoDistributedModelForSequenceClassification,
  AutoDistributedModelForTokenClassification,
  type CausalModel,
  type DataContext,
  type DataFormatName,
  type DataTask,
  type EntityMode,
  loadTrainingData,
  measureAnswers,
  measureClassification,
  measureExactMatch,
  measureLanguage,
  measureSimilarity,
  measureWritten,
  PeftModel,
  type PretrainedOptions,
  type ProblemType,
  type QuestionAnswerer,
  SimilarityModel,
  SwarmError,
  type TrainingData
} from '../../client/index.ts'
import { withResource } from '../../common/resource.ts'
import { paddingOf } from '../../model/config/config.ts'
import {
  answerJson,
  answerLines,
  classificationJson,
  classificationLines,
  languageJson,
  languageLines,
  writtenJson,
  writtenLines
} from '../views/evaluation.ts'

export interface MeasureSettings {
  readonly maxSeqLength?: number
  readonly truncate?: boolean
  /** tokens of prompts count too */
  readonly trainOnInputs?: boolean
  /** default: half a window */
  readonly stride?: number
  readonly batchSize: number
  /** names of the head's classes */
  readonly labels?: readonly string[]
  readonly exactMatch?: boolean
  /** text before every source */
  readonly sourcePrefix?: string
  readonly maxTargetLength?: number
  /** of written texts */
  readonly numBeams?: number
  readonly docStride?: number
  readonly maxAnswerLength?: number
  readonly entityMode?: EntityMode
  readonly problemType?: ProblemType
}

export interface Measurement {
  readonly path: string
  readonly adapter?: string
  /** of the adapter */
  readonly info?: AdapterInfo
  readonly source: { readonly train: readonly string[]; readonly format?: DataFormatName }
  readonly settings: MeasureSettings
  readonly options: PretrainedOptions & { readonly signal: AbortSignal }
}

/** For a person, and for programs. */
export interface Measured {
  readonly lines: readonly string[]
  readonly json: Record<string, unknown>
}

export async function measure(task: DataTask, run: Measurement): Promise<Measured> {
  if (task === 'CAUSAL_LM') return await measureText(run)
  if (task === 'SEQ_CLS') return await measureClasses(run, task, AutoDistributedModelForSequenceClassification)
  if (task === 'TOKEN_CLS') return await measureClasses(run, task, AutoDistributedModelForTokenClassification)
  if (task === 'SEQ_2_SEQ_LM') return await measureTranslation(run)
  if (task === 'FEATURE_EXTRACTION') return await measureEmbeddings(run)
  return await measureQuestions(run)
}

/** Exact match and F1 of the answers that a model finds. */
async function measureQuestions(run: Measurement): Promise<Measured> {
  const { path, adapter, settings, options } = run
  const { signal, onProgress } = options
  return await withResource(
    await AutoDistributedModelForQuestionAnswering.fromPretrained(path, options),
    async base => {
      const model = adapter === undefined ? base : await PeftModel.fromPretrained(base, adapter, { signal })
      const { train: examples, description } = await load(base, run, { task: 'QUESTION_ANS' })
      const { batchSize, maxAnswerLength } = settings
      const batching = { batchSize, padTokenId: paddingOf(base.config), maxAnswerLength, onProgress, signal }
      const result = await measureAnswers(model as unknown as QuestionAnswerer, examples, batching)
      return { lines: [...description, '', ...answerLines(result)], json: answerJson(result) }
    }
  )
}

/** Loss of an encoder-decoder model, and what it writes from the sources. */
async function measureTranslation(run: Measurement): Promise<Measured> {
  const { path, adapter, settings, options } = run
  const { signal, onProgress } = options
  return await withResource(await AutoDistributedModelForSeq2SeqLM.fromPretrained(path, options), async base => {
    const model = adapter === undefined ? base : await PeftModel.fromPretrained(base, adapter, { signal })
    const { train: examples, description } = await load(base, run, { task: 'SEQ_2_SEQ_LM' })
    const { batchSize, maxTargetLength: maxLength, numBeams } = settings
    const batching = { batchSize, padTokenId: paddingOf(base.config), maxLength, numBeams, onProgress, signal }
    const result = await measureWritten(model, examples, batching)
    return {
      lines: [...description, '', ...writtenLines(result)],
      json: { examples: examples.length, ...writtenJson(result) }
    }
  })
}

/** How near texts are that should be, and how far those that should not. */
async function measureEmbeddings(run: Measurement): Promise<Measured> {
  const { path, adapter, settings, options } = run
  const { signal, onProgress } = options
  return await withResource(await AutoDistributedModel.fromPretrained(path, options), async base => {
    const over = adapter === undefined ? base : await PeftModel.fromPretrained(base, adapter, { signal })
    const data = await load(base, run, { task: 'FEATURE_EXTRACTION' })
    const model = new SimilarityModel(over, { loss: data.similarityLoss! })
    const batching = { batchSize: settings.batchSize, padTokenId: paddingOf(base.config), onProgress, signal }
    const measures = await measureSimilarity(model, data.train, batching)
    const lines = Object.entries(measures).map(([name, value]) => `${name} ${value.toFixed(4)}`)
    return {
      lines: [...data.description, '', lines.join(', ')],
      json: { examples: data.train.length, ...measures }
    }
  })
}

async function load(
  { config, tokenizer }: Pick<CausalModel, 'config' | 'tokenizer'>,
  { info, source, settings, options: { signal, onProgress } }: Measurement,
  more: Partial<Pick<DataContext, 'task' | 'labels'>>
): Promise<TrainingData> {
  const maxPositions = config.maxPositions - (info?.virtualTokens ?? 0)
  const length = settings.maxSeqLength ?? maxPositions
  return await loadTrainingData(source, {
    tokenizer,
    maxPositions,
    maxSeqLength: settings.maxSeqLength,
    truncate: settings.truncate,
    trainOnInputs: settings.trainOnInputs,
    sourcePrefix: settings.sourcePrefix,
    maxTargetLength: settings.maxTargetLength,
    docStride: settings.docStride,
    problemType: settings.problemType,
    eosTokenId: config.eosTokenIds[0],
    stride: settings.stride ?? Math.max(1, Math.floor(length / 2)),
    onProgress,
    signal,
    ...more
  })
}

async function measureText(run: Measurement): Promise<Measured> {
  const { path, adapter, settings, options } = run
  const { signal, onProgress } = options
  return await withResource(await AutoDistributedModelForCausalLM.fromPretrained(path, options), async base => {
    const model = adapter === undefined ? base : await PeftModel.fromPretrained(base, adapter, { signal })
    const { train: examples, description } = await load(base, run, { task: 'CAUSAL_LM' })
    const batching = { batchSize: settings.batchSize, padTokenId: paddingOf(base.config), onProgress, signal }
    const measures = await measureLanguage(model, examples, batching)
    const exactMatch = settings.exactMatch
      ? await measureExactMatch(model, examples, { batchSize: settings.batchSize, onProgress, signal })
      : undefined
    const result = { ...measures, exactMatch }
    return {
      lines: [...description, '', ...languageLines(result)],
      json: { examples: examples.length, ...languageJson(result) }
    }
  })
}

/** Opens models of one kind of classification. */
type Opener = typeof AutoDistributedModelForSequenceClassification | typeof AutoDistributedModelForTokenClassification

type Classifier = Awaited<ReturnType<Opener['fromPretrained']>>

async function overAdapter(base: Classifier, adapter: string | undefined, options: { signal: AbortSignal }) {
  if (adapter === undefined) return base
  return base.task === 'SEQ_CLS'
    ? await PeftModel.fromPretrained(base, adapter, options)
    : await PeftModel.fromPretrained(base, adapter, options)
}

/** Names that Hugging Face gives to classes without names. */
const isNameless = (label: string, index: number): boolean => label === `LABEL_${index}`

async function measureClasses(run: Measurement, task: 'SEQ_CLS' | 'TOKEN_CLS', opener: Opener): Promise<Measured> {
  const { path, adapter, info, settings, options } = run
  const { signal, onProgress } = options
  const named = settings.labels ?? info?.labels ?? undefined
  const numLabels = named === undefined ? (info?.numLabels ?? undefined) : undefined
  return await withResource(
    await opener.fromPretrained(path, { ...options, id2label: named, numLabels }),
    async base => {
      const model = await overAdapter(base, adapter, { signal })
      const known = named ?? (base.id2label.every(isNameless) ? undefined : base.id2label)
      const { train: examples, labels = [], description } = await load(base, run, { task, labels: known })
      if (labels.length !== base.numLabels) {
        throw new SwarmError(
          'INVALID_ARGUMENT',
          `the data names ${labels.length} classes (${labels.join(', ')}), the model's head has ${base.numLabels}: give all of them with --labels`
        )
      }
      const batching = {
        batchSize: settings.batchSize,
        padTokenId: paddingOf(base.config),
        numLabels: labels.length,
        labels: task === 'TOKEN_CLS' ? labels : undefined,
        entityMode: settings.entityMode,
        onProgress,
        signal
      }
      const result = { ...(await measureClassification(model, examples, batching)), labels }
      const { fresh } = model.parts.head
      const random = `${fresh.join(', ')}: not in the checkpoint, so these are the results of random values (--adapter)`
      return {
        lines: [...description, ...(fresh.length > 0 ? [random] : []), '', ...classificationLines(result)],
        json: { examples: examples.length, ...classificationJson(result) }
      }
    }
  )
}
