// A swarm of real processes: join, announce, generate, train, save, load, drain, the end of a killed server.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { type PeerProcess, startPeer, startServers } from '../../cli/peer/local-swarm.ts'
import { second } from '../../common/units.ts'

const run = promisify(execFile)
const root = join(import.meta.dirname, '../..')
const model = join(root, 'models/tiny')
const bin = join(root, 'cli/bin.js')

interface ModelStatus {
  readonly notServed: string[]
  readonly servers: { peerId: string; state: string; blocks: { first: number; end: number } }[]
}

async function swarm(...args: string[]): Promise<string> {
  const { stdout } = await run(process.execPath, [bin, ...args], { cwd: root, timeout: 120 * second })
  return stdout
}

async function fails(...args: string[]): Promise<{ code: number; stderr: string }> {
  try {
    await swarm(...args)
  } catch (error) {
    return error as { code: number; stderr: string }
  }
  assert.fail(`swarm ${args.join(' ')} should fail`)
}

const statusOf = async (address: string): Promise<ModelStatus | undefined> =>
  (JSON.parse(await swarm('status', '--json', '--join', address)) as ModelStatus[])[0]

/** Asks until the answer satisfies; fails with the last answer after the deadline. */
async function until(address: string, satisfied: (status: ModelStatus | undefined) => boolean, deadlineMs: number) {
  const end = performance.now() + deadlineMs
  for (;;) {
    const status = await statusOf(address)
    if (satisfied(status)) return status
    if (performance.now() > end) assert.fail(`still ${JSON.stringify(status)}`)
    await new Promise(resolve => setTimeout(resolve, 500))
  }
}

describe('a swarm of processes', { timeout: 240 * second }, () => {
  let home: string
  let bootstrap: PeerProcess
  let servers: PeerProcess[] = []
  const reference = JSON.parse(readFileSync(join(root, 'test/reference/tiny-greedy.json'), 'utf8')) as {
    alone: { prompt: string; text: string }[]
  }

  before(async () => {
    home = await mkdtemp(join(tmpdir(), 'swarm-test-'))
    process.env.SWARM_HOME = join(home, 'data')
    bootstrap = await startPeer(['bootstrap', '--host', '127.0.0.1', '--port', '0'])
    servers = await startServers(
      model,
      [
        { first: 0, end: 4 },
        { first: 4, end: 8 },
        { first: 8, end: 12 }
      ],
      { args: ['--join', bootstrap.address] }
    )
  })

  after(async () => {
    await Promise.all([...servers, bootstrap].map(peer => peer?.stop()))
    await rm(home, { recursive: true, force: true })
  })

  test('a client that knows only the bootstrap peer sees every server', async () => {
    const status = await until(bootstrap.address, found => found?.servers.length === 3, 20 * second)
    assert.deepEqual(status!.notServed, [])
    assert.deepEqual(
      new Set(status!.servers.map(server => server.peerId)),
      new Set(servers.map(peer => peer.online.peerId))
    )
    assert.ok(status!.servers.every(server => server.state === 'online'))
  })

  test('status draws the coverage map', async () => {
    const text = await swarm('status', model, '--join', bootstrap.address)
    assert.match(text, /tiny .*12 blocks, 3 servers/)
    assert.match(text, /████········ {2}0\.\.3/)
    assert.match(text, /every block is served/)
  })

  test('generates what Hugging Face generates', async () => {
    const { prompt, text } = reference.alone[0]!
    const args = ['generate', model, prompt, '--join', bootstrap.address, '--max-new-tokens', '64', '--stats']
    const { stdout, stderr } = await run(process.execPath, [bin, ...args], { cwd: root, timeout: 120 * second })
    assert.equal(stdout, `${text}\n`)
    const [, sent, received] = /then (\d+) B sent and (\d+) B received a token/.exec(stderr) ?? []
    // a hidden state in two bytes a number, and what stands around it
    const states = 2 * JSON.parse(readFileSync(join(model, 'config.json'), 'utf8')).hidden_size
    for (const bytes of [sent, received]) {
      assert.ok(Number(bytes) >= states && Number(bytes) < states + 250, `${states} bytes of states: ${stderr}`)
    }
  })

  test('trains an adapter, saves it, and generates with it', async () => {
    const output = join(home, 'adapter')
    const text = await swarm(
      ...['train', model, 'data/capitals.jsonl', '--join', bootstrap.address, '--output-dir', output],
      ...['--max-steps', '12', '--per-device-train-batch-size', '10', '--learning-rate', '4e-3'],
      ...['--lora-alpha', '16', '--target-modules', 'all-linear']
    )
    const losses = [...text.matchAll(/loss (\d+\.\d+)/g)].map(match => Number(match[1]))
    assert.ok(losses.at(-1)! < losses[0]! - 1, `loss went from ${losses[0]} to ${losses.at(-1)}`)
    const config = JSON.parse(await readFile(join(output, 'adapter_config.json'), 'utf8')) as { peft_type: string }
    assert.equal(config.peft_type, 'LORA')
    const prompt = [
      'generate',
      model,
      'The capital of Vermont is',
      '--join',
      bootstrap.address,
      '--max-new-tokens',
      '4'
    ]
    assert.notEqual(await swarm(...prompt, '--adapter', output), await swarm(...prompt))
  })

  test('a server that is told to stop drains and is gone from the map at once', async () => {
    const extra = await startPeer([
      'serve',
      model,
      '--blocks',
      '4-8',
      '--host',
      '127.0.0.1',
      '--join',
      bootstrap.address
    ])
    await until(bootstrap.address, found => found?.servers.length === 4, 20 * second)
    await extra.stop()
    assert.equal(extra.process.exitCode, 143)
    await until(bootstrap.address, found => found?.servers.length === 3, 10 * second)
  })

  test('a server pauses and serves again as its operator signals', async () => {
    const said: string[] = []
    const extra = await startPeer(
      ['serve', model, '--blocks', '4-8', '--host', '127.0.0.1', '--no-identity', '--join', bootstrap.address],
      { onEvent: event => said.push(event) }
    )
    const stateOf = (status: ModelStatus | undefined) =>
      status?.servers.find(({ peerId }) => peerId === extra.online.peerId)?.state
    try {
      extra.process.kill('SIGUSR1')
      await until(bootstrap.address, found => stateOf(found) === 'paused', 20 * second)
      // the others go on without it
      const { prompt, text } = reference.alone[0]!
      assert.equal(await swarm('generate', model, prompt, '--join', bootstrap.address), `${text}\n`)
      extra.process.kill('SIGUSR2')
      await until(bootstrap.address, found => stateOf(found) === 'online', 20 * second)
      assert.deepEqual(said, ['paused', 'resumed'])
    } finally {
      await extra.stop()
    }
    assert.equal(extra.process.exitCode, 143)
  })

  test('a peer stops when the program that started it is gone', async () => {
    const orphan = await startPeer(['bootstrap', '--host', '127.0.0.1', '--port', '0'])
    orphan.process.stdin!.destroy()
    const [code] = (await once(orphan.process, 'exit')) as [number]
    assert.equal(code, 0)
  })

  test('a server that is killed disappears when its announcement expires, and --num-blocks fills the gap', async () => {
    const lone = await startPeer(['bootstrap', '--host', '127.0.0.1', '--port', '0'])
    const expiry = ['--join', lone.address, '--expiry', '4']
    const [first, second_] = await startServers(
      model,
      [
        { first: 0, end: 6 },
        { first: 6, end: 12 }
      ],
      { args: expiry }
    )
    try {
      await until(lone.address, found => found?.servers.length === 2, 20 * second)
      second_!.process.kill('SIGKILL')
      const status = await until(lone.address, found => found?.servers.length === 1, 20 * second)
      assert.deepEqual(status!.notServed, ['blocks 6..11 (6)'])

      const { code, stderr } = await fails('generate', model, 'Call me', '--join', lone.address)
      assert.equal(code, 1)
      assert.match(stderr, /6.*11/)

      const filler = await startPeer(['serve', model, '--num-blocks', '6', '--host', '127.0.0.1', ...expiry])
      assert.deepEqual(filler.online.blocks, { first: 6, end: 12 })
      await filler.stop()
    } finally {
      await Promise.all([first!.stop(), second_!.stop(), lone.stop()])
    }
  })
})
