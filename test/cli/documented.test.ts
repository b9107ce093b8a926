// What docs/command-line.md shows as a command and its answer is what the command answers.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'

const root = join(import.meta.dirname, '../..')
const page = readFileSync(join(root, 'docs/command-line.md'), 'utf8')
const shown = [...page.matchAll(/```console\n\$ swarm ([^\n]*)\n([^`]*)```/g)].map(match => [match[1]!, match[2]!])

test('the page shows what the command says', { concurrency: 2 }, async context => {
  assert.ok(shown.length >= 4)
  await Promise.all(
    shown.map(([line, expected]) =>
      context.test(`swarm ${line}`, async () => {
        const command = `"${process.execPath}" cli/bin.js ${line} 2>&1; echo "$?"`
        const { SWARM_JOIN: _, SWARM_INVITE: __, ...env } = process.env
        const { stdout } = await promisify(execFile)('/bin/sh', ['-c', command], { cwd: root, env, timeout: 60_000 })
        const lines = stdout.trimEnd().split('\n')
        assert.notEqual(lines.pop(), '0')
        assert.equal(`${lines.join('\n')}\n`, expected)
      })
    )
  )
})
