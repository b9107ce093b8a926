import assert from 'node:assert/strict'
import { test } from 'node:test'
import { blockWeights } from '../../../model/weights/block-weights.ts'
import type { Session } from '../../../runtime/session.ts'
import { type ProgramKey, SpanPrograms } from '../../../server/compute/programs.ts'
import { openModel, rejectsWith } from '../support.ts'

const range = { first: 0, end: 4 }
const keyOf = (first: number, fields: Partial<ProgramKey> = {}): ProgramKey => ({
  purpose: 'forward',
  blocks: { first, end: first + 1 },
  ports: [],
  dropout: false,
  ...fields
})

async function createPrograms(fields: { maxSessions?: number; prepackedBytes?: number } = {}) {
  const checkpoint = await openModel('grouped')
  const weights = await blockWeights(checkpoint, range)
  const init = { checkpoint, range, weights, threads: 1, maxSessions: 2, prepackedBytes: 0, ...fields }
  return { programs: new SpanPrograms(init), weights }
}

test('sessions are compiled once, whatever the order of ports and however many ask', async () => {
  const { programs } = await createPrograms()
  const [b, a] = ['blocks.0.lora.self_attn.q_proj.B', 'blocks.0.lora.self_attn.q_proj.A'] as const
  const sessions = await Promise.all(
    [
      [a, b],
      [b, a],
      [a, b]
    ].map(ports => programs.use(keyOf(0, { ports }), async session => session))
  )
  assert.equal(new Set(sessions).size, 1)
  assert.notEqual(await programs.use(keyOf(0), async session => session), sessions[0])
  assert.equal(programs.size, 2)
  await programs.close()
})

test('the session used longest ago goes first, one in use never', async () => {
  const { programs } = await createPrograms({ maxSessions: 1 / 2 })
  const gate = Promise.withResolvers<void>()
  let held: Session | undefined
  const using = programs.use(keyOf(0), async session => {
    held = session
    await gate.promise
    return session
  })
  const second = await programs.use(keyOf(1), async session => session)
  await programs.use(keyOf(2), async session => session)
  assert.equal(programs.size, 2)
  assert.notEqual(await programs.use(keyOf(1), async session => session), second) // was compiled anew
  gate.resolve()
  assert.equal(await using, held)
  assert.equal(await programs.use(keyOf(0), async session => session), held)
  await programs.close()
})

test('what does not compile is said to everybody who asked, and tried again', async () => {
  const { programs } = await createPrograms()
  const wrong = keyOf(0, { ports: ['blocks.0.lora.nothing.A'] })
  const never = async (): Promise<void> => assert.fail('there is no session')
  await rejectsWith(Promise.all([programs.use(wrong, never), programs.use(wrong, never)]), 'INVALID_ARGUMENT')
  await rejectsWith(programs.use(wrong, never), 'INVALID_ARGUMENT')
  assert.equal(programs.size, 0)
  await programs.close()
  await rejectsWith(programs.use(keyOf(0), never), 'ABORTED')
})

test('both halves of a cut fit each other', async () => {
  const { programs } = await createPrograms()
  const graphOf = (purpose: ProgramKey['purpose']) => programs.use(keyOf(0, { purpose }), async ({ graph }) => graph)
  const [forward, backward] = [await graphOf('residual'), await graphOf('backward')]
  const given = new Set([...forward.outputs, ...forward.inputs].map(({ name }) => name))
  for (const { name } of backward.inputs) assert.ok(name === 'grad.hidden_out' || given.has(name), name)
  await programs.close()
})
