import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Progress, runStage } from '../../common/progress.ts'

test('a stage tells its beginning, its course and its end', async () => {
  const seen: Progress[] = []
  const about = { stage: 'convert', name: 'tiny', unit: 'bytes', total: 10 } as const
  const result = await runStage(
    progress => seen.push(progress),
    about,
    async ({ add, reach }) => {
      add(3)
      add(4)
      reach(10)
      return 'done'
    }
  )
  assert.equal(result, 'done')
  assert.deepEqual(
    seen,
    [0, 3, 7, 10, 10].map((done, index) => ({ ...about, done, ended: index === 4 }))
  )
})

test('a stage that fails ends where it was, and gives its error', async () => {
  const seen: Progress[] = []
  const work = runStage(
    progress => seen.push(progress),
    { stage: 'connect' },
    ({ add }) => {
      add(1)
      throw new RangeError('no peer')
    }
  )
  await assert.rejects(work, { name: 'RangeError', message: 'no peer' })
  assert.deepEqual(seen.at(-1), { stage: 'connect', done: 1, ended: true })
  assert.equal(await runStage(undefined, { stage: 'connect' }, ({ add }) => add(1)), undefined)
})
