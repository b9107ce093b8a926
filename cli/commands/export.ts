// swarm export: writes a model with an adapter merged into it, as a new checkpoint. Needs no swarm.
import { resolve } from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import { type ExportDType, exportMerged } from '../../client/index.ts'
import { formatBytes, GiB } from '../../common/units.ts'
import { openCheckpoint } from '../../model/checkpoint/checkpoint.ts'
import { type HubFlags, hubOptions, offlineOption, revisionOption } from '../options/hub.ts'
import { parseBytes } from '../options/options.ts'
import { addQuietOption } from '../terminal/log-options.ts'
import { showProgress } from '../terminal/progress.ts'
import { interruptSignal, print } from '../terminal/terminal.ts'

interface ExportFlags extends HubFlags {
  adapter: string
  output: string
  dtype?: ExportDType
  shardSize: number
}

const dtypeNames = new Map<string, ExportDType>([
  ['fp32', 'float32'],
  ['fp16', 'float16'],
  ['bf16', 'bfloat16']
])

function parseWeightDtype(text: string): ExportDType {
  const found = dtypeNames.get(text) ?? [...dtypeNames.values()].find(name => name === text)
  if (found !== undefined) return found
  throw new InvalidArgumentError(`expected ${[...dtypeNames.keys()].join(', ')}`)
}

export function exportCommand(): Command {
  return addQuietOption(new Command('export'))
    .description('merge an adapter into its model and write a checkpoint that transformers loads; needs no swarm')
    .argument('<model>', 'folder, GGUF file or hub name of the base model; all of its weights are read')
    .requiredOption('-a, --adapter <folder>', 'adapter to merge, as swarm train or PEFT saved it')
    .requiredOption('-o, --output <folder>', 'new or empty folder for the checkpoint')
    .option('--dtype <dtype>', 'fp32, fp16 or bf16 for all weights (default: each as it is stored)', parseWeightDtype)
    .option('--shard-size <size>', 'most bytes of weights in one file', parseBytes, 5 * GiB)
    .addOption(revisionOption())
    .addOption(offlineOption())
    .action(exportModel)
}

async function exportModel(path: string, flags: ExportFlags): Promise<void> {
  const interrupt = interruptSignal()
  const { signal } = interrupt
  const onProgress = showProgress()
  const checkpoint = await openCheckpoint(path, { hub: { ...hubOptions(flags), onProgress }, signal })
  const output = resolve(flags.output)
  try {
    const { merged, files, bytes } = await exportMerged(checkpoint, resolve(flags.adapter), output, {
      dtype: flags.dtype,
      shardBytes: flags.shardSize,
      onProgress,
      signal
    })
    const count = files.length === 1 ? files[0] : `${files.length} files`
    print(`${merged} of ${checkpoint.tensors.size} tensors merged; ${formatBytes(bytes)} in ${count}: ${output}`)
  } finally {
    interrupt.release()
  }
}
