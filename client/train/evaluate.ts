// The loss of a model over examples, without training it.

import { SwarmError } from '../../common/errors.ts'
import { checkOptions, type OptionKeys } from '../../common/options.ts'
import { type OnProgress, runStage } from '../../common/progress.ts'
import { collate, countLabels } from './collate.ts'
import { type Example, ignoredLabel } from './data/example.ts'
import { forwardBatch } from './inputs.ts'
import type { TrainableModel } from './model.ts'
import type { EvaluationHook } from './options.ts'

/** Of a loss over examples. */
export interface EvaluateOptions {
  /** fills rows up to the longest */
  readonly padTokenId: number
  /** default 8 */
  readonly batchSize?: number
  /** hears of the stage `evaluate`, in examples */
  readonly onProgress?: OnProgress
  /** ends the call with ABORTED */
  readonly signal?: AbortSignal
}

/** For checkOptions. */
export const evaluateKeys: OptionKeys<EvaluateOptions> = {
  padTokenId: true,
  batchSize: true,
  onProgress: true,
  signal: true
}

/** Mean loss per label over all examples, whatever the batches. Throws INVALID_ARGUMENT without examples. */
export async function evaluateLoss(
  model: Pick<TrainableModel, 'forward' | 'firstLabelCounts' | 'task'>,
  examples: readonly Example[],
  options: EvaluateOptions
): Promise<number> {
  checkOptions('evaluateLoss', options, evaluateKeys)
  const { padTokenId, batchSize = 8, signal, onProgress } = options
  if (examples.length === 0)
    throw new SwarmError('INVALID_ARGUMENT', 'evaluation: expected at least one example, found none')
  const total = countLabels(examples, model)
  if (total === 0) {
    throw new SwarmError('INVALID_ARGUMENT', `evaluation: the examples have no labels (all are ${ignoredLabel}?)`)
  }
  let sum = 0
  await runStage(onProgress, { stage: 'evaluate', unit: 'examples', total: examples.length }, async running => {
    for (let first = 0; first < examples.length; first += batchSize) {
      const batch = examples.slice(first, first + batchSize)
      const count = countLabels(batch, model)
      if (count > 0) {
        const { loss } = await forwardBatch(model, collate(batch, padTokenId), { training: false, signal })
        sum += loss.value * count
      }
      running.add(batch.length)
    }
  })
  return sum / total
}

/** The loss over validation examples as what a run measures now and then; without label smoothing, so that runs compare. */
export function lossEvaluation(
  model: Pick<TrainableModel, 'forward' | 'firstLabelCounts' | 'task'>,
  examples: readonly Example[],
  { everySteps, ...options }: Omit<EvaluateOptions, 'signal' | 'onProgress'> & { readonly everySteps?: number }
): EvaluationHook {
  const { padTokenId, batchSize } = evaluateKeys
  checkOptions('lossEvaluation', { everySteps, ...options }, { padTokenId, batchSize, everySteps: true })
  return {
    everySteps,
    measures: ['loss'],
    run: async (_step, running) => ({ loss: await evaluateLoss(model, examples, { ...options, ...running }) })
  }
}
