// Lies are found before they are used, or soon after they begin, and what was found outlasts the client.
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { it } from 'node:test'
import { files } from '../../../client/platform/files.node.ts'
import { Blame } from '../../../client/remote/peers/blame.ts'
import { createRandom } from '../../../common/random.ts'
import { type Float32Tensor, float32 } from '../../../common/tensor.ts'
import { day } from '../../../common/units.ts'
import { noise } from '../../../testing/lying-server.ts'
import { relative } from '../../../testing/swarm.ts'
import { startAudited, states } from './support.ts'

const { normal } = createRandom(7)
/** Draws nothing in the life of a test: what is audited nevertheless is audited because a server is not known. */
const seldom = { probability: 1e-12 }

it('the first answers of a server are checked before they are used; who lied is out, also after a restart, and has a way back', async context => {
  const home = await mkdtemp(join(tmpdir(), 'swarm-blame-'))
  context.after(() => rm(home, { recursive: true, force: true }))
  const audited = await startAudited(context, [
    [0, 12],
    [0, 12]
  ])
  const liar = await audited.addLiar([0, 12], noise(0.05, normal))
  const near = [liar.server.peerId]
  const clock = { now: Date.now() }
  /** a client that starts: it knows what the file says */
  const start = async () => {
    const blame = new Blame({ files, home, now: () => clock.now })
    await blame.load()
    return { ...audited.blocks(seldom, { near, blame }), blame }
  }
  const input = states(1, 5)
  const truth = audited.blocks({ probability: 0 }, { near: [audited.swarm.servers[0]!.peerId] })
  const { hidden: expected } = await truth.blocks.forward(input)

  const { blocks, auditor, blame, peers } = await start()
  const session = await blocks.openSession({ batch: 1, maxLength: 16 })
  assert.deepEqual(
    session.route.map(({ peerId }) => peerId),
    near
  )
  assert.ok(relative((await session.step(input)).data, expected.data) < 1e-5)
  await session.close()
  assert.equal(liar.lies(), 1)
  assert.deepEqual(
    auditor.report.lies.map(({ peerId, kind }) => [peerId, kind]),
    [[liar.server.peerId, 'session']]
  )
  // the honest ones are known now: nothing more is audited
  const { audits } = auditor.report
  const honest = peers.servers.filter(({ peerId }) => peers.isKnown(peerId))
  assert.ok(honest.length > 0)
  await blame.settled()

  const again = await start()
  const { hidden } = await again.blocks.forward(input)
  assert.ok(relative(hidden.data, expected.data) < 1e-5)
  assert.equal(liar.lies(), 1)
  assert.ok(again.peers.servers.every(({ peerId }) => peerId !== liar.server.peerId))
  assert.ok(again.auditor.report.audits <= audits)

  clock.now += day
  liar.tell(null)
  const later = await start()
  assert.ok(later.peers.isOnProbation(liar.server.peerId))
  await later.blocks.forward(input)
  assert.deepEqual([later.auditor.report.audits, later.auditor.report.agreed], [1, 1])
  assert.ok(!later.peers.isOnProbation(liar.server.peerId) && later.peers.isKnown(liar.server.peerId))
  await later.blame.settled()
})

it('who begins to lie in the middle of a session is found before it has doubled, and the session goes on without it', async context => {
  const audited = await startAudited(context, [
    [0, 12],
    [0, 12]
  ])
  const liar = await audited.addLiar([0, 12], null)
  const always = { probability: 1 }
  const { blocks, auditor } = audited.blocks(always, { near: [liar.server.peerId] })
  const truth = audited.blocks({ probability: 0 }, { near: [audited.swarm.servers[0]!.peerId] })
  const inputs = [states(1, 4), ...Array.from({ length: 8 }, () => states(1, 1))]
  const right: Float32Tensor[] = []
  await using reference = await truth.blocks.openSession({ batch: 1, maxLength: 16 })
  for (const input of inputs) right.push(await reference.step(input))
  await using session = await blocks.openSession({ batch: 1, maxLength: 16 })
  for (const [index, input] of inputs.entries()) {
    if (index === 3) liar.tell(noise(0.05, normal))
    const { data } = await session.step(input)
    await auditor.settled()
    const isRight = relative(data, right[index]!.data) < 1e-5
    // positions 6 and 7 are lies, 8 positions are twice the prompt
    assert.equal(isRight, index < 3 || index > 4, `step ${index}`)
  }
  assert.equal(liar.lies(), 2)
  assert.deepEqual(
    auditor.report.lies.map(({ peerId, kind }) => [peerId, kind]),
    [[liar.server.peerId, 'session']]
  )
  assert.ok(session.route.every(({ peerId }) => peerId !== liar.server.peerId))
})

it('sessions and passes of 8-bit servers are audited by others: nobody honest is accused, and a small lie is found', async context => {
  const audited = await startAudited(
    context,
    [
      [0, 12],
      [0, 12]
    ],
    undefined,
    { dtype: 'int8' }
  )
  const liar = await audited.addLiar([0, 12], null)
  const { blocks, auditor } = audited.blocks({ probability: 1 }, { near: [liar.server.peerId], codec: 'fp16' })
  for (let round = 0; round < 3; round++) {
    await using session = await blocks.openSession({ batch: 2, maxLength: 16 })
    await session.step(states(2, 6), { lengths: [6, 3] })
    for (let step = 0; step < 4; step++) await session.step(states(2, 1))
    const ports = {
      'blocks.4.lora.self_attn.q_proj.A': float32([2, 192], Array.from({ length: 384 }, normal)),
      'blocks.4.lora.self_attn.q_proj.B': float32([192, 2], Array.from({ length: 384 }, normal))
    }
    const pass = await blocks.forward(states(1, 6), { ports, keepResiduals: true })
    await pass.backward(states(1, 6))
  }
  await auditor.settled()
  const { audits, agreed, unanswered, lies, suspected } = auditor.report
  assert.ok(audits >= 12 && agreed === audits && unanswered === 0, `${agreed} of ${audits} agreed, ${unanswered} not`)
  assert.deepEqual([lies, suspected], [[], []])
  liar.tell(noise(0.05, normal))
  const input = states(1, 6)
  await blocks.forward(input)
  assert.deepEqual(
    auditor.report.lies.map(({ peerId }) => peerId),
    [liar.server.peerId]
  )
})
