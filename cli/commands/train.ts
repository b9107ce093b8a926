// swarm train: fine-tunes an adapter through the swarm, in a run that can be watched, interrupted and resumed.
import { Command, Option } from 'commander'
import {
  AutoDistributedModelForCausalLM,
  getPeftModel,
  loadTrainingData,
  planTraining,
  prepareRunFolder,
  previewExample,
  runTraining,
  type TrainConfig,
  type TrainingData,
  toPeftConfig,
  toTrainOptions
} from '../../client/index.ts'
import { SwarmError } from '../../common/errors.ts'
import { withResource } from '../../common/resource.ts'
import { type AccessFlags, addAccessOptions, clientAccess } from '../access.ts'
import { type HubFlags, hubOptions, offlineOption, peersSettings } from '../hub.ts'
import { type LogLevel, logOption, parseDtype, parsePositive } from '../options.ts'
import { createLogger, interruptSignal, print } from '../terminal.ts'
import { resolveTrainConfig } from '../train-config.ts'
import { addConfigOptions } from '../train-flags.ts'
import { showTraining } from '../training.ts'

interface TrainFlags extends AccessFlags, Pick<HubFlags, 'offline'> {
  config?: string
  resume?: string | true
  preview?: number | true
  logLevel: LogLevel
}

export function trainCommand(): Command {
  const command = addAccessOptions(new Command('train'))
    .description('fine-tune an adapter through the swarm')
    .argument('[model]', 'folder, GGUF file or hub name of the checkpoint; only what lies outside the blocks is read')
    .argument('[files...]', 'examples: files or folders of .jsonl, .json, .txt (docs/training-data.md)')
    .option('-c, --config <file>', 'YAML file with the configuration below (docs/training.md); flags go before it')
    .option('--resume [checkpoint]', 'go on from a checkpoint of the run, without a path from the newest')
    .addOption(
      new Option('--preview [count]', 'print examples as they would be trained on, and stop').argParser(parsePositive)
    )
    .addOption(offlineOption())
    .addOption(logOption('warn'))
    .action(train)
  return addConfigOptions(command)
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
    joinIsDefault: command.getOptionValueSource('join') === 'env'
  })
  if (flags.preview === undefined) await prepareRunFolder(config, { resume: resume !== undefined })
  const base = await AutoDistributedModelForCausalLM.fromPretrained(config.model, {
    hub: hubOptions({ offline: flags.offline, revision: config.revision }),
    fromPeers: config.from_peers ? peersSettings() : undefined,
    ...(await clientAccess({ ...flags, join: config.initial_peers })),
    requireDtype: config.require_dtype && parseDtype(config.require_dtype),
    logger: createLogger(flags.logLevel),
    signal
  })
  await withResource(base, async () => {
    const { padTokenId = base.config.eosTokenIds[0] ?? 0 } = base.config
    const data = await loadData(base, config, signal)
    for (const line of data.description) print(line)
    if (flags.preview !== undefined) return preview(base, data, flags.preview === true ? 1 : flags.preview)

    const { total } = planTraining(
      data.train.map(({ ids }) => ids.length),
      toTrainOptions(config)
    )
    const tuned = await getPeftModel(base, toPeftConfig(config.peft, total), { seed: config.seed })
    const trained = tuned.parameters().reduce((sum, parameter) => sum + parameter.data.length, 0)
    print(`${total} steps, ${trained.toLocaleString('en')} parameters to train`)
    const last = await showTraining(runTraining(tuned, data, config, { padTokenId, resume, signal }))
    if (last?.stopsEarly) print(`stopped after ${last.step} of ${last.total} steps: evaluations no longer improve`)
    print(`adapter saved in ${config.output_dir}`)
    interrupt.release()
  })
}

/** Positions that virtual tokens take are none that examples can have. */
function virtualTokens({ peft }: TrainConfig): number {
  return Number((peft as { num_virtual_tokens?: number }).num_virtual_tokens ?? 0)
}

async function loadData(
  base: Awaited<ReturnType<typeof AutoDistributedModelForCausalLM.fromPretrained>>,
  config: TrainConfig,
  signal: AbortSignal
): Promise<TrainingData> {
  const { maxPositions, eosTokenIds } = base.config
  const sources = {
    train: config.train_file,
    validation: config.validation_file,
    validationSplit: config.validation_split,
    seed: config.seed,
    format: config.data_format
  }
  const data = await loadTrainingData(sources, {
    tokenizer: base.tokenizer,
    maxPositions: maxPositions - virtualTokens(config),
    task: config.task_type,
    maxSeqLength: config.max_seq_length,
    truncate: config.truncate,
    trainOnInputs: config.train_on_inputs,
    packing: config.packing,
    eosTokenId: eosTokenIds[0],
    signal
  })
  if (data.task === 'CAUSAL_LM') return data
  throw new SwarmError('UNSUPPORTED', `task_type ${data.task}: not yet trained from the command line, only CAUSAL_LM`)
}

function preview(
  { tokenizer }: Awaited<ReturnType<typeof AutoDistributedModelForCausalLM.fromPretrained>>,
  { train, task, labels }: TrainingData,
  count: number
): void {
  for (const example of train.slice(0, count)) print(`\n${previewExample(example, tokenizer, { task, labels })}`)
}
