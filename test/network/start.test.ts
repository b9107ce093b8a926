import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { SwarmError } from '../../common/errors.ts'
import { silent } from '../../common/logger.ts'
import { createNetwork, loadIdentity } from '../../network/node.ts'
import { tryLockIdentity } from '../../network/private/identity-lock.ts'
import { code, loopback, Swarm, until, within } from './harness.ts'

async function withFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'swarmtune-identity-'))
  try {
    await run(folder)
  } finally {
    await rm(folder, { recursive: true })
  }
}

test('an identity file is made once, private to its owner, and gives the same peer id again', () =>
  withFolder(async folder => {
    const identityPath = join(folder, 'deeper', 'identity.key')
    const first = await createNetwork({ listen: [], identityPath })
    const second = await createNetwork({ listen: [], identityPath })
    assert.equal(first.peerId, second.peerId)
    assert.match(first.peerId, /^12D3KooW/)
    assert.equal((await stat(identityPath)).mode & 0o777, 0o600)
    const key = await loadIdentity(identityPath)
    assert.equal(key.type, 'Ed25519')
  }))

test('of peers that make one identity at once all have the key that is in the file', () =>
  withFolder(async folder => {
    const path = join(folder, 'identity.key')
    const keys = await Promise.all(Array.from({ length: 8 }, () => loadIdentity(path)))
    const kept = await loadIdentity(path)
    assert.deepEqual(
      keys.map(key => key.equals(kept)),
      keys.map(() => true)
    )
    assert.deepEqual(await readdir(folder), ['identity.key'])
    // a link to nowhere: no key is made beside the one that is meant
    await symlink(join(folder, 'unplugged'), join(folder, 'link.key'))
    await assert.rejects(loadIdentity(join(folder, 'link.key')), code('INVALID_ARGUMENT', /link\.key cannot be read/))
  }))

test('an identity file that holds no key is refused and kept', () =>
  withFolder(async folder => {
    const path = join(folder, 'identity.key')
    await writeFile(path, 'not a key')
    await assert.rejects(loadIdentity(path), code('INVALID_ARGUMENT', /identity\.key is not a libp2p private key/))
    assert.equal(await readFile(path, 'utf8'), 'not a key')
    await assert.rejects(loadIdentity(folder), code('INVALID_ARGUMENT', /cannot be read/))
  }))

test('a key that others can read is refused with how to mend it', () =>
  withFolder(async folder => {
    const path = join(folder, 'identity.key')
    await loadIdentity(path)
    for (const mode of [0o640, 0o604, 0o620]) {
      await chmod(path, mode)
      const expected = new RegExp(`open to others \\(mode 0${mode.toString(8)}\\): chmod 600 '.*identity\\.key'`)
      await assert.rejects(loadIdentity(path), code('INVALID_ARGUMENT', expected))
    }
    await chmod(path, 0o400)
    await loadIdentity(path)
  }))

test('two peers do not run with one identity, and the next may when the first has stopped', () =>
  withFolder(async folder => {
    const identityPath = join(folder, 'identity.key')
    const [first, second] = [
      await createNetwork({ listen: loopback, identityPath }),
      await createNetwork({ listen: loopback, identityPath })
    ]
    await first.start()
    await assert.rejects(second.start(), code('ADDRESS_IN_USE', /a peer with this identity runs already/))
    await second.stop()
    await first.stop()
    const third = await createNetwork({ listen: loopback, identityPath })
    await third.start()
    assert.equal(third.peerId, first.peerId)
    await third.stop()
  }))

test('the lock of a process that was killed is no lock, whoever of several takes it first', () =>
  withFolder(async folder => {
    const path = join(folder, 'identity.key')
    const lock = new URL('../../network/private/identity-lock.ts', import.meta.url)
    const script = `const { lockIdentity } = await import('${lock}'); await lockIdentity('${path}'); console.log('locked'); setInterval(() => {}, 1000)`
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit']
    })
    await once(child.stdout, 'data')
    assert.equal(await tryLockIdentity(path), undefined)
    child.kill('SIGKILL')
    await once(child, 'exit')
    assert.ok((await readdir(folder)).includes('identity.key.lock'))
    const taken = await Promise.all(Array.from({ length: 8 }, () => tryLockIdentity(path)))
    const unlocks = taken.filter(unlock => unlock !== undefined)
    assert.equal(unlocks.length, 1)
    await unlocks[0]!()
    assert.deepEqual(await readdir(folder), [])
  }))

test('addresses can be dialed as they are: they end in the peer id', async () => {
  await using swarm = new Swarm()
  const peer = await swarm.peer()
  assert.equal(peer.addresses.length, 1)
  assert.match(peer.addresses[0]!, new RegExp(`^/ip4/127\\.0\\.0\\.1/tcp/[1-9]\\d*/p2p/${peer.peerId}$`))
  const announced = await swarm.peer({ announce: ['/dns4/example.org/tcp/4000'] })
  assert.deepEqual(announced.addresses, [`/dns4/example.org/tcp/4000/p2p/${announced.peerId}`])
  assert.deepEqual((await swarm.client(peer)).addresses, [])
})

test('a taken port is named, with what to try', async () => {
  await using swarm = new Swarm()
  const first = await swarm.peer()
  const listen = [first.addresses[0]!.replace(/\/p2p\/.*/, '')]
  const second = await createNetwork({ listen })
  const expected = code('ADDRESS_IN_USE', new RegExp(`cannot listen on ${listen[0]}: the port is taken.*port 0`))
  await assert.rejects(second.start(), expected)
  await second.stop()
})

test('an address that this machine does not have is not called a taken port', async () => {
  const network = await createNetwork({ listen: ['/ip4/203.0.113.7/tcp/0'] })
  await assert.rejects(network.start(), code('INVALID_ARGUMENT', /203\.0\.113\.7/))
})

test('addresses that are none are refused before anything starts', async () => {
  await assert.rejects(createNetwork({ listen: ['0.0.0.0:4000'] }), code('INVALID_ARGUMENT', /listen address '0\.0/))
  await assert.rejects(createNetwork({ join: ['http://x'] }), code('INVALID_ARGUMENT', /join address 'http:\/\/x'/))
})

test('joining fails with every address and why, when none answers', async () => {
  await using swarm = new Swarm()
  const gone = await swarm.peer()
  const { addresses } = gone
  await gone.stop()
  const network = await createNetwork({ listen: [], join: ['/ip4/127.0.0.1/tcp/9', ...addresses] })
  const failed = assert.rejects(network.start(), (error: unknown) => {
    for (const pattern of [/no peer to join answers/, /tcp\/9: .*ECONNREFUSED/, new RegExp(gone.peerId)]) {
      code('UNREACHABLE', pattern)(error)
    }
    return true
  })
  await within(failed, 10_000, 'failing to join')
  await network.stop()
})

test('joining succeeds when one of several addresses answers, with or without its peer id', async () => {
  await using swarm = new Swarm()
  const peer = await swarm.peer()
  const bare = peer.addresses.map(address => address.replace(/\/p2p\/.*/, ''))
  const client = await swarm.peer({ listen: [], join: ['/ip4/127.0.0.1/tcp/9', ...bare] })
  assert.ok((await client.ping(peer.peerId)) >= 0)
})

test('an address to join that is a peer of another id is refused', async () => {
  await using swarm = new Swarm()
  const peer = await swarm.peer()
  const other = await createNetwork({ listen: [] })
  const join = peer.addresses.map(address => address.replace(peer.peerId, other.peerId))
  const network = await createNetwork({ listen: [], join })
  const found = new RegExp(`another peer answers.*\\n.*expected peer ${other.peerId}, found ${peer.peerId}`)
  await assert.rejects(network.start(), code('UNREACHABLE', found))
})

test('joining itself alone is starting alone, and start and stop may be called twice', async () => {
  const privateKey = await loadKey()
  const probe = await createNetwork({ listen: loopback, privateKey })
  await probe.start()
  const { addresses } = probe
  await Promise.all([probe.stop(), probe.stop()])
  await probe.stop()
  const network = await createNetwork({ listen: [addresses[0]!.replace(/\/p2p\/.*/, '')], privateKey, join: addresses })
  await Promise.all([network.start(), network.start()])
  assert.deepEqual(network.addresses, addresses)
  await network[Symbol.asyncDispose]()
})

test('stopping in the middle of joining ends the start', async () => {
  // 192.0.2.0/24 is for documentation: nobody answers there
  const network = await createNetwork({ listen: [], join: ['/ip4/192.0.2.1/tcp/4001'] })
  const started = assert.rejects(network.start(), SwarmError)
  await within(network.stop(), 3000, 'stopping')
  await started
})

test('a server waits for the peers that it is to join, says so once, and joins when one is there', async () => {
  await using swarm = new Swarm()
  const gone = await swarm.peer()
  const { addresses } = gone
  await gone.stop()
  const lines: string[] = []
  const waits = Promise.withResolvers<void>()
  const warn = (fields: object, message: string) => {
    lines.push(`${message} ${JSON.stringify(fields)}`)
    waits.resolve()
  }
  const server = await createNetwork({ listen: loopback, join: addresses, logger: { ...silent, warn } })
  swarm.peers.push(server)
  const started = server.start()
  await within(waits.promise, 10_000, 'saying that it waits')
  assert.equal(lines.length, 1)
  assert.match(lines[0]!, /waits until a peer to join answers/)
  assert.ok(lines[0]!.includes(addresses[0]!), lines[0])
  // at the address that was named, as another peer
  await assert.rejects(within(started, 50, 'starting'), /took longer/)
  const listen = addresses.map(address => address.replace(/\/p2p\/.*/, ''))
  const late = await createNetwork({ listen: loopback, join: listen, logger: { ...silent, warn } })
  swarm.peers.push(late)
  const lateStarted = late.start()
  await until(() => lines.length === 2, 'saying that the other waits too')
  const bootstrap = await swarm.peer({ listen })
  await within(lateStarted, 20_000, 'joining')
  assert.ok((await late.ping(bootstrap.peerId)) >= 0)
  assert.match(lines.at(-1)!, /a peer answers now/)
  // the other wants the peer that is gone, and ends when it is told to
  const ended = assert.rejects(started, SwarmError)
  await within(server.stop(), 3000, 'stopping')
  await ended
})

test('a peer that was never started stops', async () => {
  await (await createNetwork({ listen: [] })).stop()
})

async function loadKey() {
  let key: Awaited<ReturnType<typeof loadIdentity>> | undefined
  await withFolder(async folder => {
    key = await loadIdentity(join(folder, 'key'))
  })
  return key!
}
