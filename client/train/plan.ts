// Assigns examples to every step of a run. Pure and random access, so that a resumed run continues where it stopped.
import { SwarmError } from '../../common/errors.ts'
import { checkTrainOptions, type TrainingPlanOptions } from './options.ts'
import { epochOrder, groupedByLength } from './order.ts'

/** How a run goes through its data. */
export interface TrainingPlan {
  /** steps of the whole run */
  readonly total: number
  readonly stepsPerEpoch: number
  /** indices of the examples in each batch of a step; steps count from 0 */
  batchesOf(step: number): readonly (readonly number[])[]
}

/** Whether a number says how often something happens: whole steps, or below 1 a share of all steps. */
export function isInterval(steps: number): boolean {
  return (Number.isSafeInteger(steps) && steps > 0) || (steps > 0 && steps < 1)
}

/** Steps from one time to the next; of a share of a run of `total` steps rounded up, as Hugging Face's Trainer does. */
export function intervalOf(steps: number, total: number): number {
  return steps < 1 ? Math.ceil(total * steps) : steps
}

const defaultEpochs = 3

function chunks<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size)
  )
}

function check(name: string, value: number, expected: string, holds: boolean): void {
  if (!holds) throw new SwarmError('INVALID_ARGUMENT', `${name}: expected ${expected}, found ${value}`)
}

/**
 * The steps of a run: how many, and which examples each takes.
 * @param lengths tokens of every example
 * @param options options of a run; only those of its plan are read Throws INVALID_ARGUMENT for invalid sizes and
 * without examples.
 */
export function planTraining(lengths: readonly number[], options: TrainingPlanOptions): TrainingPlan {
  checkTrainOptions('planTraining', options)
  const { perDeviceTrainBatchSize = 8, gradientAccumulationSteps = 1, seed = 0, groupByLength = false } = options
  const { numTrainEpochs = defaultEpochs, maxSteps = -1 } = options
  for (const [name, size] of Object.entries({ perDeviceTrainBatchSize, gradientAccumulationSteps })) {
    check(name, size, 'a whole number above 0', Number.isSafeInteger(size) && size > 0)
  }
  check('seed', seed, 'a whole number of at least 0', Number.isSafeInteger(seed) && seed >= 0)
  check('maxSteps', maxSteps, 'a whole number above 0, or -1', Number.isSafeInteger(maxSteps) && maxSteps !== 0)
  check('numTrainEpochs', numTrainEpochs, 'a number above 0', numTrainEpochs > 0 && numTrainEpochs < Infinity)
  const count = lengths.length
  if (count === 0) throw new SwarmError('INVALID_ARGUMENT', 'training: expected at least one example, found none')
  const stepsPerEpoch = Math.ceil(Math.ceil(count / perDeviceTrainBatchSize) / gradientAccumulationSteps)

  const stepsOfEpoch = (epoch: number): number[][][] => {
    const shuffled = epochOrder(count, seed, epoch)
    const together = perDeviceTrainBatchSize * gradientAccumulationSteps
    const order = groupByLength ? groupedByLength(shuffled, lengths, together) : shuffled
    return chunks(chunks(order, perDeviceTrainBatchSize), gradientAccumulationSteps)
  }
  let kept: { epoch: number; steps: number[][][] } | undefined
  return {
    stepsPerEpoch,
    total: maxSteps > 0 ? maxSteps : Math.ceil(numTrainEpochs * stepsPerEpoch),
    batchesOf(step) {
      const epoch = Math.floor(step / stepsPerEpoch)
      if (kept?.epoch !== epoch) kept = { epoch, steps: stepsOfEpoch(epoch) }
      return kept.steps[step % stepsPerEpoch]!
    }
  }
}
