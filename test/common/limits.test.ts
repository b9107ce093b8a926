import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { withinTimeLimit } from '#limits'
import { SwarmError } from '../../common/errors.ts'

const endless = {
  loop: (): void => {
    for (;;);
  },
  pattern: () => /(a+)+$/.test(`${'a'.repeat(60)}b`),
  recursion: (): number => {
    const fibonacci = (n: number): number => (n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2))
    return fibonacci(100)
  },
  'loop that catches everything': (): void => {
    for (;;) {
      try {
        for (;;);
      } catch {}
    }
  }
}

for (const [name, compute] of Object.entries(endless)) {
  test(`an endless ${name} is stopped, and the error says what it was`, () => {
    assert.throws(
      () => withinTimeLimit(30, `some file: ${name}`, compute),
      (error: SwarmError) =>
        error.code === 'DEADLINE' &&
        !error.retryable &&
        error.message.startsWith(`some file: ${name}: stopped after 0.03 s`)
    )
  })
}

test('what a computation returns or throws comes back as it is', () => {
  const value = { of: ['this', 'realm'] }
  assert.equal(
    withinTimeLimit(60_000, 'value', () => value),
    value
  )
  assert.equal(
    withinTimeLimit(60_000, 'nothing', () => undefined),
    undefined
  )
  const error = new SwarmError('INVALID_ARGUMENT', 'of the computation')
  assert.throws(
    () =>
      withinTimeLimit(60_000, 'error', () => {
        throw error
      }),
    (thrown: unknown) => thrown === error
  )
})

test('limits may lie within each other: the one whose time is up is named', () => {
  assert.throws(
    () => withinTimeLimit(60_000, 'outer', () => withinTimeLimit(30, 'inner', endless.loop)),
    /^SwarmError: inner: stopped/
  )
  assert.throws(
    () => withinTimeLimit(30, 'outer', () => withinTimeLimit(60_000, 'inner', endless.pattern)),
    /^SwarmError: outer: stopped/
  )
  const twice = withinTimeLimit(60_000, 'outer', () => [
    withinTimeLimit(60_000, 'first', () => 1),
    withinTimeLimit(60_000, 'second', () => 2)
  ])
  assert.deepEqual(twice, [1, 2])
})

test('a worker thread stops its own', async () => {
  const worker = new Worker(
    `const { withinTimeLimit } = require('#limits')
     const { parentPort } = require('node:worker_threads')
     try { withinTimeLimit(30, 'in a worker', () => { for (;;); }) } catch (error) { parentPort.postMessage(error.message) }`,
    { eval: true }
  )
  const message = await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
  assert.match(String(message), /^in a worker: stopped/)
})
