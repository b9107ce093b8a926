// Addresses as people write them.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hostAndPort, isLoopback, toMultiaddr, toMultiaddrs } from '../../network/addresses.ts'
import { createNetwork } from '../../network/node.ts'
import { membership } from '../../network/private/membership.ts'
import { code, Swarm } from './harness.ts'

const peer = '12D3KooWPLUghM9BX2h44Jw3pD2DoiUu2gpp3Ey2ztdDQuBrv9bL'

test('host and port are an address to join, of IPv4, IPv6 and names', () => {
  const cases: [string, string][] = [
    ['192.168.1.7:4001', '/ip4/192.168.1.7/tcp/4001'],
    ['[::1]:4001', '/ip6/::1/tcp/4001'],
    ['[fe80::a:1]:31330', '/ip6/fe80::a:1/tcp/31330'],
    ['localhost:4001', '/dns/localhost/tcp/4001'],
    [' attic_2.example.org:65535 ', '/dns/attic_2.example.org/tcp/65535'],
    ['büro.example:1', '/dns/xn--bro-hoa.example/tcp/1'],
    ['例え。jp:1', '/dns/xn--r8jz45g.jp/tcp/1'],
    ['attic.example.:1', '/dns/attic.example./tcp/1'],
    [`10.0.0.1:4001/p2p/${peer}`, `/ip4/10.0.0.1/tcp/4001/p2p/${peer}`],
    ['/ip4/10.0.0.1/tcp/4001', '/ip4/10.0.0.1/tcp/4001']
  ]
  for (const [text, expected] of cases) assert.equal(toMultiaddr(text, 'join address'), expected)
  assert.deepEqual(membership({ join: ['attic:4001'] }).join, ['/dns/attic/tcp/4001'])
})

test('what is no address is refused, with both forms that are one', () => {
  const wrong = [
    '192.168.1.7',
    'attic',
    '::1:4001',
    '300.1.1.1:4001',
    'attic:0',
    'attic:65536',
    'http://attic:80',
    'a b:1',
    // each was taken for another name: a, a, a, ab
    ...['a?b:1', 'a#b:1', 'a\\b:1', 'a\u200bb:1', '%61:1', 'a..b:1', `${'a'.repeat(64)}:1`],
    ''
  ]
  for (const text of wrong) {
    const expected =
      /^join address '.*': expected host:port, such as 192\.168\.1\.7:31330 or \[fe80::1\]:31330, or a multiaddr/
    assert.throws(() => toMultiaddr(text, 'join address'), code('INVALID_ARGUMENT', expected), text)
  }
  for (const text of ['attic:1/p2p/xyz', '/ip4/10.0.0.1/tcp/1/p2p/12D3KooW']) {
    const expected = /^join address '.*': '(xyz|12D3KooW)' is no peer id: expected an id such as 12D3Koo…/
    assert.throws(() => toMultiaddr(text, 'join address'), code('INVALID_ARGUMENT', expected), text)
  }
  // initialPeers: [process.env.SWARM_JOIN], and the variable is not set
  for (const unset of [undefined as unknown as string, '', ' ']) {
    const expected = /^initialPeers '(undefined)? ?': expected host:port.*\(is a variable not set\?\)$/
    assert.throws(() => toMultiaddrs([unset], 'initialPeers'), code('INVALID_ARGUMENT', expected))
  }
  const notList = 'attic:1' as unknown as string[]
  assert.throws(() => toMultiaddrs(notList, 'join address'), code('INVALID_ARGUMENT', /expected a list/))
})

test('a server is shown by the address that others can use', () => {
  const addresses = ['/ip4/127.0.0.1/tcp/4001', '/ip4/192.168.1.7/tcp/4001', '/ip4/10.1.1.1/tcp/4001']
  assert.equal(hostAndPort(addresses), '192.168.1.7:4001')
  assert.equal(hostAndPort(addresses, 'ip4/10.1.1.1'), '10.1.1.1:4001')
  assert.equal(hostAndPort(addresses.slice(0, 1)), '127.0.0.1:4001')
  assert.equal(hostAndPort([`/ip6/fe80::1/tcp/4001/p2p/${peer}`]), '[fe80::1]:4001')
  assert.equal(hostAndPort([`/ip4/10.0.0.1/tcp/1/p2p/${peer}/p2p-circuit`]), 'relayed')
  assert.equal(hostAndPort([]), undefined)
  const loopback = [
    '/ip4/127.0.0.9/tcp/1',
    '/ip6/::1/tcp/1',
    '/dns/localhost/tcp/1',
    '/ip4/128.0.0.1/tcp/1',
    '/dns/localhost.example/tcp/1'
  ]
  assert.deepEqual(loopback.map(isLoopback), [true, true, true, false, false])
})

test('peers join by host and port', async () => {
  await using swarm = new Swarm()
  const server = await swarm.peer()
  const port = server.addresses[0]!.split('/')[4]
  for (const join of [`127.0.0.1:${port}`, `localhost:${port}`]) {
    const client = await createNetwork({ listen: [], join: [join] })
    await client.start()
    assert.ok((await client.ping(server.peerId)) >= 0)
    await client.stop()
  }
})
