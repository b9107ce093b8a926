// Parts of a batch over several real servers of the same blocks: the same bytes as over one.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { type CodecOption, getPeftModel } from '../../../client/index.ts'
import { createNetwork, type Network } from '../../../network/node.ts'
import { protocols } from '../../../proto/protocols.ts'
import { startSwarm, type TestSwarm } from './swarm.ts'

/** eight rows of different lengths, each a part of its own */
const rows = Array.from({ length: 8 }, (_, row) =>
  Array.from({ length: 10 }, (_, at) => 3 + ((row * 31 + at * 7) % 90))
)
const input = {
  inputIds: rows,
  labels: rows.map((ids, row) => ids.map((id, at) => (at < 2 || at > 9 - (row % 3) ? -100 : id))),
  attentionMask: rows.map((_, row) => Array.from({ length: 10 }, (_, at) => (at > 9 - (row % 3) ? 0 : 1)))
}

interface Outcome {
  readonly loss: number
  readonly gradients: readonly Float32Array[]
  /** requests that each peer answered */
  readonly answered: Map<string, number>
  /** the most peers that had a request at one time */
  readonly together: number
}

/** Loss and gradients of LoRA through a swarm; `onRequest` sees every forward and backward request before it is sent. */
async function outcome(
  swarm: TestSwarm,
  codec: CodecOption,
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
  // servers that share this process with their client are not as far away as they seem while they start
  network.ping = async () => 1
  const remote = { subBatchTokens: 10, retryDelaysMs: [0, 10, 10] }
  await using base = await swarm.connect({ network, initialPeers: [], codec, remote })
  const config = { peftType: 'LORA', r: 4, loraAlpha: 8, loraDropout: 0.1, targetModules: 'all-linear' } as const
  const model = await getPeftModel(base, config, { seed: 5 })
  for (const { data } of model.parameters()) for (let at = 0; at < data.length; at++) data[at]! += Math.sin(at) / 50
  const { loss } = await model.forward(input, { training: true, seed: 11 })
  await loss.backward()
  return { loss: loss.value, gradients: model.parameters().map(({ grad }) => grad!), answered, together }
}

function assertSame(found: Outcome, expected: Outcome): void {
  assert.equal(found.loss, expected.loss)
  assert.deepEqual(found.gradients, expected.gradients)
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

    it('has the same loss and gradients, to the byte, over two replicas of every block, all at work at once', async () => {
      await using swarm = await startSwarm([
        [0, 6],
        [6, 12],
        [0, 6],
        [6, 12]
      ])
      const found = await outcome(swarm, codec)
      assertSame(found, expected)
      // how many parts each gets depends on the speed that it has measured of itself
      const counts = swarm.servers.map(({ peerId }) => found.answered.get(peerId) ?? 0)
      assert.ok(Math.min(...counts) > 0, `${counts}`)
      assert.equal(counts[0]! + counts[2]!, 16)
      assert.equal(counts[1]! + counts[3]!, 16)
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
