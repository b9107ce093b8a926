import assert from 'node:assert/strict'
import { it } from 'node:test'
import { MiB } from '../../common/units.ts'
import { GraphBuilder } from '../../graph/builder.ts'
import { createSession, discarded, reservedTensor, sharedTensor } from '../../runtime/session.ts'

it('of reserved memory only what is written takes any, however much was used and dropped before', async () => {
  const start = process.memoryUsage().rss
  for (let round = 0; round < 40; round++) {
    const tensors = Array.from({ length: 12 }, () => reservedTensor('float32', [1_500_000]))
    for (const { data } of tensors) data.fill(1, 0, 20_000)
    if (round % 5 === 4) discarded(64 * MiB) // collects
    await new Promise(resolve => setTimeout(resolve, 5))
  }
  const grown = (process.memoryUsage().rss - start) / MiB
  assert.ok(grown < 150, `at most 5 MiB of 360 were written at a time, and ${grown} MiB are there`)
})

it('shared memory that nobody uses any more goes back, although V8 does not count it', async () => {
  const g = new GraphBuilder('double')
  const x = g.input('x', 'float32', ['n'])
  g.output('y', g.Add(x, x))
  await using session = await createSession(g.build())
  const count = 1 << 20 // 4 MiB
  const start = process.memoryUsage().rss
  for (let run = 0; run < 150; run++) {
    const x = sharedTensor('float32', [count])
    x.data.fill(run)
    const y = sharedTensor('float32', [count])
    await session.run({ x }, { outputs: { y } })
    assert.equal(y.data[count - 1], 2 * run)
    const row = reservedTensor('float32', [16 * count])
    row.data.fill(1, 0, count)
    discarded(4 * MiB)
  }
  const grown = (process.memoryUsage().rss - start) / MiB
  assert.ok(grown < 300, `1800 MiB of shared memory were used, one after the other, and ${grown} MiB are still there`)
})
