// Answers to multicast, as anybody on the LAN can send them: dialed by so many at once.
import assert from 'node:assert/strict'
import dgram from 'node:dgram'
import { type TestContext, test } from 'node:test'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { silent } from '../../../common/logger.ts'
import { maxMulticastDials } from '../../../network/constants.ts'
import { LocalPeers } from '../../../network/discovery/local-peers.ts'
import { createNode } from '../../../network/libp2p/node.ts'
import { generateIdentity } from '../../../network/private/identity.ts'
import { until } from '../harness.ts'

const tag = '_swarmtune-test._udp.local'

const label = (text: string) => Buffer.concat([Buffer.from([text.length]), Buffer.from(text)])
const name = (text: string) => Buffer.concat([...text.split('.').map(label), Buffer.from([0])])

/** A resource record of class IN (RFC 1035, section 4.1.3). */
function record(owner: string, type: number, data: Buffer): Buffer {
  const fixed = Buffer.alloc(10)
  fixed.writeUInt16BE(type, 0)
  fixed.writeUInt16BE(1, 2)
  fixed.writeUInt32BE(120, 4)
  fixed.writeUInt16BE(data.length, 8)
  return Buffer.concat([name(owner), fixed, data])
}

/** The mDNS response by which a peer says where it is. */
function response(peerId: string): Buffer {
  const header = Buffer.alloc(12)
  header.writeUInt16BE(0x8400, 2)
  header.writeUInt16BE(2, 6)
  const instance = `x${peerId.slice(-20)}.${tag}`
  const where = label(`dnsaddr=/ip4/192.0.2.7/tcp/4001/p2p/${peerId}`)
  return Buffer.concat([header, record(tag, 12, name(instance)), record(instance, 16, where)])
}

/** Local peers whose answers are those that the test sends, and the dials that they begin, none of which ends. */
async function listening(t: TestContext) {
  const sockets: dgram.Socket[] = []
  const create = dgram.createSocket
  t.mock.method(dgram, 'createSocket', (...options: Parameters<typeof create>) => {
    const socket = create(...options)
    sockets.push(socket)
    return socket
  })
  const init = { privateKey: await generateIdentity(), listen: [], announce: [], validators: {}, selectors: {} }
  const libp2p = await createNode(init)
  const dialed: PromiseWithResolvers<never>[] = []
  t.mock.method(libp2p, 'dial', () => {
    const dial = Promise.withResolvers<never>()
    dialed.push(dial)
    return dial.promise
  })
  const peers = new LocalPeers({ libp2p, logger: silent }, { tag, answers: false })
  await peers.start()
  const from = { address: '192.0.2.7', family: 'IPv4', port: 5353, size: 0 }
  const hear = async () => {
    sockets[0]!.emit('message', response(peerIdFromPrivateKey(await generateIdentity()).toString()), from)
  }
  return { peers, dialed, hear }
}

test('of a flood of made-up peers on the LAN so many are dialed at once', async t => {
  const { peers, dialed, hear } = await listening(t)
  for (let i = 0; i < maxMulticastDials + 20; i++) await hear()
  await until(() => dialed.length > 0, 'dialing')
  assert.equal(dialed.length, maxMulticastDials)
  dialed[0]!.reject(new Error('nobody is there'))
  await until(async () => {
    await hear()
    return dialed.length > maxMulticastDials
  }, 'dialing another')
  await peers.stop()
})
