// What a swarm tells the outside: nothing. A server, a client and a training run in a network namespace of their own.
import assert from 'node:assert/strict'
import { execFile, execFileSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { minute } from '../../common/units.ts'

/** Why no namespace can be made here; false where it can. */
function withoutNamespaces(): string | false {
  try {
    execFileSync('unshare', ['-n', '-m', 'ip', 'link', 'set', 'lo', 'up'], { stdio: 'ignore' })
    return false
  } catch {
    return 'needs root, unshare and ip (Linux) to make a network namespace'
  }
}

test('a server, a client and a training run look up no name and write only to their own folders', {
  skip: withoutNamespaces(),
  timeout: 5 * minute
}, async context => {
  const work = await mkdtemp(join(tmpdir(), 'swarm-quiet-'))
  context.after(() => rm(work, { recursive: true, force: true }))
  const inside = join(import.meta.dirname, 'quiet/inside.ts')
  const { stdout } = await promisify(execFile)('unshare', ['-n', '-m', process.execPath, inside, work])
  const { text, run, ...found } = JSON.parse(stdout) as Record<'text' | 'asked' | 'home' | 'run', string | string[]>
  assert.match(text as string, /^ ?\S/, 'the client generated something')
  assert.ok(run.includes('adapter_model.safetensors'), 'the run saved its adapter')
  assert.deepEqual(found, { asked: [], home: [], ownHome: [], temporary: [], current: [] })
})
