// A whole run as its configuration describes it: trained, measured, kept, and its adapter saved, in one folder.

import { files } from '#files'
import { settled } from '../../../common/async.ts'
import { SwarmError } from '../../../common/errors.ts'
import { checkOptions } from '../../../common/options.ts'
import { Checkpoints, hashExamples, lastGood } from '../checkpoint/index.ts'
import { type TrainConfig, toTrainOptions, writeConfigYaml } from '../config/index.ts'
import type { TrainingData } from '../data/index.ts'
import type { TrainableModel } from '../model.ts'
import type { TrainingProgress, TrainOptions } from '../options.ts'
import { train } from '../trainer.ts'
import { type EvaluatedData, validationOf } from './evaluation.ts'
import { RunLog } from './log.ts'

/** File of a run's folder with the settings that it had. */
export const configName = 'config.yaml'

/** Of a run by its settings. */
export interface RunOptions {
  /** fills rows up to the longest */
  readonly padTokenId: number
  /** path of a checkpoint, or true for the newest of the run */
  readonly resume?: string | true
  /** called once, when the checkpoint that the run goes on from is loaded */
  readonly onResume?: TrainOptions['onResume']
  /** hears of the stages of `train` */
  readonly onProgress?: TrainOptions['onProgress']
  /** ends the run with ABORTED, after a checkpoint */
  readonly signal?: AbortSignal
}

/** Files and folders that a run makes, beside its checkpoints. */
const ownNames: ReadonlySet<string> = new Set([configName, 'metrics.jsonl', 'loss.svg', 'runs'])

/** Names in the folder that are of a run. Throws INVALID_ARGUMENT where that is another run, which is not to be overwritten. */
async function namesOfRun({
  output_dir: directory,
  overwrite_output_dir: overwrites
}: TrainConfig): Promise<readonly string[]> {
  const names = (await files.list(directory)) ?? []
  const ofRun = names.filter(name => ownNames.has(name) || name.startsWith('checkpoint-'))
  const checkpoint = ofRun.find(name => name.startsWith('checkpoint-'))
  if (checkpoint === undefined || overwrites) return ofRun
  throw new SwarmError(
    'INVALID_ARGUMENT',
    `${directory}: already contains a run (${checkpoint}): resume it (the option 'resume'), choose another output_dir, or set overwrite_output_dir`
  )
}

/**
 * Whether the folder can be written, and whether another run is in it, is so known before any training. A run that is to be
 * overwritten stays until the new one begins. Throws INVALID_ARGUMENT.
 */
export async function checkRunFolder(config: TrainConfig, options: { resume: boolean }): Promise<void> {
  checkOptions('checkRunFolder', options, { resume: true })
  if (!options.resume && (await namesOfRun(config)).length === 0) await freeze(config)
}

/** The same without a trace: for a preview. Throws INVALID_ARGUMENT, DISK_FULL. */
export async function probeRunFolder(config: TrainConfig, { resume }: { resume: boolean }): Promise<void> {
  if (!resume) await namesOfRun(config)
  await files.probe(config.output_dir)
}

/** Removes what is left of another run. Throws as `checkRunFolder`. */
async function clearRunFolder(config: TrainConfig): Promise<void> {
  for (const name of await namesOfRun(config)) await files.remove(files.join(config.output_dir, name))
  await freeze(config)
}

async function freeze(config: TrainConfig): Promise<void> {
  const path = files.join(config.output_dir, configName)
  await files.write(path, new TextEncoder().encode(writeConfigYaml(config)))
}

/** The options of `train` for a run as it is configured. */
export async function runTrainOptions(
  model: TrainableModel,
  data: EvaluatedData,
  config: TrainConfig,
  { padTokenId, resume, onResume, onProgress, signal }: RunOptions
): Promise<TrainOptions> {
  const { per_device_eval_batch_size: batchSize, eval_steps, eval_strategy } = config
  const everySteps = eval_strategy === 'epoch' ? undefined : eval_steps
  const writing = config.predict_with_generate
    ? { maxLength: config.generation_max_length ?? config.max_target_length, numBeams: config.generation_num_beams }
    : undefined
  const evaluation = { padTokenId, batchSize, everySteps, writing }
  return {
    ...toTrainOptions(config),
    padTokenId,
    evaluate: eval_strategy === 'no' ? undefined : validationOf(model, data, evaluation),
    resumeFromCheckpoint: resume,
    onResume,
    onProgress,
    identity: {
      codec: config.codec,
      validation: { examples: data.validation.length, sha256: await hashExamples(data.validation) }
    },
    signal
  }
}

/**
 * Trains, step by step as it is asked for, and saves the adapter at the end. Everything is in `output_dir`: the adapter in
 * PEFT's format, `checkpoint-<step>`, metrics.jsonl, loss.svg. Throws as `checkRunFolder` and `train` do.
 */
export async function* runTraining(
  model: TrainableModel,
  data: EvaluatedData & Pick<TrainingData, 'train'>,
  config: TrainConfig,
  runOptions: RunOptions
): AsyncGenerator<TrainingProgress> {
  checkOptions('runTraining', runOptions, {
    padTokenId: true,
    resume: true,
    onResume: true,
    onProgress: true,
    signal: true
  })
  const { resume } = runOptions
  const { output_dir: directory } = config
  const log = new RunLog({
    directory,
    loggingSteps: config.logging_steps,
    tensorboard: config.report_to.includes('tensorboard')
  })
  const options = await runTrainOptions(model, data, config, runOptions)
  if (resume === undefined) await clearRunFolder(config)
  let isAccepted = resume === undefined
  try {
    const training = train(model, data.train, options)
    for await (const progress of training) {
      try {
        if (!isAccepted) await freeze(config) // the checkpoint is of this configuration, but for what changes no number
        isAccepted = true
        await log.add(progress)
      } catch (error) {
        await training.throw(error) // it saves where it is
      }
      yield progress
    }
    await saveResult(model, directory)
  } catch (error) {
    await settled(log.close()) // what went wrong first is what is told
    throw error
  }
  await log.close()
}

/** Throws, with the checkpoint that has the adapter too, where the folder has no room for it. */
async function saveResult(model: TrainableModel, directory: string): Promise<void> {
  try {
    await model.savePretrained?.(directory)
  } catch (error) {
    if (!(error instanceof SwarmError)) throw error
    const whole = await new Checkpoints({ model }, { directory, run: {} }).newest()
    throw new SwarmError(error.code, `${error.message} (${lastGood}: ${whole})`, { cause: error })
  }
}
