// swarm predict: every task over one BERT, as transformers' pipelines answer (scripts/reference/predictions.py).
import assert from 'node:assert/strict'
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { aggregations } from '../../cli/train/entities.ts'
import { readReference, referencePath } from '../../testing/references.ts'
import { relative, startSwarm, type TestSwarm } from '../../testing/swarm.ts'
import { runHere } from './run.ts'

interface Entity {
  readonly entity?: string
  readonly entity_group?: string
  readonly score: number
  readonly word: string
  readonly start: number
  readonly end: number
}

interface Reference {
  readonly labels: readonly string[]
  readonly texts: readonly string[]
  readonly classify: readonly (readonly { readonly label: string; readonly score: number }[])[]
  readonly entities: Readonly<Record<string, readonly (readonly Entity[])[]>>
  readonly mask: string
  readonly filled: readonly { readonly score: number; readonly token: number; readonly sequence: string }[]
  readonly vector: readonly number[]
}

const expected = readReference<Reference>('predictions.json')
const { texts } = expected
const bare = referencePath('..', '..', 'models', 'tiny-bert')
let swarm: TestSwarm
let home: string
/** models/tiny-bert with heads for labels and answers */
let path: string

before(async () => {
  home = await mkdtemp(join(tmpdir(), 'swarm-predict-'))
  path = join(home, 'tiny-bert')
  await cp(bare, path, { recursive: true })
  const config = JSON.parse(await readFile(join(bare, 'config.json'), 'utf8')) as object
  const id2label = Object.fromEntries(expected.labels.map((label, id) => [id, label]))
  await writeFile(join(path, 'config.json'), JSON.stringify({ ...config, id2label }))
  await rm(join(path, 'model.safetensors'))
  const files = {
    'body.safetensors': join(bare, 'model.safetensors'),
    'heads.safetensors': referencePath('predictions.safetensors')
  }
  const map: Record<string, string> = {}
  for (const [file, from] of Object.entries(files)) {
    const bytes = await readFile(from)
    const header = JSON.parse(bytes.toString('utf8', 8, 8 + Number(bytes.readBigUInt64LE(0)))) as object
    for (const name of Object.keys(header)) if (name !== '__metadata__') map[name] = file
    await cp(from, join(path, file))
  }
  await writeFile(join(path, 'model.safetensors.index.json'), JSON.stringify({ metadata: {}, weight_map: map }))
  swarm = await startSwarm([[0, 4]], { path: bare })
})
after(async () => {
  await swarm?.[Symbol.asyncDispose]()
  await rm(home, { recursive: true, force: true })
})

async function predict<Line>(task: string, model: string, ...argv: string[]): Promise<Line[]> {
  const { status, stdout, stderr } = await runHere('predict', task, model, '--join', swarm.join[0]!, ...argv)
  assert.equal(status, undefined, stderr)
  return stdout
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as Line)
}

/** bfloat16 weights, float32 sums on either side */
const near = (found: number, wanted: number) =>
  assert.ok(Math.abs(found - wanted) < 1e-3, `${found}, expected ${wanted}`)

test('classify: labels of every text with their scores', async () => {
  const lines = await predict<{ text: string; label: string; labels: { label: string; score: number }[] }>(
    'classify',
    path,
    ...texts
  )
  assert.deepEqual(
    lines.map(({ text }) => text),
    texts
  )
  for (const [row, { label, labels }] of lines.entries()) {
    const wanted = expected.classify[row]!
    assert.equal(label, wanted[0]!.label)
    assert.deepEqual(
      labels.map(each => each.label),
      wanted.map(each => each.label)
    )
    for (const [place, { score }] of labels.entries()) near(score, wanted[place]!.score)
  }
})

for (const aggregation of aggregations) {
  test(`tokens: entities, --aggregation ${aggregation}`, async () => {
    const lines = await predict<{ entities: (Entity & { entityGroup?: string })[] }>(
      'tokens',
      path,
      ...texts,
      '--aggregation',
      aggregation
    )
    for (const [row, { entities }] of lines.entries()) {
      const wanted = expected.entities[aggregation]![row]!
      const placed = entities.map(({ entity, entityGroup, start, end }) => [entity ?? entityGroup, start, end])
      assert.deepEqual(
        placed,
        wanted.map(({ entity, entity_group, start, end }) => [entity ?? entity_group, start, end])
      )
      for (const [place, { score, word }] of entities.entries()) {
        near(score, wanted[place]!.score)
        assert.equal(
          word,
          aggregation === 'none' ? wanted[place]!.word : texts[row]!.slice(entities[place]!.start, entities[place]!.end)
        )
      }
    }
  })
}

test('fill-mask: the likeliest words', async () => {
  const [line] = await predict<{ masks: { score: number; token: number; sequence: string }[][] }>(
    'fill-mask',
    bare,
    expected.mask
  )
  const [found] = line!.masks
  assert.deepEqual(
    found!.map(({ token }) => token),
    expected.filled.map(({ token }) => token)
  )
  for (const [place, { score }] of found!.entries()) near(score, expected.filled[place]!.score)
})

test('embed: the mean over the tokens', async () => {
  const [line] = await predict<{ embedding: number[] }>('embed', bare, texts[0]!)
  assert.ok(relative(line!.embedding, expected.vector) < 1e-3)
})

test('answer: a piece of the context', async () => {
  const context = texts.join(' ')
  const lines = await predict<{ answer: string; start: number; end: number; score: number }>(
    'answer',
    path,
    'Who?',
    '--context',
    context
  )
  assert.equal(lines.length, 1)
  const { answer, start, end } = lines[0]!
  assert.ok(answer.length > 0)
  assert.equal(context.slice(start, end), answer)
})

test('refuses heads that would be random, and answers without a context', async () => {
  const join = ['--join', swarm.join[0]!]
  const random = await runHere('predict', 'classify', bare, 'x', ...join)
  assert.equal(random.status, 1)
  assert.match(random.stderr, /classifier\.weight.*not in the checkpoint, so that answers would be random/)
  const without = await runHere('predict', 'answer', path, 'Who?', ...join)
  assert.match(without.stderr, /give the text to look in with --context/)
})
