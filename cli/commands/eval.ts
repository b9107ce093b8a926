// swarm eval: measures a model, with an adapter or without, over data, through the swarm.
import { resolve } from 'node:path'
import { Command, InvalidArgumentError, Option } from 'commander'
import {
  type Codec,
  type DataFormatName,
  type DataTask,
  dataFormatNames,
  dataTasks,
  problemTypes,
  readAdapterInfo,
  taskOfData
} from '../../client/index.ts'
import type { Precision } from '../../model/quantize/precision.ts'
import { type AccessFlags, addAccessOptions, clientAccess } from '../options/access.ts'
import {
  fromPeersOption,
  type HubFlags,
  hubOptions,
  offlineOption,
  peersSettings,
  revisionOption
} from '../options/hub.ts'
import { codecOption, jsonOption, parsePositive, requireDtypeOption } from '../options/options.ts'
import type { LogLevel } from '../terminal/log.ts'
import { addLogOptions } from '../terminal/log-options.ts'
import { showProgress } from '../terminal/progress.ts'
import { createLogger, interruptSignal, print } from '../terminal/terminal.ts'
import { type MeasureSettings, measure } from '../train/measure.ts'

interface EvalFlags extends AccessFlags, HubFlags, MeasureSettings {
  codec?: Codec
  requireDtype?: Precision
  adapter?: string
  format?: DataFormatName
  taskType?: DataTask
  json?: boolean
  logLevel: LogLevel
}

function parseLabels(text: string): string[] {
  const labels = text.split(',').map(label => label.trim())
  if (labels.length > 1 && labels.every(label => label !== '')) return labels
  throw new InvalidArgumentError('expected names with commas between them: address,novel,scripture')
}

export function evalCommand(): Command {
  const command = new Command('eval')
    .description('measure a model over data through the swarm, by what its task is measured by (docs/evaluation.md)')
    .argument('<model>', 'folder, GGUF file or hub name of the checkpoint; only what lies outside the blocks is read')
    .argument('<data...>', 'files or folders of .jsonl, .json, .csv, .tsv, .txt (docs/training-data.md)')
    .addOption(codecOption('fp32, for generated answers fp16'))
    .addOption(requireDtypeOption())
    .addOption(revisionOption())
    .addOption(offlineOption())
    .addOption(fromPeersOption())
    .option('-a, --adapter <folder>', 'adapter to measure, as swarm train or PEFT saved it (default: none)')
    .addOption(
      new Option('--format <name>', 'format of the data (default: detected from its first row)').choices(
        dataFormatNames
      )
    )
    .option('--max-seq-length <tokens>', "longest sequence (default: the model's positions)", parsePositive)
    .option('--truncate', 'cut longer examples at their end instead of refusing them')
    .option('--train-on-inputs', 'measure the tokens of prompts, too')
    .option('--stride <tokens>', 'step between two windows of a .txt file (default: half a window)', parsePositive)
    .option('--batch-size <count>', 'examples in a batch', parsePositive, 8)
    .option(
      '--labels <names>',
      'names of the classes in their order, with commas between them (default: those of model and data)',
      parseLabels
    )
    .addOption(
      new Option('--task-type <name>', 'task (default: that of the adapter, else of the data)').choices(dataTasks)
    )
    .addOption(
      new Option('--problem-type <name>', 'what the labels of texts are (default: by the data)').choices(problemTypes)
    )
    .addOption(
      new Option('--entity-mode <name>', 'how tags become entities: default, or strict, which takes IOB2 only')
        .choices(['default', 'strict'])
        .default('default')
    )
    .option('--source-prefix <text>', 'text before every source of sequence to sequence (default: none)')
    .option(
      '--max-target-length <tokens>',
      'longest written text of sequence to sequence (default: that of the longest target)',
      parsePositive
    )
    .option('--num-beams <count>', 'beams of written texts (default: 1)', parsePositive)
    .option('--doc-stride <tokens>', 'tokens that pieces of a long context share (default: 128)', parsePositive)
    .option('--max-answer-length <tokens>', 'longest answer to a question (default: 30)', parsePositive)
    .option('--exact-match', 'also generate answers to prompts and compare them')
    .addOption(jsonOption())
    .action(evaluate)
  return addLogOptions(addAccessOptions(command))
}

async function evaluate(path: string, data: string[], flags: EvalFlags): Promise<void> {
  const interrupt = interruptSignal()
  const { signal } = interrupt
  const source = { train: data, format: flags.format }
  const adapter = flags.adapter === undefined ? undefined : resolve(flags.adapter)
  const info = adapter === undefined ? undefined : await readAdapterInfo(adapter, { signal })
  const task: DataTask = flags.taskType ?? info?.task ?? (await taskOfData(source, { signal }))
  const options = {
    hub: hubOptions(flags),
    fromPeers: flags.fromPeers ? peersSettings() : undefined,
    ...(await clientAccess(flags)),
    codec: flags.codec,
    requireDtype: flags.requireDtype,
    logger: createLogger(flags.logLevel),
    onProgress: showProgress(flags),
    signal
  }
  const { lines, json } = await measure(task, { path, adapter, info, source, options, settings: flags })
  if (flags.json) print(JSON.stringify({ task, ...json }, null, 2))
  else for (const line of lines) print(line)
  interrupt.release()
}
