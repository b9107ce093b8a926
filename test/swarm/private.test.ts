// A private swarm of real processes: made by one command, entered by one paste, closed to everybody else.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { type PeerProcess, startPeer } from '../../cli/peer/local-swarm.ts'
import { second } from '../../common/units.ts'
import { parseInvite } from '../../network/private/invite.ts'

const run = promisify(execFile)
const root = join(import.meta.dirname, '../..')
const model = join(root, 'models/tiny')
const bin = join(root, 'cli/bin.js')

describe('a private swarm of processes', { timeout: 240 * second }, () => {
  let home: string
  const peers: PeerProcess[] = []

  const swarm = async (args: readonly string[], env: Record<string, string> = {}): Promise<string> => {
    const options = { cwd: root, timeout: 60 * second, env: { ...process.env, SWARM_HOME: home, ...env } }
    return (await run(process.execPath, [bin, ...args], options)).stdout
  }
  const fails = async (args: readonly string[], env: Record<string, string> = {}): Promise<string> => {
    try {
      await swarm(args, env)
    } catch (error) {
      return (error as { stderr: string }).stderr
    }
    return assert.fail(`swarm ${args.join(' ')} should fail`)
  }
  const serve = async (...args: string[]): Promise<PeerProcess> => {
    const peer = await startPeer(['serve', model, '--host', '127.0.0.1', ...args], { env: { SWARM_HOME: home } })
    peers.push(peer)
    return peer
  }
  const init = async (...args: string[]) =>
    JSON.parse(await swarm(['init', ...args, '--json'])) as { name: string; invite: string; file: string }

  before(async () => {
    home = await mkdtemp(join(tmpdir(), 'swarm-home-'))
  })

  after(async () => {
    await Promise.all(peers.map(peer => peer.stop()))
    await rm(home, { recursive: true })
  })

  test('init keeps the secret for its owner alone, and prints the invite once more when asked', async () => {
    const made = await init('home', '--model', model)
    assert.equal((await stat(made.file)).mode & 0o777, 0o600)
    assert.equal(parseInvite(made.invite).model?.name, 'tiny')
    assert.match(await fails(['init', 'home']), /'home' is there already .* --show .* --rotate/)
    assert.equal((await init('home', '--show')).invite, made.invite)
    assert.match(await fails(['init', '../home']), /swarm name '\.\.\/home': expected at most 64 letters/)
    assert.match(await fails(['init', 'nowhere', '--rotate']), /no swarm 'nowhere' on this machine \(known: home\)/)
    await chmod(made.file, 0o644)
    assert.match(await fails(['status', '--swarm', 'home']), /open to others \(mode 0644\): chmod 600/)
    await chmod(made.file, 0o600)
  })

  test('two servers, the second by the paste that the first printed; clients by name or invite', async () => {
    const first = await serve('--swarm', 'home', '--blocks', '0-6')
    const second = await serve('--swarm', first.online.invite!, '--blocks', '6-12')
    assert.notEqual(first.online.peerId, second.online.peerId)

    const invite = first.online.invite!
    const text = await swarm(['generate', model, 'Call me', '--max-new-tokens', '8'], { SWARM_INVITE: invite })
    const address = `--join=${first.address}`
    assert.equal(await swarm(['generate', model, 'Call me', '--max-new-tokens', '8', '--swarm', 'home', address]), text)
    const [status] = JSON.parse(await swarm(['status', '--json', '--swarm', invite])) as [{ servers: object[] }]
    assert.equal(status.servers.length, 2)
  })

  test('nobody gets in without the invite, with that of another swarm, or with one that is mistyped', async () => {
    const { address, online } = peers[0]!
    const generate = ['generate', model, 'Call me', '--join', address]
    assert.match(
      await fails(generate),
      /^swarm: no peer to join is a peer of an open swarm:[\s\S]*private swarm[\s\S]*--swarm <invite>/
    )
    await init('other')
    assert.match(await fails([...generate, '--swarm', 'other']), /secret of the same invite/)
    const invite = online.invite!
    assert.match(await fails([...generate, '--swarm', `${invite.slice(0, -1)}`]), /checksum is wrong/)
  })

  test('an allow-list keeps out a member that is not on it', async () => {
    const list = join(home, 'allowed')
    const first = peers[0]!
    await writeFile(list, `${first.online.peerId} server # the first\n`)
    const guarded = await serve('--swarm', first.online.invite!, '--blocks', '0-6', '--allow', list)
    const status = ['status', '--swarm', 'home', '--join', guarded.address]
    assert.match(
      await fails(status),
      /^swarm: a peer to join refuses this one, probably by its allow-list:[\s\S]*ask its operator to allow 12D3/
    )
    await guarded.stop()
    await writeFile(list, 'somebody\n')
    assert.match(await fails([...status, '--allow', list]), /allowed, line 1: 'somebody' is not a peer id/)
    assert.match(await fails([...status, '--allow', join(home, 'none')]), /neither a peer id nor a file/)
    const only = ['status', '--json', '--swarm', first.online.invite!, '--allow', first.online.peerId]
    const [seen] = JSON.parse(await swarm(only)) as [{ servers: { peerId: string }[] }]
    assert.deepEqual(
      seen.servers.map(({ peerId }) => peerId),
      [first.online.peerId]
    )
  })

  test('a server has its identity again after a restart, and no two have one', async () => {
    const keys = await readdir(join(home, 'identities'))
    assert.ok(keys.includes('any-1.key') && keys.includes('any-2.key'), keys.join())
    assert.equal((await stat(join(home, 'identities', 'any-1.key'))).mode & 0o777, 0o600)
    const [first] = peers.splice(0, 1)
    const { peerId, invite } = first!.online
    const shared = ['serve', model, '--host', '127.0.0.1', '--blocks', '0-6', '--swarm', invite!]
    const inUse = [...shared, '--identity', join(home, 'identities', 'any-1.key')]
    assert.match(await fails(inUse), /any-1\.key: a peer with this identity runs already/)
    await first!.stop()
    const again = await serve('--swarm', invite!, '--blocks', '0-6', '--join', peers[0]!.address)
    assert.equal(again.online.peerId, peerId)
  })

  test('after a rotation the old invite lets nobody in to what was restarted', async () => {
    const old = (await init('home', '--show')).invite
    const fresh = (await init('home', '--rotate')).invite
    assert.notDeepEqual(parseInvite(fresh).secret, parseInvite(old).secret)
    assert.match(await readFile(join(home, 'swarms', 'home.json'), 'utf8'), /"rotated": "20/)
    await Promise.all(peers.splice(0).map(peer => peer.stop()))
    const server = await serve('--swarm', 'home')
    const generate = ['generate', model, 'Call me', '--max-new-tokens', '4', '--join', server.address]
    assert.match(await fails([...generate, '--swarm', old]), /secret of the same invite/)
    assert.ok((await swarm([...generate, '--swarm', fresh])).length > 0)
  })
})
