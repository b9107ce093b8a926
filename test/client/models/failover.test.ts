// Generation while servers are lost: what comes out is what would have come out.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { SwarmError } from '../../../common/errors.ts'
import { createRandom } from '../../../common/random.ts'
import { type Float32Tensor, float32, tensor } from '../../../common/tensor.ts'
import { createNetwork } from '../../../network/node.ts'
import type { BlockServer } from '../../../server/server.ts'
import { readReference } from '../../../testing/references.ts'
import { relative, startSwarm, until, useSwarm } from '../../../testing/swarm.ts'

interface Greedy {
  readonly newTokens: number
  readonly alone: readonly { ids: number[]; tokens: number[] }[]
  readonly batch: { ids: number[][]; mask: number[][]; tokens: number[][] }
}

const greedy = readReference<Greedy>('tiny-greedy.json')
const [reference] = greedy.alone as [Greedy['alone'][number]]

const replicas: readonly (readonly [number, number])[] = [
  [0, 4],
  [4, 8],
  [8, 12],
  [0, 4],
  [4, 8],
  [8, 12]
]

const random = createRandom(5)
const states = (batch: number, seq: number): Float32Tensor =>
  float32(
    [batch, seq, 192],
    Array.from({ length: batch * seq * 192 }, () => random.normal())
  )

/** Positions of every row, `from` to `end - 1`. */
function slice({ shape, data }: Float32Tensor, from: number, end: number): Float32Tensor {
  const [batch, seq, width] = shape as [number, number, number]
  const out = tensor('float32', [batch, end - from, width])
  for (let row = 0; row < batch; row++) {
    out.data.set(data.subarray((row * seq + from) * width, (row * seq + end) * width), row * (end - from) * width)
  }
  return out
}

describe('a generation whose servers are lost', () => {
  const used = useSwarm(replicas, { connect: { remote: { retryDelaysMs: [0, 50, 100, 200] } } })
  /** Ends a server that has a session. */
  const stopOne = async (): Promise<BlockServer> => {
    const server = used.swarm.servers.find(({ sessions }) => sessions > 0)!
    await server.stop()
    return server
  }
  /** Its hidden states travel as they are: for comparing them with passes. */
  const connectExact = () => used.swarm.connect({ codec: 'fp32', remote: { retryDelaysMs: [0, 50, 100, 200] } })
  const byPeer = (peerId: string): BlockServer => used.swarm.servers.find(server => server.peerId === peerId)!

  for (const hops of [[1], [0], [2], [0, 1], [0, 1, 2]]) {
    it(`goes on with the same tokens when servers ${hops.join(', ')} of its chain end between two steps`, async () => {
      const tokens: number[] = []
      const stream = used.model.generateStream(reference.ids, { maxNewTokens: greedy.newTokens })
      for await (const { token } of stream) {
        tokens.push(token!)
        if (tokens.length !== 10) continue
        // the servers that have a session now are those of the chain
        const chain = used.swarm.servers
          .filter(server => server.sessions > 0)
          .toSorted((a, b) => a.range.first - b.range.first)
        assert.equal(chain.length, 3)
        for (const hop of hops) {
          const { range } = chain[hop]!
          await chain[hop]!.stop()
          await used.swarm.add([range.first, range.end])
        }
      }
      assert.deepEqual(tokens, reference.tokens)
      await until(() => used.swarm.servers.every(server => server.sessions === 0))
    })
  }

  it('goes on for every row of a batch', async () => {
    const { ids, mask, tokens } = greedy.batch
    const rows = ids.map(() => [] as (number | null)[])
    const input = { inputIds: ids, attentionMask: mask }
    for await (const step of used.model.generateStream(input, { maxNewTokens: greedy.newTokens })) {
      for (const [row, token] of step.tokens.entries()) rows[row]!.push(token)
      if (rows[0]!.length !== 7) continue
      const { range } = await stopOne()
      await used.swarm.add([range.first, range.end])
    }
    assert.deepEqual(rows, tokens)
  })

  it('moves to another server before one that drains has left', async () => {
    await using exact = await connectExact()
    const session = await exact.transformer.h.openSession({ batch: 1, maxLength: 40 })
    const hidden = states(1, 20)
    const expected = await exact.transformer.h.forward(hidden)
    const first = await session.step(slice(hidden, 0, 10))
    const [, middle] = session.route
    const leaving = byPeer(middle!.peerId)
    const drained = leaving.drain({ deadlineMs: 30_000 })
    await until(() => leaving.state === 'draining')
    await new Promise(resolve => setTimeout(resolve, 100)) // its notice is on the way
    const second = await session.step(slice(hidden, 10, 20))
    await drained // it waited for nothing but this session
    assert.notEqual(session.route[1]!.peerId, middle!.peerId)
    assert.ok(relative([...first.data, ...second.data], expected.hidden.data) < 1e-5)
    await session.close()
    await used.swarm.add([4, 8])
  })

  it('names the blocks that nobody serves any more', async () => {
    const lonely = await startSwarm([
      [0, 6],
      [6, 12]
    ])
    const client = await lonely.connect({ remote: { retryDelaysMs: [0, 10] } })
    try {
      const session = await client.transformer.h.openSession({ batch: 1, maxLength: 8 })
      await session.step(states(1, 2))
      await lonely.servers[1]!.stop()
      await assert.rejects(session.step(states(1, 1)), error => {
        assert.ok(error instanceof SwarmError)
        assert.match(error.message, /blocks 6\.\.11/)
        return true
      })
    } finally {
      await client.close()
      await lonely[Symbol.asyncDispose]()
    }
  })

  it('goes back to earlier positions and reorders its rows, with a server lost on the way', async () => {
    await using exact = await connectExact()
    const { h } = exact.transformer
    const session = await h.openSession({ batch: 2, maxLength: 40 })
    const prompt = states(2, 6)
    await session.step(prompt)
    await session.step(states(2, 3)) // guesses that turn out wrong
    session.truncate([6, 6])
    session.reorder([1, 1])
    assert.deepEqual(session.lengths, [6, 6])
    const next = states(2, 2)
    const [hop] = session.route
    const lost = byPeer(hop!.peerId)
    await lost.stop()
    await used.swarm.add([0, 4])
    const found = await session.step(next)
    session.reorder([1, 0])
    const last = states(2, 1)
    const after = await session.step(last)
    // the same without a cache: both rows begin with row 1 of the prompt
    const rowOf = (x: Float32Tensor, row: number) =>
      x.data.slice((row * x.data.length) / 2, ((row + 1) * x.data.length) / 2)
    for (const row of [0, 1]) {
      const from = 1 - row
      const whole = float32([1, 9, 192], [...rowOf(prompt, 1), ...rowOf(next, from), ...rowOf(last, row)])
      const { hidden } = await h.forward(whole)
      assert.ok(relative(rowOf(found, from), slice(hidden, 6, 8).data) < 1e-5, `row ${row}`)
      assert.ok(relative(rowOf(after, row), slice(hidden, 8, 9).data) < 1e-5, `row ${row}, after`)
    }
    await session.close()
  })
})

it('servers that do not reach each other have their hidden states carried by the client', async () => {
  const listen = ['/ip4/127.0.0.1/tcp/0']
  const bootstrap = await createNetwork({ listen })
  await bootstrap.start()
  const join = bootstrap.addresses
  const network = await createNetwork({ listen: [], join })
  // the second server lets nobody in but the client
  const allow = new Map([
    [bootstrap.peerId, 'server'],
    [network.peerId, 'client']
  ] as const)
  const swarm = await startSwarm([[0, 6]], { server: { join, listen } })
  await swarm.add([6, 12], { allow })
  await network.start()
  const model = await swarm.connect({ network, remote: { retryDelaysMs: [0, 10, 10, 10, 10] } })
  try {
    const [row] = await model.generate(reference.ids, { maxNewTokens: 12 })
    assert.deepEqual(row!.slice(reference.ids.length), reference.tokens.slice(0, 12))
  } finally {
    await model.close()
    await swarm[Symbol.asyncDispose]()
    await network.stop()
    await bootstrap.stop()
  }
})
