// The measures of `swarm eval`: opens the model of a task, with an adapter or without, loads data for it, and measures.
import {
  type AdapterInfo,
  AutoDistributedModelForCausalLM,
  AutoDistributedModelForSequenceClassification,
  AutoDistributedModelForTokenClassification,
  type CausalModel,
  type DataContext,
  type DataFormatName,
  type DataTask,
  loadTrainingData,
  measureClassification,
  measureExactMatch,
  measureLanguage,
  PeftModel,
  type PretrainedOptions,
  SwarmError,
  type TrainingData
} from '../../client/index.ts'
import { withResource } from '../../common/resource.ts'
import { classificationJson, classificationLines, languageJson, languageLines } from '../views/evaluation.ts'

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
  throw new SwarmError('UNSUPPORTED', `${run.adapter ?? run.path}: models for ${task} cannot be evaluated yet`)
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
    const batching = { batchSize: settings.batchSize, padTokenId: padTokenIdOf(base.config), onProgress, signal }
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

const padTokenIdOf = ({ padTokenId, eosTokenIds }: CausalModel['config']): number => padTokenId ?? eosTokenIds[0] ?? 0

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
        padTokenId: padTokenIdOf(base.config),
        numLabels: labels.length,
        onProgress,
        signal
      }
      const result = { ...(await measureClassification(model, examples, batching)), labels }
      return {
        lines: [...description, '', ...classificationLines(result)],
        json: { examples: examples.length, ...classificationJson(result) }
      }
    }
  )
}
