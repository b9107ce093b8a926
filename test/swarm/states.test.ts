// What a user reads when a swarm cannot be used: one swarm of real processes, each state of it provoked, each command asked.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { type PeerProcess, startPeer } from '../../cli/peer/local-swarm.ts'
import { AutoDistributedModelForCausalLM, SwarmStateError } from '../../client/index.ts'
import { second } from '../../common/units.ts'

const run = promisify(execFile)
const root = join(import.meta.dirname, '../..')
const model = join(root, 'models/tiny')
const bin = join(root, 'cli/bin.js')
const dead = '127.0.0.1:1'

describe('a swarm that cannot be used', { timeout: 240 * second }, () => {
  let home: string
  let first: PeerProcess
  let other: PeerProcess
  const events: string[] = []
  const heard = new Set<() => void>()

  const swarm = async (...args: string[]) => {
    const env = { ...process.env, SWARM_HOME: home, SWARM_JOIN: '', SWARM_INVITE: '' }
    const options = { cwd: root, timeout: 60 * second, env }
    const { stdout, stderr, code = 0 } = await run(process.execPath, [bin, ...args], options).catch(error => error)
    return { stdout, stderr, code } as { stdout: string; stderr: string; code: number }
  }
  const generate = (...args: string[]) => swarm('generate', model, 'Call me', ...args)
  const serve = (...args: string[]) =>
    startPeer(['serve', model, '--host', 'localhost', '--no-identity', ...args], {
      env: { SWARM_HOME: home },
      onEvent: event => {
        events.push(event)
        for (const look of heard) look()
      }
    })
  const event = async (name: string) => {
    const { promise, resolve } = Promise.withResolvers<void>()
    const look = () => events.includes(name) && resolve()
    heard.add(look)
    look()
    await promise
    heard.delete(look)
  }
  const hostPort = ({ address }: PeerProcess) => `127.0.0.1:${address.split('/')[4]}`

  before(async () => {
    home = await mkdtemp(join(tmpdir(), 'swarm-states-'))
    first = await serve('--blocks', '0-6', '--name', 'attic')
    other = await serve('--blocks', '6-12', '--name', 'cellar', '--join', hostPort(first))
  })

  after(async () => {
    await Promise.all([first.stop(), other.stop()])
    await rm(home, { recursive: true })
  })

  test('complete: status shows names and addresses, doctor finds nothing wrong and warns of a dead address', async () => {
    const [shown, found] = await Promise.all([
      swarm('status', '--join', hostPort(first)),
      swarm('doctor', model, '--host', 'localhost', '--no-mdns', '--join', dead, '--join', hostPort(first))
    ])
    const [, , attic, cellar] = shown.stdout.split('\n')
    assert.match(attic!, new RegExp(`^ {2}attic +${hostPort(first)} +██████······ +0\\.\\.5 +online `))
    assert.match(cellar!, new RegExp(`^ {2}cellar +${hostPort(other)} +······██████ +6\\.\\.11 +online `))
    assert.match(shown.stdout, /\n {2}every block is served\n$/)
    assert.match(
      found.stdout,
      /\nwarn {2}address +\/ip4\/127\.0\.0\.1\/tcp\/1: .*ECONNREFUSED.*\n +→ remove or correct/
    )
    assert.match(found.stdout, /\nok {4}swarm +1 peer answers, 2 servers are known\n/)
    assert.match(found.stdout, /\nok {4}model +the swarm serves every block of tiny/)
  })

  test('paused: the server and what to do, in all commands and in the SDK', async () => {
    other.process.kill('SIGUSR1')
    await event('paused')
    const address = ['--join', hostPort(first)]
    const [failed, shown, found] = await Promise.all([
      generate(...address),
      swarm('status', model, ...address),
      swarm('doctor', model, '--host', 'localhost', '--no-mdns', ...address)
    ])
    const sentence =
      /the only server of blocks 6\.\.11 of tiny \([0-9a-f]{8}\) is paused: cellar \(…\w{8}\); 1 server of other blocks is online/
    assert.match(
      failed.stderr,
      new RegExp(`^swarm: ${sentence.source}; wait for its schedule, resume it \\('kill -USR2 <pid>'`)
    )
    assert.equal(failed.code, 1)
    assert.match(shown.stdout, sentence)
    assert.match(found.stdout, new RegExp(`\nfail {2}model +${sentence.source}\n`))
    assert.equal(found.code, 1)
    const opened = await AutoDistributedModelForCausalLM.fromPretrained(model, {
      initialPeers: [hostPort(first)],
      home: null,
      remote: { retryDelaysMs: [] }
    })
    try {
      await assert.rejects(opened.generate('Call me'), (error: unknown) => {
        assert.ok(error instanceof SwarmStateError)
        assert.equal(error.state.kind, 'paused')
        return true
      })
    } finally {
      await opened.close()
    }
  })

  test('incomplete: the missing blocks, and the command that serves them', async () => {
    await other.stop()
    const address = ['--join', hostPort(first)]
    const [failed, shown, found] = await Promise.all([
      generate(...address),
      swarm('status', ...address),
      swarm('doctor', model, '--host', 'localhost', '--no-mdns', ...address)
    ])
    const sentence = /no server for blocks 6\.\.11 \(1 server of this model seen\)/
    const next = "start one with 'swarm serve <path of tiny> --blocks 6-12 --join <address>'"
    assert.match(failed.stderr, new RegExp(`^swarm: ${sentence.source}; ${next}\n`))
    assert.match(shown.stdout, new RegExp(`\n {2}not served: 6\\.\\.11\n {2}→ ${next}\n$`))
    assert.match(found.stdout, new RegExp(`\nfail {2}model +${sentence.source}\n +→ ${next}\n`))
    assert.equal(found.code, 1)
  })

  test('refused, unreachable, no way in: each says which, and what to do', async () => {
    const list = join(home, 'allowed')
    await writeFile(list, `${first.online.peerId} client\n`)
    const guarded = await serve('--blocks', '0-6', '--allow', list)
    try {
      const key = join(home, 'me.key')
      const [{ stdout: own }, refused, gone, nowhere] = await Promise.all([
        swarm('id', '--identity', key),
        generate('--join', hostPort(guarded)),
        generate('--join', dead),
        swarm('status', '--no-mdns')
      ])
      assert.match(
        refused.stderr,
        /^swarm: a peer to join refuses this one, probably by its allow-list:\n.*closed the connection at once.*\n.*--identity <file> keeps/
      )
      assert.match(gone.stderr, /^swarm: no peer to join answers:\n {2}\/ip4\/127\.0\.0\.1\/tcp\/1: .*ECONNREFUSED/)
      assert.match(nowhere.stderr, /^swarm: no way into a swarm: no address, .*--join <host:port>/)
      assert.deepEqual([refused.code, gone.code, nowhere.code], [1, 1, 1])
      // what it advises works: the peer id that `swarm id` prints is let in
      await guarded.stop()
      await writeFile(list, `${own.trim()} client\n`)
      const opened = await serve('--blocks', '0-6', '--allow', list)
      const allowed = await swarm('status', '--identity', key, '--json', '--join', hostPort(opened))
      await opened.stop()
      assert.equal(JSON.parse(allowed.stdout)[0].state, 'incomplete')
    } finally {
      await guarded.stop()
    }
  })
})
