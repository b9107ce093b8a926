// What commands end with after a signal, each after an orderly stop.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { test } from 'node:test'
import { startPeer } from '../../cli/peer/local-swarm.ts'
import { second } from '../../common/units.ts'

const root = join(import.meta.dirname, '../..')

/** Signals a command as soon as it says something, and gives how it ended. */
async function ended(args: readonly string[], signal: NodeJS.Signals): Promise<unknown[]> {
  const child = spawn(process.execPath, [join(root, 'cli/bin.js'), ...args], {
    cwd: root,
    stdio: ['pipe', 'pipe', 'pipe']
  })
  const gone = once(child, 'exit')
  await Promise.race([once(child.stdout, 'data'), once(child.stderr, 'data'), gone])
  child.kill(signal)
  return await gone
}

test('SIGINT ends with 130, SIGTERM with 143', {
  timeout: 60 * second,
  skip: process.platform === 'win32' && 'Windows has no signals'
}, async () => {
  const bootstrap = ['bootstrap', '--host', '127.0.0.1', '--port', '0', '--no-identity', '--no-mdns']
  const peer = await startPeer(bootstrap)
  const watch = ['status', '--watch', '--join', peer.address, '--no-mdns']
  assert.deepEqual(await Promise.all([ended(watch, 'SIGTERM'), ended(bootstrap, 'SIGINT')]), [
    [143, null],
    [130, null]
  ])
  await peer.stop()
  assert.equal(peer.process.exitCode, 143)
})
