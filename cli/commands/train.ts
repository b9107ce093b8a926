// swarm train: fine-tunes an adapter through the swarm and saves it in PEFT's format.

import { resolve } from 'node:path'
import { Command, Option } from 'commander'
import {
  AutoDistributedModelForCausalLM,
  getPeftModel,
  loadDataset,
  planTraining,
  tokenizeExamples
} from '../../client/index.ts'
import { SwarmError } from '../../common/errors.ts'
import { withResource } from '../../common/resource.ts'
import type { Precision } from '../../model/precision.ts'
import { fromPeersOption, type HubFlags, hubOptions, offlineOption, peersSettings, revisionOption } from '../hub.ts'
import {
  joinOption,
  type LogLevel,
  logOption,
  parseNumber,
  parsePositive,
  parseWhole,
  requireDtypeOption
} from '../options.ts'
import { type PeftFlags, peftConfig, tuningMethods } from '../peft-config.ts'
import { createLogger, interruptSignal, print } from '../terminal.ts'
import { prepareOutput, runTraining } from '../training.ts'

interface TrainFlags extends HubFlags, PeftFlags {
  join: string[]
  requireDtype?: Precision
  output: string
  epochs?: number
  steps?: number
  batchSize: number
  gradientAccumulation: number
  learningRate: number
  schedule: 'constant' | 'linear' | 'cosine'
  warmupSteps: number
  weightDecay: number
  maxGradNorm: number
  maxLength?: number
  seed: number
  logLevel: LogLevel
}

export function trainCommand(): Command {
  return new Command('train')
    .description('fine-tune an adapter through the swarm')
    .argument(
      '<model>',
      'folder, GGUF file or hub name of the checkpoint; only embeddings, last norm and head are read'
    )
    .argument('<dataset>', 'JSONL file, a line {"prompt": …, "completion": …} for each example')
    .addOption(joinOption().makeOptionMandatory())
    .addOption(requireDtypeOption())
    .addOption(revisionOption())
    .addOption(offlineOption())
    .addOption(fromPeersOption())
    .requiredOption('-o, --output <folder>', "where the adapter is saved, in PEFT's format")
    .addOption(new Option('--method <method>', 'what is trained').choices(tuningMethods).default('lora'))
    .option('-r, --rank <r>', 'LoRA, AdaLoRA: rank, of AdaLoRA the mean at the end', parsePositive, 8)
    .option('--alpha <alpha>', 'LoRA: scaling is alpha / r (default: twice the rank)', parseNumber)
    .option('--dropout <p>', 'LoRA: dropout on its inputs', parseNumber, 0)
    .option('--target-modules <name...>', 'LoRA: which linear modules, or all-linear', ['all-linear'])
    .option('--virtual-tokens <count>', 'prompt, prefix, p-tuning: trained vectors before the input', parsePositive, 16)
    .option('--projection', 'prefix: made by a network while they are trained')
    .addOption(
      new Option('--encoder <kind>', 'p-tuning: network that makes the vectors').choices(['mlp', 'lstm']).default('mlp')
    )
    .option('--encoder-hidden-size <size>', 'prefix, p-tuning: of the network', parsePositive)
    .addOption(
      new Option('--epochs <count>', 'passes over the dataset (default: 1)').argParser(parsePositive).conflicts('steps')
    )
    .option('--steps <count>', 'optimizer steps, instead of epochs', parsePositive)
    .option('--batch-size <count>', 'examples that go through the model together', parsePositive, 8)
    .option('--gradient-accumulation <count>', 'batches for one optimizer step', parsePositive, 1)
    .option('--learning-rate <rate>', 'highest learning rate', parseNumber, 2e-3)
    .addOption(
      new Option('--schedule <name>', 'course of the learning rate')
        .choices(['constant', 'linear', 'cosine'])
        .default('linear')
    )
    .option('--warmup-steps <count>', 'steps over which the learning rate rises', parseWhole, 0)
    .option('--weight-decay <factor>', 'AdamW', parseNumber, 0)
    .option('--max-grad-norm <norm>', 'longer gradients are shortened to this', parseNumber, 1)
    .option('--max-length <tokens>', 'longest example that is accepted', parsePositive)
    .option('--seed <number>', 'of the first values, the order of examples and dropout', parseWhole, 0)
    .addOption(logOption('warn'))
    .action(train)
}

async function train(path: string, dataset: string, flags: TrainFlags): Promise<void> {
  const interrupt = interruptSignal()
  const { signal } = interrupt
  const output = resolve(flags.output)
  await prepareOutput(output)
  const pairs = await loadDataset(resolve(dataset), { signal })
  await withResource(
    await AutoDistributedModelForCausalLM.fromPretrained(path, {
      hub: hubOptions(flags, { quiet: false }),
      fromPeers: flags.fromPeers ? peersSettings({ quiet: false }) : undefined,
      initialPeers: flags.join,
      requireDtype: flags.requireDtype,
      logger: createLogger(flags.logLevel),
      signal
    }),
    async base => {
      const { maxPositions, padTokenId, eosTokenIds } = base.config
      const examples = tokenizeExamples(pairs, base.tokenizer, {
        eosTokenId: eosTokenIds[0],
        maxLength: Math.min(flags.maxLength ?? maxPositions, maxPositions)
      })
      const options = {
        learningRate: flags.learningRate,
        lrSchedulerType: flags.schedule,
        warmupSteps: flags.warmupSteps,
        weightDecay: flags.weightDecay,
        maxGradNorm: flags.maxGradNorm,
        seed: flags.seed,
        maxSteps: flags.steps,
        numTrainEpochs: flags.epochs ?? 1,
        perDeviceTrainBatchSize: flags.batchSize,
        gradientAccumulationSteps: flags.gradientAccumulation
      }
      const lengths = examples.map(({ ids }) => ids.length)
      const model = await getPeftModel(base, peftConfig(flags, planTraining(lengths, options).total), {
        seed: flags.seed
      })
      const trained = model.parameters().reduce((sum, parameter) => sum + parameter.data.length, 0)
      print(`${examples.length} examples, ${trained.toLocaleString('en')} parameters to train`)

      try {
        await runTraining(model, examples, { ...options, padTokenId: padTokenId ?? eosTokenIds[0] ?? 0, signal })
      } catch (error) {
        // what has been learned until Ctrl-C is not thrown away
        if (!(error instanceof SwarmError && error.code === 'ABORTED')) throw error
        await model.savePretrained(output)
        throw new SwarmError('ABORTED', `interrupted; the adapter as it is now is in ${output}`)
      }
      await model.savePretrained(output)
      print(`adapter saved in ${output}`)
      interrupt.release()
    }
  )
}
