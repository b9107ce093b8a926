// What the command says when it is called wrongly: one line that names what, where, expected and found. Status 2 where the
// command line alone is wrong, else 1.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'

const root = join(import.meta.dirname, '../..')
const model = join(root, 'models/tiny')
const adapters = join(root, 'test/reference/adapters')

const scratch = mkdtempSync(join(tmpdir(), 'swarm-bad-'))
after(() => rmSync(scratch, { recursive: true }))

function written(name: string, ...rows: object[]): string {
  const path = join(scratch, name)
  writeFileSync(path, rows.map(row => `${JSON.stringify(row)}\n`).join(''))
  return path
}

const labelled = written('labelled.jsonl', { text: 'one', label: 0 }, { text: 'two', label: 2 })
const tagged = written('tagged.jsonl', { tokens: ['Ishmael'], tags: [1] }, { tokens: ['Call', 'me'], tags: [0, 7] })

function swarm(...args: string[]): { status: number | null; stderr: string } {
  return spawnSync(process.execPath, [join(root, 'cli/bin.js'), ...args], {
    cwd: root,
    encoding: 'utf8',
    timeout: 60_000
  })
}

const cases: readonly [name: string, args: string[], message: RegExp, status?: number][] = [
  ['a range outside the model', ['serve', model, '--blocks', '4-20'], /4-20.*outside the model.*12 blocks/],
  ['an empty range', ['serve', model, '--blocks', '4-4'], /4-4.*empty/, 2],
  ['a reversed range', ['serve', model, '--blocks', '8-4'], /8-4.*reversed/, 2],
  ['a range that is none', ['serve', model, '--blocks', 'all'], /FIRST-END/, 2],
  ['a model that is not there', ['serve', '/no/such/model'], /\/no\/such\/model/],
  [
    'an unreachable peer to join',
    ['generate', model, 'Call me', '--join', '/ip4/127.0.0.1/tcp/1'],
    /127\.0\.0\.1\/tcp\/1/
  ],
  [
    'an output folder that cannot be written, before any training',
    [
      'train',
      model,
      join(root, 'data/capitals.jsonl'),
      '--output-dir',
      '/dev/null/x',
      '--join',
      '/ip4/127.0.0.1/tcp/1'
    ],
    /\/dev\/null\/x: cannot be written \(ENOTDIR\): choose another folder/
  ],
  [
    'an adapter that no weights can hold',
    ['export', join(adapters, 'base'), '--adapter', join(adapters, 'prompt'), '--output', join(adapters, 'none')],
    /adapters\/prompt: PROMPT_TUNING: \d+ virtual tokens .* cannot be merged/
  ],
  [
    'an adapter of another model',
    ['export', model, '--adapter', join(adapters, 'lora'), '--output', join(adapters, 'none')],
    /expected \[\d+,192\], found \[\d+,32\] \(is it of another base model\?\)/
  ],
  [
    'a folder for a checkpoint that holds something',
    ['export', join(adapters, 'base'), '--adapter', join(adapters, 'lora'), '--output', join(root, 'docs')],
    /docs: expected a new or empty folder, found/
  ],
  [
    'a numeric label above the number of classes',
    ['train', model, labelled, '--labels', 'down', 'up', '--output-dir', join(scratch, 'run')],
    /labelled\.jsonl:2: expected a label among 2 \(down, up\), found 2/
  ],
  [
    'a tag above the number of classes',
    ['train', model, tagged, '--labels', 'O', 'PERSON', '--output-dir', join(scratch, 'run')],
    /tagged\.jsonl:2: expected a label among 2 \(O, PERSON\), found 7/
  ],
  [
    'data that is not there',
    ['eval', model, '/no/such.jsonl', '--join', '/ip4/127.0.0.1/tcp/1'],
    /such\.jsonl: no such file/
  ],
  ['an address that is none', ['status', '--join', 'localhost:31330'], /localhost:31330/],
  ['a command that does not exist', ['server'], /unknown command/, 2]
]

for (const [name, args, message, expected = 1] of cases) {
  test(name, () => {
    const { status, stderr } = swarm(...args)
    assert.equal(status, expected)
    assert.match(stderr, message)
    assert.doesNotMatch(stderr, /at .*\.ts:\d+/) // no stack: it is the user's mistake, not a bug
  })
}

test('an example without arguments says how it is used', () => {
  for (const name of ['generate', 'finetune', 'classify']) {
    const { status, stderr } = spawnSync(process.execPath, [`examples/${name}.ts`], { cwd: root, encoding: 'utf8' })
    assert.equal(status, 2)
    assert.match(stderr, new RegExp(`^usage: node examples/${name}\\.ts <address of a peer> .*\\n$`))
  }
})

test('a taken port', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise(done => server.once('listening', done))
  const { port } = server.address() as { port: number }
  const { status, stderr } = await new Promise<{ status: number; stderr: string }>(done => {
    const result = swarm('serve', model, '--host', '127.0.0.1', '--port', String(port))
    done({ status: result.status!, stderr: result.stderr })
  })
  server.close()
  assert.equal(status, 1)
  assert.match(stderr, new RegExp(`${port}`))
})

test('a truncated checkpoint and an unknown architecture', () => {
  const folder = mkdtempSync(join(tmpdir(), 'swarm-bad-'))
  try {
    cpSync(model, folder, { recursive: true })
    truncateSync(join(folder, 'model.safetensors'), 5_000_000)
    const truncated = swarm('serve', folder)
    assert.equal(truncated.status, 1)
    assert.match(truncated.stderr, /model\.safetensors/)
    writeFileSync(join(folder, 'config.json'), JSON.stringify({ model_type: 'rwkv' }))
    const unknown = swarm('serve', folder)
    assert.equal(unknown.status, 1)
    assert.match(unknown.stderr, /rwkv.*llama/s)
  } finally {
    rmSync(folder, { recursive: true })
  }
})
