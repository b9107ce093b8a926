// Parts of a batch over several real servers of the same blocks: the same bytes as over one.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Codec } from '../../../client/index.ts'
import { RemoteSequential } from '../../../client/remote/chain.ts'
import { Peers } from '../../../client/remote/peers/peers.ts'
import { int64 } from '../../../common/tensor.ts'
import { findServers } from '../../../network/discovery/discovery.ts'
import { createNetwork, type Network } from '../../../network/node.ts'
import type { NamedTensors } from '../../../proto/frame.ts'
import { protocols } from '../../../proto/protocols.ts'
import { startSwarm, type TestSwarm } from '../../../testing/swarm.ts'
import { loraPorts, openModel, randomTensor } from '../../server/support.ts'

const checkpoint = await openModel('tiny')
const { config, identity } = checkpoint
/** eight rows of different lengths, each a part of its own */
const [batch, seq] = [8, 10]
const hidden = randomTensor(1, [batch, seq, config.hiddenSize])
const gradient = randomTensor(2, hidden.shape)
const mask = int64(
  [batch, seq],
  Array.from({ length: batch * seq }, (_, at) => (at % seq > 9 - (Math.floor(at / seq) % 3) ? 0 : 1))
)
const ports = loraPorts(checkpoint, { first: 0, end: config.numBlocks })

interface Outcome {
  /** hidden states and all gradients */
  readonly tensors: NamedTensors
  /** requests that each peer answered */
  readonly answered: Map<string, number>
  /** the most peers that had a request at one time */
  readonly together: number
}

/** Hidden states and gradients through a swarm, with dropout; `onRequest` sees every forward and backward request before it is sent. */
async function outcome(
  swarm: TestSwarm,
  codec: Codec,
  onRequest: (protocol: string, peer: string) => Promise<unknown> | undefined = () => undefined
): Promise<Outcome> {
  await using network = await createNetwork({ listen: [], join: swarm.join })
  await network.start()
  const { request } = network
  const answered = new Map<string, number>()
  const waiting: string[] = []
  let together = 0
  const asking: Network['request'] = async (peer, protocol, ...rest) => {
    if (protocol !== protocols.forward && protocol !== protocols.backward) {
      return await request.call(network, peer, protocol, ...rest)
    }
    await onRequest(protocol, peer)
    waiting.push(peer)
    together = Math.max(together, new Set(waiting).size)
    try {
      const answer = await request.call(network, peer, protocol, ...rest)
      answered.set(peer, (answered.get(peer) ?? 0) + 1)
      return answer
    } finally {
      waiting.splice(waiting.indexOf(peer), 1)
    }
  }
  network.request = asking
  const peers = new Peers({
    // servers that share this process measure each other's load
    findServers: async options => {
      const found = await findServers(network, identity, options)
      return found.map(server => ({ ...server, forwardRate: 1000 }))
    },
    ping: async () => 1
  })
  const { numBlocks, hiddenSize } = config
  const remote = { subBatchTokens: seq, retryDelaysMs: [0, 10, 10], cacheBytesPerPosition: 1, codec }
  const blocks = new RemoteSequential({ network, peers }, { model: identity, numBlocks, hiddenSize, ...remote })
  const dropout = { probability: 0.1, seed: 11 }
  const pass = await blocks.forward(hidden, { mask, ports, dropout, keepResiduals: true })
  const gradients = await pass.backward(gradient)
  await blocks.close()
  const tensors = { hidden: pass.hidden, 'grad.hidden': gradients.hidden, ...gradients.ports }
  return { tensors, answered, together }
}

function assertSame(found: Outcome, expected: Outcome): void {
  assert.equal(Object.keys(found.tensors).length, 2 + 4 * config.numBlocks)
  assert.deepEqual(found.tensors, expected.tensors)
}

for (const codec of ['fp32', 'int8'] as const) {
  describe(`a batch in eight parts, in ${codec}`, () => {
    let one: TestSwarm
    let expected: Outcome
    before(async () => {
      one = await startSwarm([
        [0, 6],
        [6, 12]
      ])
      expected = await outcome(one, codec)
    })
    after(() => one[Symbol.asyncDispose]())

    it('has the same results and gradients, to the byte, over two replicas of every block, all at work at once', async () => {
      await using swarm = await startSwarm([
        [0, 6],
        [6, 12],
        [0, 6],
        [6, 12]
      ])
      const found = await outcome(swarm, codec)
      assertSame(found, expected)
      assert.deepEqual(
        swarm.servers.map(({ peerId }) => found.answered.get(peerId)),
        [8, 8, 8, 8]
      )
      assert.ok(found.together > 2, `${found.together} at once`)
      assert.equal(expected.together, 2)
    })

    for (const when of codec === 'fp32' ? (['forward', 'backward'] as const) : []) {
      it(`has them when a replica dies in the middle of the ${when} pass`, async () => {
        await using swarm = await startSwarm([
          [0, 6],
          [6, 12],
          [6, 12]
        ])
        const replicas = swarm.servers.slice(1)
        const asked = new Map<string, number>()
        let killed: Promise<void> | undefined
        const found = await outcome(swarm, codec, (protocol, peer) => {
          const replica = replicas.find(server => server.peerId === peer)
          if (protocol !== protocols[when] || replica === undefined) return
          asked.set(peer, (asked.get(peer) ?? 0) + 1)
          // the second request of one of them comes too late
          if (asked.get(peer) === 2) killed ??= replica.stop()
          return killed
        })
        assert.notEqual(killed, undefined)
        assertSame(found, expected)
      })
    }
  })
}
