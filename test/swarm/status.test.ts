// swarm status of a private swarm of real processes: the map, the load of its servers, as text, as JSON, and watched.
import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { type PeerProcess, startPeer } from '../../cli/peer/local-swarm.ts'
import { AutoDistributedModelForCausalLM, float32 } from '../../client/index.ts'
import { MiB, second } from '../../common/units.ts'

const run = promisify(execFile)
const root = join(import.meta.dirname, '../..')
const model = join(root, 'models/tiny')
const bin = join(root, 'cli/bin.js')

interface Status {
  readonly name: string
  readonly notServed: string[]
  readonly servers: readonly {
    readonly peerId: string
    readonly state: string
    readonly dtype: string
    readonly version: string
    readonly decodeRate: number
    readonly load: { sessions: number; queueLength: number; cacheBytesUsed: number; cacheBytesTotal: number } | null
  }[]
}

describe('the status of a private swarm', { timeout: 180 * second }, () => {
  let home: string
  let invite: string
  let servers: PeerProcess[] = []
  const environment = () => ({ ...process.env, SWARM_HOME: home })
  const swarm = async (...args: string[]): Promise<string> =>
    (await run(process.execPath, [bin, ...args], { cwd: root, timeout: 60 * second, env: environment() })).stdout

  before(async () => {
    home = await mkdtemp(join(tmpdir(), 'swarm-status-'))
    await swarm('init', 'home', '--model', model)
    const serve = (swarmName: string, blocks: string, ...more: string[]) => {
      const args = ['serve', model, '--host', '127.0.0.1', '--swarm', swarmName, '--blocks', blocks, ...more]
      return startPeer(args, { env: { SWARM_HOME: home } })
    }
    const first = await serve('home', '0-8', '--kv-cache', '64MiB')
    invite = first.online.invite!
    servers = [first, await serve(invite, '4-12', '--dtype', 'int8')]
  })

  after(async () => {
    await Promise.all(servers.map(server => server.stop()))
    await rm(home, { recursive: true })
  })

  test('is a map of blocks and servers with what each says of itself', async () => {
    const lines = (await swarm('status', model, '--swarm', invite)).trimEnd().split('\n')
    assert.match(lines[0]!, /^tiny \([0-9a-f]{8}\): 12 blocks, 2 servers$/)
    assert.match(lines[1]!, /queue +sessions +cache +version$/)
    assert.match(lines[2]!, /████████···· {2}0\.\.7 +online +float32 +\d+ +\d+ +0 +0 +0 B of 64\.0 MiB +\d+\.\d+\.\d+/)
    assert.match(lines[3]!, /····████████ {2}4\.\.11 +online +int8 +\d+ +\d+ +0 +0 +0 B of 1\.0 GiB/)
    assert.match(lines[4]!, /online +111122221111$/)
    assert.equal(lines[5], '  every block is served')
  })

  test('as JSON tells sessions and cache of a generation that is under way', async () => {
    const opened = await AutoDistributedModelForCausalLM.fromPretrained(model, { swarm: invite })
    try {
      const session = await opened.transformer.h.openSession({ batch: 1, maxLength: 64 })
      await session.step(float32([1, 3, 192], new Float32Array(576).fill(0.1)))
      const [status] = JSON.parse(await swarm('status', '--json', '--swarm', invite)) as [Status]
      assert.deepEqual(status.notServed, [])
      const used = status.servers.map(({ load }) => [load?.sessions, (load?.cacheBytesUsed ?? 0) > 0])
      assert.deepEqual(used, [
        [1, true],
        [1, true]
      ])
      const first = status.servers.find(({ peerId }) => peerId === servers[0]!.online.peerId)!
      assert.equal(first.load!.cacheBytesTotal, 64 * MiB)
      assert.equal(first.load!.queueLength, 0)
      assert.ok(first.decodeRate > 0)
      await session.close()
    } finally {
      await opened.close()
    }
  })

  test('an audited generation prints what audits have found', async () => {
    const args = [bin, 'generate', model, 'Call me', '--max-new-tokens', '4', '--audit', '1', '--swarm', invite]
    const { stderr } = await run(process.execPath, args, { cwd: root, timeout: 60 * second, env: environment() })
    assert.match(stderr, /^audits: \d+ results computed again \(audited, not verified\): \d+ agreed, 0 undecided/m)
    assert.doesNotMatch(stderr, /lied|hides/)
  })

  test('is told again and again to those who watch, also that a server has gone, until they are interrupted', async () => {
    const args = [bin, 'status', '--json', '--watch', '1', '--swarm', invite]
    const watching = spawn(process.execPath, args, {
      cwd: root,
      env: environment(),
      stdio: ['ignore', 'pipe', 'inherit']
    })
    const exit = once(watching, 'exit')
    try {
      const seen: string[] = []
      for await (const line of createInterface({ input: watching.stdout })) {
        const [status] = JSON.parse(line) as [Status]
        seen.push(status.notServed.join())
        if (seen.length === 2) void servers[1]!.stop()
        if (seen.length > 2 && status.notServed.length > 0) break
      }
      assert.deepEqual(seen.slice(0, 2), ['', ''])
      assert.equal(seen.at(-1), 'blocks 8..11 (4)')
    } finally {
      watching.kill('SIGINT')
    }
    assert.equal((await exit)[0], 130)
  })
})
