// swarm demo, which is npm start: a whole swarm on this machine generates, learns, and answers what it has learned.

import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { Command } from 'commander'
import {
  AutoDistributedModelForCausalLM,
  type DistributedModelForCausalLM,
  getPeftModel,
  loadDataset,
  type PeftModel,
  type PromptCompletion,
  tokenizeExamples,
  train
} from '../../client/index.ts'
import { packageFolder } from '../../common/files/package-folder.ts'
import { formatRange } from '../../common/range.ts'
import { withResource } from '../../common/resource.ts'
import { findServers } from '../../network/discovery/discovery.ts'
import { parsePositive } from '../options/options.ts'
import { type OnlineEvent, startServers } from '../peer/local-swarm.ts'
import { showProgress, whileWaiting } from '../terminal/progress.ts'
import { interruptSignal, print, screen } from '../terminal/terminal.ts'
import { showTraining } from '../train/run.ts'
import { drawCoverage, toServerRow } from '../views/coverage.ts'

interface DemoFlags {
  output?: string
  epochs: number
}

const model = join(packageFolder(), 'models/tiny')
const dataset = join(packageFolder(), 'data/capitals.jsonl')
const ranges = [
  { first: 0, end: 4 },
  { first: 4, end: 8 },
  { first: 8, end: 12 }
]
const shown = ['Vermont', 'Texas', 'Oregon']

export function demoCommand(): Command {
  return new Command('demo')
    .description('start a small swarm on this machine, generate, fine-tune, compare')
    .option('-o, --output <folder>', 'where the adapter is saved (default: a new temporary folder)')
    .option('--epochs <count>', 'passes over the 50 capitals', parsePositive, 20)
    .action(demo)
}

async function demo(flags: DemoFlags): Promise<void> {
  const interrupt = interruptSignal()
  const { signal } = interrupt
  const started = performance.now()
  print('Starting three servers, each a process of its own, over models/tiny (12 blocks) …')
  const onOnline = ({ blocks }: OnlineEvent): void => print(`  a server of ${formatRange(blocks!)} is online`)
  const servers = await whileWaiting('waiting for the servers', () => startServers(model, ranges, { signal, onOnline }))
  try {
    await withResource(
      await AutoDistributedModelForCausalLM.fromPretrained(model, {
        initialPeers: servers.map(server => server.address),
        signal
      }),
      async base => {
        print()
        const found = await findServers(base.network, base.identity, { signal })
        for (const line of drawCoverage(
          'tiny',
          base.config.numBlocks,
          found.map(server => toServerRow(server))
        ))
          print(line)

        print('\nGenerating through all three:')
        const answer = screen.openAnswer()
        answer.write('  It was a dark')
        for await (const { text } of base.generateStream('It was a dark', { maxNewTokens: 40, signal })) {
          answer.write(text.replaceAll('\n', '\n  '))
        }
        answer.end()

        await teach(base, flags, signal)
      }
    )
  } finally {
    await Promise.all(servers.map(server => server.stop()))
    interrupt.release()
  }
  print(`\nAll servers stopped. ${((performance.now() - started) / 1000).toFixed(0)} seconds in all.`)
  print('Next: an API and a page for your browser: npx swarm up models/tiny')
}

async function teach(base: DistributedModelForCausalLM, flags: DemoFlags, signal: AbortSignal): Promise<void> {
  const pairs = await loadDataset(dataset, { signal })
  const asked = `answering ${pairs.length} questions`
  const before = await whileWaiting(asked, () => answers(base, pairs, signal))
  print(
    `\nTeaching it the ${pairs.length} state capitals with a LoRA adapter; the gradients come back through the servers:`
  )
  const tuned = await getPeftModel(
    base,
    { peftType: 'LORA', r: 16, loraAlpha: 32, loraDropout: 0, targetModules: 'all-linear' },
    { seed: 0 }
  )
  const [eosTokenId] = base.config.eosTokenIds
  const run = train(tuned, tokenizeExamples(pairs, base.tokenizer, { eosTokenId }), {
    numTrainEpochs: flags.epochs,
    perDeviceTrainBatchSize: 25,
    learningRate: 4e-3,
    lrSchedulerType: 'cosine',
    padTokenId: base.config.padTokenId ?? 0,
    onProgress: showProgress(),
    signal
  })
  await showTraining(run)
  const output = flags.output === undefined ? await mkdtemp(join(tmpdir(), 'swarm-capitals-')) : resolve(flags.output)
  await tuned.savePretrained(output)
  const after = await whileWaiting(asked, () => answers(tuned, pairs, signal))

  print(`\nAdapter saved in ${output} (PEFT's format).\n`)
  for (const state of shown) {
    const index = pairs.findIndex(({ prompt }) => prompt.includes(state))
    print(`  ${pairs[index]!.prompt}`)
    print(`    before: ${JSON.stringify(before[index])}`)
    print(`    after:  ${JSON.stringify(after[index])}`)
  }
  print(`\nAnswered right: ${share(pairs, before)} before, ${share(pairs, after)} after.`)
}

/** What the model says after each prompt, up to the first full stop. All prompts go through the servers as one batch. */
async function answers(
  model: DistributedModelForCausalLM | PeftModel,
  pairs: readonly PromptCompletion[],
  signal: AbortSignal
): Promise<string[]> {
  const prompts = pairs.map(({ prompt }) => model.tokenizer.encode(prompt))
  const rows = await model.generate(prompts, { maxNewTokens: 10, signal })
  const longest = Math.max(...prompts.map(prompt => prompt.length))
  return rows.map(row => {
    const text = model.tokenizer.decode(row.slice(longest), { skipSpecialTokens: true })
    return text.includes('.') ? text.slice(0, text.indexOf('.') + 1) : text
  })
}

function share(pairs: readonly PromptCompletion[], texts: readonly string[]): string {
  const right = pairs.filter(({ completion }, index) => texts[index]!.trim() === completion.trim()).length
  return `${right} of ${pairs.length} (${Math.round((100 * right) / pairs.length)} %)`
}
