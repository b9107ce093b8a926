// Which examples every step of a run sees. Pure, and any step can be asked for: a resumed run goes on where it stopped.
import { SwarmError } from '../../common/errors.ts'
import { createRandom } from '../../common/random.ts'

export interface PlanOptions {
  /** passes over the examples; default 1 where `steps` does not say */
  readonly epochs?: number
  /** optimizer steps, instead of epochs */
  readonly steps?: number
  /** examples that go through the model together; default 8 */
  readonly batchSize?: number
  /** batches whose gradients make one step; default 1. The last step of an epoch may have fewer */
  readonly gradientAccumulation?: number
  /** of the order of examples; default 0 */
  readonly seed?: number
}

export interface TrainingPlan {
  /** steps of the whole run */
  readonly total: number
  readonly stepsPerEpoch: number
  /** indices of the examples in each batch of a step; steps count from 0 */
  batchesOf(step: number): readonly (readonly number[])[]
}

/**
 * The order of `count` examples in an epoch: Fisher and Yates' shuffle from the end, numbers drawn from
 * `createRandom(seed, epoch)`.
 */
export function epochOrder(count: number, seed: number, epoch: number): number[] {
  const random = createRandom(seed, epoch)
  const order = Array.from({ length: count }, (_, index) => index)
  for (let last = count - 1; last > 0; last--) {
    const other = random.integer(last + 1)
    ;[order[last], order[other]] = [order[other]!, order[last]!]
  }
  return order
}

function chunks<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size)
  )
}

/** Throws INVALID_ARGUMENT for sizes that are not whole numbers above 0, for no examples, and for epochs beside steps. */
export function planTraining(count: number, options: PlanOptions): TrainingPlan {
  const { batchSize = 8, gradientAccumulation = 1, seed = 0, epochs, steps } = options
  const sizes = { batchSize, gradientAccumulation, epochs: epochs ?? 1, steps: steps ?? 1, seed: seed + 1 }
  for (const [name, value] of Object.entries(sizes)) {
    if (!Number.isSafeInteger(value) || value < 1) {
      const expected = name === 'seed' ? 'a whole number of at least 0' : 'a whole number above 0'
      throw new SwarmError('INVALID_ARGUMENT', `${name}: expected ${expected}, found ${name === 'seed' ? seed : value}`)
    }
  }
  if (count === 0) throw new SwarmError('INVALID_ARGUMENT', 'training: expected at least one example, found none')
  if (epochs !== undefined && steps !== undefined) {
    throw new SwarmError('INVALID_ARGUMENT', 'training: expected epochs or steps, found both')
  }
  const stepsPerEpoch = Math.ceil(Math.ceil(count / batchSize) / gradientAccumulation)
  return {
    stepsPerEpoch,
    total: steps ?? (epochs ?? 1) * stepsPerEpoch,
    batchesOf(step) {
      const order = epochOrder(count, seed, Math.floor(step / stepsPerEpoch))
      return chunks(chunks(order, batchSize), gradientAccumulation)[step % stepsPerEpoch]!
    }
  }
}
