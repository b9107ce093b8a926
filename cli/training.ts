// A training run as a person sees it: one live line, for `swarm train` and the demo.
import type { TrainingProgress } from '../client/index.ts'
import { createProgress, formatDuration } from './progress.ts'

const format = 'loss {loss}  lr {lr}  {rate} tokens/s  ETA {eta}{more}'

/** Latest evaluation, and how the batches travel; each only where it is known. */
function more({ traffic }: TrainingProgress, evaluation: TrainingProgress['evaluation']): string {
  const measures = Object.entries(evaluation ?? {}).map(([name, value]) => `  eval ${name} ${value.toFixed(4)}`)
  const travel = traffic === null ? '' : `  ${traffic.peers} peers  ${traffic.retries} retries`
  return measures.join('') + travel
}

/** Shows a run until it ends; gives the last step's progress, or null where there was nothing to do. */
export async function showTraining(run: AsyncIterable<TrainingProgress>): Promise<TrainingProgress | null> {
  let line: ReturnType<typeof createProgress> | undefined
  let last: TrainingProgress | null = null
  let evaluation: TrainingProgress['evaluation']
  try {
    for await (const progress of run) {
      evaluation = progress.evaluation ?? evaluation
      line ??= createProgress(progress.total, format)
      line.update(progress.step, {
        loss: progress.loss.toFixed(4),
        lr: progress.learningRate.toExponential(2),
        rate: progress.tokensPerSecond.toFixed(0),
        eta: formatDuration(progress.etaSeconds),
        more: more(progress, evaluation)
      })
      last = progress
    }
  } finally {
    line?.stop()
  }
  return last
}
