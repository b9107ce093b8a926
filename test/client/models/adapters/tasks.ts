// Models of every task but language modelling with a fresh adapter, and the losses that PEFT's runs have (scripts/reference/tasks.py).
import {
  AutoDistributedModel,
  AutoDistributedModelForQuestionAnswering,
  AutoDistributedModelForSequenceClassification,
  AutoDistributedModelForTokenClassification,
  type FeatureOutput,
  getPeftModel,
  type Ids,
  type Loss,
  type PeftConfig,
  type PeftModelForFeatureExtraction,
  type PretrainedOptions
} from '../../../../client/index.ts'
import { float32, int64, type Tensor } from '../../../../common/tensor.ts'

const numLabels = 3
const ids = (tensor: Tensor | undefined) => tensor as Tensor<'int64'>

type Inputs = Readonly<Record<string, Tensor>>

interface Classifier {
  forward(
    input: { inputIds: Ids; attentionMask: Ids; labels: Ids },
    options: { training: boolean; seed: number }
  ): Promise<{ loss: Loss }>
}

async function lossOfClassifier(model: Classifier, inputs: Inputs, step: number): Promise<Loss> {
  const [inputIds, attentionMask, labels] = [ids(inputs.ids), ids(inputs.mask), ids(inputs.labels)]
  return (await model.forward({ inputIds, attentionMask, labels }, { training: true, seed: step })).loss
}

/** The mean squared distance of the mean over a sequence's states from where it should be: a loss of the caller's own. */
async function lossOfFeatures(model: PeftModelForFeatureExtraction, inputs: Inputs, step: number): Promise<Loss> {
  const [inputIds, attentionMask] = [ids(inputs.ids), ids(inputs.mask)]
  const options = { training: true, seed: step, pooling: 'mean' } as const
  const { pooled, penalty, backward }: FeatureOutput = await model.forward({ inputIds, attentionMask }, options)
  const distances = Array.from(pooled!.data, (value, index) => value - (inputs.targets!.data[index] as number))
  const count = distances.length
  return {
    value: distances.reduce((sum, each) => sum + each * each, 0) / count + penalty,
    backward: () =>
      backward({
        pooled: float32(
          pooled!.shape,
          distances.map(each => (2 * each) / count)
        )
      })
  }
}

/** A fresh base model in a folder for each run, an adapter over it, and its loss. */
export const tasks = {
  'seq-cls': async (path: string, options: PretrainedOptions, config: PeftConfig) => {
    const base = await AutoDistributedModelForSequenceClassification.fromPretrained(path, { ...options, numLabels })
    const model = await getPeftModel(base, config)
    return { model, lossOf: (inputs: Inputs, step: number) => lossOfClassifier(model, inputs, step) }
  },
  'token-cls': async (path: string, options: PretrainedOptions, config: PeftConfig) => {
    const base = await AutoDistributedModelForTokenClassification.fromPretrained(path, {
      ...options,
      numLabels,
      classifierDropout: 0
    })
    const model = await getPeftModel(base, config)
    return { model, lossOf: (inputs: Inputs, step: number) => lossOfClassifier(model, inputs, step) }
  },
  features: async (path: string, options: PretrainedOptions, config: PeftConfig) => {
    const model = await getPeftModel(await AutoDistributedModel.fromPretrained(path, options), config)
    return { model, lossOf: (inputs: Inputs, step: number) => lossOfFeatures(model, inputs, step) }
  }
} as const

/** Ends of answers in one text a row, for the models that have them. */
export async function questions(path: string, options: PretrainedOptions, config: PeftConfig) {
  const model = await getPeftModel(await AutoDistributedModelForQuestionAnswering.fromPretrained(path, options), config)
  const column = (tensor: Tensor | undefined) => int64([tensor!.shape[0]!], Array.from(ids(tensor).data, Number))
  const lossOf = async (inputs: Inputs, step: number): Promise<Loss> => {
    const [inputIds, attentionMask] = [ids(inputs.ids), ids(inputs.mask)]
    const [startPositions, endPositions] = [column(inputs.starts), column(inputs.ends)]
    const input = { inputIds, attentionMask, startPositions, endPositions }
    return (await model.forward(input, { training: true, seed: step })).loss
  }
  return { model, lossOf }
}
