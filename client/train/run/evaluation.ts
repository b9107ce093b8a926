// What a run measures of its model over the validation examples: the loss; of a classifier its classes too.
import { SwarmError } from '../../../common/errors.ts'
import type { TrainingData } from '../data/index.ts'
import { type EvaluateOptions, lossEvaluation } from '../evaluate.ts'
import { measureClassification } from '../metrics/index.ts'
import type { TrainableModel } from '../model.ts'
import type { EvaluationHook } from '../options.ts'
import { SimilarityModel, similarityEvaluation } from '../similarity.ts'

/** Undefined where there is nothing to measure by. Measures: `loss`, and of classes `accuracy` and `f1` (macro). */
export function validationOf(
  model: TrainableModel,
  { validation, labels }: Pick<TrainingData, 'validation' | 'labels'>,
  options: Omit<EvaluateOptions, 'signal' | 'onProgress'> & { readonly everySteps?: number }
): EvaluationHook | undefined {
  if (validation.length === 0) return undefined
  if (model instanceof SimilarityModel) return similarityEvaluation(model, validation, options)
  if (labels === undefined) return lossEvaluation(model, validation, options)
  const classifier = {
    async forward(...parameters: Parameters<TrainableModel['forward']>) {
      const { loss, logits } = await model.forward(...parameters)
      if (logits) return { loss, logits }
      throw new SwarmError('INTERNAL', 'evaluation: the classifier returned no scores')
    }
  }
  const numLabels = labels.length
  const { everySteps, ...measuring } = options
  return {
    everySteps,
    measures: ['loss', 'accuracy', 'f1'],
    async run(_step, running) {
      const report = await measureClassification(classifier, validation, { ...measuring, numLabels, ...running })
      return { loss: report.loss, accuracy: report.accuracy, f1: report.macroF1 }
    }
  }
}
