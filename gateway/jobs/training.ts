// The training of one job over an open base model, from its files to its adapter. Knows no queue and no store.
import { join } from 'node:path'
import {
  checkpointsOf,
  getPeftModel,
  type MetricsLine,
  planTraining,
  type Resumed,
  runTraining,
  type TrainConfig,
  type TrainingProgress,
  toPeftConfig,
  toTrainOptions
} from '../../client/index.ts'
import { checkCodec, type FileNames, loadJobData, type TrainableBase } from './data.ts'
import { MetricsTail } from './metrics-tail.ts'

export interface JobTrainingInit {
  readonly base: TrainableBase
  readonly config: TrainConfig
  readonly names: FileNames
  /** step of the checkpoint to go on from; null: the newest, if there is one */
  readonly resumeStep: number | null
  readonly signal: AbortSignal
  readonly onResume: (resumed: Resumed) => void
  readonly onStep: (progress: TrainingProgress, lines: readonly MetricsLine[]) => void
}

/** Steps and tokens of a run that has ended. */
export interface Trained {
  readonly steps: number
  readonly tokens: number
}

/** Token id that fills shorter rows. */
export const padTokenIdOf = ({ model: { config } }: TrainableBase): number =>
  config.padTokenId ?? config.eosTokenIds[0] ?? 0

/** Trains and writes the adapter to the run's folder. Throws what `runTraining` throws, after a checkpoint. */
export async function trainJob(init: JobTrainingInit): Promise<Trained> {
  const { base, config, names, signal, onResume, onStep } = init
  checkCodec(base, config)
  const data = await loadJobData(base, config, { names, signal })
  const lengths = data.train.map(({ ids }) => ids.length)
  const plan = planTraining(lengths, toTrainOptions(config))
  const { seed } = config
  const tuned = await getPeftModel(base.model, toPeftConfig(config.peft, plan.total), { seed, signal })
  let done = 0
  try {
    const resume = await resumePoint(config.output_dir, init.resumeStep)
    const resumed = (found: Resumed): void => {
      done = found.step
      onResume(found)
    }
    const running = { padTokenId: padTokenIdOf(base), resume, onResume: resumed, signal }
    const tail = new MetricsTail(config.output_dir)
    for await (const progress of runTraining(tuned, data, config, running)) {
      done = progress.step
      const lines = await tail.next()
      // the first time it has those before a resume too
      onStep(
        progress,
        lines.filter(({ step }) => step >= progress.step)
      )
    }
  } finally {
    await tuned.unload()
  }
  let tokens = 0
  for (let step = 0; step < done; step++) {
    for (const example of plan.batchesOf(step).flat()) tokens += lengths[example]!
  }
  return { steps: done, tokens }
}

/** What `runTraining` is to resume from. */
async function resumePoint(folder: string, step: number | null): Promise<string | true | undefined> {
  if (step !== null) return join(folder, `checkpoint-${step}`)
  return (await checkpointsOf(folder)).length > 0 ? true : undefined
}
