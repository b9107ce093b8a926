// A training run as a person sees it: the loop with its live line, for `swarm train` and the demo.
import { access, constants, mkdir } from 'node:fs/promises'
import { type Example, type PeftModel, type TrainingProgress, type TrainOptions, train } from '../client/index.ts'
import { messageOf, SwarmError } from '../common/errors.ts'
import { createProgress, formatDuration } from './progress.ts'

const format = 'loss {loss}  lr {lr}  {rate} tokens/s  ETA {eta}'

const fieldsOf = (progress: TrainingProgress): Record<string, string> => ({
  loss: progress.loss.toFixed(4),
  lr: progress.learningRate.toExponential(2),
  rate: progress.tokensPerSecond.toFixed(0),
  eta: formatDuration(progress.etaSeconds)
})

/** Makes the folder of the adapter: whether it can be written should be known before the training, not after. */
export async function prepareOutput(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true })
    await access(folder, constants.W_OK)
  } catch (cause) {
    throw new SwarmError('INVALID_ARGUMENT', `--output ${folder}: cannot be written: ${messageOf(cause)}`, { cause })
  }
}

/** Trains to the end; returns the last step's progress, or null where there was nothing to do. */
export async function runTraining(
  model: PeftModel,
  examples: readonly Example[],
  options: TrainOptions
): Promise<TrainingProgress | null> {
  let line: ReturnType<typeof createProgress> | undefined
  let last: TrainingProgress | null = null
  try {
    for await (const progress of train(model, examples, options)) {
      line ??= createProgress(progress.total, format)
      line.update(progress.step, fieldsOf(progress))
      last = progress
    }
  } finally {
    line?.stop()
  }
  return last
}
