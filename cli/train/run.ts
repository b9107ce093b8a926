// A training run as a person sees it: one live line, for `swarm train` and the demo.
import type { TrainingProgress } from '../../client/index.ts'
import { createProgress, formatDuration } from '../terminal/progress.ts'

const plural = (count: number, one: string, many: string): string => (count === 1 ? one : many)

/** Latest evaluation with its step, and how the batches travel; each only where it is known. */
function more({ traffic }: TrainingProgress, evaluated: TrainingProgress | undefined): string[] {
  const measures = Object.entries(evaluated?.evaluation ?? {}).map(([name, value]) => ` ${name} ${value.toFixed(4)}`)
  const evaluation = evaluated === undefined ? '' : `eval at ${evaluated.step}:${measures.join('')}`
  const travel =
    traffic === null
      ? ''
      : `${traffic.peers} ${plural(traffic.peers, 'peer', 'peers')}  ${traffic.retries} ${plural(traffic.retries, 'retry', 'retries')}`
  return [evaluation, travel]
}

/** Shows a run until it ends; gives the last step's progress, or null where there was nothing to do. */
export async function showTraining(run: AsyncIterable<TrainingProgress>): Promise<TrainingProgress | null> {
  let line: ReturnType<typeof createProgress> | undefined
  let last: TrainingProgress | null = null
  let evaluated: TrainingProgress | undefined
  try {
    for await (const progress of run) {
      if (progress.evaluation !== undefined) evaluated = progress
      line ??= createProgress(progress.total)
      line.update(progress.step, [
        `loss ${progress.loss.toFixed(4)}`,
        `lr ${progress.learningRate.toExponential(2)}`,
        `${progress.tokensPerSecond.toFixed(0)} tokens/s`,
        `ETA ${formatDuration(progress.etaSeconds)}`,
        ...more(progress, evaluated)
      ])
      last = progress
    }
  } finally {
    line?.stop()
  }
  return last
}
