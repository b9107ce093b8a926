import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { startOrStop } from '../../common/resource.ts'

/** Starts when it is told to; a stop ends a start that is under way, as a network's does. */
function createStartable() {
  const started = Promise.withResolvers<void>()
  const calls: string[] = []
  return {
    calls,
    started,
    start() {
      calls.push('start')
      return started.promise
    },
    async stop() {
      calls.push('stop')
      started.reject(new Error('stopped'))
    }
  }
}

suite('what is started', () => {
  test('goes on, and is not stopped by its signal afterwards', async () => {
    const controller = new AbortController()
    const startable = createStartable()
    startable.started.resolve()
    await startOrStop(startable, controller.signal)
    controller.abort()
    assert.deepEqual(startable.calls, ['start'])
  })

  test('is stopped when the signal aborts meanwhile, and the reason is thrown', async () => {
    const controller = new AbortController()
    const startable = createStartable()
    const starting = startOrStop(startable, controller.signal)
    controller.abort(new Error('no longer wanted'))
    await assert.rejects(starting, /no longer wanted/)
    assert.equal(startable.calls[0], 'start')
    assert.ok(startable.calls.includes('stop'))
  })

  test('is not started for a signal that has aborted', async () => {
    const startable = createStartable()
    startable.started.promise.catch(() => {})
    await assert.rejects(startOrStop(startable, AbortSignal.abort(new Error('no longer wanted'))), /no longer wanted/)
    assert.ok(!startable.calls.includes('start'))
  })

  test('is stopped where its start fails, and the failure is thrown', async () => {
    const startable = createStartable()
    startable.started.reject(new Error('the port is taken'))
    await assert.rejects(startOrStop(startable, undefined), /the port is taken/)
    assert.deepEqual(startable.calls, ['start', 'stop'])
  })
})
