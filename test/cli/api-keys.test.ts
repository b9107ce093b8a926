// swarm api keys: what it prints, and what it keeps. One process for all.
import assert from 'node:assert/strict'
import { syncBuiltinESMExports } from 'node:module'
import os from 'node:os'
import { mock, type TestContext, test } from 'node:test'
import { urlsForOthers } from '../../cli/options/listening.ts'
import { openStore } from '../../gateway/storage/store.ts'
import { temporaryFolder } from '../model/support.ts'
import { runHere } from './run.ts'

/** A home folder for this process until the test has ended. */
async function useHome(context: TestContext): Promise<string> {
  const before = process.env.SWARM_HOME
  const home = await temporaryFolder(context)
  process.env.SWARM_HOME = home
  context.after(() => {
    if (before === undefined) delete process.env.SWARM_HOME
    else process.env.SWARM_HOME = before
  })
  return home
}

test('keys are made, shown once, listed without their text, and revoked', async context => {
  const home = await useHome(context)
  assert.match(
    (await runHere('api', 'keys', 'list')).stdout,
    /^no keys: make one with 'swarm api keys create <name>'\n$/
  )

  const made = await runHere('api', 'keys', 'create', 'my lab', '--requests-per-minute', '60', '--operator')
  assert.equal(made.status, undefined)
  const key = made.stdout.trim()
  assert.match(key, /^sk-swarm-[0-9a-f]{12}-[\w-]{43}$/)
  assert.match(made.stderr, /of 'my lab': keep it safe, it is not shown again/)

  const listed = await runHere('api', 'keys', 'list')
  assert.match(listed.stdout, /my lab +\d{4}-\d\d-\d\d +- +60 requests\/min +operator +valid\n/)
  assert.equal(listed.stdout.includes(key), false)

  const again = await runHere('api', 'keys', 'create', 'my lab')
  assert.deepEqual([again.status, /a valid key named 'my lab' exists/.test(again.stderr)], [1, true])

  const second = JSON.parse((await runHere('api', 'keys', 'create', 'ci', '--json', '--tokens-per-minute=1000')).stdout)
  assert.deepEqual([second.name, second.tokensPerMinute, second.operator], ['ci', 1000, false])
  assert.match((await runHere('api', 'keys', 'revoke', second.id)).stdout, /^revoked key \w+ of 'ci'\n$/)
  assert.equal((await runHere('api', 'keys', 'revoke', 'ci')).status, 1)

  const rows = JSON.parse((await runHere('api', 'keys', 'list', '--json')).stdout)
  assert.deepEqual(
    rows.map(({ name, revoked }: { name: string; revoked: number | null }) => [name, revoked !== null]),
    [
      ['my lab', false],
      ['ci', true]
    ]
  )
  const store = await openStore(home)
  assert.equal(store.keys.recognize(key)?.name, 'my lab')
  assert.equal(store.keys.recognize(second.key), null)
  store.close()
})

test('what cannot be served safely or at all is said before anything is opened', async context => {
  await useHome(context)
  const told = async (...argv: string[]) => {
    const { status, stderr } = await runHere('api', 'models/tiny', '--join', '127.0.0.1:1', ...argv)
    assert.equal(status, 2, stderr)
    return stderr
  }
  const needsKey =
    /the API needs a key, and there is none: make one with 'swarm api keys create <name>', or .*--no-auth/
  for (const flags of [['--host', '0.0.0.0'], ['--host', '::'], ['--auth'], ['--trusted-proxies', '10.0.0.0/8']]) {
    assert.match(await told(...flags), needsKey)
  }
  assert.match(await told('--cors', 'https://page.example/chat'), /--cors .*: expected an origin such as/)
  assert.match(await told('--trusted-proxies', 'nginx', '--no-auth'), /expected addresses or ranges.*found 'nginx'/)
  assert.match(await told('--tls-cert', 'a.pem'), /--tls-cert and --tls-key: expected both or none/)
  assert.match(await told('models/other', '--draft', 'models/tiny'), /--draft proposes tokens for one model, found 2/)
})

test('a gateway on all addresses tells those that other machines reach', () => {
  const interfaces = {
    lo: [{ address: '127.0.0.1', family: 'IPv4', internal: true }],
    eth0: [
      { address: '192.168.1.5', family: 'IPv4', internal: false },
      { address: 'fd00::5', family: 'IPv6', internal: false, scopeid: 0 },
      { address: 'fe80::5', family: 'IPv6', internal: false, scopeid: 2 }
    ]
  }
  const found = mock.method(os, 'networkInterfaces', () => interfaces)
  syncBuiltinESMExports()
  try {
    assert.deepEqual(urlsForOthers('http://127.0.0.1:8000', '0.0.0.0'), ['http://192.168.1.5:8000'])
    assert.deepEqual(urlsForOthers('https://[::1]:8443', '::'), ['https://192.168.1.5:8443', 'https://[fd00::5]:8443'])
    assert.deepEqual(urlsForOthers('http://127.0.0.1:8000', '127.0.0.1'), [])
    assert.deepEqual(urlsForOthers('http://192.168.1.5:8000', '192.168.1.5'), [])
  } finally {
    found.mock.restore()
    syncBuiltinESMExports()
  }
})
