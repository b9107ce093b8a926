// swarm eval through processes: perplexity of Hugging Face, exact answers of a trained adapter, classes by hand.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { type PeerProcess, startServers } from '../../cli/peer/local-swarm.ts'
import {
  AutoDistributedModelForCausalLM,
  AutoDistributedModelForSequenceClassification,
  AutoDistributedModelForTokenClassification,
  collate,
  type Example,
  getPeftModel,
  loadTrainingData,
  type TrainableModel,
  train
} from '../../client/index.ts'
import type { Float32Tensor } from '../../common/tensor.ts'
import { second } from '../../common/units.ts'

const run = promisify(execFile)
const root = join(import.meta.dirname, '../..')
const model = join(root, 'models/tiny')
const capitals = join(root, 'data/capitals.jsonl')

interface Measures {
  readonly loss: number
  readonly perplexity: number
  readonly tokens: number
}

const { language } = JSON.parse(readFileSync(join(root, 'test/reference/evaluation.json'), 'utf8')) as {
  language: { capitals: Measures; text: Measures & { content: string; length: number; stride: number } }
}

function assertMeasures(found: Measures, expected: Measures): void {
  assert.equal(found.tokens, expected.tokens)
  assert.ok(Math.abs(found.loss - expected.loss) < 1e-4, `loss ${found.loss}, expected ${expected.loss}`)
  const ratio = found.perplexity / expected.perplexity
  assert.ok(Math.abs(ratio - 1) < 1e-4, `perplexity ${found.perplexity}, expected ${expected.perplexity}`)
}

describe('swarm eval', { timeout: 240 * second }, () => {
  let home: string
  let servers: PeerProcess[] = []
  before(async () => {
    home = await mkdtemp(join(tmpdir(), 'swarm-eval-'))
    process.env.SWARM_HOME = join(home, 'data')
    const ranges = [
      { first: 0, end: 6 },
      { first: 6, end: 12 }
    ]
    servers = await startServers(model, ranges)
  })
  after(async () => {
    await Promise.all(servers.map(peer => peer.stop()))
    await rm(home, { recursive: true, force: true })
  })

  async function evaluate(...args: string[]): Promise<string> {
    const all = [join(root, 'cli/bin.js'), 'eval', model, ...args, '--join', servers[0]!.address]
    const { stdout } = await run(process.execPath, all, { cwd: root, timeout: 120 * second })
    return stdout
  }
  const evaluateJson = async (...args: string[]) => JSON.parse(await evaluate(...args, '--json'))

  const connection = () => ({ initialPeers: [servers[0]!.address] })

  async function save(name: string, rows: readonly unknown[]): Promise<string> {
    const path = join(home, name)
    await writeFile(path, rows.map(row => `${JSON.stringify(row)}\n`).join(''))
    return path
  }

  async function teach(tuned: TrainableModel, examples: readonly Example[], steps: number): Promise<void> {
    const options = { maxSteps: steps, perDeviceTrainBatchSize: 6, learningRate: 8e-3, padTokenId: 1 }
    for await (const { loss } of train(tuned, examples, options)) assert.ok(Number.isFinite(loss))
  }

  test('has the perplexity of Hugging Face for completions, and for a text in windows that overlap', async () => {
    assertMeasures(await evaluateJson(capitals, '--batch-size', '7'), language.capitals)
    const { content, length, stride } = language.text
    const text = join(home, 'text.txt')
    await writeFile(text, content)
    assertMeasures(await evaluateJson(text, '--max-seq-length', `${length}`, '--stride', `${stride}`), language.text)
    assert.match(
      await evaluate(text, '--max-seq-length', '128'),
      /text\.txt: plain text, 725 tokens in \d+ windows of up to 128\n\nperplexity \d+\.\d+ \(loss \d\.\d{4}\) over 724 tokens/
    )
  })

  test('tells how many answers are exactly right, with an adapter and without', async () => {
    const rows = readFileSync(capitals, 'utf8')
      .split('\n')
      .slice(0, 6)
      .map(line => JSON.parse(line) as object)
    const data = await save('six.jsonl', rows)
    const adapter = join(home, 'six')
    const base = await AutoDistributedModelForCausalLM.fromPretrained(model, connection())
    try {
      const tuned = await getPeftModel(base, { peftType: 'LORA', r: 8, loraAlpha: 16, targetModules: 'all-linear' })
      const context = { tokenizer: base.tokenizer, maxPositions: 64, eosTokenId: base.config.eosTokenIds[0]! }
      await teach(tuned, (await loadTrainingData({ train: data }, context)).train, 20)
      await tuned.savePretrained(adapter)
    } finally {
      await base.close()
    }
    const before = await evaluateJson(data, '--exact-match')
    const after = await evaluateJson(data, '--exact-match', '--adapter', adapter)
    assert.deepEqual([before.questions, before.matched, after.matched], [6, 0, 6])
    assert.ok(after.perplexity < 1.5 && before.perplexity > 50, `${before.perplexity} -> ${after.perplexity}`)
  })

  /** The greatest of the last `count` numbers of a row of logits. */
  const likeliest = ({ data }: Float32Tensor, place: number, count: number): number => {
    const scores = [...data.subarray(place * count, (place + 1) * count)]
    return scores.indexOf(Math.max(...scores))
  }

  test('scores the classes of sequences and of tokens as the logits say, by the names that the adapter keeps', async () => {
    const animals = ['cat', 'dog', 'horse', 'cow', 'bird', 'fish']
    const texts = animals.flatMap(animal => [
      { text: `The ${animal} ran away.`, label: 'animal' },
      { text: `He sat down to read ${animal.length} books.`, label: 'person' }
    ])
    const tags = animals.map(animal => ({ tokens: ['The', animal, 'ran'], tags: ['O', 'ANIMAL', 'O'] }))
    const tasks = [
      ['sequences', texts, AutoDistributedModelForSequenceClassification],
      ['words', tags, AutoDistributedModelForTokenClassification]
    ] as const
    for (const [name, rows, opener] of tasks) {
      const data = await save(`${name}.jsonl`, rows)
      const adapter = join(home, name)
      const labels = name === 'words' ? ['ANIMAL', 'O'] : ['animal', 'person']
      const confusion = [
        [0, 0],
        [0, 0]
      ]
      const base = await opener.fromPretrained(model, { ...connection(), id2label: labels, seed: 3 })
      try {
        const config = { peftType: 'PROMPT_TUNING', numVirtualTokens: 3 } as const
        const tuned = base.task === 'SEQ_CLS' ? await getPeftModel(base, config) : await getPeftModel(base, config)
        const context = { tokenizer: base.tokenizer, maxPositions: 64, labels }
        const { train: examples } = await loadTrainingData({ train: data }, context)
        await teach(tuned, examples, 3)
        await tuned.savePretrained(adapter)
        for (const example of examples) {
          const { logits } = await tuned.forward(collate([example], 0), { training: false })
          for (const [place, label] of example.labels.entries()) {
            if (label === -100) continue
            const row = name === 'words' ? 3 + place : 0
            confusion[label]![likeliest(logits, row, 2)]! += 1
          }
        }
      } finally {
        await base.close()
      }
      const found = await evaluateJson(data, '--adapter', adapter, '--batch-size', '5')
      assert.deepEqual(found.confusion_matrix, confusion)
      assert.deepEqual(
        found.classes.map(({ label }: { label: string }) => label),
        labels
      )
      assert.equal(found.accuracy, (confusion[0]![0]! + confusion[1]![1]!) / found.count)
      assert.match(
        await evaluate(data, '--adapter', adapter),
        /accuracy \d+\.\d %.*macro F1.*\n\nclass +precision +recall +F1 +count\n/
      )
    }
  })

  test('refuses data for another task than the adapter, and classes that the head does not have', async () => {
    const adapter = join(home, 'sequences')
    const rejects = (args: string[], message: RegExp) =>
      assert.rejects(evaluate(...args), (error: { code: number; stderr: string }) => {
        assert.equal(error.code, 1)
        assert.match(error.stderr, message)
        return true
      })
    await rejects(
      [capitals, '--adapter', adapter],
      /expected data for SEQ_CLS \(pair-label, text-label\), found completion, which/
    )
    const other = await save('other.jsonl', [{ text: 'A', label: 'plant' }])
    await rejects(
      [other, '--adapter', adapter],
      /other\.jsonl:1: expected a label among 2 \(animal, person\), found "plant"/
    )
    await rejects([join(home, 'none.jsonl')], /none\.jsonl: no such file/)
  })
})
