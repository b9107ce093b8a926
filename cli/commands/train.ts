// swarm train: fine-tunes an adapter through the swarm, in a run that can be watched, interrupted and resumed.

import { Command, Option } from 'commander'
import {
  AutoDistributedModel,
  describeAudits,
  loadTokenizer,
  loadTrainingData,
  type PretrainedOptions,
  planTraining,
  type Resumed,
  runTraining,
  type Tokenizer,
  type TrainConfig,
  type TrainingData,
  toPeftConfig,
  toTrainOptions
} from '../../client/index.ts'
import { namedLabels } from '../../client/local/labels.ts'
import { kindOf } from '../../client/models/kind.ts'
import { dependsOnLength } from '../../client/optim/index.ts'
import { probeRunFolder } from '../../client/train/index.ts'
import { taskModules } from '../../client/tuning/index.ts'
import { plural } from '../../common/plural.ts'
import { withResource } from '../../common/resource.ts'
import { openCheckpoint } from '../../model/checkpoint/checkpoint.ts'
import type { ModelConfig } from '../../model/config/config.ts'
import { inWordsOfFlags } from '../errors/wording.ts'
import { type AccessFlags, addAccessOptions, clientAccess } from '../options/access.ts'
import { expectArguments } from '../options/arguments.ts'
import { type HubFlags, hubOptions, offlineOption, peersSettings } from '../options/hub.ts'
import { parseDtype, parsePositive } from '../options/options.ts'
import type { LogLevel } from '../terminal/log.ts'
import { addLogOptions } from '../terminal/log-options.ts'
import { showProgress } from '../terminal/progress.ts'
import { createLogger, interruptSignal, print } from '../terminal/terminal.ts'
import { resolveTrainConfig, unnamedFolder } from '../train/config.ts'
import { addConfigOptions } from '../train/flags.ts'
import { previewTraining } from '../train/preview.ts'
import { showTraining } from '../train/run.ts'
import { openTuned } from '../train/task-models.ts'

interface TrainFlags extends AccessFlags, Pick<HubFlags, 'offline'> {
  config?: string
  resume?: string | true
  preview?: number | true
  logLevel: LogLevel
}

export function trainCommand(): Command {
  const command = new Command('train')
    .description('fine-tune an adapter through the swarm')
    .argument('[model]', 'folder, GGUF file or hub name of the checkpoint; only what lies outside the blocks is read')
    .argument('[files...]', 'examples: files or folders of .jsonl, .json, .csv, .tsv, .txt (docs/training-data.md)')
    .action(train)
    .optionsGroup('Run from a file:')
    .option(
      '-c, --config <file>',
      'YAML file with the settings below (docs/training.md); flags override it (default: none)'
    )
    .option('--resume [checkpoint]', 'continue from a checkpoint; without a path from the newest of the run')
    .addOption(
      new Option(
        '--preview [count]',
        'check everything that a run needs, print this many examples as they would be learned, and stop (default: 1)'
      ).argParser(parsePositive)
    )
    .addOption(offlineOption())
  addLogOptions(addAccessOptions(addConfigOptions(command)))
  // a model and a file, where nothing else names them
  const named = ['config', 'resume', 'model', 'trainFile']
  return expectArguments(command, given => (named.some(name => given.has(name)) ? 0 : 2)).addHelpText(
    'after',
    `
Examples:
  $ swarm train models/tiny data/capitals.jsonl --output-dir runs/capitals --target-modules all-linear
  $ swarm train --config run.yaml --preview
  $ swarm train --config run.yaml --resume`
  )
}

async function train(model: string | undefined, files: string[], flags: TrainFlags, command: Command): Promise<void> {
  const interrupt = interruptSignal()
  const { signal } = interrupt
  const resume = flags.resume === 'latest' ? true : flags.resume
  const config = await resolveTrainConfig({
    model,
    trainFiles: files,
    file: flags.config,
    resume,
    join: flags.join,
    flags: command.opts(),
    previews: flags.preview !== undefined,
    note: line => print(`note: ${inWordsOfFlags(line, command.parent!)}`),
    joinIsDefault: command.getOptionValueSource('join') === 'env'
  })
  if (flags.preview === undefined) await probeRunFolder(config, { resume: resume !== undefined })
  const options = await openingOptions(config, flags, signal)
  const source = await openSource(config, options)
  const data = await loadData(source, config, options)
  for (const line of data.description) print(line)
  if (flags.preview !== undefined) {
    const folder = config.output_dir !== unnamedFolder
    const count = flags.preview === true ? 1 : flags.preview
    await previewTraining({ config, data, model: source, options, access: flags, resume, folder, count, signal })
    return interrupt.release()
  }

  const lengths = data.train.map(({ ids }) => ids.length)
  const { total } = planTraining(lengths, toTrainOptions(config))
  await withResource(await openTuned(data, config.model, options, toPeftConfig(config.peft, total)), async tuned => {
    const trained = tuned.parameters().reduce((sum, parameter) => sum + parameter.data.length, 0)
    print(`${plural(total, 'step')}, ${plural(trained, 'parameter')} to train`)
    const { padTokenId = source.config.eosTokenIds[0] ?? 0 } = source.config
    const onResume = (resumed: Resumed) => print(describeResume(resumed, config))
    const running = { padTokenId, resume, onResume, onProgress: options.onProgress, signal }
    const last = await showTraining(runTraining(tuned, data, config, running))
    if (last?.stopsEarly) print(`stopped early after step ${last.step} of ${last.total}: evaluations no longer improve`)
    print(`adapter saved in ${config.output_dir}`)
    const audits = await tuned.audits()
    if (audits !== null) for (const line of describeAudits(audits)) print(line)
    interrupt.release()
  })
}

/** The step at which a run resumes, and the change of its learning rate if its length changed. */
function describeResume({ path, step, total, totalBefore }: Resumed, config: TrainConfig): string {
  const { lr_scheduler_type: course, warmup_steps: warmupSteps, warmup_ratio: warmupRatio } = config
  const line = `resumed from ${path}: ${step} of ${total} steps are done`
  if (step === total) return `${line}; nothing is left to train (raise max_steps or num_train_epochs to go on)`
  if (total === totalBefore) return line
  const rates = dependsOnLength(course, { warmupSteps, warmupRatio })
  return `${line}; the checkpoint is of a run of ${totalBefore}${rates ? `, so the learning rate (${course}) changes to that of ${total} steps` : ''}`
}

async function openingOptions(config: TrainConfig, flags: TrainFlags, signal: AbortSignal): Promise<PretrainedOptions> {
  return {
    hub: hubOptions({ offline: flags.offline, revision: config.revision }),
    fromPeers: config.from_peers ? peersSettings() : undefined,
    ...(await clientAccess({ ...flags, join: config.initial_peers })),
    requireDtype: config.require_dtype && parseDtype(config.require_dtype),
    codec: config.codec,
    audit: config.audit > 0 ? { probability: config.audit } : undefined,
    seed: config.seed,
    logger: createLogger(flags.logLevel),
    onProgress: showProgress(),
    signal
  }
}

/** What the data needs of a model. */
interface Source {
  readonly config: ModelConfig
  readonly tokenizer: Tokenizer
  /** of the model in the swarm, hex */
  readonly identity: string
  /** of a trained head whose classes have names */
  readonly labels?: readonly string[]
}

/** Before the swarm is joined, so that what is wrong with the data is known at once; but from peers there is no other way. */
async function openSource({ model, from_peers }: TrainConfig, options: PretrainedOptions): Promise<Source> {
  if (from_peers) {
    const opened = await AutoDistributedModel.fromPretrained(model, options)
    return await withResource(opened, async ({ config, tokenizer, identity }) => ({ config, tokenizer, identity }))
  }
  const { signal, onProgress } = options
  const { path, config, tensors, identity } = await openCheckpoint(model, {
    signal,
    hub: { ...options.hub, onProgress }
  })
  const hasHead = taskModules('SEQ_CLS').some(name => tensors.has(`${name}.weight`))
  const labels = hasHead ? namedLabels(config.raw) : undefined
  return { config, tokenizer: await loadTokenizer(path, { signal }), identity, labels }
}

/** Positions that virtual tokens take are none that examples can have. */
function virtualTokens({ peft }: TrainConfig): number {
  return Number((peft as { num_virtual_tokens?: number }).num_virtual_tokens ?? 0)
}

async function loadData(
  source: Source,
  config: TrainConfig,
  { onProgress, signal }: PretrainedOptions
): Promise<TrainingData> {
  const { maxPositions, eosTokenIds } = source.config
  const sources = {
    train: config.train_file,
    validation: config.validation_file,
    validationSplit: config.validation_split,
    seed: config.seed,
    format: config.data_format
  }
  return await loadTrainingData(sources, {
    tokenizer: source.tokenizer,
    maxPositions: maxPositions - virtualTokens(config),
    task: config.task_type,
    preferredTask: kindOf(source.config) === 'seq2seq' ? 'SEQ_2_SEQ_LM' : undefined,
    labels: config.labels ?? source.labels,
    maxSeqLength: config.max_seq_length,
    problemType: config.problem_type,
    sourcePrefix: config.source_prefix,
    maxTargetLength: config.max_target_length,
    docStride: config.doc_stride,
    truncate: config.truncate,
    trainOnInputs: config.train_on_inputs,
    packing: config.packing,
    eosTokenId: eosTokenIds[0],
    onProgress,
    signal
  })
}
