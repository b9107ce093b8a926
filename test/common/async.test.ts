import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { describe, test } from 'node:test'
import {
  aborted,
  delay,
  onAbort,
  pause,
  SerialQueue,
  settled,
  throwIfAborted,
  unlessAborted,
  within
} from '../../common/async.ts'

const listeners = (signal: AbortSignal): number => getEventListeners(signal, 'abort').length

describe('a signal', () => {
  test('calls back once, at once where it has aborted, and leaves no listener', () => {
    const controller = new AbortController()
    let calls = 0
    const stop = onAbort(controller.signal, () => calls++)
    onAbort(controller.signal, () => calls++)()
    assert.equal(listeners(controller.signal), 1)
    controller.abort()
    stop()
    assert.equal(calls, 1)
    onAbort(controller.signal, () => calls++)
    assert.equal(calls, 2)
    assert.equal(listeners(controller.signal), 0)
    onAbort(undefined, () => calls++)()
    assert.equal(calls, 2)
  })

  test('ends a wait for it, before and after it has aborted', async () => {
    const controller = new AbortController()
    const waiting = aborted(controller.signal)
    controller.abort()
    await waiting
    await aborted(controller.signal)
  })

  test('is thrown as ABORTED, a timeout as DEADLINE', async () => {
    throwIfAborted(undefined)
    throwIfAborted(new AbortController().signal)
    assert.throws(() => throwIfAborted(AbortSignal.abort()), { code: 'ABORTED' })
    const late = AbortSignal.timeout(1)
    await aborted(late)
    assert.throws(() => throwIfAborted(late), { code: 'DEADLINE' })
  })
})

describe('a race with a signal', () => {
  test('gives what the work gives, or throws what it throws, and leaves no listener', async () => {
    const { signal } = new AbortController()
    assert.equal(await unlessAborted(Promise.resolve(3), signal), 3)
    assert.equal(await unlessAborted(Promise.resolve(4), undefined), 4)
    await assert.rejects(unlessAborted(Promise.reject(new Error('broken')), signal), { message: 'broken' })
    assert.equal(listeners(signal), 0)
  })

  test('throws the reason of the signal as soon as it aborts', async () => {
    const controller = new AbortController()
    const race = unlessAborted(new Promise(() => {}), controller.signal)
    controller.abort()
    await assert.rejects(race, { code: 'ABORTED' })
    await assert.rejects(unlessAborted(new Promise(() => {}), controller.signal), { code: 'ABORTED' })
  })
})

describe('a delay', () => {
  test('ends when its time is over, and leaves no listener', async () => {
    const { signal } = new AbortController()
    await delay(1, signal)
    await pause(1, signal)
    await pause(1)
    assert.equal(listeners(signal), 0)
  })

  test('rejects when the signal aborts; a pause ends', async () => {
    const controller = new AbortController()
    const waits = [delay(60_000, controller.signal), pause(60_000, controller.signal)] as const
    controller.abort()
    await assert.rejects(waits[0], { code: 'ABORTED' })
    await waits[1]
    await assert.rejects(delay(60_000, controller.signal), { code: 'ABORTED' })
  })
})

describe('a time limit', () => {
  test('ends the wait, not the work; a failure before it is thrown', async () => {
    await within(1, new Promise(() => {}))
    await within(60_000, Promise.resolve())
    await within(60_000, new Promise(() => {}), AbortSignal.abort())
    await assert.rejects(within(60_000, Promise.reject(new Error('broken'))), { message: 'broken' })
  })
})

describe('a serial queue', () => {
  test('does one after the other, in order; a failure is its own', async () => {
    const queue = new SerialQueue()
    const log: string[] = []
    const gate = Promise.withResolvers<void>()
    const first = queue.run(async () => {
      await gate.promise
      log.push('first')
    })
    const second = queue.run(() => {
      log.push('second')
      throw new Error('broken')
    })
    const third = queue.run(() => log.push('third'))
    gate.resolve()
    await assert.rejects(second, { message: 'broken' })
    assert.equal(await third, 3)
    await first
    await queue.idle
    assert.deepEqual(log, ['first', 'second', 'third'])
  })

  test('hides failures where that is asked for', async () => {
    await settled(Promise.reject(new Error('told elsewhere')))
  })
})

test('a moment that has passed already is waited for without a warning', async context => {
  const warnings: Error[] = []
  const onWarning = (warning: Error): unknown => warnings.push(warning)
  process.on('warning', onWarning)
  context.after(() => process.off('warning', onWarning))
  await Promise.all([delay(-36), pause(-0.5)])
  // warnings are emitted in a later turn
  await new Promise(resolve => setImmediate(resolve))
  assert.deepEqual(warnings, [])
})
