// What `swarm predict` prints for each text, by task. Opens models; knows no command line.
import {
  AutoDistributedModelForFeatureExtraction,
  AutoDistributedModelForMaskedLM,
  AutoDistributedModelForQuestionAnswering,
  AutoDistributedModelForSequenceClassification,
  AutoDistributedModelForTokenClassification,
  PeftModel,
  type PretrainedOptions,
  readAdapterInfo,
  SwarmError,
  type Tokenizer
} from '../../client/index.ts'
import { type Aggregation, continuesWord, joinEntities } from './entities.ts'

export const predictTasks = ['classify', 'tokens', 'answer', 'fill-mask', 'embed'] as const

export type PredictTask = (typeof predictTasks)[number]

export interface PredictSettings {
  readonly adapter?: string
  readonly topK?: number
  readonly context?: string
  readonly impossible?: boolean
  readonly normalize?: boolean
  readonly aggregation: Aggregation
}

type Prediction = Readonly<Record<string, unknown>>

/** A model that is open for a task. */
export interface Predictor extends AsyncDisposable {
  predict(text: string): Promise<Prediction>
}

function softmax(logits: readonly number[]): number[] {
  const greatest = Math.max(...logits)
  const weights = logits.map(logit => Math.exp(logit - greatest))
  const sum = weights.reduce((total, each) => total + each, 0)
  return weights.map(each => each / sum)
}

const sigmoid = (logit: number): number => 1 / (1 + Math.exp(-logit))

/** Ids with the special tokens around. Throws INVALID_ARGUMENT for a text that is longer than the model. */
function encoded(tokenizer: Tokenizer, text: string, most: number) {
  const places: ({ readonly start: number; readonly end: number } | null)[] = []
  const ids = tokenizer.encode(text, { places })
  if (ids.length <= most) return { ids, places }
  throw new SwarmError(
    'INVALID_ARGUMENT',
    `the text takes ${ids.length} tokens, the model has ${most} positions: shorten it`
  )
}

interface Headed extends AsyncDisposable {
  readonly parts: {
    readonly head: { readonly fresh: readonly string[] }
    readonly checkpoint: { readonly name: string }
  }
}

/** The result of `adapt`. Throws INVALID_ARGUMENT where its head would be random; the model is closed where anything fails. */
async function withTrainedHead<Model extends Headed>(
  base: AsyncDisposable,
  adapt: () => Promise<Model>
): Promise<Model> {
  try {
    const model = await adapt()
    const { head, checkpoint } = model.parts
    if (head.fresh.length === 0) return model
    throw new SwarmError(
      'INVALID_ARGUMENT',
      `${checkpoint.name}: ${head.fresh.join(', ')}: not in the checkpoint, so that answers would be random (give an --adapter that was trained for the task, or another model)`
    )
  } catch (error) {
    await base[Symbol.asyncDispose]()
    throw error
  }
}

/** Opens the model, with the adapter if there is one. Throws what opening throws. */
export async function openPredictor(
  path: string,
  task: PredictTask,
  settings: PredictSettings,
  options: PretrainedOptions & { readonly signal: AbortSignal }
): Promise<Predictor> {
  const { signal } = options
  const { adapter, topK } = settings
  const info = adapter === undefined ? undefined : await readAdapterInfo(adapter, { signal })
  const close = (model: AsyncDisposable) => () => model[Symbol.asyncDispose]()
  const labels = {
    id2label: info?.labels ?? undefined,
    numLabels: info?.labels ? undefined : (info?.numLabels ?? undefined)
  }
  if (task === 'classify') {
    const problem = { problemType: info?.problemType ?? undefined }
    const base = await AutoDistributedModelForSequenceClassification.fromPretrained(path, {
      ...options,
      ...labels,
      ...problem
    })
    const model = await withTrainedHead(base, async () =>
      adapter === undefined ? base : await PeftModel.fromPretrained(base, adapter, { signal })
    )
    return {
      async predict(text) {
        const { ids } = encoded(base.tokenizer, text, base.config.maxPositions)
        const logits = [...(await model.forward({ inputIds: ids }, { training: false, signal })).logits.data]
        if (model.problemType === 'regression') {
          return { text, values: Object.fromEntries(logits.map((value, id) => [model.id2label[id]!, value])) }
        }
        const scores = model.problemType === 'multi_label_classification' ? logits.map(sigmoid) : softmax(logits)
        const ordered = scores
          .map((score, id) => ({ label: model.id2label[id]!, score }))
          .sort((a, b) => b.score - a.score)
        return { text, ...ordered[0], labels: ordered.slice(0, topK) }
      },
      [Symbol.asyncDispose]: close(base)
    }
  }
  if (task === 'tokens') {
    const base = await AutoDistributedModelForTokenClassification.fromPretrained(path, { ...options, ...labels })
    const model = await withTrainedHead(base, async () =>
      adapter === undefined ? base : await PeftModel.fromPretrained(base, adapter, { signal })
    )
    const unknown = base.tokenizer.idOf(base.tokenizer.specialTokens.unk_token ?? '')
    return {
      async predict(text) {
        const { ids, places } = encoded(base.tokenizer, text, base.config.maxPositions)
        const { logits } = await model.forward({ inputIds: ids }, { training: false, signal })
        const before = logits.shape[1]! - ids.length
        const tokens = ids.flatMap((id, index) => {
          if (base.tokenizer.isSpecial(id) && id !== unknown) return []
          const at = (before + index) * model.numLabels
          const scores = softmax([...logits.data.subarray(at, at + model.numLabels)])
          const [start, end] = [places[index]?.start ?? null, places[index]?.end ?? null]
          const continues = continuesWord(base.tokenizer, id, text, start)
          return [{ scores, index, word: base.tokenizer.decode([id]), start, end, continues }]
        })
        const { aggregation } = settings
        return { text, entities: joinEntities(tokens, text, { aggregation, labels: model.id2label }) }
      },
      [Symbol.asyncDispose]: close(base)
    }
  }
  if (task === 'answer') {
    const { context, impossible } = settings
    if (context === undefined)
      throw new SwarmError('INVALID_ARGUMENT', 'predict answer: give the text to look in with --context')
    const base = await AutoDistributedModelForQuestionAnswering.fromPretrained(path, options)
    const model = await withTrainedHead(base, async () =>
      adapter === undefined ? base : await PeftModel.fromPretrained(base, adapter, { signal })
    )
    return {
      async predict(question) {
        const answers = await model.answer({ question, context }, { topK, impossible, signal })
        const { text: answer, ...best } = answers[0]!
        return { question, answer, ...best, ...(answers.length > 1 && { answers }) }
      },
      [Symbol.asyncDispose]: close(base)
    }
  }
  if (task === 'fill-mask') {
    const base = await AutoDistributedModelForMaskedLM.fromPretrained(path, options)
    const model = await withTrainedHead(base, async () =>
      adapter === undefined ? base : await PeftModel.fromPretrained(base, adapter, { signal })
    )
    return {
      predict: async text => ({ text, masks: await model.fillMask(text, { topK, signal }) }),
      [Symbol.asyncDispose]: close(base)
    }
  }
  const base = await AutoDistributedModelForFeatureExtraction.fromPretrained(path, options)
  const model = adapter === undefined ? base : await PeftModel.fromPretrained(base, adapter, { signal })
  return {
    async predict(text) {
      const { data } = await model.encode(text, { normalize: settings.normalize, signal })
      return { text, embedding: [...data] }
    },
    [Symbol.asyncDispose]: close(base)
  }
}
