// The models that `swarm train` trains, one for each task, with the adapter that a configuration describes.
import {
  type AuditReport,
  AutoDistributedModel,
  AutoDistributedModelForCausalLM,
  AutoDistributedModelForQuestionAnswering,
  AutoDistributedModelForSeq2SeqLM,
  AutoDistributedModelForSequenceClassification,
  AutoDistributedModelForTokenClassification,
  getPeftModel,
  type PeftConfig,
  type PretrainedOptions,
  type TrainableModel,
  type TrainingData
} from '../../client/index.ts'
import { type DataTask, SimilarityModel } from '../../client/train/index.ts'

/** What is trained, ready to be; the model under it is closed with it. */
export type TunedModel = TrainableModel & AsyncDisposable & { audits(): Promise<AuditReport | null> }

/** What a model must be for its data. */
export type DataShape = Pick<TrainingData, 'task' | 'labels' | 'problemType' | 'similarityLoss'>

type Open = (path: string, options: PretrainedOptions, peft: PeftConfig, data: DataShape) => Promise<TunedModel>

/** What `tune` makes of the model; where it throws, the model is closed: its connections would keep the process. */
async function closedOnFailure<Base extends AsyncDisposable, Tuned>(
  base: Base,
  tune: (base: Base) => Promise<Tuned>
): Promise<Tuned> {
  try {
    return await tune(base)
  } catch (error) {
    await base[Symbol.asyncDispose]()
    throw error
  }
}

const openers = {
  CAUSAL_LM: async (path, options, peft) =>
    closedOnFailure(await AutoDistributedModelForCausalLM.fromPretrained(path, options), base =>
      getPeftModel(base, peft, { seed: options.seed, signal: options.signal })
    ),
  SEQ_2_SEQ_LM: async (path, options, peft) =>
    closedOnFailure(await AutoDistributedModelForSeq2SeqLM.fromPretrained(path, options), base =>
      getPeftModel(base, peft, { seed: options.seed, signal: options.signal })
    ),
  SEQ_CLS: async (path, options, peft, { labels, problemType }) =>
    closedOnFailure(
      await AutoDistributedModelForSequenceClassification.fromPretrained(path, {
        ...options,
        ...(problemType === 'regression' ? { numLabels: 1 } : { id2label: labels }),
        problemType
      }),
      base => getPeftModel(base, peft, { seed: options.seed, signal: options.signal })
    ),
  TOKEN_CLS: async (path, options, peft, { labels }) =>
    closedOnFailure(
      await AutoDistributedModelForTokenClassification.fromPretrained(path, { ...options, id2label: labels }),
      base => getPeftModel(base, peft, { seed: options.seed, signal: options.signal })
    ),
  QUESTION_ANS: async (path, options, peft) =>
    closedOnFailure(await AutoDistributedModelForQuestionAnswering.fromPretrained(path, options), async base => {
      const tuned = await getPeftModel(base, peft, { seed: options.seed, signal: options.signal })
      // batches of questions have the places of answers, which `forwardBatch` gives it
      return tuned as unknown as TunedModel
    }),
  FEATURE_EXTRACTION: async (path, options, peft, { similarityLoss = 'multiple_negatives' }) =>
    closedOnFailure(await AutoDistributedModel.fromPretrained(path, options), async base => {
      const tuned = await getPeftModel(base, peft, { seed: options.seed, signal: options.signal })
      return new SimilarityModel(tuned, { loss: similarityLoss })
    })
} as const satisfies Record<DataTask, Open>

/** Opens a model and puts a new adapter over it; `seed` decides the first values. Throws as `fromPretrained` and `getPeftModel`. */
export async function openTuned(
  data: DataShape,
  ...rest: [string, PretrainedOptions, PeftConfig]
): Promise<TunedModel> {
  const open: Open = openers[data.task]
  return await open(...rest, data)
}
