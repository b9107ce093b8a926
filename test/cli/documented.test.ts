// What docs/command-line.md shows as a command and its answer is what the command answers.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { startSwarm } from '../../testing/swarm.ts'
import { runHere } from './run.ts'

const root = join(import.meta.dirname, '../..')
const page = readFileSync(join(root, 'docs/command-line.md'), 'utf8')
const shown = [...page.matchAll(/```console\n\$ ([^\n]*)\n([^`]*)```/g)].map(match => [match[1]!, match[2]!] as const)

/** In this process where no shell is needed. */
async function answerOf(line: string, env: NodeJS.ProcessEnv): Promise<string> {
  if (!/[|<>;]/.test(line)) {
    const words = [...line.replace(/^npx /, '').matchAll(/"([^"]*)"|(\S+)/g)].map(
      ([, quoted, plain]) => quoted ?? plain!
    )
    const { stdout, stderr } = await runHere(...words.slice(1))
    return (stdout + stderr).replaceAll(root, '/home/me/swarmtune')
  }
  const command = `npx() { shift; "$NODE" cli/bin.js "$@"; }; { ${line}; } 2>&1`
  const options = { cwd: root, env: { ...env, NODE: process.execPath }, timeout: 60_000 }
  return (await promisify(execFile)('/bin/sh', ['-c', command], options).catch(error => error)).stdout
}

test('the page shows what the command says', {
  skip: process.platform === 'win32' && 'its commands are for a POSIX shell'
}, async context => {
  assert.ok(shown.length >= 8)
  await using swarm = await startSwarm([[0, 12]])
  process.chdir(root)
  const env = { ...process.env, SWARM_INVITE: '', SWARM_JOIN: swarm.join[0] }
  for (const [line, expected] of shown) {
    await context.test(line, async () => assert.equal(await answerOf(line, env), expected))
  }
})
