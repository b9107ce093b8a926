// swarm train --preview: everything that a run would do and need, checked and said without training.

import {
  type PretrainedOptions,
  previewExample,
  type TrainConfig,
  type TrainingData,
  toPeftConfig
} from '../../client/index.ts'
import { dependsOnLength, warmupStepsOf } from '../../client/optim/index.ts'
import {
  type DataSummary,
  planTraining,
  previewRun,
  type RunPreview,
  summarizeData,
  toTrainOptions
} from '../../client/train/index.ts'
import { intervalOf } from '../../client/train/plan.ts'
import { SwarmError } from '../../common/errors.ts'
import { plural } from '../../common/plural.ts'
import { startOrStop, withResource } from '../../common/resource.ts'
import { formatBytes } from '../../common/units.ts'
import type { ModelConfig } from '../../model/config/config.ts'
import type { Tokenizer } from '../../model/text/tokenizer.ts'
import { findServers } from '../../network/discovery/discovery.ts'
import { createNetwork } from '../../network/node.ts'
import { SwarmStateError } from '../../network/state/error.ts'
import { modelsOf, swarmState } from '../../network/state/swarm-state.ts'
import { type AccessFlags, networkAccess, readAccess } from '../options/access.ts'
import { print } from '../terminal/terminal.ts'
import { openTuned, type TunedModel } from './task-models.ts'

export interface PreviewInit {
  readonly config: TrainConfig
  readonly data: TrainingData
  readonly model: { readonly config: ModelConfig; readonly tokenizer: Tokenizer; readonly identity: string }
  readonly options: PretrainedOptions
  readonly access: AccessFlags
  readonly resume?: string | true
  /** the configuration names the folder of the run */
  readonly folder: boolean
  /** examples to print */
  readonly count: number
  readonly signal: AbortSignal
}

const number = (value: number): string => value.toLocaleString('en', { maximumFractionDigits: 2 })

function describeExamples(name: string, summary: DataSummary, { task, labels = [] }: TrainingData): string[] {
  const { examples, tokens, labels: learned, shortest, median, longest, classes } = summary
  const sizes =
    shortest === longest ? `${plural(longest, 'token')} each` : `${shortest} to ${longest} tokens, median ${median}`
  const share = `${number(learned)} of ${plural(tokens, 'token')} learned (${Math.round((100 * learned) / tokens)} %)`
  const lines = [`${name}: ${plural(examples, 'example')}, ${sizes}${task === 'CAUSAL_LM' ? `, ${share}` : ''}`]
  if (classes !== undefined) {
    lines.push(`  classes: ${classes.map((found, index) => `${labels[index]} ${number(found)}`).join(', ')}`)
    const missing = labels.filter((_, index) => classes[index] === 0)
    if (missing.length > 0) lines.push(`  no example of ${missing.join(', ')}`)
  }
  return lines
}

function describeSteps(config: TrainConfig, { train }: TrainingData): string[] {
  const { per_device_train_batch_size: rows, gradient_accumulation_steps: batches } = config
  const options = toTrainOptions(config)
  const { total, stepsPerEpoch } = planTraining(
    train.map(({ ids }) => ids.length),
    options
  )
  const { lr_scheduler_type: course, learning_rate: rate, save_steps, save_strategy } = config
  const of = config.max_steps > 0 ? 'max_steps' : 'num_train_epochs'
  const saved = {
    no: 'at the end',
    best: 'after each best evaluation and at the end',
    epoch: `every ${plural(stepsPerEpoch, 'step')} and at the end`,
    steps: `every ${plural(intervalOf(save_steps, total), 'step')} and at the end`
  }[save_strategy]
  const warmup = course === 'constant' ? '' : `, after ${plural(warmupStepsOf(options, total), 'step')} of warm-up`
  return [
    `steps: ${number(total)} (${of}), ${number(stepsPerEpoch)} an epoch, ${plural(total / stepsPerEpoch, 'epoch')}; ` +
      `${plural(rows, 'example')} a batch, ${plural(batches, 'batch').replace(/batchs$/, 'batches')} a step`,
    `learning rate: ${rate}, ${course}${warmup}; checkpoints ${saved}`
  ]
}

function describeRun({ config, folder }: PreviewInit, run: RunPreview): string[] {
  const lines = [`adapter: ${config.peft.peft_type}, ${plural(run.trained, 'parameter')} to train`]
  if (run.evaluationInterval !== null)
    lines.push(`evaluation: every ${plural(run.evaluationInterval, 'step')} and at the end`)
  const loaded = process.memoryUsage().rss
  lines.push(
    `memory of this client: about ${formatBytes(loaded + run.addedBytes)} (${formatBytes(loaded)} with the model loaded, ` +
      `${formatBytes(run.addedBytes)} for training)`
  )
  if (run.resumed !== undefined) {
    const { path, step, total, totalBefore } = run.resumed
    const rates = dependsOnLength(config.lr_scheduler_type, toTrainOptions(config))
    const changed = total !== totalBefore && rates ? ', and the learning rate follows the new length' : ''
    lines.push(`resume: from ${path}, ${step} of ${plural(total, 'step')} done${changed}`)
  }
  if (!folder) lines.push('output folder: not checked (no output_dir; a run needs one)')
  else if (run.faults.length === 0) lines.push(`output folder: ${config.output_dir} can be written`)
  return lines
}

/** The run's model with its adapter, without the swarm unless its tensors come from there. */
async function inspectModel(init: PreviewInit, inspect: (tuned: TunedModel) => Promise<void>): Promise<void> {
  const { config, data, options, signal } = init
  const { total } = planTraining(
    data.train.map(({ ids }) => ids.length),
    toTrainOptions(config)
  )
  // never started: nothing of a preview is sent
  const network = config.from_peers ? undefined : await createNetwork({ listen: [] })
  try {
    const opening = { ...options, network, signal }
    await withResource(await openTuned(data, config.model, opening, toPeftConfig(config.peft, total)), inspect)
  } finally {
    await network?.stop()
  }
}

/** Joins the swarm and looks for servers of the model. Throws UNREACHABLE, BLOCKS_UNAVAILABLE. */
async function lookForServers({ config, model, access, signal }: PreviewInit): Promise<string> {
  const flags = { ...access, join: [...config.initial_peers] }
  const entry = networkAccess(await readAccess(flags), { model: model.identity })
  const network = await createNetwork({ listen: [], ...entry })
  try {
    await startOrStop(network, signal)
    const servers = await findServers(network, model.identity, { signal })
    const blocks = { first: 0, end: model.config.numBlocks }
    const named = { identity: model.identity, name: config.model }
    const served = servers.length > 0 ? [] : modelsOf(await findServers(network, '', { signal }))
    const state = swarmState({ connected: 1, swarm: entry.swarmName, model: named, blocks, servers, served })
    if (state.kind !== 'complete') throw new SwarmStateError(state)
    return `reached, ${plural(servers.length, 'server')} ${servers.length === 1 ? 'holds' : 'hold'} all ${plural(blocks.end, 'block')}`
  } finally {
    await network.stop()
  }
}

/**
 * Prints what a run would do, with some examples as it would learn them. Throws what would end the run before its first step; all
 * faults together where there are several.
 */
export async function previewTraining(init: PreviewInit): Promise<void> {
  const { config, data, model, access, folder, resume, signal } = init
  const { train, validation, task, labels } = data
  const faults: SwarmError[] = []
  const check = async (inspect: () => Promise<void>): Promise<void> => {
    try {
      await inspect()
    } catch (error) {
      if (!(error instanceof SwarmError) || error.code === 'ABORTED') throw error
      faults.push(error)
    }
  }
  const say = (lines: readonly string[]): void => {
    for (const line of lines) print(line)
  }
  say(describeExamples('training', summarizeData(train, labels), data))
  if (validation.length > 0) say(describeExamples('validation', summarizeData(validation, labels), data))
  say(describeSteps(config, data))
  await check(() =>
    inspectModel(init, async tuned => {
      const { padTokenId = model.config.eosTokenIds[0] ?? 0, hiddenSize, vocabSize } = model.config
      const virtualTokens = Number((config.peft as { num_virtual_tokens?: number }).num_virtual_tokens ?? 0)
      const sizes = { hiddenSize, scores: labels?.length ?? vocabSize, virtualTokens }
      const run = await previewRun(tuned, data, config, { padTokenId, resume, folder, sizes, signal })
      say(describeRun(init, run))
      faults.push(...run.faults)
    })
  )
  if (config.initial_peers.length > 0 || access.swarm !== undefined) {
    await check(async () => print(`swarm: ${await lookForServers(init)}`))
  } else {
    print('swarm: not tried (no --join, --swarm or initial_peers; a run would look for peers on the LAN)')
  }
  for (const example of train.slice(0, init.count)) {
    print(`\n${previewExample(example, model.tokenizer, { task, labels })}`)
  }
  const [first, ...others] = faults
  if (first === undefined) return
  if (others.length === 0) throw first
  throw new SwarmError(first.code, `the run would fail: ${faults.map(({ message }) => message).join('; ')}`)
}
