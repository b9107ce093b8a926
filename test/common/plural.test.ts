import assert from 'node:assert/strict'
import { test } from 'node:test'
import { plural } from '../../common/plural.ts'

test('one is one thing, anything else are several', () => {
  const texts = [plural(1, 'peer'), plural(0, 'server'), plural(2, 'reply', 'replies'), plural(1.5, 'step')]
  assert.deepEqual(
    [...texts, plural(12_345, 'token')],
    ['1 peer', '0 servers', '2 replies', '1.5 steps', '12,345 tokens']
  )
})
