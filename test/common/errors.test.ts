import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SwarmError } from '../../common/errors.ts'

test('a message quotes what was found without steering the terminal, and ends', () => {
  const { message } = new SwarmError('INVALID_ARGUMENT', 'found \u001b[2J\u0000\u202e in\n\ta')
  assert.equal(message, 'found \\u001b[2J\\u0000\\u202e in\n\ta')
  const long = new SwarmError('INVALID_ARGUMENT', `config.json: x: expected a number, found ${'x'.repeat(1e6)}: try 1`)
    .message
  assert.ok(long.length <= 2000, `${long.length}`)
  assert.match(long, /^config\.json: x: expected a number, found x+ … \(\d+ characters\) … x+: try 1$/)
})
