// swarm id: the same peer id as the peer that runs with the key.
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { runProgram } from '../../../cli/program.ts'
import { createNetwork } from '../../../network/node.ts'

/** What the command writes to standard output. */
async function output(context: { mock: typeof import('node:test').mock }, args: readonly string[]): Promise<string> {
  const lines: string[] = []
  const write = context.mock.method(process.stdout, 'write', (text: string) => {
    lines.push(text)
    return true
  })
  try {
    await runProgram(args)
  } finally {
    write.mock.restore()
  }
  return lines.join('')
}

test('the peer id of a file is that of the peer that runs with it, before and while it runs', async context => {
  const home = await mkdtemp(join(tmpdir(), 'swarm-id-'))
  context.after(() => rm(home, { recursive: true }))
  const file = join(home, 'me.key')
  const before = await output(context, ['id', '--identity', file])
  assert.match(before, /^12D3KooW\w{44}\n$/)
  const network = await createNetwork({ listen: ['/ip4/127.0.0.1/tcp/0'], identityPath: file })
  await network.start()
  try {
    const found = JSON.parse(await output(context, ['id', '--identity', file, '--port', '4001', '--json']))
    assert.deepEqual([found.peerId, found.isRunning, found.file], [network.peerId, true, file])
    assert.ok(found.addresses.every((address: string) => address.endsWith(':4001') && !address.startsWith('127.')))
  } finally {
    await network.stop()
  }
  assert.equal(await output(context, ['id', '--identity', file]), `${network.peerId}\n`)
  assert.match(await output(context, ['id', '-v', '--identity', file]), /\n {2}key file {3}.*me\.key\n/)
})
