// What a run measures of its model over the validation examples: the loss, and what its task is measured by.
import type { TrainingData } from '../data/index.ts'
import { type EvaluateOptions, lossEvaluation } from '../evaluate.ts'
import {
  areEntityTags,
  measureAnswers,
  measureClassification,
  measureMultiLabel,
  measureRegression,
  measureWritten,
  type QuestionAnswerer,
  type Writer,
  type WritingOptions
} from '../metrics/index.ts'
import type { TrainableModel } from '../model.ts'
import type { EvaluationHook } from '../options.ts'
import { SimilarityModel, similarityEvaluation } from '../similarity.ts'

/** The data of a run, as far as evaluations depend on it. */
export type EvaluatedData = Pick<TrainingData, 'validation' | 'labels'> &
  Partial<Pick<TrainingData, 'task' | 'problemType'>>

type Options = Omit<EvaluateOptions, 'signal' | 'onProgress'> & {
  readonly everySteps?: number
  /** texts are written and measured, too; only of sequence to sequence */
  readonly writing?: WritingOptions
}

type Running = Parameters<EvaluationHook['run']>[1]

/** Measures by their names, and how they are taken. */
interface Measuring {
  readonly measures: readonly string[]
  run(running: Running): Promise<Readonly<Record<string, number>>>
}

const written = ['exact_match', 'rouge1', 'rouge2', 'rougeL', 'rougeLsum', 'bleu', 'chrf', 'gen_len'] as const

function measuringOf(model: TrainableModel, data: EvaluatedData, options: Options): Measuring | null {
  const { validation, labels, problemType, task } = data
  const { everySteps: _, writing, ...batching } = options
  if (task === 'SEQ_2_SEQ_LM' && writing !== undefined) {
    return {
      measures: ['loss', ...written],
      async run(running) {
        const scores = await measureWritten(model as unknown as Writer, validation, {
          ...batching,
          ...writing,
          ...running
        })
        const { loss, exactMatch, rouge1, rouge2, rougeL, rougeLsum, bleu, chrf, genLen } = scores
        return { loss, exact_match: exactMatch, rouge1, rouge2, rougeL, rougeLsum, bleu, chrf, gen_len: genLen }
      }
    }
  }
  if (task === 'QUESTION_ANS') {
    return {
      measures: ['loss', 'exact_match', 'f1'],
      async run(running) {
        const { loss, exactMatch, f1 } = await measureAnswers(model as QuestionAnswerer, validation, {
          ...batching,
          ...running
        })
        return { loss, exact_match: exactMatch, f1 }
      }
    }
  }
  if (problemType === 'regression') {
    return {
      measures: ['loss', 'mse', 'mae', 'pearson', 'spearman'],
      async run(running) {
        const scores = await measureRegression(model, validation, { ...batching, ...running })
        const { loss, mse, mae, pearson, spearman } = scores
        return { loss, mse, mae, pearson, spearman }
      }
    }
  }
  if (problemType === 'multi_label_classification') {
    return {
      measures: ['loss', 'accuracy', 'f1', 'f1_micro', 'f1_weighted'],
      async run(running) {
        const found = await measureMultiLabel(model, validation, { ...batching, ...running })
        return {
          loss: found.loss,
          accuracy: found.accuracy,
          f1: found.macroF1,
          f1_micro: found.micro.f1,
          f1_weighted: found.weighted.f1
        }
      }
    }
  }
  if (labels === undefined) return null
  const numLabels = labels.length
  const entityNames = areEntityTags(labels) ? ['entity_precision', 'entity_recall', 'entity_f1'] : []
  const ofTexts = task === 'SEQ_CLS' ? ['matthews'] : []
  return {
    measures: ['loss', 'accuracy', 'f1', ...ofTexts, ...(task === 'TOKEN_CLS' ? entityNames : [])],
    async run(running) {
      const tags = task === 'TOKEN_CLS' ? labels : undefined
      const report = await measureClassification(model, validation, {
        ...batching,
        numLabels,
        labels: tags,
        ...running
      })
      const { loss, accuracy, macroF1, matthews, entities } = report
      return {
        loss,
        accuracy,
        f1: macroF1,
        ...(ofTexts.length > 0 && { matthews: matthews! }),
        ...(entities && {
          entity_precision: entities.precision,
          entity_recall: entities.recall,
          entity_f1: entities.f1
        })
      }
    }
  }
}

/** Undefined where there is nothing to measure by. */
export function validationOf(model: TrainableModel, data: EvaluatedData, options: Options): EvaluationHook | undefined {
  const { validation } = data
  if (validation.length === 0) return undefined
  const { writing: _, ...plain } = options
  if (model instanceof SimilarityModel) return similarityEvaluation(model, validation, plain)
  const measuring = measuringOf(model, data, options)
  if (measuring === null) return lossEvaluation(model, validation, plain)
  const { measures, run } = measuring
  return { everySteps: options.everySteps, measures, run: (_step, running) => run(running) }
}
