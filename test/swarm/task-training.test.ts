// swarm train and swarm eval of other tasks than language modelling, through processes: the examples' configurations as a user runs them, over
// models/tiny-t5 and models/tiny-bert, each cut over two servers.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { type PeerProcess, startPeer } from '../../cli/peer/local-swarm.ts'
import { second } from '../../common/units.ts'

const root = join(import.meta.dirname, '../..')
const [t5, bert] = ['models/tiny-t5', 'models/tiny-bert']

async function swarm(...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [join(root, 'cli/bin.js'), ...args], { cwd: root })
  return stdout
}

describe('tasks', { timeout: 400 * second }, () => {
  let home: string
  const servers: PeerProcess[] = []
  const addresses: Record<string, string> = {}

  async function serve(model: string, ...halves: string[]): Promise<void> {
    for (const blocks of halves) {
      const joined = addresses[model] === undefined ? [] : ['--join', addresses[model]]
      const args = ['serve', join(root, model), '--blocks', blocks, '--host', '127.0.0.1', '--no-identity', ...joined]
      const server = await startPeer([...args, '--threads', '1'])
      servers.push(server)
      addresses[model] ??= server.address
    }
  }

  before(async () => {
    home = await mkdtemp(join(tmpdir(), 'swarm-tasks-'))
    await serve(t5, 'encoder:0-3', 'decoder:0-3')
    await serve(bert, '0-2', '2-4')
  })
  after(async () => {
    await Promise.all(servers.map(server => server.stop()))
    await rm(home, { recursive: true })
  })

  /** The first rows of a data file: evaluations of all take minutes. */
  async function few(name: string, rows: number): Promise<string> {
    const text = await readFile(join(root, 'data', name), 'utf8')
    const separator = name.endsWith('.conll') ? '\n\n' : '\n'
    const path = join(home, name)
    await writeFile(path, `${text.split(separator).slice(0, rows).join(separator)}${separator}`)
    return path
  }

  /** Runs a configuration of examples/ for some steps. @returns the last evaluation */
  async function trained(name: string, model: string, validation: string, ...more: string[]) {
    const output = join(home, name)
    const config = ['--config', `examples/${name}.yaml`, '--join', addresses[model]!, '--output-dir', output]
    await swarm('train', ...config, '--validation-file', validation, '--max-steps', '4', ...more)
    const lines = (await readFile(join(output, 'metrics.jsonl'), 'utf8')).trim().split('\n')
    return JSON.parse(lines.at(-1)!) as Record<string, number>
  }

  test('AdaLoRA on q and v of a T5; a resumed run ends in the same bytes', async () => {
    const validation = await few('modern.test.jsonl', 6)
    const ranks = '--tinit 1 --tfinal 1 --delta-t 1 --save-steps 2 --generation-num-beams 2'.split(' ')
    const found = await trained('adalora-t5', t5, validation, ...ranks)
    assert.ok(found.eval_loss! < 2 && found.eval_rouge1! > 50 && found.eval_bleu! > 20, JSON.stringify(found))
    const adapter = join(home, 'adalora-t5', 'adapter_model.safetensors')
    const bytes = await readFile(adapter)
    await rm(adapter)
    await swarm('train', '--resume', join(home, 'adalora-t5', 'checkpoint-2'), '--join', addresses[t5]!)
    assert.ok(bytes.equals(await readFile(adapter)))
    const config = JSON.parse(await readFile(join(home, 'adalora-t5', 'adapter_config.json'), 'utf8'))
    assert.deepEqual([config.task_type, config.target_modules.toSorted()], ['SEQ_2_SEQ_LM', ['q', 'v']])

    const prefix = ['--source-prefix', 'restore: ', '--adapter', join(home, 'adalora-t5')]
    const json = await swarm('eval', t5, validation, ...prefix, '--num-beams', '2', '--json', '--join', addresses[t5]!)
    const measured = JSON.parse(json) as Record<string, number> & { task: string; texts: string[] }
    assert.equal(measured.task, 'SEQ_2_SEQ_LM')
    assert.equal(measured.texts.length, 6)
    for (const name of ['rouge1', 'rougeLsum', 'bleu', 'chrf', 'exact_match']) {
      assert.ok(Math.abs(measured[name]! - found[`eval_${name}`]!) < 1e-9, name)
    }
  })

  test('prompt tuning of a T5', async () => {
    const found = await trained('prompt-tuning-t5', t5, await few('modern.test.jsonl', 4))
    assert.ok(found.eval_loss! < 6 && found.eval_gen_len! > 1, JSON.stringify(found))
  })

  test('P-tuning v2 of a BERT for entities, and its adapter by type', async () => {
    const validation = await few('names.test.conll', 20)
    const found = await trained('ptuning-v2-names', bert, validation)
    for (const name of ['loss', 'accuracy', 'entity_precision', 'entity_recall', 'entity_f1']) {
      assert.ok(found[`eval_${name}`]! >= 0, name)
    }
    const adapter = ['--adapter', join(home, 'ptuning-v2-names'), '--labels', 'B-LOC,B-PER,I-LOC,I-PER,O']
    const json = await swarm('eval', bert, validation, ...adapter, '--json', '--join', addresses[bert]!)
    const measured = JSON.parse(json) as { accuracy: number; entities: { f1: number; types: Record<string, object> } }
    assert.ok(Math.abs(measured.accuracy - found.eval_accuracy!) < 1e-9)
    assert.ok(Math.abs(measured.entities.f1 - found.eval_entity_f1!) < 1e-9)
    assert.ok('PER' in measured.entities.types)
  })

  test('P-tuning v2 of a BERT for classification', async () => {
    const found = await trained('ptuning-v2-sources', bert, await few('sources.test.jsonl', 30))
    assert.ok(found.eval_accuracy! >= 0 && Math.abs(found.eval_matthews!) <= 1, JSON.stringify(found))
  })

  test('answers to questions, with virtual tokens before them, and none where there is none', async () => {
    const rows = Array.from({ length: 12 }, (_, at) => ({
      id: `${at}`,
      question: 'Who rose?',
      context: 'And the king rose up early in the morning.',
      answers: at % 3 === 2 ? [] : [{ text: 'the king', answer_start: 4 }]
    }))
    const path = join(home, 'questions.jsonl')
    await writeFile(path, rows.map(row => JSON.stringify(row)).join('\n'))
    const output = join(home, 'questions')
    const method = [
      '--peft-type',
      'PREFIX_TUNING',
      '--num-virtual-tokens',
      '4',
      '--max-steps',
      '12',
      '--learning-rate',
      '3e-2'
    ]
    await swarm('train', bert, path, ...method, '--validation-file', path, '-o', output, '--join', addresses[bert]!)
    const last = JSON.parse((await readFile(join(output, 'metrics.jsonl'), 'utf8')).trim().split('\n').at(-1)!)
    const json = await swarm('eval', bert, path, '--adapter', output, '--json', '--join', addresses[bert]!)
    const measured = JSON.parse(json) as Record<string, number> & { has_answer: { questions: number } }
    assert.ok(Math.abs(measured.f1! - last.eval_f1) < 1e-9 && Math.abs(measured.loss! - last.eval_loss) < 1e-5)
    assert.equal(measured.has_answer.questions, 8)
    // all ask the same: most have the answer, and that is what is learned
    assert.ok(measured.exact_match! > 60, json)
  })

  test('embeddings of a BERT, by pairs that belong together', async () => {
    const rows = (await readFile(join(root, 'data/modern.train.jsonl'), 'utf8')).trim().split('\n').slice(0, 24)
    const pairs = rows.map(row => {
      const { source, target } = JSON.parse(row) as { source: string; target: string }
      return JSON.stringify({ anchor: source, positive: target })
    })
    const path = join(home, 'pairs.jsonl')
    await writeFile(path, pairs.join('\n'))
    const output = join(home, 'pairs')
    const method = ['--peft-type', 'LORA', '--target-modules', 'query', 'value', '--max-steps', '3']
    await swarm('train', bert, path, ...method, '--validation-file', path, '-o', output, '--join', addresses[bert]!)
    const last = JSON.parse((await readFile(join(output, 'metrics.jsonl'), 'utf8')).trim().split('\n').at(-1)!)
    assert.ok(last.eval_accuracy > 0.5, JSON.stringify(last))
    const { task_type } = JSON.parse(await readFile(join(output, 'adapter_config.json'), 'utf8'))
    assert.equal(task_type, 'FEATURE_EXTRACTION')
  })

  test('vectors of sentences, and a LoRA classifier over the same BERT', async () => {
    const output = join(home, 'sentences')
    const command = [join('examples', 'sentences.ts'), addresses[bert]!, bert, output, '0.1']
    const { stdout } = await promisify(execFile)(process.execPath, command, { cwd: root })
    assert.match(stdout, /^3 vectors of 128 numbers\n\d\.\d{4} /)
    const accuracy = Number(/accuracy on the test file: ([\d.]+) %/.exec(stdout)?.[1])
    assert.ok(accuracy > 0 && accuracy <= 100, stdout)
    const { task_type } = JSON.parse(await readFile(join(output, 'adapter_config.json'), 'utf8'))
    assert.equal(task_type, 'SEQ_CLS')
  })
})
