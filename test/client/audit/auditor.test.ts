// Audits over real servers: who lies is found, named and left out; who rounds is not.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { it } from 'node:test'
import { createRandom } from '../../../common/random.ts'
import { float32 } from '../../../common/tensor.ts'
import { echo, noise } from '../../../testing/lying-server.ts'
import { relative } from '../../../testing/swarm.ts'
import { startAudited, states } from './support.ts'

const { normal } = createRandom(3)
/** 4 blocks in float32: audits compute them here */
const float32Path = join(import.meta.dirname, '..', '..', 'reference', 'grouped')
const always = { probability: 1 }

it('a forward pass that was a lie is computed by another server, and the liar is left out', async context => {
  const audited = await startAudited(context, [
    [0, 12],
    [0, 12]
  ])
  const liar = await audited.addLiar([0, 12], noise(0.05, normal))
  const near = [liar.server.peerId]
  const truth = audited.blocks({ probability: 0 }, { near: [audited.swarm.servers[0]!.peerId] })
  const { blocks, auditor, peers } = audited.blocks(always, { near })
  const input = states(2, 6)
  const { hidden: expected } = await truth.blocks.forward(input)
  const { hidden } = await blocks.forward(input)
  assert.equal(liar.lies(), 1)
  assert.ok(relative(hidden.data, expected.data) < 1e-5)
  const { lies, agreed, audits } = auditor.report
  assert.deepEqual([audits, agreed], [2, 1])
  assert.equal(lies.length, 1)
  assert.equal(lies[0]!.peerId, liar.server.peerId)
  assert.equal(lies[0]!.decidedBy, 'a third server')
  assert.ok(lies[0]!.deviation > 1)
  assert.ok(peers.servers.every(({ peerId }) => peerId !== liar.server.peerId))
  await blocks.forward(input)
  assert.equal(liar.lies(), 1)
})

it('a gradient that was a lie is computed by another server', async context => {
  const audited = await startAudited(context, [
    [0, 12],
    [0, 12]
  ])
  const liar = await audited.addLiar([0, 12], null)
  const { blocks, auditor } = audited.blocks(always, { near: [liar.server.peerId] })
  const ports = {
    'blocks.4.lora.self_attn.q_proj.A': float32([2, 192], Array.from({ length: 384 }, normal)),
    'blocks.4.lora.self_attn.q_proj.B': float32([192, 2], Array.from({ length: 384 }, normal))
  }
  const input = states(1, 5)
  const pass = await blocks.forward(input, { ports, keepResiduals: true })
  const gradient = states(1, 5)
  const expected = await pass.backward(gradient)
  liar.tell(noise(0.05, normal))
  const again = await blocks.forward(input, { ports, keepResiduals: true })
  const found = await again.backward(gradient)
  assert.ok(relative(found.hidden.data, expected.hidden.data) < 1e-5)
  for (const name of Object.keys(ports)) {
    assert.ok(
      relative(found.ports[name]!.data as Float32Array, expected.ports[name]!.data as Float32Array) < 1e-4,
      name
    )
  }
  assert.deepEqual(
    auditor.report.lies.map(({ peerId }) => peerId),
    [liar.server.peerId]
  )
})

it('own blocks decide where there is one other server only', async context => {
  const audited = await startAudited(context, [[0, 4]], float32Path)
  const liar = await audited.addLiar([0, 4], echo)
  const honest = audited.swarm.servers[0]!.peerId
  const { blocks, auditor, peers } = audited.blocks(always, { near: [honest], own: true })
  await blocks.forward(states(1, 4, 32))
  // the honest one was asked, the liar was the one that it was compared with
  const { lies, agreed } = auditor.report
  assert.deepEqual([lies.length, lies[0]?.peerId, lies[0]?.decidedBy, agreed], [1, liar.server.peerId, 'own blocks', 1])
  assert.deepEqual(
    peers.servers.map(({ peerId }) => peerId),
    [honest]
  )
})

it('nobody is accused by one other server alone, and nobody where there is no other', async context => {
  const audited = await startAudited(context, [[0, 12]])
  const alone = audited.blocks(always)
  await alone.blocks.forward(states(1, 3))
  assert.deepEqual([alone.auditor.report.audits, alone.auditor.report.unanswered], [0, 1])
  const liar = await audited.addLiar([0, 12], echo)
  const two = audited.blocks(always, { near: [liar.server.peerId] })
  await two.blocks.forward(states(1, 3))
  const { undecided, lies } = two.auditor.report
  assert.deepEqual([undecided, lies], [1, []])
})

it('a session with a liar is found out by what is known of it', async context => {
  const audited = await startAudited(context, [
    [0, 12],
    [0, 12]
  ])
  // truthful to requests
  const liar = await audited.addLiar([0, 12], noise(0.05, normal), { requests: false })
  const { blocks, auditor } = audited.blocks(always, { near: [liar.server.peerId] })
  const session = await blocks.openSession({ batch: 2, maxLength: 16 })
  await session.step(states(2, 5), { lengths: [5, 3], answer: 'last' })
  await session.step(states(2, 1))
  await session.close()
  await auditor.settled()
  const { lies } = auditor.report
  assert.deepEqual([lies[0]?.peerId, lies[0]?.kind], [liar.server.peerId, 'session'])
  const next = await blocks.openSession({ batch: 1, maxLength: 16 })
  assert.ok(next.route.every(({ peerId }) => peerId !== liar.server.peerId))
  await next.close()
})

it('the liar of a chain is found, and its neighbours are not accused', async context => {
  const audited = await startAudited(context, [
    [0, 6],
    [6, 12],
    [0, 6],
    [6, 12]
  ])
  const liar = await audited.addLiar([6, 12], echo)
  const first = audited.swarm.servers[0]!.peerId
  const { blocks, auditor } = audited.blocks(always, { near: [liar.server.peerId, first] })
  const session = await blocks.openSession({ batch: 1, maxLength: 16 })
  assert.deepEqual(
    session.route.map(({ peerId }) => peerId),
    [first, liar.server.peerId]
  )
  await session.step(states(1, 5))
  await auditor.settled()
  assert.deepEqual(
    auditor.report.lies.map(({ peerId }) => peerId),
    [liar.server.peerId]
  )
  await session.close()
})

it('who lies in sessions only is found at once, also in a chain', async context => {
  const audited = await startAudited(context, [
    [0, 6],
    [6, 12],
    [0, 6],
    [6, 12]
  ])
  const liar = await audited.addLiar([0, 6], noise(0.1, normal), { requests: false })
  const last = audited.swarm.servers[1]!.peerId
  const { blocks, auditor } = audited.blocks(always, { near: [liar.server.peerId, last] })
  const session = await blocks.openSession({ batch: 1, maxLength: 16 })
  await session.step(states(1, 5))
  await auditor.settled()
  assert.deepEqual(
    auditor.report.lies.map(({ peerId, kind }) => [peerId, kind]),
    [[liar.server.peerId, 'session']]
  )
  await session.close()
})

it('who lies to other servers only is suspected, and harmless when hidden states go through the client', async context => {
  const audited = await startAudited(context, [
    [0, 6],
    [6, 12],
    [0, 6],
    [6, 12]
  ])
  const liar = await audited.addLiar([0, 6], noise(0.1, normal), { requests: false, results: false })
  const last = audited.swarm.servers[1]!.peerId
  const { blocks, auditor } = audited.blocks(always, { near: [liar.server.peerId, last] })
  const input = states(1, 5)
  const { hidden: expected } = await audited.blocks({ probability: 0 }).blocks.forward(input)
  const session = await blocks.openSession({ batch: 1, maxLength: 16 })
  const relayed = await session.step(input)
  await auditor.settled()
  assert.ok(liar.lies() > 0)
  assert.deepEqual(auditor.report.lies, [])
  assert.deepEqual(auditor.report.suspected, [[liar.server.peerId, last]])
  // the first answer was checked before it was used
  assert.ok(relative(relayed.data, expected.data) < 1e-5)
  const told = liar.lies()
  await session.step(states(1, 1))
  await session.close()
  await auditor.settled()
  assert.equal(liar.lies(), told)
  assert.deepEqual(auditor.report.lies, [])
})

it('honest sessions that go back and reorder their rows are not accused', async context => {
  const audited = await startAudited(context, [
    [0, 6],
    [6, 12],
    [0, 12]
  ])
  const near = audited.swarm.servers.slice(0, 2).map(({ peerId }) => peerId)
  const { blocks, auditor } = audited.blocks(always, { near })
  const session = await blocks.openSession({ batch: 3, maxLength: 32 })
  assert.equal(session.route.length, 2)
  await session.step(states(3, 6), { lengths: [6, 2, 4], answer: 'last' })
  await session.step(states(3, 3))
  session.truncate([7, 5, 5])
  session.reorder([2, 2, 0])
  await session.step(states(3, 2))
  await session.close()
  await auditor.settled()
  const { audits, agreed, worstAgreed, lies } = auditor.report
  assert.deepEqual([audits, agreed, lies], [2, 2, []])
  assert.ok(worstAgreed < 0.1, `${worstAgreed}`)
})
