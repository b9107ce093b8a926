import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describeTraffic } from '../../cli/views/traffic.ts'

const before = { sent: 1000, received: 100 }
const first = { sent: 1000 + 2048, received: 300 }

test('the prompt is told apart from the tokens that follow it', () => {
  const end = { sent: first.sent + 2100, received: first.received + 1050 }
  assert.equal(
    describeTraffic({ before, first, end, tokens: 11 }),
    'prompt: 2.0 KiB sent, 200 B received; then 210 B sent and 105 B received a token'
  )
})

test('tokens that all come at once, and a single one, are the prompt and no more', () => {
  assert.equal(describeTraffic({ before, first, end: first, tokens: 9 }), 'prompt: 2.0 KiB sent, 200 B received')
  const end = { sent: first.sent + 20, received: first.received }
  assert.equal(describeTraffic({ before, first, end, tokens: 1 }), 'prompt: 2.0 KiB sent, 200 B received')
})
