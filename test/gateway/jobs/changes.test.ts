// A reader of a job's changes that does not read, and one that does.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { JobChange } from '../../../gateway/jobs/changes.ts'
import { JobWatcher } from '../../../gateway/jobs/changes.ts'
import { collectAll } from '../../../testing/references.ts'

const { signal } = new AbortController()
const state = (step: number): JobChange => ({ type: 'job', job: { step } as never })
const line = (step: number): JobChange => ({ type: 'metrics', line: { step, epoch: 1 } })

test('changes come in order, of states that waited only the last', async () => {
  const watcher = new JobWatcher()
  for (let step = 1; step <= 400; step++) {
    watcher.push(state(step))
    watcher.push(line(step))
  }
  watcher.push(state(401))
  watcher.end()
  const read = await collectAll(watcher.read(signal))
  assert.deepEqual(read, [...Array.from({ length: 400 }, (_, at) => line(at + 1)), state(401)])
})

test('a reader that is too slow is told so, and holds no memory until then', async () => {
  const watcher = new JobWatcher()
  for (let step = 1; step <= 5000; step++) watcher.push(line(step))
  await assert.rejects(collectAll(watcher.read(signal)), { status: 503, code: 'reader_too_slow' })
})

test('a change that comes later wakes the reader; the signal ends it', async () => {
  const watcher = new JobWatcher()
  const leaving = new AbortController()
  const changes = watcher.read(leaving.signal)
  const next = changes.next()
  watcher.push(line(1))
  assert.deepEqual((await next).value, line(1))
  const last = changes.next()
  leaving.abort()
  assert.equal((await last).done, true)
})
