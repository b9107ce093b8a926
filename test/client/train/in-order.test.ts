// Batches that are under way together and take effect one after the other.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inOrder } from '../../../client/train/in-order.ts'

const items = [0, 1, 2, 3, 4]

test('as many are under way as there is room for, and no more', async () => {
  for (const [width, most] of [
    [1, 1],
    [3, 3],
    [9, 5]
  ] as const) {
    let [now, seen] = [0, 0]
    const results = await inOrder(items, { width }, async item => {
      seen = Math.max(seen, ++now)
      await new Promise(resolve => setImmediate(resolve))
      now--
      return 2 * item
    })
    assert.equal(seen, most)
    assert.deepEqual(results, [0, 2, 4, 6, 8])
  }
})

test('each takes effect after the one before, whatever is ready first', async () => {
  const log: string[] = []
  const ready = items.map(() => Promise.withResolvers<void>())
  const running = inOrder(items, { width: 5 }, async (item, index, { after }) => {
    await ready[index]!.promise
    log.push(`ready ${item}`)
    await after
    log.push(`done ${item}`)
  })
  for (const { resolve } of ready.toReversed()) {
    resolve()
    await new Promise(each => setImmediate(each))
  }
  await running
  assert.deepEqual(log, [...items.toReversed().map(item => `ready ${item}`), ...items.map(item => `done ${item}`)])
})

test('a failure stops those under way and those to come, and is thrown when all have ended', async () => {
  const started: number[] = []
  let ended = 0
  await assert.rejects(
    inOrder(items, { width: 3 }, async (item, _, { after, signal }) => {
      started.push(item)
      try {
        if (item === 1) throw new Error('the second')
        await new Promise<void>(resolve => signal.addEventListener('abort', () => resolve(), { once: true }))
        await after
        signal.throwIfAborted()
      } finally {
        ended++
      }
    }),
    /the second/
  )
  assert.deepEqual(started, [0, 1, 2])
  assert.equal(ended, 3)
  await assert.rejects(
    inOrder(items, { width: 1, signal: AbortSignal.abort() }, async () => {}),
    { code: 'ABORTED' }
  )
})
