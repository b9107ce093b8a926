import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { SwarmError } from '../../../common/errors.ts'
import {
  formatInvite,
  generateSecret,
  type Invite,
  looksLikeInvite,
  parseInvite
} from '../../../network/private/invite.ts'
import { membership, multicastTag } from '../../../network/private/membership.ts'
import { code } from '../harness.ts'

const peer = '12D3KooWPLUghM9BX2h44Jw3pD2DoiUu2gpp3Ey2ztdDQuBrv9bL'
const invite: Invite = {
  name: 'home',
  secret: Uint8Array.from({ length: 32 }, (_, i) => i),
  peers: [`/ip4/192.168.1.5/tcp/31330/p2p/${peer}`, `/dns4/example.org/tcp/443/ws/p2p/${peer}`],
  model: { identity: 'ab'.repeat(32), name: 'tiny' }
}

test('an invite says in one word what it was made of', () => {
  const text = formatInvite(invite)
  assert.match(text, /^swarm1[1-9A-HJ-NP-Za-km-z]+$/)
  assert.ok(text.length < 350, `${text.length} characters`)
  assert.deepEqual(parseInvite(text), invite)
  assert.ok(looksLikeInvite(text) && !looksLikeInvite('swarm1') && !looksLikeInvite('home'))
  const bare = { name: 'x', secret: generateSecret(), peers: [] }
  assert.deepEqual(parseInvite(formatInvite(bare)), bare)
})

test('a line that was wrapped by a mail program is read', () => {
  const text = formatInvite(invite)
  assert.deepEqual(parseInvite(` ${text.slice(0, 60)}\r\n  ${text.slice(60)}\n`), invite)
})

test('what is wrong with an invite is said', () => {
  const text = formatInvite(invite)
  const cases: [string, RegExp][] = [
    ['hello', /begins with swarm1, found 'hello…'/],
    [`swarm2${text.slice(6)}`, /version 2 is not known.*update/],
    [text.slice(0, -3), /checksum is wrong.*copy all of it/],
    [`${text.slice(0, 40)}2${text.slice(41)}`, /checksum is wrong/],
    [`${text.slice(0, 40)}0${text.slice(41)}`, /'0' at character 41/],
    ['swarm1', /checksum is wrong/]
  ]
  for (const [wrong, pattern] of cases)
    assert.throws(() => parseInvite(wrong), code('INVALID_ARGUMENT', pattern), wrong)
  assert.throws(() => formatInvite({ ...invite, name: '../x' }), code('INVALID_ARGUMENT', /swarm name '\.\.\/x'/))
  assert.throws(() => formatInvite({ ...invite, secret: new Uint8Array(16) }), code('INVALID_ARGUMENT', /found 16/))
})

test('any text is read or refused, and one wrong character is always noticed', () => {
  const text = formatInvite(invite)
  fc.assert(
    fc.property(fc.string(), body => {
      try {
        parseInvite(`swarm1${body}`)
        return false
      } catch (error) {
        return error instanceof SwarmError && error.code === 'INVALID_ARGUMENT'
      }
    })
  )
  const alphabet = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz'
  fc.assert(
    fc.property(fc.integer({ min: 6, max: text.length - 1 }), fc.constantFrom(...alphabet), (at, other) => {
      fc.pre(text[at] !== other)
      assert.throws(() => parseInvite(text.slice(0, at) + other + text.slice(at + 1)), SwarmError)
    })
  )
})

test('an invite joins by its peers and the given ones, and refuses another model', () => {
  const settings = membership({ swarm: formatInvite(invite), join: ['/ip4/10.0.0.1/tcp/1', invite.peers[0]!] })
  assert.deepEqual(settings.join, ['/ip4/10.0.0.1/tcp/1', ...invite.peers])
  assert.deepEqual(settings.secret, invite.secret)
  // from JavaScript
  const text = '/ip4/10.0.0.1/tcp/1' as never
  assert.throws(
    () => membership({ join: text }),
    code('INVALID_ARGUMENT', /join address: expected a list .* found string/)
  )
  const another = { swarm: invite, model: 'cd'.repeat(32) }
  assert.throws(() => membership(another), code('MODEL_MISMATCH', /'home' is for tiny \(abababab\), .* cdcdcdcd/))
})

test('multicast goes by a one-way tag, and not at all on loopback or where it is switched off', () => {
  const model = 'ab'.repeat(32)
  const secret = Buffer.from(invite.secret).toString('hex')
  const tag = membership({ swarm: invite }).multicastTag!
  assert.match(tag, /^_[0-9a-f]{32}\._udp\.local$/)
  assert.ok(!secret.includes(tag.slice(1, 33)))
  assert.equal(tag, multicastTag({ secret: invite.secret }))
  assert.notEqual(tag, membership({ swarm: { ...invite, secret: generateSecret() } }).multicastTag)
  assert.equal(membership({ model }).multicastTag, multicastTag({ model }))
  assert.equal(membership({}).multicastTag, undefined)
  assert.equal(membership({ swarm: invite, multicast: false }).multicastTag, undefined)
  assert.equal(membership({ swarm: invite, listen: ['/ip4/127.0.0.1/tcp/0'] }).multicastTag, undefined)
  assert.equal(membership({ model, join: ['/ip4/127.0.0.1/tcp/4000'] }).multicastTag, undefined)
  assert.equal(
    membership({ model, join: ['/ip4/127.0.0.1/tcp/4000'], multicast: true }).multicastTag,
    multicastTag({ model })
  )
})

test('who is named by an address is meant: the LAN is asked where nobody is, for a swarm that an invite names, or on demand', () => {
  const model = 'ab'.repeat(32)
  const join = ['/ip4/192.0.2.1/tcp/4000']
  const listen = ['/ip4/0.0.0.0/tcp/0']
  const tag = multicastTag({ model })
  const { secret: _, ...settings } = membership({ model, join })
  assert.deepEqual(settings, { join })
  assert.deepEqual(membership({ model, join, listen }), { join })
  const answerTag = multicastTag('open')
  assert.deepEqual(membership({ model, listen }), { join: [], multicastTag: tag, answerTag })
  for (const peer of [{}, { listen }]) {
    assert.deepEqual(membership({ model, join, multicast: true, ...peer }), {
      join,
      multicastTag: tag,
      ...('listen' in peer && { answerTag })
    })
    assert.deepEqual(membership({ model, join, multicast: false, ...peer }), { join })
    const ofInvite = membership({ swarm: { ...invite, peers: join }, ...peer })
    const { secret } = invite
    assert.deepEqual(ofInvite, { join, secret, swarmName: 'home', multicastTag: multicastTag({ secret }) })
  }
})
