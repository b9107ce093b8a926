// Joining peers that come and go while they are asked.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { silent } from '../../common/logger.ts'
import { parseAddress } from '../../network/addresses.ts'
import { join } from '../../network/libp2p/join.ts'
import type { SwarmLibp2p } from '../../network/libp2p/node.ts'
import { code } from './harness.ts'

test('a peer that goes while the peer store is asked is an error for the caller, and for nobody else', async () => {
  const stray: unknown[] = []
  const note = (error: unknown) => void stray.push(error)
  process.on('unhandledRejection', note)
  const peer = { equals: () => true }
  const libp2p = Object.assign(new EventTarget(), {
    peerId: { toString: () => 'us' },
    dial: async () => ({ remotePeer: peer }),
    getConnections: () => [{}],
    peerStore: {
      async has() {
        libp2p.dispatchEvent(Object.assign(new Event('peer:disconnect'), { detail: peer }))
        // as long as a store takes: rejections that nobody has heard by then are reported
        await new Promise(resolve => setImmediate(() => setImmediate(resolve)))
        return false
      }
    }
  })
  const components = { libp2p: libp2p as unknown as SwarmLibp2p, localPeers: undefined, logger: silent }
  const address = parseAddress('/ip4/127.0.0.1/tcp/9', 'join address')
  const options = { alone: false, patient: false, signal: new AbortController().signal }
  await assert.rejects(join(components, [address], options), code('UNREACHABLE', /closed the connection at once/))
  process.off('unhandledRejection', note)
  assert.deepEqual(stray, [])
})
