// A model small enough to differentiate by hand, for tests of what trains it.
import { addGradient, parameter } from '../../../client/local/parameter.ts'
import {
  type Batch,
  type EvaluationHook,
  type Example,
  type TrainableModel,
  type TrainingForwardOptions,
  type TrainingProgress,
  type TrainOptions,
  train
} from '../../../client/train/index.ts'

export const vocabulary = 6

/** One parameter: the same logits for every position. The loss is their mean cross entropy with the labels that count. */
export function unigram(poison: (calls: number) => number = () => 0) {
  const weights = parameter('weights', [vocabulary])
  const seen: { batch: Batch; options: TrainingForwardOptions }[] = []
  const model: TrainableModel = {
    parameters: () => [weights],
    async forward(batch, options = {}) {
      seen.push({ batch, options })
      const labels = [...batch.labels.data].map(Number).filter(label => label !== -100)
      const powers = weights.data.map(Math.exp)
      const total = powers.reduce((sum, power) => sum + power, 0)
      const probabilities = powers.map(power => power / total)
      const value = labels.reduce((sum, label) => sum - Math.log(probabilities[label]!), 0) / labels.length
      return {
        loss: {
          value: value + poison(seen.length),
          async backward({ scale = 1 } = {}) {
            const gradient = probabilities.slice()
            for (const label of labels) gradient[label]! -= 1 / labels.length
            addGradient(weights, gradient, scale)
          }
        }
      }
    }
  }
  return { model, weights, seen }
}

/** Of different lengths, with different numbers of labels. */
export const examples: Example[] = [
  { ids: [1, 2, 3], labels: [-100, 2, 3] },
  { ids: [1, 4], labels: [-100, 4] },
  { ids: [1, 1, 5, 5, 5], labels: [-100, -100, 5, 5, 5] },
  { ids: [1, 2, 2, 2], labels: [-100, 2, 2, 2] },
  { ids: [3, 1], labels: [-100, 1] }
]

export const settings: TrainOptions = {
  learningRate: 0.1,
  lrSchedulerType: 'cosine',
  warmupSteps: 2,
  padTokenId: 0,
  perDeviceTrainBatchSize: 2,
  maxSteps: 11,
  seed: 3
}

/** Trains to the end, or to a step after which nothing more is asked for, as when the process is gone. */
export async function run(options: Partial<TrainOptions>, until = Infinity) {
  const { model, weights } = unigram()
  const progress: TrainingProgress[] = []
  const all = { ...settings, ...options }
  for await (const item of train(model, examples, all)) {
    progress.push(item)
    if (item.step === until) break
  }
  return { weights: weights.data, progress }
}

/** Measures that follow a script: one number an evaluation. */
export const scripted = (...losses: number[]): EvaluationHook => ({
  everySteps: 1,
  run: async step => ({ loss: losses[step - 1]! })
})
