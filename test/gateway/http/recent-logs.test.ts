// Log lines that the operator sees in the page: bounded, and handed on.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RecentLogs } from '../../../gateway/http/recent-logs.ts'

describe('the latest log lines', () => {
  it('are handed on, kept in bounds, and tell of an error its message alone', () => {
    const written: string[] = []
    const write = (_: object, message: string): void => void written.push(message)
    const logs = new RecentLogs({ debug: write, info: write, warn: write, error: write })
    logs.debug({}, 'a request')
    for (let at = 0; at < 600; at++) logs.info({ at }, 'a step')
    logs.warn({ err: new Error('no way'), peer: 'x'.repeat(5000) }, 'a server failed')
    assert.equal(written.length, 602)
    assert.equal(logs.lines.length, 500)
    const { number, level, message, fields } = logs.lines.at(-1)!
    assert.deepEqual([number, level, message, fields.length], [601, 'warn', 'a server failed', 1000])
    assert.match(fields, /^err=no way peer=xxx/)
    assert.equal(logs.lines[0]!.fields, 'at=101')
  })
})
