// Where peers listen, and what they tell others to join by.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inviteBy, joinLines, listenAddresses } from '../../../cli/options/listening.ts'
import { parseInvite } from '../../../network/private/invite.ts'

const listen = (host: string) => listenAddresses({ host, port: 4001 })
const invite = { name: 'home', secret: new Uint8Array(32), peers: ['/ip4/127.0.0.1/tcp/9'] }
const lan = ['/ip4/127.0.0.1/tcp/4001', '/ip4/192.168.1.7/tcp/4001']

test('a peer listens on addresses and on names of its machine', async () => {
  assert.deepEqual(await listen('0.0.0.0'), ['/ip4/0.0.0.0/tcp/4001'])
  assert.deepEqual(await listen('::'), ['/ip6/::/tcp/4001'])
  assert.deepEqual(await listen('[::1]'), ['/ip6/::1/tcp/4001'])
  assert.deepEqual(await listen('localhost'), ['/ip4/127.0.0.1/tcp/4001'])
  await assert.rejects(listen('nowhere.invalid'), {
    code: 'INVALID_ARGUMENT',
    message: /^--host nowhere\.invalid: no such name \(.*\); give an address or a name of this machine/
  })
})

test('an invite names no loopback address where there are others', () => {
  assert.deepEqual(parseInvite(inviteBy(invite, lan)).peers, ['/ip4/192.168.1.7/tcp/4001'])
  assert.deepEqual(parseInvite(inviteBy(invite, lan.slice(0, 1))).peers, [
    '/ip4/127.0.0.1/tcp/4001',
    '/ip4/127.0.0.1/tcp/9'
  ])
})

test('lines to join by leave loopback out, and warn where nothing else is left', () => {
  assert.deepEqual(joinLines(lan, undefined), ['another machine joins with:', '  --join /ip4/192.168.1.7/tcp/4001'])
  const [warning, ...lines] = joinLines(lan.slice(0, 1), undefined)
  assert.match(warning!, /^only peers on this machine can join: every address is loopback \(--host 0\.0\.0\.0/)
  assert.deepEqual(lines, ['another peer joins with:', '  --join /ip4/127.0.0.1/tcp/4001'])
  assert.match(joinLines(lan, invite).join('\n'), /^another machine joins swarm 'home' with\n {2}--swarm swarm1/)
})
