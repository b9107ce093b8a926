// What docs/command-line.md shows as a command and its answer is what the command answers.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { startSwarm } from '../../testing/swarm.ts'

const root = join(import.meta.dirname, '../..')
const page = readFileSync(join(root, 'docs/command-line.md'), 'utf8')
const shown = [...page.matchAll(/```console\n\$ ([^\n]*)\n([^`]*)```/g)].map(match => [match[1]!, match[2]!])

test('the page shows what the command says', { skip: process.platform === 'win32' }, async context => {
  assert.ok(shown.length >= 6)
  await using swarm = await startSwarm([[0, 12]])
  const env = { ...process.env, SWARM_INVITE: '', SWARM_JOIN: swarm.join[0], NODE: process.execPath }
  const answers = await Promise.all(
    shown.map(([line]) => {
      const command = `swarm() { "$NODE" cli/bin.js "$@"; }; { ${line}; } 2>&1`
      return promisify(execFile)('/bin/sh', ['-c', command], { cwd: root, env, timeout: 60_000 }).catch(error => error)
    })
  )
  for (const [index, [line, expected]] of shown.entries()) {
    await context.test(line!, () => assert.equal(answers[index].stdout, expected))
  }
})
