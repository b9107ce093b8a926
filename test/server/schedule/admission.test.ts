import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Admission } from '../../../server/schedule/admission.ts'

test('nobody is let in before a server is open and after it has begun to leave', async () => {
  const admission = new Admission()
  assert.throws(() => admission.enter('request'), { code: 'BUSY' })
  admission.open()
  const leave = admission.enter('session')
  assert.deepEqual(admission.inside, { request: 0, session: 1 })
  let empty = false
  const closed = admission.close().then(() => {
    empty = true
  })
  assert.throws(() => admission.enter('request'), { code: 'DRAINING', retryable: true })
  admission.open() // too late
  assert.throws(() => admission.enter('request'), { code: 'DRAINING' })
  await Promise.resolve()
  assert.equal(empty, false)
  leave()
  leave()
  await closed
  assert.deepEqual(admission.inside, { request: 0, session: 0 })
})

test('an empty server leaves at once', async () => {
  const admission = new Admission()
  admission.open()
  admission.enter('request')()
  await admission.close()
})
