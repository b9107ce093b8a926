// Audits over servers without a network: who is asked, who is accused, and what is counted.
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { Auditor } from '../../../client/audit/auditor.ts'
import type { OwnBlocks } from '../../../client/audit/own-blocks.ts'
import type { SpanRequest } from '../../../client/remote/passes/span-request.ts'
import { type Float32Tensor, float32 } from '../../../common/tensor.ts'
import { FakeSwarm, failure, model } from '../remote/fake-swarm.ts'

const all = { first: 0, end: 4 }
const input = float32([1, 2, 2], [1, 2, 3, 4])
const times = ({ shape, data }: Float32Tensor, factor: number) =>
  float32(
    shape,
    data.map(value => value * factor)
  )
const right = times(input, 120)
const request: SpanRequest = { ports: {}, dropout: null, keepResiduals: false }
const asked = { hop: { peerId: 'audited', blocks: all }, input, request }

/** All forward requests of `swarm` are audited. @param near the servers that are compared with first */
async function createAuditor(swarm: FakeSwarm, near: readonly string[], own?: Pick<OwnBlocks, 'forward'>) {
  const peers = swarm.peers({ audited: true, ping: async peerId => (near.includes(peerId) ? 1 : 4000) })
  await peers.route(all)
  const codecs = { activations: 'fp32', gradients: 'fp32' } as const
  const caller = { network: swarm, model, codecs, timeoutMs: 1000, addressesOf: () => [] }
  return { peers, auditor: new Auditor({ caller, peers, ...(own && { own }) }, { probability: 1 }) }
}

it('of several servers that give a wrong result together the one that lied is accused', async () => {
  const swarm = new FakeSwarm(['audited', 0, 4], ['liar', 0, 2], ['honest', 2, 4], ['third', 0, 4])
  swarm.answer = ({ peerId }, hidden) => (peerId === 'liar' ? times(hidden, 1.5) : hidden)
  const { peers, auditor } = await createAuditor(swarm, ['liar', 'honest'])
  await auditor.forward(asked, right)
  assert.deepEqual(swarm.asked('forwardRequest').slice(0, 3), ['liar 0-2', 'honest 2-4', 'third 0-4'])
  const { lies, agreed } = auditor.report
  assert.deepEqual(
    lies.map(({ peerId, blocks }) => ({ peerId, blocks })),
    [{ peerId: 'liar', blocks: { first: 0, end: 2 } }]
  )
  assert.equal(agreed, 2) // the server that was audited, and the liar's neighbour
  assert.ok(peers.isExcluded('liar'))
  assert.ok(!peers.isExcluded('honest'))
})

it('own blocks decide where the second server fails', async () => {
  const swarm = new FakeSwarm(['audited', 0, 4], ['broken', 0, 4])
  swarm.before = ({ peerId }) => {
    if (peerId === 'broken') throw failure('INVALID_ARGUMENT')
  }
  const own = { forward: async () => right }
  const { auditor } = await createAuditor(swarm, ['broken'], own)
  await assert.rejects(auditor.forward(asked, times(right, 1.5)), { code: 'BAD_FRAME' })
  assert.deepEqual(
    auditor.report.lies.map(({ peerId, decidedBy }) => ({ peerId, decidedBy })),
    [{ peerId: 'audited', decidedBy: 'own blocks' }]
  )
  assert.equal(auditor.report.unanswered, 0)
})

it('two servers that differ are reported where the third fails', async () => {
  const swarm = new FakeSwarm(['audited', 0, 4], ['second', 0, 4], ['broken', 0, 4])
  swarm.before = ({ peerId }) => {
    if (peerId === 'broken') throw failure('INVALID_ARGUMENT')
  }
  const { auditor } = await createAuditor(swarm, ['second'])
  await auditor.forward(asked, times(right, 1.5))
  const { undecided, unanswered, lies } = auditor.report
  assert.deepEqual({ undecided, unanswered, lies }, { undecided: 1, unanswered: 0, lies: [] })
})
