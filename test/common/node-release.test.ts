import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkNodeRelease } from '../../common/platform/node-release.ts'

test('a Node too old for the libraries is refused by name', () => {
  for (const old of ['18.20.1', '20.20.2', '21.9.0', '22.17.1'])
    assert.throws(() => checkNodeRelease(old), {
      code: 'UNSUPPORTED',
      message: `swarmtune needs Node 24.9 or newer, or 22.21 or newer of Node 22; this is ${old}`
    })
  for (const node of ['22.18.0', '22.21.0', '23.1.0', '24.9.0', '26.0.0', undefined]) checkNodeRelease(node)
})
