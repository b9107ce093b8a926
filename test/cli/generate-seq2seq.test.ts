// swarm generate of an encoder-decoder model, and what refuses such a model with advice.
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { lettersOf, writeLetteredModel } from '../../testing/lettered-model.ts'
import { readReference, tinyPath } from '../../testing/references.ts'
import { startSwarm, type TestSwarm } from '../../testing/swarm.ts'
import { runHere } from './run.ts'

interface Reference {
  readonly ids: number[][]
  readonly models: { readonly t5: { readonly cases: readonly { readonly tokens: number[][] }[] } }
}

const { ids, models } = readReference<Reference>('seq2seq.json')
const source = lettersOf(ids[0]!)
/** without the start token */
const [greedy, beams] = [0, 1].map(each => models.t5.cases[each]!.tokens[0]!.slice(1)) as [number[], number[]]
const refused = /encoder-decoder model/

let swarm: TestSwarm
let home: string
let path: string

before(async () => {
  home = await mkdtemp(join(tmpdir(), 'swarm-seq2seq-'))
  path = await writeLetteredModel(home, 't5')
  swarm = await startSwarm([[0, 4]], { path })
})
after(async () => {
  await swarm?.[Symbol.asyncDispose]()
  await rm(home, { recursive: true, force: true })
})

const run = (command: string, ...argv: string[]) => runHere(command, '--join', swarm.join[0]!, ...argv)
const length = ['--max-new-tokens', '32']

test('swarm generate prints what the decoder writes: greedy, with guesses, by beams and as JSON', async () => {
  const expected = { status: undefined, stdout: `${lettersOf(greedy)}\n`, stderr: '' }
  assert.deepEqual(await run('generate', path, source, ...length), expected)
  assert.deepEqual(await run('generate', path, source, ...length, '--speculate', '4'), expected)
  const searched = await run('generate', path, source, ...length, '--num-beams', '4')
  assert.equal(searched.stdout, `${lettersOf(beams)}\n`)
  const { stdout } = await run('generate', path, source, ...length, '--json')
  const { seconds: _, ...rest } = JSON.parse(stdout) as Record<string, unknown>
  assert.deepEqual(rest, { text: lettersOf(greedy), finishReason: 'length', promptTokens: 7, newTokens: 32 })
})

test('conversations and drafts refuse it, and say what to do', async () => {
  for (const [argv, advice] of [
    [['generate', path, source, '--system', 'x'], /use swarm generate without --chat/],
    [['generate', path, source, '--draft', tinyPath], /--speculate <count> looks in the input too/],
    [['chat', path], /use swarm generate/]
  ] as const) {
    const [command, ...others] = argv
    const { status, stderr } = await run(command, ...others)
    assert.equal(status, 1, command)
    assert.match(stderr, refused)
    assert.match(stderr, advice)
  }
})
