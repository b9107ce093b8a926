// swarm predict: labels, entities, answers, masked words and vectors of texts, through the swarm.
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { Command, Option } from 'commander'
import { withResource } from '../../common/resource.ts'
import { addModelOptions, type ModelFlags } from '../generation.ts'
import { addAccessOptions, clientAccess } from '../options/access.ts'
import { hubOptions, peersSettings } from '../options/hub.ts'
import { parsePositive } from '../options/options.ts'
import { addLogOptions } from '../terminal/log-options.ts'
import { showProgress } from '../terminal/progress.ts'
import { readPrompt } from '../terminal/prompt.ts'
import { createLogger, interruptSignal, print } from '../terminal/terminal.ts'
import { aggregations } from '../train/entities.ts'
import { openPredictor, type PredictSettings, type PredictTask, predictTasks } from '../train/predictions.ts'

/** The tasks that options of single tasks are for. */
const tasksOf: Readonly<Record<string, readonly PredictTask[]>> = {
  context: ['answer'],
  impossible: ['answer'],
  topK: ['classify', 'answer', 'fill-mask'],
  aggregation: ['tokens'],
  normalize: ['embed']
}

interface PredictFlags extends Omit<ModelFlags, 'adapter'>, Omit<PredictSettings, 'adapter'> {
  adapter?: string
  file?: string
}

export function predictCommand(): Command {
  const command = new Command('predict')
    .description('print labels, entities, answers, masked words or vectors of texts, as a line of JSON each')
    .argument('<task>', `what is wanted: ${predictTasks.join(', ')}`)
    .argument('<model>', 'folder, GGUF file or hub name of the checkpoint; only what lies outside the blocks is read')
    .argument('[texts...]', 'texts, or questions; - or none: the lines of standard input')
    .option('--file <path>', 'read the texts from the lines of a file (default: arguments or standard input)')
    .option('--context <text>', 'answer: the text in which the answer is looked for (default: none)')
    .option('--impossible', 'answer: there may be no answer; it is empty then')
    .option(
      '--top-k <count>',
      'labels, answers or words to print (default: all labels, 1 answer, 5 words)',
      parsePositive
    )
    .addOption(
      new Option(
        '--aggregation <kind>',
        'tokens: print each token, join those of one entity, or join words scored by their first, best or mean token'
      )
        .choices(aggregations)
        .default('first')
    )
    .option('--normalize', "embed: vectors of length 1 (default: as the model's folder says)")
    .action(predict)
  addLogOptions(command)
  return addAccessOptions(addModelOptions(command)).addHelpText(
    'after',
    `
Examples:
  $ swarm predict classify models/tiny "A fine day." --adapter runs/sentiment
  $ swarm predict answer deepset/roberta-base-squad2 "Who wrote it?" --context "Ada wrote the note."
  $ swarm predict embed sentence-transformers/all-MiniLM-L6-v2 --file texts.txt > vectors.jsonl`
  )
}

async function predict(
  task: string,
  path: string,
  texts: string[],
  flags: PredictFlags,
  command: Command
): Promise<void> {
  if (!predictTasks.some(each => each === task)) {
    command.error(`swarm: predict: expected one of ${predictTasks.join(', ')} before the model, found '${task}'`)
  }
  const misplaced = Object.keys(tasksOf).find(
    name => command.getOptionValueSource(name) === 'cli' && !tasksOf[name]!.includes(task as PredictTask)
  )
  if (misplaced !== undefined) {
    const { long } = command.options.find(option => option.attributeName() === misplaced)!
    command.error(`swarm: predict ${task}: ${long} is for ${tasksOf[misplaced]!.join(', ')}`)
  }
  const interrupt = interruptSignal()
  const { signal } = interrupt
  const given = texts.length === 0 || texts[0] === '-' ? undefined : texts
  const lines = async () => {
    const all = flags.file === undefined ? await readPrompt(undefined, { signal }) : await readFile(flags.file, 'utf8')
    return all.split(/\r?\n/).filter(line => line.trim() !== '')
  }
  const inputs = flags.file === undefined && given !== undefined ? given : await lines()
  const options = {
    hub: hubOptions(flags),
    fromPeers: flags.fromPeers ? peersSettings() : undefined,
    ...(await clientAccess(flags)),
    codec: flags.codec,
    requireDtype: flags.requireDtype,
    audit: flags.audit === undefined ? undefined : { probability: flags.audit },
    logger: createLogger(flags.logLevel),
    onProgress: showProgress(),
    signal
  }
  const adapter = flags.adapter === undefined ? undefined : resolve(flags.adapter)
  const settings = { ...flags, adapter }
  await withResource(await openPredictor(path, task as PredictTask, settings, options), async predictor => {
    for (const text of inputs) print(JSON.stringify(await predictor.predict(text)))
  })
  interrupt.release()
}
